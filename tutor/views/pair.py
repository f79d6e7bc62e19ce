"""The attention sum itself: from one query and one key to one weight, every number on the way.

score = (q · k) / √e, or without the root, or divided by (layer + 1) as well, as config.json says;
positions after the query are masked; weight = exp(score) / the sum of exp(score) over what is visible.
The largest score is subtracted first, which changes no weight and keeps exp within range.
Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from tutor.model.registry import LoadedModel
from tutor.trace import Trace
from tutor.views.source import (
    PRE,
    Json,
    Params,
    head_inputs,
    layer_of,
    normalise,
    number,
    position_of,
    row_of,
    streams_until,
    within,
)


@dataclass(frozen=True)
class Pair:
    """One weight and how it came to be; all numbers unitless.

    Attributes:
        q, k: The query's and the key's vector in this head, [e].
        products: q times k, component by component, [e].
        dot: Their sum.
        scale: Factor from `dot` to `score`.
        score: dot * scale.
        top: Largest score among the visible positions.
        exp: exp(score - top); 0 for a masked key.
        total: Sum of that over the visible positions.
        weight: exp / total.
        masked: Whether the key comes after the query.
        rank: Visible positions with a larger score.
    """

    q: list[float]
    k: list[float]
    products: list[float]
    dot: float
    scale: float
    score: float
    top: float
    exp: float
    total: float
    weight: float
    masked: bool
    rank: int


def pair_sum(loaded: LoadedModel, trace: Trace, layer: int, head: int, query: int, key: int) -> Pair:
    """Work out one attention weight from the recorded resid_pre and the layer's weights.

    Args:
        loaded: The model that made the record.
        trace: The record.
        layer, head: Which head.
        query: Position that looks.
        key: Position looked at; a later one than `query` comes out as masked.

    Raises:
        LeftOut: The stream of some position was not kept.
    """
    config, block = loaded.config, loaded.model.blocks[layer]
    x = normalise(block.ln_1, streams_until(trace, layer, PRE, max(query, key)))  # [S, d]
    w_q, b_q = head_inputs(block, config, 0, head)
    w_k, b_k = head_inputs(block, config, 1, head)
    q = x[query] @ w_q + b_q  # [e]
    keys = x @ w_k + b_k  # [S, e]
    scale = config.score_scale(layer)
    scores = keys @ q * scale  # [S]
    seen = scores[: query + 1]
    top, score, masked = float(seen.max()), float(scores[key]), key > query
    exp = 0.0 if masked else math.exp(score - top)
    total = float(torch.exp(seen - top).sum())
    products = q * keys[key]
    return Pair(
        q=q.tolist(),
        k=keys[key].tolist(),
        products=products.tolist(),
        dot=float(products.sum()),
        scale=scale,
        score=score,
        top=top,
        exp=exp,
        total=total,
        weight=exp / total,
        masked=masked,
        rank=int((seen > score).sum()),
    )


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """The sum of the pair (`step` or `position`, `key`) in `layer`, `head`.

    Without `key` it is the position with the largest recorded weight after the first one (the first
    often holds what a head has no use for). `recorded` is the weight in the record, `difference` how
    far the sum is from it; both are None if the weights were left out.
    """
    layer, query = layer_of(trace, params), position_of(trace, params)
    head = within(number(params, "head", 0), trace.n_head)
    row = row_of(trace, layer, query)
    strongest = 0 if row is None or query == 0 else 1 + int(row[head, 1:].argmax())
    known = trace.prompt_length + max(0, len(trace.steps) - 1)
    key = within(number(params, "key", strongest), known)
    found = pair_sum(loaded, trace, layer, head, query, key)
    recorded = 0.0 if found.masked else None if row is None else float(row[head, key])
    return vars(found) | {
        "layer": layer,
        "head": head,
        "query": query,
        "key": key,
        "visible": query + 1,
        "d_head": loaded.config.d_head,
        "by_root": loaded.config.scale_attn_weights,
        "by_layer": loaded.config.scale_attn_by_inverse_layer_idx,
        "recorded": recorded,
        "difference": None if recorded is None else abs(found.weight - recorded),
    }
