"""Puts a whole answer together from the parts that a lesson holds. Nothing is reworded.

A definition is followed by its reason; every other kind opens with the one-sentence answer, so
that the central fact stands in each of them; an analogy is followed by the real thing.
"""

from __future__ import annotations

from tutor.content.checks import repeats_itself
from tutor.content.loader import Kind, Lang, Lesson

ALONE = ("brief",)


def whole_answer(lesson: Lesson, lang: Lang, kind: Kind, core: str) -> str:
    """One answer of a lesson, with the sentences that complete it.

    Args:
        lesson: The lesson.
        lang: Its language.
        kind: What is asked.
        core: One of the lesson's answers of that kind.
    """
    answers, space = lesson.texts[lang].answers, " " if lang == "en" else ""
    if lesson.is_misconception or kind in ALONE:
        return core
    parts = {"what": (core, answers["why"][0]), "analogy": (core, answers["brief"][0])}
    whole = space.join(parts.get(kind, (answers["brief"][0], core)))
    return core if repeats_itself(whole, lang) else whole
