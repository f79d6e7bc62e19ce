"""One LayerNorm at one position, from what it received to what it handed on, component by component.

after = (before - mean) / sqrt(variance + eps) * gain + bias, with the biased variance (divided by n).
Source: Ba et al. 2016, arXiv:1607.06450.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tutor.model.gpt2 import LayerNorm
from tutor.model.registry import LoadedModel
from tutor.panels.codec import finite, pack_f32
from tutor.trace import LayerStats, Trace
from tutor.views.source import (
    MID,
    POST,
    PRE,
    Json,
    Params,
    double,
    layer_of,
    position_of,
    prefill,
    standardise,
    stream_at,
)

SITES = {"ln_1": PRE, "ln_2": MID, "ln_f": POST}
BINS = 40


@dataclass(frozen=True)
class Normed:
    """The stages of one LayerNorm, each [d], in double precision.

    Attributes:
        before: What it received.
        standard: After subtracting the mean and dividing by the standard deviation.
        after: After gain and bias: what the sublayer (or the unembedding) reads.
        gain, bias: The learnt weights.
        mean: Mean of `before`.
        variance: Biased variance of `before`.
        eps: Added to the variance under the root.
    """

    before: Tensor
    standard: Tensor
    after: Tensor
    gain: Tensor
    bias: Tensor
    mean: float
    variance: float
    eps: float


def stages(norm: LayerNorm, received: Tensor) -> Normed:
    """Send one vector, [d], through a LayerNorm in double precision."""
    x, gain, bias = double(received), double(norm.gain), double(norm.bias)
    standard = standardise(x, norm.eps)
    variance = float(x.var(correction=0))
    return Normed(x, standard, standard * gain + bias, gain, bias, float(x.mean()), variance, norm.eps)


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """The LayerNorm `name` (ln_1, ln_2 or ln_f) of `layer` at `step` or `position`.

    `before`, `standard`, `after`, `gain` and `bias` each carry `values` (float32, [d]), `low`, `high`,
    `mean`, `std` and `counts` of BINS equal bins. `recorded` holds mean and variance as the record has them.

    Raises:
        KeyError: No such LayerNorm.
    """
    name = params.get("name", "ln_1")
    position = position_of(trace, params)
    layer = trace.n_layer - 1 if name == "ln_f" else layer_of(trace, params)
    place = SITES[name]
    block = loaded.model.blocks[layer]
    norm = {"ln_1": block.ln_1, "ln_2": block.ln_2, "ln_f": loaded.model.ln_f}[name]
    found = stages(norm, torch.from_numpy(stream_at(trace, position)[layer, place]))
    out: Json = {
        part: spread(getattr(found, part)) for part in ("before", "standard", "after", "gain", "bias")
    }
    return out | {
        "name": name,
        "layer": layer,
        "position": position,
        "mean": found.mean,
        "variance": found.variance,
        "eps": found.eps,
        "recorded": _recorded(_stats(trace, position), layer, name),
    }


def spread(values: Tensor) -> Json:
    """How the components of one vector are spread."""
    exact = values.numpy()
    low, high = float(exact.min()), float(exact.max())
    if low == high:  # untrained gains and biases: one bar in the middle
        low, high = low - 0.5, high + 0.5
    counts, _ = np.histogram(exact, bins=BINS, range=(low, high))
    return {
        "values": pack_f32(exact),
        "low": low,
        "high": high,
        "mean": float(exact.mean()),
        "std": float(exact.std()),
        "counts": counts.tolist(),
    }


def _stats(trace: Trace, position: int) -> LayerStats:
    step = position - trace.prompt_length + 1
    return trace.steps[step].layers if 0 <= step < len(trace.steps) else prefill(trace).layers[position]


def _recorded(stats: LayerStats, layer: int, name: str) -> list[float | None] | None:
    """Mean and variance as recorded while the model ran; None if they were not."""
    if len(stats.ln_mean) == 0:
        return None
    if name == "ln_f":
        return [finite(stats.ln_f_mean), finite(stats.ln_f_var)]
    return [finite(value[layer, SITES[name]]) for value in (stats.ln_mean, stats.ln_var)]
