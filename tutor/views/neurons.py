"""The strongest neurons of one MLP at one position, and the words that each of them promotes.

mlp_out = sum over neurons of act_j · W_out[j], plus one bias. A neuron's words are those whose score
its share act_j · W_out[j] raises most directly (see `effect`). Source: Geva et al. 2022, arXiv:2203.14680.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tutor.engine.sampling import ranked
from tutor.model.gpt2 import ACTIVATIONS
from tutor.model.registry import LoadedModel
from tutor.trace import Trace
from tutor.views.effect import direct_effect, effect_on, final_scale
from tutor.views.source import (
    MID,
    POST,
    Json,
    Params,
    count_of,
    double,
    layer_of,
    normalise,
    position_of,
    stream_at,
)

MOST = 24


@dataclass(frozen=True)
class Neurons:
    """All neurons of one MLP at one position, in double precision.

    Attributes:
        pre: Before the activation function, [m].
        act: After it, [m].
        w_out: What one unit of activation adds to the stream, [m, d].
        mlp_out: What the record says the MLP added: resid_post - resid_mid, [d].
        gap: Length of (sum of all shares and the bias - mlp_out), relative to the length of mlp_out.
    """

    pre: Tensor
    act: Tensor
    w_out: Tensor
    mlp_out: Tensor
    gap: float


def neurons_at(loaded: LoadedModel, trace: Trace, layer: int, position: int) -> Neurons:
    """Work out the neurons from the recorded resid_mid.

    Raises:
        LeftOut: The stream at this position was not kept.
    """
    block = loaded.model.blocks[layer]
    stream = double(torch.from_numpy(stream_at(trace, position)[layer]))  # [3, d]
    read = normalise(block.ln_2, stream[MID])  # [d]
    pre = read @ double(block.mlp_fc.weight) + double(block.mlp_fc.bias)  # [m]
    act = ACTIVATIONS[loaded.config.activation_function](pre)  # [m]
    w_out = double(block.mlp_proj.weight)  # [m, d]
    mlp_out = stream[POST] - stream[MID]
    total = act @ w_out + double(block.mlp_proj.bias)
    gap = float((total - mlp_out).norm() / mlp_out.norm().clamp_min(1e-30))
    return Neurons(pre, act, w_out, mlp_out, gap)


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """The `count` strongest neurons of `layer` at `step` or `position`, ordered `by`.

    `by` is "activation" (its size), "length" (of what the neuron adds to the stream) or "token" (what it
    adds to the score of the token that came). Each neuron has `index`, `pre`, `act`, `length`, `token`
    (that effect in logits) and `words`: up to five tokens with what the neuron adds to their logits.
    At a prompt position the token that came is the prompt's next one.
    """
    layer, position = layer_of(trace, params), position_of(trace, params)
    by = params.get("by", "activation")
    count = count_of(params, 10, MOST)
    found = neurons_at(loaded, trace, layer, position)
    came = trace.tokens()[position + 1]
    scale = final_scale(loaded.model, torch.from_numpy(stream_at(trace, position)[-1, POST]))
    lengths = found.act.abs() * found.w_out.norm(dim=-1)
    effects = found.act * effect_on(loaded.model, found.w_out, scale, came.token_id)
    keys: dict[str, Tensor] = {"activation": found.act.abs(), "length": lengths, "token": effects.abs()}
    chosen = ranked(keys[by].numpy(), count)
    shares = found.act[chosen, None] * found.w_out[chosen]
    words = direct_effect(loaded.model, shares, scale)
    return {
        "layer": layer,
        "position": position,
        "by": by,
        "neurons": [
            _neuron(loaded, found, index, float(lengths[index]), float(effects[index]), row)
            for index, row in zip(chosen.tolist(), words, strict=True)
        ],
        "n_neurons": len(found.act),
        "active": int((found.act > 0).sum()),
        "out_length": float(found.mlp_out.norm()),
        "token_id": came.token_id,
        "token_total": float(effects.sum()),
        "scale": scale,
        "gap": found.gap,
    }


def _neuron(
    loaded: LoadedModel, found: Neurons, index: int, length: float, effect: float, words: Tensor
) -> Json:
    return {
        "index": index,
        "pre": float(found.pre[index]),
        "act": float(found.act[index]),
        "length": length,
        "token": effect,
        "words": _words(loaded, words),
    }


def _words(loaded: LoadedModel, row: Tensor) -> list[Json]:
    """The tokens that a row of effects, [V], raises most."""
    values = row.numpy()
    ids = ranked(values, 5).tolist()
    return [{"id": i, "text": loaded.tokenizer.display(i), "logit": float(values[i])} for i in ids]
