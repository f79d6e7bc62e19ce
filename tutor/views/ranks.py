"""Ranks of the tokens that came, in every layer of a run of steps: one more colouring of the lens grid."""

from __future__ import annotations

from tutor.model.registry import LoadedModel
from tutor.trace import Trace
from tutor.views.lens import rank_of, read_layers
from tutor.views.source import Json, LeftOut, Params, number, within

MOST = 16


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """Steps `from` to `to` (exclusive, at most MOST of them): `ranks`, a list over layers for each step.

    1 is the top word of its layer. None stands for a step whose stream was not kept.

    Raises:
        LeftOut: None of them was kept.
    """
    start = within(number(params, "from"), len(trace.steps))
    stop = min(number(params, "to"), start + MOST, len(trace.steps))
    found: list[list[int] | None] = []
    for step in trace.steps[start:stop]:
        if step.resid is None:
            found.append(None)
            continue
        found.append(rank_of(read_layers(loaded.model, step.resid), step.token.token_id).tolist())
    if found and all(ranks is None for ranks in found):
        raise LeftOut("residuals")
    return {"from": start, "to": stop, "ranks": found}
