"""Checks of a finished reply against its note and the running model's config. Pure text.

What can be checked: figures, formulas, language, repetition, an end, and known wrong claims. What
cannot: whether the reasoning is right; the page says so beside the marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tutor.content.loader import KINDS, Lang, Library, WrongClaim
from tutor.content.text import script_counts

Source = Literal["measured", "note", "question", "unchecked"]
_FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")
_SENTENCE = {"ja": re.compile(r"[^。！？\n]+[。！？]?"), "en": re.compile(r"(?:[^.!?\n]|[.!?](?=\S))+[.!?]?")}
_UNITS = {"ja": re.compile(r"[\u3041-\u30ff\u3400-\u9fff]"), "en": re.compile(r"[A-Za-z']{2,}")}
_SPAN = {"ja": 18, "en": 9}
_STRETCH = {"ja": 5, "en": 3}
NEAR_THE_LESSON = 0.7  # share of a reply's stretches; measured on replies to training questions
_ALWAYS = {"0", "1", "2", "3"}


@dataclass(frozen=True)
class Mark:
    """One checked stretch of the reply.

    Attributes:
        start, end: Character range in the reply.
        text: The stretch itself.
        source: "measured" (equals a value of the running model), "note", "question" or "unchecked".
        value_name: Config field that it equals, for "measured".
    """

    start: int
    end: int
    text: str
    source: Source
    value_name: str | None = None


@dataclass(frozen=True)
class Report:
    """Outcome of all checks of one draft.

    Attributes:
        marks: Every figure of the reply with its source.
        failures: Keys of failed checks: "figure", "language", "repeats", "no_end", "claim", "strays",
            "empty".
        details: One stretch of text per failure.
    """

    marks: tuple[Mark, ...]
    failures: tuple[str, ...]
    details: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures


def figures(text: str) -> list[tuple[int, int, str]]:
    """Figures of a text with their character ranges, thousands separators taken out.

    >>> figures("12 layers, 124,439,808 parameters")
    [(0, 2, '12'), (11, 22, '124439808')]
    """
    out: list[tuple[int, int, str]] = []
    for match in _FIGURE.finditer(text):
        raw = match[0].rstrip(",")
        out.append((match.start(), match.start() + len(raw), raw.replace(",", "")))
    return out


def allowed_figures(library: Library, topics: Sequence[str], lang: Lang) -> set[str]:
    """Figures that the lessons on these topics state, in this language."""
    allowed = set(_ALWAYS)
    for topic in topics:
        lesson = library.lessons.get(topic)
        if lesson is None:
            continue
        text = lesson.texts[lang]
        parts = [answer for answers in text.answers.values() for answer in answers]
        sources = [text.note, text.key, text.title, *lesson.figures, *parts]
        allowed |= {value for source in sources for _, _, value in figures(source)}
    return allowed


def mark_figures(
    reply: str, question: str, allowed: set[str], values: Mapping[str, int], own_model: bool
) -> tuple[Mark, ...]:
    """Say of every figure in a reply where it can be found.

    Args:
        reply: The reply.
        question: The question; its figures may be repeated.
        allowed: Figures of the note.
        values: Sizes of the running model by config name.
        own_model: Whether the topic is the running model itself; only then can a figure be "measured".
    """
    asked = {value for _, _, value in figures(question)}
    measured = {str(number): name for name, number in values.items()} if own_model else {}
    marks: list[Mark] = []
    for start, end, value in figures(reply):
        source: Source = "unchecked"
        if value in measured:
            source = "measured"
        elif value in allowed:
            source = "note"
        elif value in asked:
            source = "question"
        marks.append(Mark(start, end, reply[start:end], source, measured.get(value)))
    return tuple(marks)


def repeats_itself(reply: str, lang: Lang) -> str | None:
    """A sentence said twice, or a stretch of 9 words (18 Japanese characters) said twice.

    Figures and symbols do not count: a formula may well repeat itself.
    """
    sentences = [s.strip() for s in _SENTENCE[lang].findall(reply) if len(s.strip()) > 8]
    for i, sentence in enumerate(sentences):
        if sentence in sentences[:i]:
            return sentence
    units, size = _UNITS[lang].findall(reply.lower()), _SPAN[lang]
    seen: set[tuple[str, ...]] = set()
    for i in range(len(units) - size + 1):
        window = tuple(units[i : i + size])
        if window in seen:
            return ("" if lang == "ja" else " ").join(window)
        seen.add(window)
    return None


def right_language(reply: str, lang: Lang) -> bool:
    """Whether a reply is written in the language asked for; code and formulas do not count."""
    kana, han, latin = script_counts(reply)
    return kana + han >= 8 or latin < 20 if lang == "ja" else kana + han <= 0.1 * max(1, latin)


def stretches(text: str, lang: Lang) -> set[tuple[str, ...]]:
    """Every run of three words (five Japanese characters) of a text, punctuation left out."""
    units, size = _UNITS[lang].findall(text.lower()), _STRETCH[lang]
    return {tuple(units[i : i + size]) for i in range(len(units) - size + 1)}


def share_said(reply: str, lang: Lang, passages: Iterable[str]) -> float:
    """How much of a reply is said in words that the lesson uses too: a share of its stretches, 0 to 1.

    >>> share_said("the table is used again", "en", ["Here the table is used twice."])
    0.6666666666666666
    """
    said = stretches(reply, lang)
    known = set().union(*(stretches(passage, lang) for passage in passages))
    return len(said & known) / len(said) if said else 0.0


def lesson_passages(library: Library, topics: Sequence[str], lang: Lang) -> list[str]:
    """All that the lessons on these topics say in one language, openings and closings included."""
    texts = [library.lessons[topic].texts[lang] for topic in topics if topic in library.lessons]
    found = [answer for text in texts for answers in text.answers.values() for answer in answers]
    found += [passage for text in texts for passage in (text.note, text.key, text.title)]
    return [*found, *library.frames.openings[lang], *library.frames.closings[lang]]


def find_wrong_claim(reply: str, lang: Lang, claims: Sequence[WrongClaim]) -> str | None:
    """The first sentence that makes a known wrong claim without negating it."""
    for sentence in _SENTENCE[lang].findall(reply):
        for claim in claims:
            if claim.lang == lang and claim.pattern.search(sentence) and not claim.unless.search(sentence):
                return sentence.strip()
    return None


def check(
    reply: str,
    *,
    question: str,
    lang: Lang,
    kind: str,
    topics: Sequence[str],
    ended: bool,
    library: Library,
    values: Mapping[str, int],
    claims: Sequence[WrongClaim] = (),
    taught: bool = True,
) -> Report:
    """Run every check on one draft.

    Args:
        reply: What the model wrote.
        question: The normalised question.
        lang, kind, topics: What the topic finder made of it.
        ended: Whether the reply came to an end of its own.
        library: The lessons.
        values: Sizes of the running model by config name.
        claims: Known wrong claims.
        taught: Whether the model learnt the lessons; one that did not is not held to their words.
    """
    allowed = allowed_figures(library, topics, lang)
    own = any(topic.startswith("aura_") for topic in topics)
    marks = mark_figures(reply, question, allowed, values, own)
    found: list[tuple[str, str]] = []
    if not reply.strip():
        found.append(("empty", ""))
    if not ended:
        found.append(("no_end", reply[-20:]))
    found += [("figure", mark.text) for mark in marks if mark.source == "unchecked"][:1]
    if not right_language(reply, lang):
        found.append(("language", reply[:20]))
    if repeated := repeats_itself(reply, lang):
        found.append(("repeats", repeated))
    if taught and kind in KINDS and topics:
        share = share_said(reply, lang, lesson_passages(library, topics, lang))
        found += [("strays", f"{share:.0%}")] if share < NEAR_THE_LESSON else []
    if claim := find_wrong_claim(reply, lang, claims):
        found.append(("claim", claim))
    return Report(marks, tuple(key for key, _ in found), tuple(text for _, text in found))
