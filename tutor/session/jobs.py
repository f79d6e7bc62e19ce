"""One reply under way or finished: what the worker writes and what page and routes read.

A job is written by one worker thread and read by many; every change goes through its lock. The
log says what happened in which order; its entries point into the traces, nothing is copied.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence

from tutor.config import SamplingConfig
from tutor.errors import TutorError
from tutor.session.records import Draft, Entry, Failure, FigureMark, Notice, Past, State, Status, Topic
from tutor.trace import Prefill, Step, Trace

_RATE_PERIOD = 0.5  # seconds between two changes of the speed on show


class Job:
    """A reply to one question, asked with one model and one set of settings.

    Args:
        question: As typed.
        sampling: Settings.
        lang: Language of the page when it was asked; sentences of the status use it.
        model: Spec of the model that shall answer.
        owner: Key of the session that asked.
        history: Gives the conversation before the question, oldest first; called when the reply is
            due, because a question may wait while the one before it is being answered.
        prefix_ids: For a continuation: token ids of the reply so far.
        token: Fixed token of a recording; unguessable if left out.
    """

    def __init__(
        self,
        question: str,
        sampling: SamplingConfig,
        *,
        lang: str = "ja",
        model: str = "embedded",
        owner: str = "",
        history: Callable[[], Sequence[Past]] = tuple,
        prefix_ids: Sequence[int] = (),
        token: str | None = None,
    ) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.question = question
        self.sampling = sampling
        self.lang = lang
        self.model = model
        self.owner = owner
        self.history = history
        self.prefix_ids = tuple(prefix_ids)
        self.stop = threading.Event()
        self.asked_at = time.time()
        self.drafts: list[Draft] = []
        self.topic: Topic | None = None
        self.chosen = 0
        self.verified = False
        self.taught = True
        self.model_facts: dict[str, object] = {}
        self.glue = ""  # between this continuation and what it continues
        self.pace: float | None = None  # seconds between two steps when a recording is replayed
        self.dropped = False
        self._log: list[Entry] = []
        self._changed = threading.Condition()
        self._listeners: set[Callable[[], None]] = set()
        self._state: State = "queued"
        self._place: tuple[int, int] | None = None
        self._reason: str | None = None
        self._rate: float | None = None
        self._error: TutorError | None = None
        self._notices: list[Notice] = []
        self._version = 0
        self._first_step = 0.0
        self._rated_at = 0.0
        self._last_step = (0, 0.0)

    # ── reading ──

    @property
    def done(self) -> bool:
        """Whether the job has ended, well or not."""
        return self._state in ("finished", "failed")

    @property
    def text(self) -> str:
        """What the reply says so far: the chosen draft, or the newest one while writing."""
        with self._changed:
            if not self.drafts:
                return ""
            return self.drafts[self.chosen if self.done else -1].text

    @property
    def shown(self) -> Draft | None:
        """The draft that counts: the chosen one, or the newest while writing; None before any."""
        with self._changed:
            if not self.drafts:
                return None
            return self.drafts[self.chosen if self.done else -1]

    def status(self) -> Status:
        """The whole state at this moment."""
        with self._changed:
            place, of = self._place or (None, None)
            return Status(
                state=self._state,
                version=self._version,
                place=place,
                of=of,
                reason=self._reason,
                tokens_per_second=self._rate,
                error=self._error,
                notices=tuple(self._notices),
                drafts=tuple((draft.state, draft.failures) for draft in self.drafts),
            )

    def entries(self, start: int, most: int = 64) -> list[Entry]:
        """Up to `most` events of the log from index `start` on."""
        with self._changed:
            return self._log[start : start + most]

    def trace(self, draft: int | None = None) -> Trace:
        """The record of a draft; None means the newest.

        Raises:
            IndexError: No such draft, or its record was given back.
        """
        with self._changed:
            index = len(self.drafts) - 1 if draft is None else draft
            if not 0 <= index < len(self.drafts):
                raise IndexError(f"draft {index} of {len(self.drafts)} does not exist")
            trace = self.drafts[index].trace
        if trace is None:
            raise IndexError(f"the record of draft {index} is no longer kept")
        return trace

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job has ended; False if the timeout came first. For tests and tools."""
        with self._changed:
            return self._changed.wait_for(lambda: self.done, timeout)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, from the worker's thread, after every change; returns the way to end it."""
        with self._changed:
            self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    # ── writing: the queue and the worker only ──

    def at_place(self, place: int, of: int) -> None:
        """Note the place in line, counted from 1."""
        with self._changed:
            if self._place != (place, of):
                self._place = (place, of)
                self._touch()

    def begin(self) -> None:
        """The worker has taken the job."""
        with self._changed:
            self._state, self._place = "running", None
            self._touch()

    def notify(self, key: str, **values: object) -> None:
        """Add a sentence for the student."""
        with self._changed:
            notice = Notice(key, values)
            if notice not in self._notices:
                self._notices.append(notice)
                self._touch()

    def dismiss(self, key: str) -> None:
        """Take a sentence back that is no longer true."""
        with self._changed:
            left = [notice for notice in self._notices if notice.key != key]
            if len(left) != len(self._notices):
                self._notices = left
                self._touch()

    def start_draft(self, trace: Trace) -> None:
        """A new draft begins; its trace fills from now on."""
        with self._changed:
            self.drafts.append(Draft(trace))
            self._touch()

    def record(self, event: Prefill | Step) -> None:
        """The engine has produced an event; it is in the trace already."""
        draft = len(self.drafts) - 1
        with self._changed:
            if isinstance(event, Prefill):
                self._first_step = 0.0
                self._log.append(Entry("prefill", draft))
            else:
                self._log.append(Entry("step", draft, event.index))
                self._measure(event)
            self._announce()

    def end_draft(
        self, text: str, withdrawn: bool, failures: tuple[Failure, ...], marks: tuple[FigureMark, ...]
    ) -> None:
        """The draft is complete and checked."""
        with self._changed:
            draft = self.drafts[-1]
            draft.text, draft.failures, draft.marks = text, failures, marks
            draft.state = "withdrawn" if withdrawn else "kept"
            self._touch()

    def finish(self, reason: str, chosen: int | None = None, verified: bool = False) -> None:
        """End the job; later calls change nothing."""
        with self._changed:
            if self.done:
                return
            self.chosen = len(self.drafts) - 1 if chosen is None else chosen
            for index, draft in enumerate(self.drafts):
                draft.state = "kept" if index == self.chosen else "withdrawn"
            self.verified, self._reason, self._state = verified, reason, "finished"
            self._end()

    def fail(self, error: TutorError) -> None:
        """End the job with an error; what was written stays."""
        with self._changed:
            if self.done:
                return
            if self.drafts and self.drafts[-1].state == "writing":
                self.drafts[-1].state = "kept"
            self.chosen = max(0, len(self.drafts) - 1)
            self._error, self._reason, self._state = error, "error", "failed"
            self._end()

    def drop_records(self) -> None:
        """Give the traces back; texts and marks stay."""
        with self._changed:
            self.dropped = True
            for draft in self.drafts:
                draft.trace = None

    def _measure(self, step: Step) -> None:
        """Note when tokens came; the speed is what the student sees: tokens by wall time."""
        now = time.monotonic()
        if step.index == 0:
            self._first_step = self._rated_at = now
        self._last_step = (step.index, now)
        if now - self._rated_at >= _RATE_PERIOD:
            self._rated_at = now
            self._rate = self._speed()
            self._version += 1

    def _speed(self) -> float | None:
        tokens, seconds = self._last_step[0], self._last_step[1] - self._first_step
        return tokens / seconds if tokens and seconds > 0 else None

    def _end(self) -> None:
        self._place = None
        self._rate = self._speed()
        self._log.append(Entry("end"))
        self._touch()

    def _touch(self) -> None:
        self._version += 1
        self._announce()

    def _announce(self) -> None:
        self._changed.notify_all()
        for listener in tuple(self._listeners):
            listener()
