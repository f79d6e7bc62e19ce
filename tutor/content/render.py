"""Fills the values of a model into lesson texts: sizes are rendered from a config, never typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from tutor.content.loader import Lesson, LessonText, Library

PLACEHOLDERS = ("n_layer", "n_head", "n_embd", "n_vocab", "n_positions", "n_params", "d_head", "d_mlp")
_PATTERN = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")


def fill(text: str, values: Mapping[str, int]) -> str:
    """Replace {n_layer} and its like by values, with thousands separators.

    >>> fill("{n_layer} layers, {n_params} parameters", {"n_layer": 6, "n_params": 6900000})
    '6 layers, 6,900,000 parameters'
    """
    return _PATTERN.sub(lambda match: f"{values[match[1]]:,}" if match[1] in values else match[0], text)


def _fill_text(text: LessonText, values: Mapping[str, int]) -> LessonText:
    return replace(
        text,
        key=fill(text.key, values),
        note=fill(text.note, values),
        answers={kind: tuple(fill(a, values) for a in answers) for kind, answers in text.answers.items()},
    )


def _needs_values(lesson: Lesson) -> bool:
    return any(_PATTERN.search(text.key + text.note) for text in lesson.texts.values())


def fill_library(library: Library, values: Mapping[str, int]) -> Library:
    """The same library with a model's values in every text that asks for them."""
    lessons = {
        lesson.id: replace(lesson, texts={lang: _fill_text(t, values) for lang, t in lesson.texts.items()})
        if _needs_values(lesson)
        else lesson
        for lesson in library.lessons.values()
    }
    return replace(library, lessons=lessons)
