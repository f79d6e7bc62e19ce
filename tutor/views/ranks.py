"""Ranks of the tokens that came, in every layer of a run of steps: one more colouring of the lens grid."""

from __future__ import annotations

import numpy as np

from tutor.model.registry import LoadedModel
from tutor.trace import Step, Trace
from tutor.views.lens import rank_of, read_layers
from tutor.views.source import Floats32, Json, LeftOut, Params, number, within

MOST = 16


def view(loaded: LoadedModel, trace: Trace, params: Params) -> Json:
    """Steps `from` to `to` (exclusive, at most MOST of them): `ranks`, a list over layers for each step.

    1 is the top word of its layer.

    Raises:
        LeftOut: The stream of one of them was not kept.
    """
    start = within(number(params, "from"), len(trace.steps))
    stop = min(number(params, "to"), start + MOST, len(trace.steps))
    found = [
        rank_of(read_layers(loaded.model, _stream(step)), step.token.token_id).tolist()
        for step in trace.steps[start:stop]
    ]
    return {"from": start, "to": stop, "ranks": found}


def _stream(step: Step) -> Floats32:
    if step.resid is None:
        raise LeftOut
    return np.asarray(step.resid, dtype=np.float32)
