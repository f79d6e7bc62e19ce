"""Direct effects: what a vector in the residual stream adds to the score of each word.

With mean and variance of ln_f held at this token's own values, the way from the last resid_post to the
logits is linear, so each part of the stream has its own share of every logit:
((v - mean(v)) / σ · gain) @ W_U. All parts and ln_f's bias add up to the logits; what later layers make
of the part is not in it. Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

from __future__ import annotations

import torch
from torch import Tensor

from tutor.model.gpt2 import GPT2
from tutor.views.source import double


def final_scale(model: GPT2, resid_post: Tensor) -> float:
    """sqrt(biased variance + eps) of the stream that ln_f receives, [d] -> a number in its units."""
    return float((double(resid_post).var(correction=0) + model.ln_f.eps).sqrt())


def readable(model: GPT2, vectors: Tensor, scale: float) -> Tensor:
    """Vectors of the stream as ln_f would hand them on, [..., d], in double precision, without its bias."""
    vectors = double(vectors)
    return (vectors - vectors.mean(-1, keepdim=True)) / scale * double(model.ln_f.gain)


@torch.inference_mode()
def direct_effect(model: GPT2, vectors: Tensor, scale: float) -> Tensor:
    """What each vector adds to every logit, [n, d] -> [n, V], float32 on the CPU."""
    read = readable(model, vectors, scale)
    like = model.unembedding.weight
    return model.unembedding(read.to(device=like.device, dtype=like.dtype)).float().cpu()


def effect_on(model: GPT2, vectors: Tensor, scale: float, token_id: int) -> Tensor:
    """What each vector adds to one token's logit, [..., d] -> [...], double.

    The same as in `direct_effect`, with the mean taken out of the token's side: one product a vector.
    """
    reading = double(model.ln_f.gain) * double(model.unembedding.weight[:, token_id])  # [d]
    return vectors @ (reading - reading.mean()) / scale
