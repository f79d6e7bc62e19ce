"""The logit lens in full: many words of one layer, and the rank of the token that came in all of them.

Each recorded resid_post goes through the model's own ln_f and unembedding, as the live lens does
(`tutor.engine.lens`); the last layer's row is the model's output.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tutor.engine.capture import to_numpy
from tutor.engine.sampling import ranked, softmax
from tutor.model.gpt2 import GPT2
from tutor.model.registry import LoadedModel
from tutor.trace import Trace
from tutor.views.source import POST, Floats32, Json, Params, count_of, layer_of, position_of, stream_at

COUNT = 20
MOST = 100


def read_layers(model: GPT2, stream: Floats32) -> Floats32:
    """Scores of the whole vocabulary that each layer's resid_post gives, [n_layer, 3, d] -> [n_layer, V]."""
    posts = torch.from_numpy(np.ascontiguousarray(stream[:, POST]))
    return to_numpy(model.unembed(posts.to(device=model.wte.device, dtype=model.wte.dtype)))


def rank_of(logits: NDArray[np.floating], token_id: int) -> NDArray[np.int64]:
    """Place of a token in each row of scores, [..., V] -> [...]; 1 is the top, ties share the better one."""
    return 1 + (logits > logits[..., token_id : token_id + 1]).sum(axis=-1)


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """The `count` top words of `layer` at `step` or `position`, each with `logit` and `prob`.

    `ranks`, `probs` and `entropy` (nats) are lists over all layers; the first two are about the token
    that came, the prompt's next one at a prompt position. `difference` is the largest distance of the
    last layer's scores from the recorded logits, None where those were not kept.
    """
    layer, position = layer_of(trace, params), position_of(trace, params)
    count = count_of(params, COUNT, MOST)
    logits = read_layers(loaded.model, stream_at(trace, position))  # [L, V]
    came = trace.tokens()[position + 1]
    stages = [softmax(row.astype(np.float64)) for row in logits]
    probs, row = stages[layer][0], logits[layer]
    ids = ranked(row, count).tolist()
    step = position - trace.prompt_length + 1
    recorded = trace.steps[step].logits if 0 <= step < len(trace.steps) else None
    return {
        "layer": layer,
        "position": position,
        "token_id": came.token_id,
        "token": came.text,
        "words": [
            {
                "id": i,
                "text": loaded.tokenizer.display(i),
                "logit": float(row[i]),
                "prob": float(probs[i]),
            }
            for i in ids
        ],
        "ranks": rank_of(logits, came.token_id).tolist(),
        "probs": [float(found[came.token_id]) for found, _ in stages],
        "entropy": [float(total - found @ line) for (found, total), line in zip(stages, logits, strict=True)],
        "n_vocab": trace.n_vocab,
        "difference": None if recorded is None else float(np.abs(logits[-1] - recorded).max()),
    }
