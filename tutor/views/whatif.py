"""What if the settings had been others: the recorded logits, filtered and drawn from again.

No pass through the model: the scores at this step do not depend on the settings, and the same random
number falls on whichever token lies there now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tutor.config import SamplingConfig
from tutor.engine.sampling import Distribution, Ids, choose, distribution, ranked
from tutor.model.registry import LoadedModel
from tutor.trace import Step, Trace
from tutor.views.lens import read_layers
from tutor.views.source import Floats32, Json, LeftOut, Params, decimal, number, step_of

ROWS = 12
NO_DRAW = 0.5  # shown where the reply drew no number, until the student chooses another


@dataclass(frozen=True)
class WhatIf:
    """One step drawn again.

    Attributes:
        dist: All stages under the new settings.
        order: All tokens, most probable first under the new settings, [n_vocab].
        chosen: The token that the number falls on.
        place: Where that token's piece begins and ends on the line from 0 to 1.
        entropy: Of the probabilities drawn from, in nats.
    """

    dist: Distribution
    order: Ids
    chosen: int
    place: tuple[float, float]
    entropy: float


def scores_of(loaded: LoadedModel, step: Step) -> Floats32:
    """The logits of a step, [n_vocab]: as recorded, or read again from its last resid_post.

    Raises:
        LeftOut: Neither was kept.
    """
    if step.logits is not None:
        return np.asarray(step.logits, dtype=np.float32)
    if step.resid is None:
        raise LeftOut
    return read_layers(loaded.model, np.asarray(step.resid[-1:], dtype=np.float32))[0]


def draw_again(trace: Trace, step: Step, logits: Floats32, settings: SamplingConfig, draw: float) -> WhatIf:
    """Draw one step again from its logits.

    Args:
        trace: The record; the reply's earlier tokens count for the repetition penalty.
        step: Which step.
        logits: Its raw logits, [n_vocab].
        settings: Temperature, top_k, top_p and penalty to use.
        draw: The random number, in [0, 1); at temperature 0 it does not matter.
    """
    said = [earlier.token.token_id for earlier in trace.steps[: step.index]]
    dist = distribution(logits, said, settings)
    chosen = choose(dist, 0.0 if settings.temperature == 0 else draw)
    order = ranked(dist.tempered, len(dist.tempered))
    probs = dist.prob(order)
    at = int((order == chosen).argmax())
    before = float(probs[:at].sum())
    kept = probs[probs > 0]
    entropy = float(-(kept * np.log(kept)).sum())
    return WhatIf(dist, order, chosen, (before, before + float(probs[at])), entropy)


def settings_of(trace: Trace, params: Params) -> SamplingConfig:
    """The settings asked for; those of the reply where the query names none. top_k=0 keeps all.

    Raises:
        SamplingError: One is outside its range.
        ValueError: One is no number.
    """

    def was(name: str) -> float:
        return float(str(trace.sampling.get(name) or 0))

    return SamplingConfig(
        temperature=decimal(params, "temperature", was("temperature")),
        top_k=number(params, "top_k", int(was("top_k"))) or None,
        top_p=decimal(params, "top_p", was("top_p")),
        repetition_penalty=decimal(params, "repetition_penalty", was("repetition_penalty")),
    )


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """The draw of `step` under `temperature`, `top_k`, `top_p`, `repetition_penalty` and `draw`.

    `draw` is the random number: the recorded one if the query names none, 0.5 if none was drawn.
    `candidates` are the most probable tokens under the new settings, best first, then the token drawn
    now and the one that came where they are not among them. `kept` tokens passed top-k and top-p.
    """
    step = step_of(trace, params)
    settings = settings_of(trace, params)
    draw = decimal(params, "draw", NO_DRAW if step.draw is None else step.draw)
    if not 0 <= draw < 1:
        raise ValueError(f"invalid literal for draw: {draw} is not in [0, 1)")
    found = draw_again(trace, step, scores_of(loaded, step), settings, draw)
    came, display = step.token.token_id, loaded.tokenizer.display
    shown = found.order[:ROWS].tolist()
    shown += [token for token in dict.fromkeys((found.chosen, came)) if token not in shown]
    return {
        "step": step.index,
        "again": step.logits is None,
        "draw": None if settings.temperature == 0 else draw,
        "recorded_draw": step.draw,
        "chosen": found.chosen,
        "chosen_text": display(found.chosen),
        "came": came,
        "came_text": step.token.text,
        "place": list(found.place),
        "kept": len(found.order) if found.dist.kept_ids is None else len(found.dist.kept_ids),
        "discarded": found.dist.discarded_mass,
        "entropy": found.entropy,
        "candidates": _rows(found.dist, np.array(shown), [display(token) for token in shown]),
    }


def _rows(dist: Distribution, ids: Ids, texts: list[str]) -> list[Json]:
    columns = (dist.logits[ids], dist.raw[ids], dist.tempered[ids], dist.prob(ids))
    rows = zip(ids.tolist(), texts, *(column.tolist() for column in columns), strict=True)
    names = ("id", "text", "logit", "raw", "tempered", "prob")
    return [dict(zip(names, row, strict=True)) for row in rows]
