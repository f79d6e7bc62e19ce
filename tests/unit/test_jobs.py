"""A job's record: log, status, drafts; and the registry's bounds."""

from __future__ import annotations

import time

import pytest

from tutor.config import SamplingConfig
from tutor.errors import OutOfMemory
from tutor.session.jobs import Job
from tutor.session.records import Entry, Failure, FigureMark
from tutor.session.registry import Registry
from tutor.trace import Trace


def make(owner: str = "me") -> Job:
    return Job("question", SamplingConfig(), owner=owner)


def replay(job: Job, trace: Trace) -> None:
    """Write a recorded reply into a job as the worker does."""
    job.start_draft(trace)
    assert trace.prefill is not None
    job.record(trace.prefill)
    for step in trace.steps:
        job.record(step)


def test_tokens_cannot_be_guessed_from_each_other() -> None:
    """Guards one student's reply against another who counts tokens up."""
    tokens = {make().token for _ in range(200)}
    assert len(tokens) == 200 and all(len(token) >= 32 for token in tokens)


def test_the_log_keeps_the_order_and_resumes_anywhere(recorded_trace: Trace) -> None:
    """Guards against a listener that comes back and misses or repeats an event."""
    job = make()
    replay(job, recorded_trace)
    job.end_draft("text", False, (), ())
    job.finish("length")
    count = len(recorded_trace.steps)
    expected = [Entry("prefill", 0), *[Entry("step", 0, i) for i in range(count)], Entry("end")]
    assert job.entries(0) == expected
    assert job.entries(3) == expected[3:]
    assert job.entries(0, most=2) == expected[:2]
    assert job.entries(len(expected)) == []


def test_a_second_draft_follows_the_first_in_the_log(recorded_trace: Trace) -> None:
    job = make()
    replay(job, recorded_trace)
    job.end_draft("first", True, (Failure("figure", "99"),), ())
    replay(job, recorded_trace)
    job.end_draft("second", False, (), (FigureMark("12", "note"),))
    job.finish("end", 1, verified=True)
    assert [entry.draft for entry in job.entries(0, 99) if entry.event == "prefill"] == [0, 1]
    assert [state for state, _ in job.status().drafts] == ["withdrawn", "kept"]
    assert job.text == "second" and job.verified


def test_an_earlier_draft_can_be_chosen(recorded_trace: Trace) -> None:
    """When no draft passes, the best one is shown, and it need not be the last."""
    job = make()
    for text in ("first", "second"):
        replay(job, recorded_trace)
        job.end_draft(text, text == "first", (Failure("figure"),), ())
    job.finish("end", 0)
    assert job.text == "first"
    assert [state for state, _ in job.status().drafts] == ["kept", "withdrawn"]


def test_ending_twice_changes_nothing(recorded_trace: Trace) -> None:
    """Guards the commit: two runs may reach the end together."""
    job = make()
    replay(job, recorded_trace)
    job.end_draft("text", False, (), ())
    job.finish("end", 0, verified=True)
    version = job.status().version
    job.finish("stopped")
    job.fail(OutOfMemory("late"))
    assert job.status().version == version
    assert job.status().reason == "end" and job.status().error is None
    assert [entry.event for entry in job.entries(0, 99)].count("end") == 1


def test_a_failure_keeps_what_was_written(recorded_trace: Trace) -> None:
    job = make()
    replay(job, recorded_trace)
    job.drafts[-1].text = "half a sen"
    job.fail(OutOfMemory("no room"))
    status = job.status()
    assert status.state == "failed" and status.reason == "error" and job.text == "half a sen"


def test_every_change_wakes_the_listeners_until_they_leave(recorded_trace: Trace) -> None:
    job, heard = make(), []
    leave = job.listen(lambda: heard.append(1))
    job.at_place(1, 2)
    job.at_place(1, 2)
    assert len(heard) == 1, "the same place is no news"
    replay(job, recorded_trace)
    before = len(heard)
    assert before >= 2 + len(recorded_trace.steps)
    leave()
    job.finish("end")
    assert len(heard) == before


def test_the_record_of_a_draft_that_is_not_there_is_an_index_error(recorded_trace: Trace) -> None:
    job = make()
    with pytest.raises(IndexError):
        job.trace()
    replay(job, recorded_trace)
    assert job.trace() is recorded_trace
    with pytest.raises(IndexError):
        job.trace(1)
    job.drop_records()
    with pytest.raises(IndexError):
        job.trace(0)


def test_notices_are_said_once_and_can_be_taken_back() -> None:
    job = make()
    job.notify("notice_loading")
    job.notify("notice_loading")
    assert len(job.status().notices) == 1
    job.dismiss("notice_loading")
    assert job.status().notices == ()


def test_only_the_last_records_of_each_student_are_kept(recorded_trace: Trace) -> None:
    """Guards the server's memory over twenty replies, and one student's records against another's."""
    registry = Registry(keep=3)
    other = make("other")
    replay(other, recorded_trace)
    other.finish("end")
    registry.add(other)
    jobs = []
    for _ in range(20):
        job = make("me")
        registry.add(job)
        replay(job, recorded_trace)
        job.end_draft("text", False, (), ())
        job.finish("end")
        jobs.append(job)
    registry.add(make("me"))
    kept = [job for job in jobs if registry.get(job.token)]
    assert kept == jobs[-2:], "two records and the one being written"
    assert all(job.dropped and job.text == "text" for job in jobs[:-2])
    assert registry.get(other.token) is other and not other.dropped


def test_all_records_together_are_bounded(recorded_trace: Trace) -> None:
    """Guards the server's memory against many students with few replies each."""
    registry = Registry(keep=3, most=5)
    for number in range(30):
        job = make(f"student {number}")
        replay(job, recorded_trace)
        job.finish("end")
        registry.add(job)
    assert len(registry) <= 6


def test_a_job_under_way_is_never_given_back(recorded_trace: Trace) -> None:
    registry = Registry(keep=1, most=1)
    running = make("me")
    replay(running, recorded_trace)
    registry.add(running)
    for number in range(5):
        done = make(f"other {number}")
        done.finish("end")
        registry.add(done)
    assert registry.get(running.token) is running and not running.dropped


def test_forgetting_a_student_stops_and_clears_everything(recorded_trace: Trace) -> None:
    registry = Registry()
    mine, theirs = make("me"), make("them")
    for job in (mine, theirs):
        replay(job, recorded_trace)
        registry.add(job)
    registry.forget("me")
    assert registry.get(mine.token) is None and mine.stop.is_set() and mine.dropped
    assert registry.get(theirs.token) is theirs and not theirs.stop.is_set()


def test_the_speed_is_that_of_all_tokens_by_the_clock(recorded_trace: Trace) -> None:
    """Guards against a speed that a stall at the start, or a quick end, leaves at an early value."""
    job = make()
    job.start_draft(recorded_trace)
    assert recorded_trace.prefill is not None
    job.record(recorded_trace.prefill)
    started = time.monotonic()
    for number, step in enumerate(recorded_trace.steps):
        time.sleep(0.6 if number == 1 else 0.002)
        job.record(step)
    elapsed = time.monotonic() - started
    job.end_draft("text", False, (), ())
    job.finish("end")
    rate = job.status().tokens_per_second
    tokens = len(recorded_trace.steps) - 1
    assert rate is not None and tokens / elapsed <= rate <= tokens / 0.6
