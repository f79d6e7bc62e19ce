"""Identities that every pass through a GPT-2 must satisfy, each recomputed in double precision.

Each function takes a Probe and returns the largest error, relative to the size of the values
compared. `tutor.selfcheck` runs them and judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tutor.engine.capture import all_sites
from tutor.model.gpt2 import ACTIVATIONS, GPT2, LayerNorm
from tutor.model.registry import LoadedModel
from tutor.model.weights import count_parameters
from tutor.trace import Trace


@dataclass(frozen=True)
class Probe:
    """What the checks look at: one text, every site of one pass, and a recorded reply."""

    loaded: LoadedModel
    ids: list[int]
    sites: dict[str, Tensor]
    trace: Trace

    @property
    def model(self) -> GPT2:
        """The weights and the pass through them."""
        return self.loaded.model

    def site(self, name: str) -> Tensor:
        """A site of all layers, in double precision on the CPU."""
        return self.sites[name].double().cpu()


Check = Callable[[Probe], float]


def gap(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected value where that is above 1."""
    if found.shape != expected.shape or not bool(torch.isfinite(found).all()):
        return math.inf
    if found.numel() == 0:
        return 0.0
    scale = max(1.0, float(expected.abs().max()))
    return float((found.double() - expected.double()).abs().max()) / scale


def _rows_sum_to_one(probe: Probe) -> float:
    sums = probe.site("pattern").sum(-1)
    return gap(sums, torch.ones_like(sums))


def _no_future(probe: Probe) -> float:
    pattern = probe.site("pattern")
    first = pattern[:, :, 0]
    return max(float(pattern.triu(1).abs().max()), float((first[..., 0] - 1).abs().max()))


def _pattern_from_q_and_k(probe: Probe) -> float:
    q, k = probe.site("q"), probe.site("k")
    scale = torch.tensor([probe.loaded.config.score_scale(i) for i in range(len(q))], dtype=torch.float64)
    scores = q @ k.transpose(-1, -2) * scale[:, None, None, None]
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return gap(probe.site("pattern"), scores.masked_fill(future, -math.inf).softmax(-1))


def _embedding_is_a_sum(probe: Probe) -> float:
    model = probe.model
    expected = model.wte[probe.ids] + model.wpe[: len(probe.ids)]
    return gap(probe.sites["resid_pre"][0].cpu(), expected.cpu())


def _stream_is_a_sum(probe: Probe) -> float:
    pre, mid, post = probe.sites["resid_pre"], probe.sites["resid_mid"], probe.sites["resid_post"]
    gaps = (
        gap(mid, pre + probe.sites["attn_out"]),
        gap(post, mid + probe.sites["mlp_out"]),
        gap(pre[1:], post[:-1]),
    )
    return max(gaps)


def _whole_stream_is_a_sum(probe: Probe) -> float:
    parts = probe.site("attn_out").sum(0) + probe.site("mlp_out").sum(0)
    return gap(probe.site("resid_post")[-1], probe.site("resid_pre")[0] + parts)


def _heads_add_up(probe: Probe) -> float:
    config, worst = probe.loaded.config, 0.0
    z, added = probe.site("z"), probe.site("attn_out")
    for layer, block in enumerate(probe.model.blocks):
        w_o = block.attn_proj.weight.double().cpu().reshape(config.n_head, config.d_head, config.n_embd)
        per_head = torch.bmm(z[layer], w_o)  # [h, T, d]
        total = per_head.sum(0) + block.attn_proj.bias.double().cpu()
        worst = max(worst, gap(added[layer], total))
    return worst


def _normalise(x: Tensor, norm: LayerNorm) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    var = centred.square().mean(-1, keepdim=True)  # biased: divided by d, not d - 1
    return centred / (var + norm.eps).sqrt() * norm.gain.double().cpu() + norm.bias.double().cpu()


def _layernorm_formula(probe: Probe) -> float:
    pre, mid = probe.site("resid_pre"), probe.site("resid_mid")
    ln1, ln2, worst = probe.site("ln1"), probe.site("ln2"), 0.0
    for layer, block in enumerate(probe.model.blocks):
        first, second = _normalise(pre[layer], block.ln_1), _normalise(mid[layer], block.ln_2)
        worst = max(worst, gap(ln1[layer], first), gap(ln2[layer], second))
    return worst


def _activation_formula(probe: Probe) -> float:
    x, name = probe.site("mlp_pre"), probe.loaded.config.activation_function
    if name == "gelu_new":
        expected = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    else:
        expected = ACTIVATIONS[name](x)
    return gap(probe.site("mlp_act"), expected)


def _logits_from_the_stream(probe: Probe) -> float:
    final = _normalise(probe.site("resid_post")[-1], probe.model.ln_f)
    return gap(probe.site("logits"), final @ probe.model.unembedding.weight.double().cpu())


def _cache_changes_nothing(probe: Probe) -> float:
    model, cache = probe.model, probe.model.new_cache(len(probe.ids))
    ids = torch.tensor(probe.ids, device=model.wte.device)
    rows = [model.unembed(model.forward(ids[i : i + 1], cache, i)) for i in range(len(ids))]
    return gap(torch.cat(rows), probe.sites["logits"])


def _past_ignores_the_future(probe: Probe) -> float:
    changed = [*probe.ids[:-1], (probe.ids[-1] + 1) % probe.loaded.config.n_vocab]
    logits = all_sites(probe.model, changed)["logits"]
    return gap(logits[:-1], probe.sites["logits"][:-1])


def _recording_changes_nothing(probe: Probe) -> float:
    ids = torch.tensor(probe.ids, device=probe.model.wte.device)
    return gap(probe.model.unembed(probe.model.forward(ids)), probe.sites["logits"])


def _parameters(model: GPT2, tied: bool) -> Iterator[Tensor]:
    yield from (model.wte, model.wpe, model.ln_f.gain, model.ln_f.bias)
    if not tied:
        yield model.unembedding.weight
    for block in model.blocks:
        for norm in (block.ln_1, block.ln_2):
            yield from (norm.gain, norm.bias)
        for linear in (block.c_attn, block.attn_proj, block.mlp_fc, block.mlp_proj):
            yield from (linear.weight, linear.bias)


def _parameters_counted(probe: Probe) -> float:
    """Difference between the weights counted one by one and the formula of the sizes."""
    config = probe.loaded.config
    counted = sum(value.numel() for value in _parameters(probe.model, config.tie_word_embeddings))
    return float(abs(counted - count_parameters(config)))


PASS_CHECKS: tuple[tuple[str, Check, bool], ...] = (
    ("rows_sum_to_one", _rows_sum_to_one, True),
    ("no_future", _no_future, False),
    ("pattern_from_q_and_k", _pattern_from_q_and_k, True),
    ("embedding_is_a_sum", _embedding_is_a_sum, False),
    ("stream_is_a_sum", _stream_is_a_sum, False),
    ("whole_stream_is_a_sum", _whole_stream_is_a_sum, True),
    ("heads_add_up", _heads_add_up, True),
    ("layernorm_formula", _layernorm_formula, True),
    ("activation_formula", _activation_formula, True),
    ("logits_from_the_stream", _logits_from_the_stream, True),
    ("cache_changes_nothing", _cache_changes_nothing, True),
    ("past_ignores_the_future", _past_ignores_the_future, False),
    ("recording_changes_nothing", _recording_changes_nothing, False),
    ("parameters_counted", _parameters_counted, False),
)
"""Key, check, and whether rounding is allowed."""
