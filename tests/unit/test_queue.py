"""The line: order, places, limits, stopping, and what a failing reply may not do."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tutor.config import SamplingConfig
from tutor.errors import OutOfMemory, QueueFull, TutorError
from tutor.session.jobs import Job
from tutor.session.queue import ReplyQueue


class Gate:
    """Work that waits for permission, so that a test decides when each job ends."""

    def __init__(self) -> None:
        self.open = threading.Semaphore(0)
        self.order: list[str] = []
        self.begun = threading.Semaphore(0)

    def work(self, job: Job) -> None:
        self.order.append(job.question)
        self.begun.release()
        assert self.open.acquire(timeout=10)
        if job.question == "boom":
            raise RuntimeError("nobody foresaw this")
        if job.question == "oom":
            raise OutOfMemory("no room")
        job.finish("stopped" if job.stop.is_set() else "end")


def make(question: str) -> Job:
    return Job(question, SamplingConfig())


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def line(gate: Gate) -> Iterator[ReplyQueue]:
    queue = ReplyQueue(gate.work, most=3)
    yield queue
    for _ in range(10):
        gate.open.release()
    queue.close()


def test_first_come_first_served(line: ReplyQueue, gate: Gate) -> None:
    """Guards against an order that depends on luck or on who asks."""
    jobs = [make(name) for name in "abcd"]
    line.submit(jobs[0])
    assert gate.begun.acquire(timeout=5)
    for job in jobs[1:]:
        line.submit(job)
    for _ in jobs:
        gate.open.release()
    assert all(job.wait(5) for job in jobs)
    assert gate.order == ["a", "b", "c", "d"]


def test_places_move_up_as_the_line_moves(line: ReplyQueue, gate: Gate) -> None:
    """Guards against a place that is shown once and never corrected."""
    jobs = [make(name) for name in "abcd"]
    line.submit(jobs[0])
    assert gate.begun.acquire(timeout=5)
    for job in jobs[1:]:
        line.submit(job)
    assert [(job.status().place, job.status().of) for job in jobs[1:]] == [(1, 3), (2, 3), (3, 3)]
    gate.open.release()
    assert gate.begun.acquire(timeout=5)
    assert jobs[1].status().state == "running" and jobs[1].status().place is None
    assert [(job.status().place, job.status().of) for job in jobs[2:]] == [(1, 2), (2, 2)]


def test_a_full_line_refuses_and_says_how_many_wait(line: ReplyQueue, gate: Gate) -> None:
    line.submit(make("running"))
    assert gate.begun.acquire(timeout=5)
    for name in "abc":
        line.submit(make(name))
    with pytest.raises(QueueFull) as caught:
        line.submit(make("one too many"))
    assert caught.value.values == {"waiting": 3}
    assert line.waiting == 3


def test_stopping_a_waiting_job_ends_it_at_once(line: ReplyQueue, gate: Gate) -> None:
    """Guards against a cancelled question that is answered all the same, and against a gap in the places."""
    first, second, third = make("first"), make("second"), make("third")
    line.submit(first)
    assert gate.begun.acquire(timeout=5)
    line.submit(second)
    line.submit(third)
    line.cancel(second)
    assert second.done and second.status().reason == "stopped"
    assert (third.status().place, third.status().of) == (1, 1)
    gate.open.release()
    gate.open.release()
    assert third.wait(5)
    assert gate.order == ["first", "third"]


def test_stopping_the_running_job_only_asks_it(line: ReplyQueue, gate: Gate) -> None:
    job = make("a")
    line.submit(job)
    assert gate.begun.acquire(timeout=5)
    line.cancel(job)
    assert job.stop.is_set() and not job.done
    gate.open.release()
    assert job.wait(5) and job.status().reason == "stopped"


@pytest.mark.parametrize(("question", "key"), [("boom", "unknown_error"), ("oom", "out_of_memory")])
def test_a_failing_reply_ends_with_an_error_and_the_line_goes_on(
    line: ReplyQueue, gate: Gate, question: str, key: str
) -> None:
    """Guards against a worker that dies with the first exception and leaves everyone waiting."""
    bad, good = make(question), make("good")
    line.submit(bad)
    line.submit(good)
    gate.open.release()
    gate.open.release()
    assert bad.wait(5) and good.wait(5)
    error = bad.status().error
    assert bad.status().state == "failed" and isinstance(error, TutorError) and error.key == key
    assert good.status().state == "finished"


def test_work_that_forgets_to_finish_is_still_ended() -> None:
    queue = ReplyQueue(lambda job: None, most=1)
    job = make("a")
    queue.submit(job)
    assert job.wait(5)
    queue.close()


def test_closing_stops_what_waits(gate: Gate) -> None:
    queue = ReplyQueue(gate.work, most=3)
    running, waiting = make("a"), make("b")
    queue.submit(running)
    assert gate.begun.acquire(timeout=5)
    queue.submit(waiting)
    gate.open.release()
    queue.close()
    assert waiting.done and gate.order == ["a"]
