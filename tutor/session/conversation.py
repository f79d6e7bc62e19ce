"""One student's conversation: turns, tries, and the jobs that write them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tutor.config import SamplingConfig
from tutor.errors import QuestionError, TutorError
from tutor.session.jobs import Job
from tutor.session.records import Past, Topic
from tutor.session.service import Service

_SEEDS_PER_TRY = 16  # a try's drafts use the seeds that follow its own
_AGAIN_TEMPERATURE, _AGAIN_TOP_P = 0.7, 0.9


@dataclass
class Try:
    """One answer to a question: a reply, and its continuations if it was cut."""

    jobs: list[Job]

    @property
    def done(self) -> bool:
        """Whether nothing of it is under way."""
        return all(job.done for job in self.jobs)

    @property
    def text(self) -> str:
        """The whole answer, continuations joined."""
        return "".join(job.glue + job.text for job in self.jobs)

    @property
    def topic(self) -> Topic | None:
        """What the finder made of the question; None before the worker took it."""
        return self.jobs[0].topic


@dataclass
class Turn:
    """A question and its tries.

    Attributes:
        question: As typed.
        tries: Answers in the order in which they were asked for.
        shown: Index of the try on show.
        committed: Whether the end of the try on show has been noticed by the page.
        feedback: 1 if the student found it useful, 0 if not, None if they did not say.
        key: Stable name for the page's widgets.
    """

    question: str
    tries: list[Try]
    shown: int = 0
    committed: bool = False
    feedback: int | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(4))
    asked_at: float = field(default_factory=time.time)

    @property
    def current(self) -> Try:
        """The try on show."""
        return self.tries[self.shown]

    @property
    def done(self) -> bool:
        """Whether nothing of it is under way."""
        return all(item.done for item in self.tries)


class Session:
    """One student: a conversation and its rules. All changes go through one lock.

    Args:
        service: The process's models and queue.
        lang: Language of the page.

    Attributes:
        key: Unguessable name of this student.
        model: Spec of the model that answers.
        wanted: Spec of the model that shall answer once it is loaded.
        turns: The conversation, oldest first.
        settings: Settings of the last question, as the page names them.
    """

    def __init__(self, service: Service, lang: str = "ja") -> None:
        self.service = service
        self.key = secrets.token_urlsafe(24)
        self.lang = lang
        self.model = service.config.model
        self.wanted: str | None = None
        self.turns: list[Turn] = []
        self.settings: dict[str, float] = {}
        self._lock = threading.RLock()

    # ── asking ──

    def ask(self, question: str, sampling: SamplingConfig) -> Turn:
        """Ask a question; an empty one is allowed, Aura has an answer to it.

        Raises:
            QuestionError: Too long, or one question waits already.
            QueueFull: The line is full.
        """
        self.check(question)
        with self._lock:
            if len(self.pending) >= 2:
                raise QuestionError("One question waits already.", key="busy")
            turn = Turn(question, [])
            turn.tries.append(Try([self._submit(turn, question, sampling)]))
            self.turns.append(turn)
            return turn

    def again(self, sampling: SamplingConfig) -> Turn:
        """Answer the last question once more, with the next seed; the earlier answers stay.

        Raises:
            QuestionError: Something is still being written.
            QueueFull: The line is full.
        """
        with self._lock:
            turn = self._last_idle()
            warm = another(sampling, len(turn.tries))
            turn.tries.append(Try([self._submit(turn, turn.question, warm)]))
            turn.shown, turn.committed = len(turn.tries) - 1, False
            return turn

    def go_on(self, sampling: SamplingConfig) -> Turn:
        """Continue the last answer where it was cut.

        Raises:
            QuestionError: Something is still being written, or the answer's record is gone.
            QueueFull: The line is full.
        """
        with self._lock:
            turn = self._last_idle()
            jobs = turn.current.jobs
            ids = [token for job in jobs for token in reply_ids(job)]
            first = jobs[0].sampling
            kept = replace(first, max_new_tokens=sampling.max_new_tokens, seed=first.seed + 1)
            jobs.append(self._submit(turn, turn.question, kept, ids))
            turn.committed = False
            return turn

    def edit(self, question: str, sampling: SamplingConfig) -> Turn:
        """Put another question in place of the last one.

        Raises:
            QuestionError: Too long, or something is still being written.
            QueueFull: The line is full.
        """
        self.check(question)
        with self._lock:
            old = self._last_idle()
            self.turns.remove(old)
            try:
                return self.ask(question, sampling)
            except BaseException:
                self.turns.append(old)
                raise

    def check(self, question: str) -> None:
        """Refuse what cannot be asked.

        Raises:
            QuestionError: The question is too long.
        """
        limit = self.service.config.max_question_chars
        if len(question) > limit:
            raise QuestionError(
                f"The question has {len(question)} characters; at most {limit} are taken. Shorten it.",
                key="question_too_long",
                length=len(question),
                limit=limit,
            )

    # ── while it is written ──

    @property
    def pending(self) -> list[Job]:
        """Jobs of this student that have not ended, in order."""
        with self._lock:
            return [job for turn in self.turns for item in turn.tries for job in item.jobs if not job.done]

    @property
    def known(self) -> int:
        """Number of replies whose topic the finder has found; grows a moment after each question."""
        with self._lock:
            return sum(item.topic is not None for turn in self.turns for item in turn.tries)

    @property
    def newest(self) -> Job | None:
        """The job that the instruments show by themselves: the first under way, else the last one."""
        with self._lock:
            if self.pending:
                return self.pending[0]
            return self.turns[-1].current.jobs[-1] if self.turns else None

    def stop(self) -> None:
        """Stop the reply being written; one that waits behind it then has its turn."""
        for job in self.pending[:1]:
            self.service.cancel(job)

    def commit(self) -> bool:
        """Notice replies that have ended; True if there was a new one. Safe to call at any time."""
        with self._lock:
            fresh = [turn for turn in self.turns if turn.done and not turn.committed]
            for turn in fresh:
                turn.committed = True
            return bool(fresh)

    def settle_model(self) -> TutorError | None:
        """Take over a model that was wanted, once it is loaded; the error if it cannot be."""
        with self._lock:
            if self.wanted is None:
                return None
            loading = self.service.model(self.wanted)
            if not loading.ended.is_set():
                return None
            if loading.error is None:
                self.model = self.wanted
            self.wanted = None
            return loading.error

    def clear(self) -> None:
        """Begin a new conversation; nothing of the old one can be reached afterwards."""
        with self._lock:
            for job in self.pending:
                self.service.cancel(job)
            self.turns.clear()
        self.service.registry.forget(self.key)

    def show_try(self, turn: Turn, index: int) -> None:
        """Show another try of a turn."""
        with self._lock:
            turn.shown = min(max(0, index), len(turn.tries) - 1)

    def past(self, turn: Turn) -> Sequence[Past]:
        """What was said before a turn, oldest first, as far as something was answered."""
        with self._lock:
            before = self.turns[: self.turns.index(turn)] if turn in self.turns else list(self.turns)
            return [past_of(item) for item in before if item.current.done and item.current.text]

    def _last_idle(self) -> Turn:
        if self.pending:
            raise QuestionError("A reply is still being written.", key="busy")
        if not self.turns:
            raise QuestionError("Nothing has been asked yet.", key="question_error")
        return self.turns[-1]

    def _submit(
        self, turn: Turn, question: str, sampling: SamplingConfig, prefix_ids: Sequence[int] = ()
    ) -> Job:
        job = Job(
            question,
            sampling,
            lang=self.lang,
            model=self.model,
            owner=self.key,
            history=lambda: self.past(turn),
            prefix_ids=prefix_ids,
        )
        self.service.submit(job)
        return job


def past_of(turn: Turn) -> Past:
    """A finished turn as a later prompt may use it."""
    answer, topic = turn.current.text, turn.current.topic
    if topic is None:
        return Past(turn.question, answer, "ja")
    return Past(turn.question, answer, topic.lang, topic.kind, topic.topics)


def another(sampling: SamplingConfig, count: int) -> SamplingConfig:
    """Settings for another answer: the next seed, and some temperature, for greedy repeats itself."""
    seed = (sampling.seed + _SEEDS_PER_TRY * count) % 2**63
    if sampling.temperature > 0:
        return replace(sampling, seed=seed)
    top_p = min(sampling.top_p, _AGAIN_TOP_P)
    return replace(sampling, seed=seed, temperature=_AGAIN_TEMPERATURE, top_p=top_p)


def reply_ids(job: Job) -> list[int]:
    """Token ids of a finished reply, control tokens left out.

    Raises:
        QuestionError: Its record was given back.
    """
    try:
        trace = job.trace(job.chosen)
    except IndexError as error:
        raise QuestionError("The record of that reply is gone.", key="question_error") from error
    return [step.token.token_id for step in trace.steps if not step.token.special]
