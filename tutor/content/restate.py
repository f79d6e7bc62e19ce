"""A question in plain words: what the tutor falls back on when a wording of the student's led astray."""

from __future__ import annotations

from collections.abc import Sequence

from tutor.content.loader import KINDS, Kind, Lang, Library


def plain_question(library: Library, kind: Kind, topics: Sequence[str], lang: Lang) -> str | None:
    """The plainest question that has the same kind and topics.

    Args:
        library: Everything under prompts/.
        kind: What is asked.
        topics: Ids of one or two lessons.
        lang: Language of the question.

    Returns:
        The question; None where there is no lesson to ask about.
    """
    lessons = [library.lessons[topic] for topic in topics if topic in library.lessons]
    if kind not in KINDS or not lessons:
        return None
    text, frames = lessons[0].texts[lang], library.frames.frames[lang]
    if kind == "misconception" and lessons[0].is_misconception:
        return frames[kind][0].format(x=text.descriptions[0])
    if kind == "compare" and len(lessons) == 2:
        return frames[kind][0].format(x=text.title, y=lessons[1].texts[lang].title)
    own = [question for k, question in text.questions if k == kind]
    if kind in ("compare", "misconception"):
        return own[0] if own else frames["what"][0].format(x=text.title)
    return frames[kind][0].format(x=text.title)
