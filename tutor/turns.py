"""What passes between the tutor and those who ask it: turns, the prompt, drafts and the end. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from tutor.content import checks
from tutor.content.loader import Lang
from tutor.content.topics import Finding
from tutor.trace import Part, Prefill, Step, Trace


@dataclass(frozen=True)
class PastTurn:
    """A finished exchange of the conversation.

    Attributes:
        question: As typed.
        answer: As generated.
        lang: Language of the answer.
        kind: Kind found then; None if unknown.
        topics: Topics found then.
    """

    question: str
    answer: str
    lang: Lang = "ja"
    kind: str | None = None
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoteCard:
    """The lesson note shown beside a reply; never part of it."""

    topic: str
    title: str
    note: str
    source: str


@dataclass(frozen=True)
class PlainPrompt:
    """The same prompt with the question put in plain words."""

    question: str
    prompt_ids: tuple[int, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Prepared:
    """A question made ready for the model.

    Attributes:
        question: As typed.
        finding: What the topic finder made of it.
        prompt_ids: The prompt's token ids.
        parts: Which part each prompt token belongs to.
        dropped_turns: Oldest turns that did not fit.
        notes: Cards of the topics found.
        plain: The prompt of later drafts, with the question in plain words; None without one.
    """

    question: str
    finding: Finding
    prompt_ids: tuple[int, ...]
    parts: tuple[Part, ...]
    dropped_turns: int
    notes: tuple[NoteCard, ...]
    plain: PlainPrompt | None = None


@dataclass(frozen=True)
class DraftStarted:
    """A draft begins; its trace fills while Prefill and Step events follow.

    Attributes:
        index: Number of the draft, from 0.
        trace: Its record.
        plain: The question in plain words, if that is what this draft is given.
    """

    index: int
    trace: Trace
    plain: str | None = None


@dataclass(frozen=True)
class DraftEnded:
    """A draft is complete and checked."""

    index: int
    text: str
    report: checks.Report
    withdrawn: bool


@dataclass(frozen=True)
class Finished:
    """The reply is decided.

    Attributes:
        chosen: Index of the draft shown.
        text: Its text.
        verified: Whether it passed every check.
        reason: "end", "length", "context" or "stopped".
    """

    chosen: int
    text: str
    verified: bool
    reason: str


Event = DraftStarted | Prefill | Step | DraftEnded | Finished
