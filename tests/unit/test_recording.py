"""A recorded reply survives its file exactly, and replays as a job."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tutor.config import EMBEDDED
from tutor.panels import payload
from tutor.session import recording
from tutor.session.recording import Recording
from tutor.session.writer import load_tutor, record_reply
from tutor.trace import Trace


@pytest.fixture
def reloaded(recorded_trace: Trace, tmp_path: Path) -> Recording:
    path = tmp_path / "r.npz"
    recording.save(Recording("問い", "答え", "ja", recorded_trace), path)
    return recording.load(path)


def test_every_number_on_show_survives(recorded_trace: Trace, reloaded: Recording) -> None:
    """Guards against a first screen that shows rounded or misplaced figures as measured."""
    assert reloaded.question == "問い" and reloaded.text == "答え" and reloaded.lang == "ja"
    trace = reloaded.trace
    assert payload.prefill(trace) == payload.prefill(recorded_trace)
    assert len(trace.steps) == len(recorded_trace.steps)
    for ours, theirs in zip(trace.steps, recorded_trace.steps, strict=True):
        assert payload.step(ours) == payload.step(theirs)
    for layer in range(trace.n_layer):
        for head in range(trace.n_head):
            rows, original = trace.attention_map(layer, head), recorded_trace.attention_map(layer, head)
            assert rows is not None and original is not None and np.array_equal(rows, original)


def test_what_was_not_kept_is_named(reloaded: Recording) -> None:
    assert set(reloaded.trace.left_out) == {"residuals", "logits"}
    record = payload.step_record(reloaded.trace, 0)
    assert record["has_logits"] is False and record["has_resid"] is False


def test_it_replays_as_a_finished_job_of_nobody(reloaded: Recording) -> None:
    job = recording.as_job(reloaded)
    assert job.done and job.owner == "" and job.pace and job.text == "答え"
    assert [entry.event for entry in job.entries(0, 999)][-1] == "end"


def test_an_unfinished_reply_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="complete"):
        recording.save(Recording("q", "", "ja", Trace("m", "cpu", 1, 1, 4, 9, 9, {})), tmp_path / "x.npz")


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_first_screen_replays_the_shipped_model(lang: str) -> None:
    """Guards against recordings of an older model; `python -m tutor record` makes them anew."""
    path = recording.FOLDER / f"{lang}.npz"
    if not (EMBEDDED / "config.json").exists():
        pytest.skip("the embedded model has not been made yet")
    kept = recording.load(path)
    fresh = record_reply(load_tutor("embedded", 1), kept.question, lang)
    assert [step.token.token_id for step in kept.trace.steps] == [
        step.token.token_id for step in fresh.trace.steps
    ]
    for ours, theirs in zip(kept.trace.steps, fresh.trace.steps, strict=True):
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-3)
