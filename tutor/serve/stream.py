"""A job's events as Server-Sent Events: all from the start, then each as it comes.

The worker's thread only wakes the loop; turning a step into text happens here, once per listener,
so a reply that nobody watches costs nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

from tutor.panels import codec, payload
from tutor.serve.status import status_payload
from tutor.session.jobs import Job
from tutor.session.records import Entry

PING_AFTER = 15.0  # seconds of silence before a comment line keeps proxies from closing the line
PAUSE = 0.04  # seconds between two bundles of events: 25 a second at most
BUNDLE = 48  # events sent without giving others their turn


def first_wanted(params: Mapping[str, str], headers: Mapping[str, str]) -> int:
    """The log index to start at: after Last-Event-ID if the browser came back, else `from`.

    Raises:
        ValueError: A value is not a whole number.
    """
    last = headers.get("last-event-id")
    if last:
        return max(0, int(last) + 1)
    return max(0, codec.query_int(params, "from", 0) or 0)


async def follow(job: Job, start: int) -> AsyncIterator[str]:
    """Yield a job's events from log index `start` to its end.

    Args:
        job: The job, at any stage.
        start: Index of the first event wanted.
    """
    loop, woken, told = asyncio.get_running_loop(), asyncio.Event(), False

    def wake() -> None:
        nonlocal told
        if not told and not loop.is_closed():  # once per bundle: each call wakes the loop's thread
            told = True
            loop.call_soon_threadsafe(woken.set)

    silence = job.listen(wake)
    try:
        position, version = start, -1
        while True:
            woken.clear()
            told = False
            seen, state = status_payload(job)
            if seen != version:
                version = seen
                yield codec.sse("status", _dump(state))
            entries = job.entries(position, BUNDLE)
            for entry in entries:
                text = event_text(job, entry, position)
                if text is None:  # its record was given back while someone was listening
                    return
                if job.pace is not None and entry.event == "step":
                    await asyncio.sleep(job.pace)
                if entry.event == "end":  # it may have come after the state was last looked at
                    seen, state = status_payload(job)
                    if seen != version:
                        yield codec.sse("status", _dump(state))
                yield text
                position += 1
                if entry.event == "end":
                    return
            if job.done and not job.entries(position, 1):
                return  # asked to start behind the end
            if len(entries) == BUNDLE:
                await asyncio.sleep(0)  # there may be more at once; let others have a turn
                continue
            async for ping in _wait(woken):
                yield ping
            await asyncio.sleep(PAUSE)
    finally:
        silence()


def event_text(job: Job, entry: Entry, position: int) -> str | None:
    """One log entry as an event; None if its record is gone."""
    if entry.event == "end":
        return codec.sse("end", "{}", position)
    try:
        trace = job.trace(entry.draft)
    except IndexError:
        return None
    if entry.event == "prefill":
        return codec.sse("prefill", _dump(payload.prefill(trace, entry.draft)), position)
    return codec.sse("step", _dump(payload.step(trace.steps[entry.index], entry.draft)), position)


async def _wait(woken: asyncio.Event) -> AsyncIterator[str]:
    """Wait for news; yield a comment line at each long silence."""
    while True:
        try:
            await asyncio.wait_for(woken.wait(), PING_AFTER)
            return
        except TimeoutError:
            yield ": ping\n\n"


def _dump(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
