"""Figures computed from the recorded residual stream: right, and able to fail."""

from __future__ import annotations

import dataclasses

import numpy as np

from tutor.panels import payload
from tutor.panels.codec import unpack_f32
from tutor.panels.derived import ledger
from tutor.trace import Trace


def test_the_stream_adds_up_and_a_wrong_one_is_noticed(recorded_trace: Trace) -> None:
    """Guards against a check that always says yes: one component off by a thousandth must show."""
    for step in recorded_trace.steps:
        right = ledger(step)
        assert right is not None and isinstance(right["gap"], float)
        assert right["gap"] < 1e-5
        assert step.resid is not None
        for layer, place in ((1, 0), (1, 1), (2, 2)):
            wrong = step.resid.copy()
            wrong[layer, place] *= 1.001
            found = ledger(dataclasses.replace(step, resid=wrong))
            assert found is not None and float(str(found["gap"])) > 1e-5


def test_cosines_compare_the_stream_before_and_after_each_layer(recorded_trace: Trace) -> None:
    """Guards against comparing neighbouring layers' outputs, or mid with post."""
    step = recorded_trace.steps[3]
    assert step.resid is not None
    got = ledger(step)
    assert got is not None
    for layer, value in enumerate(unpack_f32(str(got["cosine"]))):
        before, after = step.resid[layer, 0].astype(float), step.resid[layer, 2].astype(float)
        assert abs(value - before @ after / np.linalg.norm(before) / np.linalg.norm(after)) < 1e-6


def test_without_the_stream_nothing_is_claimed(recorded_trace: Trace) -> None:
    """Guards against a check that passes because there was nothing to check."""
    bare = dataclasses.replace(recorded_trace.steps[0], resid=None)
    assert ledger(bare) is None
    got = payload.step_record(dataclasses.replace(recorded_trace, steps=[bare]), 0)
    assert got["ledger"] is None and got["has_resid"] is False
