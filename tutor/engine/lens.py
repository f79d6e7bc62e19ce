"""The logit lens: what each layer would say next if the reading ended there.

Each layer's resid_post is sent through the model's own ln_f and output matrix (nostalgebraist
2020, "interpreting GPT: the logit lens"). resid_post is the stream before ln_f, so the last
layer's row is exactly the model's output and ln_f is never applied twice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tutor.engine.capture import to_numpy
from tutor.engine.sampling import ranked
from tutor.model.gpt2 import GPT2
from tutor.trace import Floats, Lens


@torch.inference_mode()
def read_lens(logits: Tensor, chosen: int, top_k: int, display: Callable[[int], str]) -> Lens:
    """Summarise each layer's scores.

    Args:
        logits: One row per layer, [n_layer, n_vocab]; the last is the model's output.
        chosen: The token drawn in the end.
        top_k: Tokens to list per layer.
        display: Text to show for a token id.
    """
    scores = to_numpy(logits)  # [L, V]
    probs = to_numpy(torch.softmax(logits.float(), dim=-1))  # [L, V]
    ids = np.stack([ranked(row, top_k) for row in scores])  # [L, k]
    best = ids[:, :1]
    log_total = np.take_along_axis(scores, best, 1) - np.log(np.take_along_axis(probs, best, 1))  # [L, 1]
    return Lens(
        token_ids=ids,
        texts=[[display(token_id) for token_id in row] for row in ids.tolist()],
        probs=np.take_along_axis(probs, ids, axis=1),
        chosen_prob=probs[:, chosen].copy(),
        entropy=log_total[:, 0] - np.einsum("lv,lv->l", probs, scores),
    )


def lens_on_demand(
    model: GPT2, resid: Floats, chosen: int, top_k: int, display: Callable[[int], str]
) -> Lens:
    """Read the lens from a recorded step, for models whose vocabulary makes a live lens too slow.

    Args:
        model: The model that made the record.
        resid: The step's resid, [n_layer, 3, d].
        chosen: The token drawn.
        top_k: Tokens to list per layer.
        display: Text to show for a token id.
    """
    posts = torch.from_numpy(np.ascontiguousarray(resid[:, 2]))
    rows = model.unembed(posts.to(device=model.wte.device, dtype=model.wte.dtype))
    return read_lens(rows, chosen, top_k, display)
