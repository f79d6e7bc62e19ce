"""The stream of one job's events: live, complete to the last state, and without leaks."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from tutor.config import SamplingConfig
from tutor.serve.stream import follow
from tutor.session.jobs import Job
from tutor.trace import Trace


def parse(text: str) -> list[tuple[int | None, str, Any]]:
    """(id, event, data) of each event of a stream; comment lines are left out."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        number = int(fields["id"]) if "id" in fields else None
        found.append((number, fields["event"], json.loads(fields["data"])))
    return found


def test_tokens_arrive_while_they_are_written(recorded_trace: Trace) -> None:
    """Guards against a stream that sends everything at the end."""
    assert recorded_trace.prefill is not None
    job = Job("q", SamplingConfig())
    seen: list[str] = []

    async def listen() -> None:
        async for text in follow(job, 0):
            seen.extend(name for _, name, _ in parse(text))
            if seen.count("step") == 2 and not more.is_set():
                assert not job.done
                more.set()

    more = threading.Event()

    def write() -> None:
        job.begin()
        job.start_draft(recorded_trace)
        assert recorded_trace.prefill is not None
        job.record(recorded_trace.prefill)
        for step in recorded_trace.steps[:2]:
            job.record(step)
        assert more.wait(10), "the first two steps never arrived"
        for step in recorded_trace.steps[2:]:
            job.record(step)
        job.end_draft("t", False, (), ())
        job.finish("end")

    writer = threading.Thread(target=write)
    writer.start()
    asyncio.run(asyncio.wait_for(listen(), 20))
    writer.join(5)
    assert seen.count("step") == len(recorded_trace.steps) and seen[-1] == "end"


def test_listeners_leave_no_trace(recorded_trace: Trace) -> None:
    """Guards against a leak per reconnect."""
    job = Job("q", SamplingConfig())

    async def look() -> None:
        stream = follow(job, 0)
        await anext(stream)
        await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue]

    for _ in range(3):
        asyncio.run(look())
    assert not job._listeners


def test_the_last_state_is_sent_even_if_the_end_comes_after_a_look_at_it(recorded_trace: Trace) -> None:
    """Guards against a finished reply that is labelled as being written for ever."""
    job = Job("q", SamplingConfig())
    job.begin()
    job.start_draft(recorded_trace)

    async def listen() -> list[str]:
        stream = follow(job, 0)
        found = [await anext(stream)]  # the state, "running"; the log has not been read yet
        job.end_draft("text", False, (), ())
        job.finish("end")
        return found + [text async for text in stream]

    texts = asyncio.run(listen())
    assert '"state":"running"' in texts[0]
    assert '"state":"finished"' in texts[-2] and "event: end" in texts[-1]


def test_a_record_given_back_in_mid_stream_ends_it(recorded_trace: Trace) -> None:
    job = Job("q", SamplingConfig())
    job.start_draft(recorded_trace)
    assert recorded_trace.prefill is not None
    job.record(recorded_trace.prefill)
    job.drop_records()

    async def listen() -> list[str]:
        return [text async for text in follow(job, 0)]

    texts = asyncio.run(asyncio.wait_for(listen(), 5))
    assert len(texts) == 1 and texts[0].startswith("event: status")
