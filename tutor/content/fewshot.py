"""The prompt for a GPT-2 that was never taught Aura's format: plain text with two examples.

The note of the topic and two short question-answer pairs from neighbouring lessons show a base
model what is wanted. It may well ignore them; the page says that it was never taught to answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from tutor.content.loader import Lang, Lesson, Library
from tutor.content.persona import Segment
from tutor.content.text import normalise
from tutor.content.topics import Finding

_WORDS = {
    "ja": ("問い", "答え", "メモ", "{x}とは何ですか。"),
    "en": ("Question", "Answer", "Note", "What is {x}?"),
}


class HasText(Protocol):
    """A past exchange: what was asked and answered."""

    @property
    def question(self) -> str: ...  # noqa: D102

    @property
    def answer(self) -> str: ...  # noqa: D102


def few_shot(
    library: Library,
    finding: Finding,
    question: str,
    history: Sequence[HasText],
    count_tokens: Callable[[list[Segment]], int],
    room: int,
) -> tuple[list[Segment], int]:
    """Lay out a plain-text prompt that fits a base model's context and tokenizer.

    Args:
        library: Everything under prompts/.
        finding: Topic and language of the question.
        question: As typed.
        history: Finished turns, oldest first.
        count_tokens: Number of tokens of a list of segments.
        room: Tokens that the prompt may take.

    Returns:
        The segments, and how many of the oldest turns were left out. Examples go first when space
        is short, then the note, then history; the question always stays.
    """
    ask, reply, note_word, _ = _WORDS[finding.lang]
    now = Segment("question", f"{ask}: {normalise(question)}\n{reply}:")
    lesson = next((library.lessons[t] for t in finding.topics if t in library.lessons), None)
    past = [Segment("history", f"{ask}: {normalise(t.question)}\n{reply}: {t.answer}\n\n") for t in history]
    optional: list[Segment] = []
    if lesson:
        optional.append(Segment("note", f"{note_word}: {lesson.texts[finding.lang].note}\n\n"))
    optional += [Segment("persona", pair) for pair in _examples(library, lesson, finding.lang)]
    left = room - count_tokens([now])
    kept_past: list[Segment] = []
    for segment in reversed(past):
        left -= count_tokens([segment])
        if left < 0:
            break
        kept_past.insert(0, segment)
    kept: list[Segment] = []
    for segment in optional:
        cost = count_tokens([segment])
        if cost <= left:
            kept.append(segment)
            left -= cost
    kept.sort(key=lambda segment: segment.part != "persona")
    return [*kept, *kept_past, now], len(past) - len(kept_past)


def _examples(library: Library, lesson: Lesson | None, lang: Lang, most: int = 2) -> list[str]:
    ask, reply, _, frame = _WORDS[lang]
    near = [r for r in (lesson.related if lesson else ()) if r in library.lessons]
    near += [topic for topic in ("transformer", "layernorm", "token") if topic in library.lessons]
    chosen = [library.lessons[topic].texts[lang] for topic in dict.fromkeys(near)]
    chosen = [text for text in chosen if "what" in text.answers][:most]
    return [f"{ask}: {frame.format(x=t.title)}\n{reply}: {t.answers['brief'][0]}\n\n" for t in chosen]


def truncate_answer(text: str) -> str:
    """Cut a base model's text where it starts to invent the next question.

    >>> truncate_answer("It adds.\\n\\nQuestion: and")
    'It adds.'
    """
    return re.split(r"\n\s*\n|\n(?:Question|Answer|Note|問い|答え|メモ)\s*[:：]", text)[0].strip()
