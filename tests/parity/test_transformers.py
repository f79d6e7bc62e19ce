"""Our GPT-2 against transformers' GPT-2 (eager attention), on the same files from the same disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel

from tests.tiny import write_checkpoint
from tutor.config import EMBEDDED, SamplingConfig
from tutor.engine.capture import all_sites
from tutor.engine.replies import write_reply
from tutor.model.registry import LoadedModel, load_model

LIMIT = 1e-4  # absolute, float32
TINY_LIMIT = 2e-5  # for tiny models, where even the two forms of GELU differ by 7e-4

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "n_inner": {"n_inner": 40},
    "narrow MLP": {"n_inner": 8},
    "erf gelu": {"activation_function": "gelu"},
    "relu": {"activation_function": "relu"},
    "quick_gelu": {"activation_function": "quick_gelu"},
    "silu": {"activation_function": "silu"},
    "epsilon": {"layer_norm_epsilon": 0.1},
    "unscaled": {"scale_attn_weights": False},
    "by layer": {"scale_attn_by_inverse_layer_idx": True, "n_layer": 4},
    "untied": {"tie_word_embeddings": False},
    "resized vocabulary": {"vocab_size": 347},
    "one layer, one head": {"n_layer": 1, "n_head": 1},
    "eight heads": {"n_head": 8},
}


def reference(folder: Path) -> Any:
    model: Any = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    return model.eval()


def watched(model: Any, ids: list[int]) -> dict[str, Tensor]:
    """transformers' values at our sites, gathered with forward hooks, [n_layer, ...]."""
    seen: dict[str, list[Tensor]] = {}

    def keep(name: str) -> Any:
        return lambda module, args, out: seen.setdefault(name, []).append(
            (out[0] if isinstance(out, tuple) else out)[0]
        )

    for block in model.transformer.h:
        block.ln_1.register_forward_hook(keep("ln1"))
        block.attn.c_attn.register_forward_hook(keep("qkv"))
        block.attn.c_proj.register_forward_hook(keep("attn_out"))
        block.ln_2.register_forward_hook(keep("ln2"))
        block.mlp.c_fc.register_forward_hook(keep("mlp_pre"))
        block.mlp.act.register_forward_hook(keep("mlp_act"))
        block.mlp.c_proj.register_forward_hook(keep("mlp_out"))
        block.register_forward_hook(keep("resid_post"))
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    sites = {name: torch.stack(values) for name, values in seen.items()}
    qkv = sites.pop("qkv").unflatten(-1, (3, model.config.n_head, -1)).permute(2, 0, 3, 1, 4)
    sites |= {"q": qkv[0], "k": qkv[1], "v": qkv[2]}
    sites["pattern"] = torch.cat(out.attentions)
    sites["resid_pre"] = torch.cat(out.hidden_states[:-1])
    sites["after ln_f"] = out.hidden_states[-1][0]
    sites["logits"] = out.logits[0]
    return sites


def assert_same(loaded: LoadedModel, model: Any, ids: list[int], limit: float) -> None:
    ours, theirs = all_sites(loaded.model, ids), watched(model, ids)
    ours["after ln_f"] = loaded.model.ln_f(ours["resid_post"][-1])
    for site, expected in theirs.items():
        assert ours[site].shape == expected.shape, site
        assert (ours[site] - expected).abs().max() < limit, site


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_site_equals_transformers(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Guards every formula and every switch of config.json; the weights are random and large."""
    folder = write_checkpoint(tmp_path / "model", "bpe", seed=1, **changes)
    loaded = load_model(str(folder), device="cpu")
    ids = torch.randint(0, loaded.config.n_vocab, (loaded.config.n_positions,)).tolist()
    assert_same(loaded, reference(folder), ids, TINY_LIMIT)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "plain"])
def test_each_switch_matters(tmp_path: Path, name: str) -> None:
    """Guards the test above: a switch that changed nothing would pass it unread."""
    plain = load_model(str(write_checkpoint(tmp_path / "plain", "bpe", seed=1)), device="cpu")
    folder = write_checkpoint(tmp_path / "changed", "bpe", seed=1, **VARIANTS[name])
    changed = load_model(str(folder), device="cpu")
    ids = list(range(20))
    one, other = all_sites(plain.model, ids)["logits"], all_sites(changed.model, ids)["logits"]
    assert one.shape != other.shape or (one - other).abs().max() > 20 * TINY_LIMIT


@pytest.mark.parametrize("kind", ["bpe", "ours", "rinna"])
def test_greedy_equals_generate_token_for_token(tmp_path: Path, kind: str) -> None:
    """Guards cache positions and the choice of the best token, over a whole context."""
    folder = write_checkpoint(tmp_path / "model", kind, seed=5, tie_word_embeddings=False)
    loaded, model = load_model(str(folder), device="cpu"), reference(folder)
    ids = loaded.tokenizer.encode("残差接続 adds the input")[:12]
    expected = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=48 - len(ids),
        do_sample=False,
        pad_token_id=loaded.tokenizer.eos_token_id,
    )[0, len(ids) :].tolist()
    steps = write_reply(loaded, ids, SamplingConfig(max_new_tokens=48)).steps
    assert [step.token.token_id for step in steps] == expected
    assert len(set(expected)) > 3, "a reply that repeats one token would prove little"


def test_recorded_steps_equal_transformers_on_the_finished_text(ours_folder: Path, ours: LoadedModel) -> None:
    """Guards the record itself: attention rows, stream, logits of each cached step, in its place."""
    ids = ours.tokenizer.encode("Attention は足し算")[:10]
    trace = write_reply(ours, ids, SamplingConfig(temperature=1.0, seed=2, max_new_tokens=20))
    assert trace.prefill is not None
    everything = [token.token_id for token in trace.tokens()]
    theirs = watched(reference(ours_folder), everything)
    for step in trace.steps:
        seen = len(ids) + step.index
        assert step.attention is not None and step.resid is not None and step.logits is not None
        pairs = {
            "pattern": (step.attention, theirs["pattern"][:, :, seen - 1, :seen]),
            "resid_pre": (step.resid[:, 0], theirs["resid_pre"][:, seen - 1]),
            "resid_post": (step.resid[:, 2], theirs["resid_post"][:, seen - 1]),
            "logits": (step.logits, theirs["logits"][seen - 1]),
        }
        for name, (found, expected) in pairs.items():
            assert (torch.from_numpy(found) - expected).abs().max() < LIMIT, (step.index, name)
    assert trace.prefill.attention is not None
    expected = theirs["pattern"][:, :, : len(ids), : len(ids)]
    assert (torch.from_numpy(trace.prefill.attention).float() - expected).abs().max() < LIMIT


@pytest.mark.slow
@pytest.mark.skipif(not (EMBEDDED / "config.json").is_file(), reason="the embedded model is not trained yet")
def test_the_embedded_model_equals_transformers() -> None:
    """Guards the shipped weights: trained values are larger than random ones."""
    loaded = load_model("embedded", device="cpu")
    ids = loaded.tokenizer.encode("残差接続とは何ですか。 What does LayerNorm even out?" * 4)[:200]
    assert_same(loaded, reference(EMBEDDED), ids, LIMIT)
