"""Small values that jobs, page and routes pass around; nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tutor.errors import TutorError
from tutor.trace import Trace

State = Literal["queued", "running", "finished", "failed"]
DraftState = Literal["writing", "kept", "withdrawn"]


@dataclass(frozen=True)
class Failure:
    """A check that a draft did not pass: its key, and the stretch of text concerned."""

    key: str
    detail: str = ""


@dataclass(frozen=True)
class FigureMark:
    """A figure of the reply and where it can be found: "measured", "note", "question", "unchecked"."""

    text: str
    source: str


@dataclass(frozen=True)
class Notice:
    """A sentence for the student: its key in the interface texts, and its values."""

    key: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass
class Draft:
    """One attempt at the reply.

    Attributes:
        trace: Its record; None once it was given back for memory.
        text: What it says, complete when the draft has ended.
        state: "writing", then "kept" or "withdrawn".
        failures: Checks that it did not pass.
        marks: Where its figures come from.
    """

    trace: Trace | None
    text: str = ""
    state: DraftState = "writing"
    failures: tuple[Failure, ...] = ()
    marks: tuple[FigureMark, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One event of the log: a draft's prefill, one of its steps, or the end of the job."""

    event: Literal["prefill", "step", "end"]
    draft: int = 0
    index: int = 0


@dataclass(frozen=True)
class Past:
    """A finished exchange as a later prompt may use it."""

    question: str
    answer: str
    lang: str
    kind: str | None = None
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """What the finder made of the question, as the page shows it.

    Attributes:
        lang: Language of the answer.
        kind: What was asked.
        topics: Topic ids.
        titles: Their names in that language.
        follow_up: Whether the topic was carried over.
        notes: (title, note, source) of each topic.
        follow_ups: Questions to go on with, in that language.
    """

    lang: str
    kind: str
    topics: tuple[str, ...]
    titles: tuple[str, ...] = ()
    follow_up: bool = False
    notes: tuple[tuple[str, str, str], ...] = ()
    follow_ups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """A consistent picture of a job at one moment."""

    state: State
    version: int
    place: int | None
    of: int | None
    reason: str | None
    tokens_per_second: float | None
    error: TutorError | None
    notices: tuple[Notice, ...]
    drafts: tuple[tuple[DraftState, tuple[Failure, ...]], ...]
