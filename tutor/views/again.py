"""Vectors that a record lacks, computed again from its tokens.

The record of a long reply, and the one shipped for the first screen, keep no residual stream. The model
is deterministic, so one pass over the same tokens gives the stream back, up to rounding (other shapes,
other order of sums). What is shown from it is marked as computed again.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import replace

import numpy as np
import torch

from tutor.engine.capture import to_numpy
from tutor.model.registry import LoadedModel
from tutor.trace import Trace
from tutor.views.source import Floats32, LeftOut, prefill

LIMIT = 64 * 2**20  # bytes of stream computed again for one record
KEEP = 2
_PLACES = {"resid_pre": 0, "resid_mid": 1, "resid_post": 2}
_lock = threading.Lock()
_made: list[tuple[weakref.ref[Trace], Trace]] = []


def filled(loaded: LoadedModel, trace: Trace) -> Trace:
    """The same record with every stream that it lacked; kept for the last KEEP records asked for.

    Raises:
        LeftOut: The reply is still being written, or the stream would be larger than LIMIT.
    """
    with _lock:
        for ref, done in _made:
            if ref() is trace:
                return done
        made = _fill(loaded, trace)
        _made[:] = [
            *[pair for pair in _made if pair[0]() is not None][-KEEP + 1 :],
            (weakref.ref(trace), made),
        ]
        return made


def _fill(loaded: LoadedModel, trace: Trace) -> Trace:
    done = prefill(trace)
    ids = [token.token_id for token in trace.tokens()[:-1]] if trace.steps else []
    size = len(ids) * trace.n_layer * 3 * trace.n_embd * 4
    if trace.finish is None or not ids or size > LIMIT:
        raise LeftOut
    stream = run_again(loaded, ids)
    length = len(done.tokens)
    steps = [
        step if step.resid is not None else replace(step, resid=stream[length + step.index - 1])
        for step in trace.steps
    ]
    resid = stream[:length] if done.resid is None else done.resid
    return replace(trace, prefill=replace(done, resid=resid), steps=steps)


@torch.inference_mode()
def run_again(loaded: LoadedModel, ids: list[int]) -> Floats32:
    """The stream of every position in one pass over the tokens, [T, n_layer, 3, n_embd]."""
    config = loaded.config
    stream = np.empty((len(ids), config.n_layer, 3, config.n_embd), dtype=np.float32)

    def record(site: str, layer: int, value: torch.Tensor) -> None:
        if site in _PLACES:
            stream[:, layer, _PLACES[site]] = to_numpy(value)

    loaded.model.forward(torch.tensor(ids, device=loaded.model.wte.device), record=record)
    return stream
