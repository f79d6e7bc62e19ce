"""Where a token starts: its own vector, its position's vector, their sum, and its nearest neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from tutor.engine.sampling import ranked
from tutor.model.gpt2 import GPT2
from tutor.model.registry import LoadedModel
from tutor.panels.codec import pack_f32
from tutor.trace import Trace
from tutor.views.source import (
    PRE,
    Json,
    LeftOut,
    Params,
    count_of,
    double,
    number,
    prefill,
    stream_at,
    within,
)

COUNT = 12
MOST = 100


@torch.inference_mode()
def neighbours(model: GPT2, token_id: int, count: int) -> list[tuple[int, float]]:
    """The tokens whose embeddings point most nearly the same way; (id, cosine), the nearest first.

    The token itself is not among them. Embeddings of length 0 have no direction and count as cosine 0.
    """
    table = model.wte.float()  # [V, d]
    chosen = table[token_id]
    sizes = torch.linalg.vector_norm(table, dim=-1) * torch.linalg.vector_norm(chosen)  # [V]
    cosines = (table @ chosen / sizes.clamp_min(1e-30)).cpu().numpy()
    cosines[token_id] = -2.0  # below every cosine
    ids = ranked(cosines, min(count, len(cosines) - 1))
    return [(int(i), float(cosines[i])) for i in ids]


def cosine(left: Tensor, right: Tensor) -> float:
    """Cosine of two vectors, 0 if one of them is zero."""
    return float(left @ right / (left.norm() * right.norm()).clamp_min(1e-30))


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """The token at `position` (any token of prompt and reply), its vectors and `neighbours`.

    `token`, `place` and `sum` carry `values` (float32, [n_embd]) and `norm`, in the units of the
    residual stream. `gap` is the largest difference between the sum and the recorded resid_pre of the
    first layer; None where that was not kept, or for the last token drawn, which was never read.
    """
    prefill(trace)
    tokens = trace.tokens()
    position = within(number(params, "position"), min(len(tokens), loaded.config.n_positions))
    token_id = tokens[position].token_id
    token, place = double(loaded.model.wte[token_id]), double(loaded.model.wpe[position])
    near = neighbours(loaded.model, token_id, count_of(params, COUNT, MOST))
    return {
        "position": position,
        "id": token_id,
        "text": tokens[position].text,
        "piece": tokens[position].piece,
        "token": _vector(token),
        "place": _vector(place),
        "sum": _vector(token + place),
        "cosine": cosine(token, place),
        "gap": _gap(trace, position, token + place),
        "neighbours": [{"id": i, "text": loaded.tokenizer.display(i), "cosine": value} for i, value in near],
    }


def _vector(values: Tensor) -> Json:
    return {"values": pack_f32(values.numpy()), "norm": float(values.norm())}


def _gap(trace: Trace, position: int, total: Tensor) -> float | None:
    if position >= trace.prompt_length + max(0, len(trace.steps) - 1):
        return None
    try:
        recorded = double(torch.from_numpy(stream_at(trace, position)[0, PRE]))
    except LeftOut:
        return None
    return float((recorded - total).abs().max())
