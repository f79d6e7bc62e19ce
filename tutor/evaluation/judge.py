"""Judges one reply to one held-out question by rules; no model is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tutor.content import checks
from tutor.content.loader import Library
from tutor.content.text import normalise
from tutor.content.topics import Finding
from tutor.evaluation.heldout import HeldOut
from tutor.teach import Finished, Prepared

_PERSONA_JA = re.compile(r"(わ|のよ|わね|わよ|かしら|の|よ|ね)[。！]|わたし")


@dataclass(frozen=True)
class Verdict:
    """What was found about one reply.

    Attributes:
        question: The question.
        answer: The reply.
        found: Topics found, best three.
        first, among_three: Whether a right topic came first, or among three.
        kept: Whether an in-scope question was taken as one.
        language: Whether the reply has the language asked for.
        facts: Whether every group of required patterns matched.
        wrong: The wrong claim made, or "".
        declined: Whether an outside or empty question was declined with an offer.
        repeats: Whether it repeats itself.
        broke_off: Whether it has no end.
        grounded: Figures found in note, question or model, and figures in all.
        verified: Whether it passed the tutor's own checks.
        persona: Whether a Japanese reply speaks in Aura's voice.
        length: Characters of the reply.
    """

    question: HeldOut
    answer: str
    found: tuple[str, ...]
    first: bool
    among_three: bool
    kept: bool
    language: bool
    facts: bool
    wrong: str
    declined: bool
    repeats: bool
    broke_off: bool
    grounded: tuple[int, int]
    verified: bool
    persona: bool
    length: int

    @property
    def right(self) -> bool:
        """Right facts and no wrong claim; for questions outside the subject, a proper refusal."""
        if not self.language:
            return False
        return self.facts and not self.wrong if self.question.in_scope else self.declined


def judge(
    question: HeldOut, prepared: Prepared, final: Finished, marks: checks.Report, library: Library
) -> Verdict:
    """Judge one reply."""
    finding, answer, lang = prepared.finding, final.text, question.lang
    ranked = tuple(topic for topic, _ in finding.ranked[:3])
    first, among_three, in_scope = located(question, finding)
    return Verdict(
        question=question,
        answer=answer,
        found=tuple(dict.fromkeys((*finding.topics, *ranked))) if in_scope else (f"<{finding.kind}>",),
        first=first,
        among_three=among_three,
        kept=in_scope,
        language=checks.right_language(answer, lang),
        facts=all(any(_found(pattern, answer) for pattern in group) for group in question.must),
        wrong=_wrong_claim(question, answer, library),
        declined=not in_scope and _offers(answer, lang, library),
        repeats=checks.repeats_itself(answer, lang) is not None,
        broke_off=final.reason != "end",
        grounded=(sum(mark.source != "unchecked" for mark in marks.marks), len(marks.marks)),
        verified=final.verified,
        persona=lang == "en" or bool(_PERSONA_JA.search(answer)),
        length=len(answer),
    )


def located(question: HeldOut, finding: Finding) -> tuple[bool, bool, bool]:
    """Whether a right topic came first, whether among three, and whether the question was kept in scope."""
    right, best = set(question.topics), {topic for topic, _ in finding.ranked[:3]}
    kept = finding.kind not in ("out", "empty", "smalltalk")
    named = bool(right & set(finding.topics))
    return named and kept, named or bool(right & best), kept


def _found(pattern: str, answer: str) -> bool:
    text = normalise(answer)
    if pattern.lower() in text.lower():
        return True
    try:
        return re.search(pattern, text, re.I) is not None
    except re.error:
        return False


def _wrong_claim(question: HeldOut, answer: str, library: Library) -> str:
    for pattern in question.must_not:
        if _found(pattern, answer):
            return pattern
    return checks.find_wrong_claim(answer, question.lang, library.claims) or ""


def _offers(answer: str, lang: str, library: Library) -> bool:
    """Whether a refusal names a lesson to go on with."""
    return any(lesson.texts[lang].title in answer for lesson in library.lessons.values())
