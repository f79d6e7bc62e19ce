"""What the views read: recorded vectors by position, weights of one head, and the query's parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutor.model.gpt2 import Block, GPT2Config, LayerNorm
from tutor.trace import Prefill, Step, Trace

Json = dict[str, object]
Params = Mapping[str, str]
Floats32 = NDArray[np.float32]

PRE, MID, POST = 0, 1, 2
"""Places of resid_pre, resid_mid and resid_post in a recorded stream, [n_layer, 3, n_embd]."""


class LeftOut(Exception):
    """The record lacks what a view needs, because it did not fit or was not asked for.

    Args:
        kind: What is missing, as in `Trace.left_out`.
    """

    def __init__(self, kind: str = "residuals") -> None:
        super().__init__(kind)
        self.kind = kind


def number(params: Params, name: str, default: int | None = None) -> int:
    """A whole number of the query.

    Raises:
        ValueError: It is missing, or no whole number.
    """
    text = params.get(name, "")
    if text == "" and default is not None:
        return default
    return int(text)


def decimal(params: Params, name: str, default: float) -> float:
    """A number of the query.

    Raises:
        ValueError: It is no number.
    """
    text = params.get(name, "")
    try:
        return float(text) if text else default
    except ValueError as error:
        raise ValueError(f"invalid literal for {name}: {text!r}") from error


def count_of(params: Params, default: int, most: int) -> int:
    """How many the query wants, from 1 to `most`."""
    return max(1, min(most, number(params, "count", default)))


def within(value: int, size: int) -> int:
    """The value itself, if it is an index from 0 to size - 1.

    Raises:
        IndexError: It is not.
    """
    if not 0 <= value < size:
        raise IndexError(f"{value} is outside 0 to {size - 1}")
    return value


def prefill(trace: Trace) -> Prefill:
    """The prompt's pass.

    Raises:
        ValueError: It has not run yet.
    """
    if trace.prefill is None:
        raise ValueError("The prompt has not been read yet; ask again after the prefill event.")
    return trace.prefill


def step_of(trace: Trace, params: Params) -> Step:
    """The step that the query names."""
    return trace.steps[within(number(params, "step"), len(trace.steps))]


def position_of(trace: Trace, params: Params) -> int:
    """The position that the query means: `position` itself, or where the token of `step` was predicted."""
    length = len(prefill(trace).tokens)
    known = length + max(0, len(trace.steps) - 1)
    if params.get("position", "") != "":
        return within(number(params, "position"), known)
    return length + step_of(trace, params).index - 1


def layer_of(trace: Trace, params: Params) -> int:
    """The layer of the query; the first one if it names none."""
    return within(number(params, "layer", 0), trace.n_layer)


def stream_at(trace: Trace, position: int) -> Floats32:
    """The recorded stream at one position, [n_layer, 3, n_embd].

    The last prompt position is part of the first step and is read from there, so that a prompt whose
    vectors did not fit the budget does not take the reply's with it.

    Raises:
        LeftOut: It was not kept.
    """
    done = prefill(trace)
    step = position - len(done.tokens) + 1
    if 0 <= step < len(trace.steps):
        found = trace.steps[step].resid
    else:
        found = None if done.resid is None else done.resid[position]
    if found is None:
        raise LeftOut
    return np.asarray(found, dtype=np.float32)


def streams_until(trace: Trace, layer: int, place: int, position: int) -> Tensor:
    """One place of the stream in one layer at positions 0 to `position`, double, [position + 1, n_embd].

    Raises:
        LeftOut: Some position was not kept.
    """
    done = prefill(trace)
    length = len(done.tokens)
    if position >= length - 1 and done.resid is not None:
        rows = [done.resid[: length - 1, layer, place]]
        rows += [stream_at(trace, p)[None, layer, place] for p in range(length - 1, position + 1)]
        return double(torch.from_numpy(np.concatenate(rows)))
    kept = [stream_at(trace, p)[layer, place] for p in range(position + 1)]
    return double(torch.from_numpy(np.stack(kept)))


def row_of(trace: Trace, layer: int, position: int) -> Floats32 | None:
    """The recorded attention weights of every head at one query position, [n_head, position + 1], or None."""
    done = prefill(trace)
    step = position - len(done.tokens) + 1
    if 0 <= step < len(trace.steps) and trace.steps[step].attention is not None:
        return np.asarray(trace.steps[step].attention)[layer]
    if step > 0 or done.attention is None:
        return None
    return done.attention[layer, :, position, : position + 1].astype(np.float32)


def double(values: Tensor) -> Tensor:
    """The same numbers on the CPU in double precision."""
    return values.detach().to(device="cpu", dtype=torch.float64)


def normalise(norm: LayerNorm, x: Tensor) -> Tensor:
    """LayerNorm in double precision, [..., d] -> [..., d]: biased variance, gain and bias included."""
    return standardise(x, norm.eps) * double(norm.gain) + double(norm.bias)


def standardise(x: Tensor, eps: float) -> Tensor:
    """(x - mean) / sqrt(biased variance + eps) over the last axis."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()


def head_inputs(block: Block, config: GPT2Config, part: int, head: int) -> tuple[Tensor, Tensor]:
    """The weight [d, e] and bias [e] that make the queries (0), keys (1) or values (2) of one head."""
    start = part * config.n_embd + head * config.d_head
    chosen = slice(start, start + config.d_head)
    return double(block.c_attn.weight[:, chosen]), double(block.c_attn.bias[chosen])
