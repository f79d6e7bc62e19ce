"""GPT-2, whole, on one page: text positions in, scores for the next token out.

It knows tensors only: no text, no sampling, no files. The order of operations is pre-LN, as in
Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; the names are those
of the published checkpoints (wte, wpe, c_attn, ln_f) and of the literature on what happens
inside (resid_pre, pattern, z). Everything is for one sequence, so there is no batch axis.

Shapes in the comments:
    T  tokens in this pass: the whole prompt in a prefill, 1 in a decode step
    S  tokens seen so far, these T included
    d  n_embd, the width of the residual stream       h  n_head, heads per layer
    e  d / h, the width of one head                    m  n_inner, the width inside the MLP
    V  n_vocab, entries of the vocabulary              N  n_positions, the longest sequence
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Record = Callable[[str, int, Tensor], None]
"""Called as record(site, layer, value) at each named site; it must not change the value."""

SITES: dict[str, str] = {
    "resid_pre": "[T, d] what the layer receives",
    "ln1": "[T, d] after the first LayerNorm, gain and bias included",
    "q": "[h, T, e] queries",
    "k": "[h, S, e] keys of all tokens so far",
    "v": "[h, S, e] values of all tokens so far",
    "attn_scores": "[h, T, S] scaled and masked, before softmax",
    "pattern": "[h, T, S] after softmax, rows sum to 1",
    "z": "[h, T, e] values mixed by the pattern",
    "attn_out": "[T, d] what attention adds to the stream",
    "resid_mid": "[T, d] after attention was added",
    "ln2": "[T, d] after the second LayerNorm",
    "mlp_pre": "[T, m] neurons before the activation function",
    "mlp_act": "[T, m] neurons after it",
    "mlp_out": "[T, d] what the MLP adds to the stream",
    "resid_post": "[T, d] what the layer hands on, before any final LayerNorm",
}
"""The named sites in the order in which a layer passes them, with their shapes."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_fast": lambda x: F.gelu(x, approximate="tanh"),
    "gelu": F.gelu,
    "gelu_python": F.gelu,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
    "tanh": torch.tanh,
}
"""Activation functions by the names that config.json uses; GPT-2's own is gelu_new."""


def ignore(site: str, layer: int, value: Tensor) -> None:
    """Record nothing."""


@dataclass(frozen=True)
class GPT2Config:
    """The sizes and switches of one GPT-2, named as in its config.json.

    Attributes:
        n_vocab: Entries of the vocabulary (the file calls it vocab_size).
        n_positions: Longest sequence, in tokens.
        n_embd: Width of the residual stream.
        n_layer: Number of blocks.
        n_head: Heads per block; they share n_embd equally.
        n_inner: Neurons of each MLP, usually 4 * n_embd.
        activation_function: A key of ACTIVATIONS.
        layer_norm_epsilon: Added to the variance inside the square root.
        scale_attn_weights: Divide scores by the square root of the head width.
        scale_attn_by_inverse_layer_idx: Divide them by (layer + 1) as well.
        tie_word_embeddings: The output matrix is the token embedding.
    """

    n_vocab: int
    n_positions: int
    n_embd: int
    n_layer: int
    n_head: int
    n_inner: int
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    tie_word_embeddings: bool = True

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.n_embd // self.n_head

    def score_scale(self, layer: int) -> float:
        """Factor from q·k to attention score in this layer, unitless."""
        scale = 1 / math.sqrt(self.d_head) if self.scale_attn_weights else 1.0
        return scale / (layer + 1) if self.scale_attn_by_inverse_layer_idx else scale


@dataclass(frozen=True)
class Linear:
    """x @ weight + bias; the weight is [in, out], as GPT-2's files have it."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.weight)  # [T, in] -> [T, out]


@dataclass(frozen=True)
class LayerNorm:
    """Bring each token's vector to mean 0 and (biased) variance 1, then stretch and shift it."""

    gain: Tensor  # [d]
    bias: Tensor  # [d]
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.gain.shape, self.gain, self.bias, self.eps)  # [T, d] -> [T, d]


@dataclass(frozen=True)
class Block:
    """The weights of one layer."""

    ln_1: LayerNorm
    c_attn: Linear  # d -> 3d: queries, keys and values side by side
    attn_proj: Linear  # d -> d
    ln_2: LayerNorm
    mlp_fc: Linear  # d -> m
    mlp_proj: Linear  # m -> d


@dataclass(frozen=True)
class Unembedding:
    """The output matrix, from the residual stream's width to the vocabulary; it has no bias."""

    weight: Tensor  # [d, V]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.mm(x, self.weight)  # [R, d] -> [R, V]


class KVCache:
    """Room for the keys and values of every layer, allocated once for a whole reply.

    Args:
        config: Sizes of the model.
        length: Longest sequence that must fit, in tokens.
        like: A tensor of the device and dtype to use.
    """

    def __init__(self, config: GPT2Config, length: int, like: Tensor) -> None:
        shape = (config.n_layer, 2, config.n_head, length, config.d_head)
        self.length = length
        self._layers = like.new_empty(shape).unbind(0)  # per layer [2, h, length, e]

    def extend(self, layer: int, start: int, new: Tensor) -> Tensor:
        """Write the keys and values of T new tokens; return those of all S tokens, [2, h, S, e]."""
        seen = start + new.shape[2]
        self._layers[layer].narrow(2, start, new.shape[2]).copy_(new)
        return self._layers[layer].narrow(2, 0, seen)


@dataclass(frozen=True)
class GPT2:
    """The model: read-only weights and the pass through them.

    Everything that differs from reply to reply (cache, recorder) is an argument, so any number
    of threads may share one model.

    Attributes:
        config: Sizes and switches.
        wte: Token embedding, [V, d].
        wpe: Position embedding, [N, d].
        blocks: The layers, first to last.
        ln_f: The final LayerNorm.
        unembedding: Output matrix; its weight is wte transposed when the weights are tied.
    """

    config: GPT2Config
    wte: Tensor
    wpe: Tensor
    blocks: tuple[Block, ...]
    ln_f: LayerNorm
    unembedding: Unembedding

    def new_cache(self, length: int | None = None) -> KVCache:
        """Make an empty cache for `length` tokens, n_positions by default."""
        return KVCache(self.config, length or self.config.n_positions, self.wte)

    @torch.inference_mode()
    def forward(
        self, ids: Tensor, cache: KVCache | None = None, start: int = 0, record: Record = ignore
    ) -> Tensor:
        """Send T tokens through all layers.

        Args:
            ids: Token ids, [T], int64, each below n_vocab.
            cache: Where the keys and values of earlier tokens are, and those of these go;
                None for a single pass from position 0.
            start: Position of ids[0], that is, the number of tokens already in the cache.
            record: Receives the value at every site of SITES.

        Returns:
            The last layer's resid_post, [T, d]: the stream before ln_f. `unembed` reads it.
        """
        x = F.embedding(ids, self.wte) + self.wpe[start : start + ids.shape[0]]  # [T, d]
        for layer, block in enumerate(self.blocks):
            record("resid_pre", layer, x)
            x = x + self._attention(block, layer, x, cache, start, record)  # [T, d]
            record("resid_mid", layer, x)
            x = x + self._mlp(block, layer, x, record)  # [T, d]
            record("resid_post", layer, x)
        return x

    def _attention(
        self, block: Block, layer: int, x: Tensor, cache: KVCache | None, start: int, record: Record
    ) -> Tensor:
        """Let each token collect from the tokens before it; [T, d] -> [T, d]."""
        tokens, heads, width = x.shape[0], self.config.n_head, self.config.d_head
        x = block.ln_1(x)  # [T, d]
        record("ln1", layer, x)
        qkv = block.c_attn(x).view(tokens, 3, heads, width).permute(1, 2, 0, 3)  # [3, h, T, e]
        q, kv = qkv[0], qkv[1:]  # [h, T, e], [2, h, T, e]
        k, v = kv if cache is None else cache.extend(layer, start, kv)  # [h, S, e] each
        record("q", layer, q)
        record("k", layer, k)
        record("v", layer, v)
        scores = torch.bmm(q, k.transpose(1, 2)) * self.config.score_scale(layer)  # [h, T, S]
        if tokens > 1:  # a single token is the newest: it may look at everything before it
            scores = scores.masked_fill(self._future(tokens, start, x.device), -math.inf)
        record("attn_scores", layer, scores)
        pattern = torch.softmax(scores, dim=-1)  # [h, T, S]
        record("pattern", layer, pattern)
        z = torch.bmm(pattern, v)  # [h, T, e]
        record("z", layer, z)
        out = block.attn_proj(z.transpose(0, 1).reshape(tokens, heads * width))  # [T, d]
        record("attn_out", layer, out)
        return out

    def _mlp(self, block: Block, layer: int, x: Tensor, record: Record) -> Tensor:
        """Let each token think by itself; [T, d] -> [T, d]."""
        x = block.ln_2(x)  # [T, d]
        record("ln2", layer, x)
        x = block.mlp_fc(x)  # [T, m]
        record("mlp_pre", layer, x)
        x = ACTIVATIONS[self.config.activation_function](x)  # [T, m]
        record("mlp_act", layer, x)
        x = block.mlp_proj(x)  # [T, d]
        record("mlp_out", layer, x)
        return x

    @staticmethod
    def _future(tokens: int, start: int, device: torch.device) -> Tensor:
        """True where a token would look ahead of itself, [T, S]."""
        everything = torch.ones(tokens, start + tokens, dtype=torch.bool, device=device)
        return everything.triu(start + 1)

    @torch.inference_mode()
    def unembed(self, resid: Tensor) -> Tensor:
        """Read the scores of the whole vocabulary from residual vectors, [R, d] -> [R, V].

        Applied to the last layer's resid_post this gives the model's logits; applied to an
        earlier layer's it is the logit lens (nostalgebraist 2020).
        """
        return self.unembedding(self.ln_f(resid))  # [R, V]
