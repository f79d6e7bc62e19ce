"""The identities that every displayed number must satisfy, held against the files themselves.

The reference here is a second GPT-2, written in plain numpy at double precision straight from
the checkpoint's tensors; it shares no line with the engine.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor

from tests.tiny import write_checkpoint
from tutor.config import SamplingConfig
from tutor.engine.capture import all_sites
from tutor.engine.replies import write_reply
from tutor.model.gpt2 import GPT2
from tutor.model.registry import LoadedModel, load_model
from tutor.trace import LayerStats

Doubles = NDArray[np.float64]
IDS = [3, 77, 140, 9, 9, 201, 55, 18, 240, 3]


def layer_norm(x: Doubles, gain: Doubles, bias: Doubles, eps: float) -> Doubles:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * gain + bias


def softmax(x: Doubles) -> Doubles:
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def reference(folder: Path, ids: list[int]) -> tuple[Doubles, Doubles]:
    """Logits [T, V] and patterns [layer, head, T, T] of the checkpoint, computed from scratch."""
    config = json.loads((folder / "config.json").read_text())
    raw = load_file(folder / "model.safetensors")
    w = {k.removeprefix("transformer."): v.astype(np.float64) for k, v in raw.items()}
    heads, eps, size = config["n_head"], config["layer_norm_epsilon"], len(ids)
    x, patterns = w["wte.weight"][ids] + w["wpe.weight"][:size], []
    for i in range(config["n_layer"]):
        p = {k.removeprefix(f"h.{i}."): v for k, v in w.items() if k.startswith(f"h.{i}.")}
        qkv = (
            layer_norm(x, p["ln_1.weight"], p["ln_1.bias"], eps) @ p["attn.c_attn.weight"]
            + p["attn.c_attn.bias"]
        )
        mixed = []
        for q, k, v in zip(*(np.split(part, heads, -1) for part in np.split(qkv, 3, -1)), strict=True):
            scores = q @ k.T / np.sqrt(q.shape[-1]) + np.triu(np.full((size, size), -np.inf), 1)
            patterns.append(softmax(scores))
            mixed.append(patterns[-1] @ v)
        x = x + np.concatenate(mixed, -1) @ p["attn.c_proj.weight"] + p["attn.c_proj.bias"]
        h = layer_norm(x, p["ln_2.weight"], p["ln_2.bias"], eps) @ p["mlp.c_fc.weight"] + p["mlp.c_fc.bias"]
        h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
        x = x + h @ p["mlp.c_proj.weight"] + p["mlp.c_proj.bias"]
    logits = layer_norm(x, w["ln_f.weight"], w["ln_f.bias"], eps) @ w["wte.weight"].T
    return logits, np.array(patterns).reshape(config["n_layer"], heads, size, size)


@pytest.fixture(scope="module")
def sites(ours: LoadedModel) -> dict[str, Tensor]:
    return all_sites(ours.model, IDS)


def test_the_engine_equals_a_model_written_from_scratch(ours_folder: Path, sites: dict[str, Tensor]) -> None:
    """Guards against an error that we and transformers might share, and float32 drift."""
    logits, patterns = reference(ours_folder, IDS)
    assert np.abs(sites["logits"].numpy() - logits).max() < 2e-5
    assert np.abs(sites["pattern"].numpy() - patterns).max() < 2e-6


def test_attention_rows(sites: dict[str, Tensor]) -> None:
    """Rows sum to 1; above the diagonal is exactly 0; the first token sees itself only."""
    pattern = sites["pattern"]
    assert (pattern.sum(-1) - 1).abs().max() < 1e-6
    assert (pattern.triu(1) == 0).all()
    assert (pattern[:, :, 0, 0] == 1).all()
    assert (pattern >= 0).all() and pattern.tril().count_nonzero() == 3 * 2 * 55


def test_recorded_attention_rows_sum_to_one(ours: LoadedModel) -> None:
    trace = write_reply(ours, IDS, SamplingConfig(temperature=1, max_new_tokens=9))
    for step in trace.steps:
        assert step.attention is not None
        assert step.attention.shape == (3, 2, len(IDS) + step.index)
        assert np.abs(step.attention.sum(-1) - 1).max() < 1e-6


def test_stream_adds_up_exactly(ours: LoadedModel, sites: dict[str, Tensor]) -> None:
    """Pre-norm: the stream is embedding + what each sublayer added, not normalised anywhere."""
    assert torch.equal(sites["resid_pre"][0], ours.model.wte[IDS] + ours.model.wpe[: len(IDS)])
    assert torch.equal(sites["resid_mid"], sites["resid_pre"] + sites["attn_out"])
    assert torch.equal(sites["resid_post"], sites["resid_mid"] + sites["mlp_out"])
    assert torch.equal(sites["resid_pre"][1:], sites["resid_post"][:-1])
    total = sites["resid_pre"][0] + sites["attn_out"].sum(0) + sites["mlp_out"].sum(0)
    assert (sites["resid_post"][-1] - total).abs().max() < 1e-5


def test_heads_add_up_and_a_slice_of_the_output_is_no_head(
    ours: LoadedModel, sites: dict[str, Tensor]
) -> None:
    """Guards head contributions: z_h W_O[h], not columns of the attention output."""
    block, z = ours.model.blocks[1], sites["z"][1]
    w_o = block.attn_proj.weight.reshape(2, 8, 16)
    per_head = torch.bmm(z, w_o)
    assert (per_head.sum(0) + block.attn_proj.bias - sites["attn_out"][1]).abs().max() < 1e-5
    sliced = torch.cat([sites["attn_out"][1][:, :8], torch.zeros(len(IDS), 8)], dim=1)
    assert (per_head[0] + block.attn_proj.bias - sliced).abs().max() > 0.1


def test_layernorm_identities(ours: LoadedModel, sites: dict[str, Tensor]) -> None:
    """Mean 0 and biased variance 1 before gain and bias, not after; scale does not matter."""
    norm, x = ours.model.blocks[0].ln_1, sites["resid_pre"][0].double()
    y = sites["ln1"][0].double()
    before = (y - norm.bias) / norm.gain
    spread = x.var(-1, correction=0)
    assert before.mean(-1).abs().max() < 1e-5
    assert (before.var(-1, correction=0) - spread / (spread + norm.eps)).abs().max() < 1e-5
    assert (before.var(-1) - 1).abs().min() > 0.01, "the unbiased formula is a different one"
    assert (y.var(-1, correction=0) - 1).abs().max() > 0.01
    assert (norm(sites["resid_pre"][0] * 10) - sites["ln1"][0]).abs().max() < 1e-3


def test_logits_are_the_normed_stream_times_the_embedding(
    ours: LoadedModel, sites: dict[str, Tensor]
) -> None:
    """Tied, no bias, ln_f once: norming what is already normed gives another distribution."""
    once = ours.model.ln_f(sites["resid_post"][-1])
    assert (once @ ours.model.wte.T - sites["logits"]).abs().max() < 1e-5
    twice = ours.model.ln_f(once) @ ours.model.wte.T
    assert (twice.softmax(-1) - sites["logits"].softmax(-1)).abs().max() > 1e-3


def test_cache_in_any_cut_equals_one_pass(ours: LoadedModel, sites: dict[str, Tensor]) -> None:
    """Guards positions and masks when a prompt arrives in pieces: 10 = 4 + 1 + 3 + 2."""
    cache, start, rows = ours.model.new_cache(len(IDS)), 0, []
    for size in (4, 1, 3, 2):
        ids = torch.tensor(IDS[start : start + size])
        rows.append(ours.model.unembed(ours.model.forward(ids, cache, start)))
        start += size
    assert (torch.cat(rows) - sites["logits"]).abs().max() < 1e-5


def test_logits_of_a_prefix_are_a_prefix_of_the_logits(ours: LoadedModel, sites: dict[str, Tensor]) -> None:
    for size in (1, 2, 7):
        assert (all_sites(ours.model, IDS[:size])["logits"] - sites["logits"][:size]).abs().max() < 1e-5


class NoMask(GPT2):
    """GPT-2 whose tokens may look ahead."""

    @staticmethod
    def _future(tokens: int, start: int, device: torch.device) -> Tensor:
        return torch.zeros(tokens, start + tokens, dtype=torch.bool)


def unmasked(model: GPT2, wpe: Tensor) -> GPT2:
    return NoMask(model.config, model.wte, wpe, model.blocks, model.ln_f, model.unembedding)


def test_the_future_cannot_reach_the_past(ours: LoadedModel, sites: dict[str, Tensor]) -> None:
    """Another last token changes no earlier logit by one bit; without the mask it does."""
    other = [*IDS[:-1], 100]
    assert torch.equal(all_sites(ours.model, other)["logits"][:-1], sites["logits"][:-1])
    free = unmasked(ours.model, ours.model.wpe)
    gap = all_sites(free, other)["logits"][:-1] - all_sites(free, IDS)["logits"][:-1]
    assert gap.abs().max() > 1e-3


def test_order_comes_from_mask_and_positions_only(ours: LoadedModel) -> None:
    """With both off, permuted tokens give permuted logits; with either on, they do not."""
    order = [7, 2, 9, 0, 5, 1, 8, 3, 6, 4]
    shuffled = [IDS[i] for i in order]
    flat = torch.zeros_like(ours.model.wpe)
    masked = GPT2(
        ours.config, ours.model.wte, flat, ours.model.blocks, ours.model.ln_f, ours.model.unembedding
    )
    gaps = [
        float((all_sites(model, shuffled)["logits"] - all_sites(model, IDS)["logits"][order]).abs().max())
        for model in (unmasked(ours.model, flat), masked, unmasked(ours.model, ours.model.wpe))
    ]
    assert gaps[0] < 1e-4 and gaps[1] > 1e-2 and gaps[2] > 1e-2


def test_watching_changes_no_bit_and_leaves_no_trace(ours: LoadedModel, sites: dict[str, Tensor]) -> None:
    ids = torch.tensor(IDS)
    assert torch.equal(ours.model.unembed(ours.model.forward(ids)), sites["logits"])
    assert torch.equal(all_sites(ours.model, IDS)["logits"], sites["logits"])


def test_assembled_map_equals_one_pass_over_the_finished_text(ours: LoadedModel) -> None:
    trace = write_reply(ours, IDS, SamplingConfig(temperature=1, seed=6, max_new_tokens=15))
    full = all_sites(ours.model, [t.token_id for t in trace.tokens()[:-1]])["pattern"].numpy()
    for layer in range(3):
        for head in range(2):
            found = trace.attention_map(layer, head)
            assert found is not None and found.shape == full[layer, head].shape
            assert np.abs(found - full[layer, head]).max() < 1e-5
            early = trace.attention_map(layer, head, upto=4)
            assert early is not None and np.array_equal(early, found[: len(early), : len(early)])


def numbers(stats: LayerStats) -> list[np.ndarray]:
    arrays = [stats.resid_norm, stats.attn_norm, stats.mlp_norm, stats.ln_mean, stats.ln_var]
    return [*map(np.asarray, arrays), np.array([stats.ln_f_mean, stats.ln_f_var])]


def test_new_weights_change_every_measured_number(tmp_path: Path) -> None:
    """Guards against a placeholder anywhere in the record: nothing may survive other weights."""
    traces = []
    for seed in (1, 2):
        loaded = load_model(str(write_checkpoint(tmp_path / str(seed), "ours", seed=seed)), device="cpu")
        traces.append(write_reply(loaded, IDS, SamplingConfig(max_new_tokens=1)))
    one, other = (
        [
            *numbers(t.steps[0].layers),
            *(t.steps[0].resid, t.steps[0].logits, t.steps[0].attention, t.steps[0].lens.probs),
            *(t.steps[0].lens.entropy, np.array([c.prob_raw for c in t.steps[0].candidates])),
            *(np.array([t.steps[0].entropy, t.steps[0].logprob]), t.prefill.resid, t.prefill.logprobs[1:]),
            *(np.tril(t.prefill.attention)[..., 1:, :], *numbers(t.prefill.layers[3])),
        ]
        for t in traces
    )  # type: ignore[union-attr]
    for index, (a, b) in enumerate(zip(one, other, strict=True)):
        same = (a == b) & (a != 0)
        assert not same.any(), f"array {index} kept {same.sum()} numbers"
