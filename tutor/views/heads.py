"""What each head adds: the values it mixed, sent through its own rows of the output matrix.

attn_out = sum over heads of z_h · W_O[h], plus one bias; W_O[h] is the block of e rows that belongs
to head h. Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tutor.model.registry import LoadedModel
from tutor.trace import Trace
from tutor.views.source import (
    MID,
    PRE,
    Json,
    Params,
    double,
    head_inputs,
    layer_of,
    normalise,
    position_of,
    row_of,
    stream_at,
    streams_until,
)


@dataclass(frozen=True)
class HeadParts:
    """The parts of one layer's attention output at one position, in double precision.

    Attributes:
        parts: z_h · W_O[h] of each head, [n_head, d].
        bias: The output bias, [d].
        attn_out: What the record says attention added: resid_mid - resid_pre, [d].
        from_record: True if the recorded weights were used, False if they had to be worked out.
    """

    parts: Tensor
    bias: Tensor
    attn_out: Tensor
    from_record: bool

    @property
    def gap(self) -> float:
        """Length of (sum of the parts - attn_out), relative to the length of attn_out."""
        total = self.parts.sum(0) + self.bias
        return float((total - self.attn_out).norm() / self.attn_out.norm().clamp_min(1e-30))

    def share(self, part: Tensor) -> Tensor:
        """How much of attn_out a part makes up: its projection on it; all shares add up to 1."""
        return part @ self.attn_out / self.attn_out.square().sum().clamp_min(1e-30)


def head_parts(loaded: LoadedModel, trace: Trace, layer: int, position: int) -> HeadParts:
    """Split what attention added at one position into its heads.

    Args:
        loaded: The model that made the record.
        trace: The record: resid_pre of all positions so far, and the attention row.
        layer: Which layer.
        position: Which position.

    Raises:
        LeftOut: The stream of some position was not kept.
    """
    config, block = loaded.config, loaded.model.blocks[layer]
    x = normalise(block.ln_1, streams_until(trace, layer, PRE, position))  # [S, d]
    row = row_of(trace, layer, position)
    w_o = double(block.attn_proj.weight).reshape(config.n_head, config.d_head, config.n_embd)  # [h, e, d]
    parts = []
    for head in range(config.n_head):
        pattern = _pattern(loaded, x, layer, head) if row is None else double(torch.from_numpy(row[head]))
        w_v, b_v = head_inputs(block, config, 2, head)
        z = pattern @ (x @ w_v + b_v)  # [S] @ [S, e] -> [e]
        parts.append(z @ w_o[head])  # [d]
    stream = double(torch.from_numpy(stream_at(trace, position)[layer]))
    return HeadParts(
        torch.stack(parts), double(block.attn_proj.bias), stream[MID] - stream[PRE], row is not None
    )


def _pattern(loaded: LoadedModel, x: Tensor, layer: int, head: int) -> Tensor:
    """The last position's weights from scratch, [S, d] -> [S]."""
    block, config = loaded.model.blocks[layer], loaded.config
    w_q, b_q = head_inputs(block, config, 0, head)
    w_k, b_k = head_inputs(block, config, 1, head)
    return torch.softmax((x @ w_k + b_k) @ (x[-1] @ w_q + b_q) * config.score_scale(layer), dim=-1)


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """The heads of `layer` at `step` or `position`: `norms` and `shares` [n_head], those of the bias, `gap`.

    Norms are Euclidean lengths in the units of the residual stream.
    """
    layer, position = layer_of(trace, params), position_of(trace, params)
    found = head_parts(loaded, trace, layer, position)
    return {
        "layer": layer,
        "position": position,
        "norms": found.parts.norm(dim=-1).tolist(),
        "shares": found.share(found.parts).tolist(),
        "bias_norm": float(found.bias.norm()),
        "bias_share": float(found.share(found.bias)),
        "out_norm": float(found.attn_out.norm()),
        "from_record": found.from_record,
        "gap": found.gap,
    }
