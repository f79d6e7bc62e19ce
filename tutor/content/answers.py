"""Puts a whole answer together from the parts that a lesson holds. Nothing is reworded.

A definition is followed by its reason (in a lesson on code, by the code), an analogy by the real
thing; every other kind opens with the one-sentence answer, so that the central fact, or the plain
correction of a wrong belief, stands in each of them. What follows is what a student who asks one
thing tends to need as well: "why" and "how" end with each other, a formula with an example.
"""

from __future__ import annotations

from tutor.content.checks import repeats_itself
from tutor.content.loader import Kind, Lang, Lesson

AFTER = {
    "why": "how",
    "how": "why",
    "number": "how",
    "formula": "example",
    "example": "formula",
    "compare": "why",
}


def whole_answer(lesson: Lesson, lang: Lang, kind: Kind, core: str) -> str:
    """One answer of a lesson, with the sentences that complete it.

    Args:
        lesson: The lesson.
        lang: Its language.
        kind: What is asked.
        core: One of the lesson's answers of that kind.
    """
    answers, space = lesson.texts[lang].answers, " " if lang == "en" else ""
    if kind == "brief":
        return core
    longest = [core] if kind in ("what", "analogy") else [answers["brief"][0], core]
    after = _after(lesson, kind)
    if after in answers:
        longest.append(answers[after][0])
    for end in range(len(longest), 1, -1):  # leave the last part out where two of them say the same
        whole = space.join(longest[:end])
        if core in longest[:end] and not repeats_itself(whole, lang):
            return whole
    return core


def _after(lesson: Lesson, kind: Kind) -> str:
    """The kind of answer that follows one of this kind; "" for none."""
    if lesson.is_misconception:
        return ""
    if kind == "what":
        return "code" if lesson.id.endswith("_code") else "why"
    return "how" if kind == "analogy" else AFTER.get(kind, "")
