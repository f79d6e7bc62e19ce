"""The prompt: what is put before the model, part by part. Pure text; knows no tokenizer.

A taught model reads one turn as

    <lang> <kind> <topic> [<topic>] key line <q> question <a> answer </s>

where everything in angle brackets is a single control token. A conversation is such turns one
after another. Other GPT-2 checkpoints were never taught this; they get the same notes as a few
plain-text examples (`few_shot`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tutor.content.loader import KINDS, LANGS, OTHER_KINDS, Kind, Lang, Library
from tutor.trace import Part

QUESTION_TAG, ANSWER_TAG, END_TAG = "<q>", "<a>", "</s>"
BASE_TAGS = (
    *(f"<{lang}>" for lang in LANGS), *(f"<{kind}>" for kind in (*KINDS, *OTHER_KINDS)),
    QUESTION_TAG, ANSWER_TAG,
)  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """A stretch of prompt: either one control token or plain text.

    Attributes:
        part: Which part of the prompt it belongs to.
        text: Plain text, or the piece of the control token.
        control: True if `text` names a control token.
    """

    part: Part
    text: str
    control: bool = False


@dataclass(frozen=True)
class Turn:
    """One exchange as the model sees it.

    Attributes:
        lang: "ja" or "en".
        kind: What is asked, or None to leave the tag out.
        topics: Up to two topic ids; empty leaves the tags out.
        key: Key line; "" leaves it out.
        question: The normalised question.
        answer: The reply; None while it is to be written.
    """

    lang: Lang
    kind: Kind | None
    topics: tuple[str, ...]
    key: str
    question: str
    answer: str | None = None


def topic_tag(topic: str) -> str:
    """The control token of a topic.

    >>> topic_tag("layernorm")
    '<t:layernorm>'
    """
    return f"<t:{topic}>"


def all_tags(library: Library) -> list[str]:
    """Every control token of the prompt format, in a fixed order."""
    topics = [*library.lessons, *library.smalltalk]
    return [*BASE_TAGS, *(topic_tag(topic) for topic in topics)]


def key_line(library: Library, kind: Kind | None, topics: Sequence[str], lang: Lang) -> str:
    """The key line of a turn: one lesson's own, or the titles of two.

    Small talk has none; a refusal names the two lessons on offer.
    """
    texts = [library.lessons[topic].texts[lang] for topic in topics if topic in library.lessons]
    if not texts or kind is None:
        return ""
    if len(texts) == 1 and kind not in ("out", "empty"):
        return texts[0].key
    return " / ".join(text.title for text in texts)


def segments(turn: Turn) -> list[Segment]:
    """Lay one turn out as prompt segments, the answer and its end token included if there is one."""
    tags = [f"<{turn.lang}>", *([f"<{turn.kind}>"] if turn.kind else []), *map(topic_tag, turn.topics)]
    laid = [Segment("tags", tag, control=True) for tag in tags]
    if turn.key:
        laid.append(Segment("note", turn.key))
    laid.append(Segment("tags", QUESTION_TAG, control=True))
    if turn.question:
        laid.append(Segment("question", turn.question))
    laid.append(Segment("tags", ANSWER_TAG, control=True))
    if turn.answer is not None:
        laid += [Segment("reply", turn.answer), Segment("reply", END_TAG, control=True)]
    return laid


def as_history(turn: Turn) -> list[Segment]:
    """A finished turn, marked as history."""
    return [replace(segment, part="history") for segment in segments(turn)]


def fit(
    history: Sequence[Turn], current: Turn, count_tokens: Callable[[list[Segment]], int], room: int
) -> tuple[list[Segment], int]:
    """Lay out a conversation, cutting whole turns, oldest first, until it fits.

    Args:
        history: Finished turns, oldest first.
        current: The turn to be answered.
        count_tokens: Number of tokens of a list of segments.
        room: Tokens that the prompt may take.

    Returns:
        The segments, and how many of the oldest turns were dropped.
    """
    now = segments(current)
    left = room - count_tokens(now)
    kept: list[list[Segment]] = []
    for turn in reversed(history):
        laid = as_history(turn)
        left -= count_tokens(laid)
        if left < 0:
            break
        kept.insert(0, laid)
    flat = [segment for laid in kept for segment in laid]
    return flat + now, len(history) - len(kept)


class Encoder(Protocol):
    """What encoding a segment needs of a tokenizer."""

    @property
    def eos_token_id(self) -> int | None: ...  # noqa: D102

    def encode(self, text: str) -> list[int]: ...  # noqa: D102

    def piece_id(self, piece: str) -> int | None: ...  # noqa: D102


def encode_segment(segment: Segment, tokenizer: Encoder) -> list[int]:
    """Token ids of one segment.

    A control tag that the tokenizer lacks is written out as plain text, so that any GPT-2 can be
    taught the same format.
    """
    if not segment.control:
        return tokenizer.encode(segment.text)
    if segment.text == END_TAG and tokenizer.eos_token_id is not None:
        return [tokenizer.eos_token_id]
    known = tokenizer.piece_id(segment.text)
    return tokenizer.encode(segment.text) if known is None else [known]
