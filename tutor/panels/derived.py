"""What follows from a recorded residual stream by arithmetic alone: the ledger's check and cosines.

Everything here is computed from measured values and marked so on the page.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tutor.panels.codec import pack_f32
from tutor.trace import Step

Json = dict[str, object]
Doubles = NDArray[np.float64]


def ledger(step: Step) -> Json | None:
    """Check that the stream adds up at one step, and compare its directions.

    Args:
        step: A step; its `resid` holds resid_pre, resid_mid and resid_post, [n_layer, 3, n_embd].

    Returns:
        None if the stream was left out. Otherwise `cosine` [L], between the stream before and after
        each layer; `attn_cosine` and `mlp_cosine` [L], between what was added and the stream it was
        added to; and `gap`, unitless: the largest difference between the recorded norm of what was
        added and the norm of what the stream really gained, relative to the stream's norm, over all
        sublayers, and of each layer's input to the output of the one before. 0 is perfect.
    """
    if step.resid is None or len(step.layers.attn_norm) != len(step.resid):
        return None
    pre, mid, post = step.resid.astype(np.float64).transpose(1, 0, 2)  # each [L, d]
    attn, mlp = mid - pre, post - mid
    size = np.linalg.norm(post, axis=-1)
    gaps = [
        np.abs(np.linalg.norm(attn, axis=-1) - step.layers.attn_norm) / size,
        np.abs(np.linalg.norm(mlp, axis=-1) - step.layers.mlp_norm) / size,
        np.linalg.norm(pre[1:] - post[:-1], axis=-1) / size[1:],
    ]
    return {
        "cosine": pack_f32(_cosine(pre, post)),
        "attn_cosine": pack_f32(_cosine(attn, pre)),
        "mlp_cosine": pack_f32(_cosine(mlp, mid)),
        "gap": float(np.concatenate(gaps).max()),
    }


def _cosine(left: Doubles, right: Doubles) -> Doubles:
    """Cosine of each pair of rows; 0 where a row is zero."""
    scale = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    return np.divide((left * right).sum(axis=-1), scale, out=np.zeros_like(scale), where=scale > 0)
