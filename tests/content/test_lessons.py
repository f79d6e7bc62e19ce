"""The lesson notes: complete, in both languages, and nothing that the checks themselves would refuse."""

from __future__ import annotations

import re

import pytest

from tutor.content import checks
from tutor.content.answers import whole_answer
from tutor.content.loader import LANGS, load_library, read_lesson
from tutor.content.render import fill_library
from tutor.errors import ContentError

LIBRARY = load_library()
VALUES = {
    "n_layer": 6, "n_head": 8, "n_embd": 256, "n_vocab": 8000, "n_positions": 512,
    "n_params": 7_000_000, "d_head": 32, "d_mlp": 1024,
}  # fmt: skip


def answers():
    filled = fill_library(LIBRARY, VALUES)
    for lesson in filled.lessons.values():
        for lang in LANGS:
            for kind, texts in lesson.texts[lang].answers.items():
                for text in texts:
                    yield lesson, lang, kind, text


def whole_answers():
    for lesson, lang, kind, text in answers():
        yield lesson, lang, kind, whole_answer(lesson, lang, kind, text)


def test_there_are_at_least_150_ideas() -> None:
    assert len(LIBRARY.lessons) >= 150


def test_every_lesson_has_enough_descriptions_questions_and_a_source() -> None:
    poor = [
        (lesson.id, lang)
        for lesson in LIBRARY.lessons.values()
        for lang in LANGS
        if len(set(lesson.texts[lang].descriptions)) < 15
        or not lesson.source
        or not lesson.texts[lang].aliases
    ]
    assert poor == []


def test_related_lessons_exist() -> None:
    lost = [(x.id, r) for x in LIBRARY.lessons.values() for r in x.related if r not in LIBRARY.lessons]
    assert lost == []


def test_no_answer_is_given_twice() -> None:
    """Two lessons with one answer would teach the model that tags do not matter."""
    seen: dict[str, str] = {}
    doubles = []
    for lesson, lang, kind, text in answers():
        if text in seen and seen[text] != lesson.id:
            doubles.append((lesson.id, seen[text], lang, kind))
        seen[text] = lesson.id
    assert doubles == []


def test_every_answer_passes_the_checks_that_the_model_must_pass() -> None:
    """An answer that our own checks withdraw could never be shown as verified."""
    bad, filled = [], fill_library(LIBRARY, VALUES)
    for lesson, lang, kind, text in whole_answers():
        report = checks.check(
            text, question="", lang=lang, kind=kind, topics=(lesson.id,), ended=True,
            library=filled, values=VALUES, claims=LIBRARY.claims,
        )  # fmt: skip
        failures = [f for f in report.failures if not (kind == "code" and f in ("language", "repeats"))]
        if failures:
            bad.append((lesson.id, lang, kind, failures, report.details))
    assert bad == []


def test_figures_of_an_answer_stand_in_its_note() -> None:
    """The second reading, as far as a machine can do it: no figure out of nowhere."""
    free = {"example", "formula", "code"}
    lost = []
    for lesson, lang, kind, text in answers():
        note = lesson.texts[lang]
        known = {v for s in (note.note, note.key, note.title) for _, _, v in checks.figures(s)} | {
            "0",
            "1",
            "2",
            "3",
        }
        extra = {v for _, _, v in checks.figures(text)} - known
        if kind not in free and extra:
            lost.append((lesson.id, lang, kind, sorted(extra)))
    assert lost == []


def test_no_size_of_the_embedded_model_is_typed() -> None:
    """Sizes of the running model are rendered from its config."""
    text = LIBRARY.lessons["aura_model"].texts
    assert all("{n_layer}" in t.note and "{n_params}" in t.note for t in text.values())
    rendered = fill_library(LIBRARY, VALUES).lessons["aura_model"].texts["en"].note
    assert "7,000,000" in rendered and "{" not in rendered


def test_answers_do_not_start_with_yes_or_no() -> None:
    """A student may state or ask; "yes" would affirm the wrong one."""
    opening = re.compile(r"^(はい|いいえ|ええ、|そうよ|Yes\b|No,)")
    assert [(x.id, lang) for x, lang, _, t in answers() if opening.search(t)] == []


def test_a_malformed_lesson_is_refused_by_name(tmp_path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text('id = "other"\n', encoding="utf-8")
    with pytest.raises(ContentError, match=r"broken\.toml"):
        read_lesson(path)


def test_frames_fit_their_kinds() -> None:
    for lang in LANGS:
        for kind, frames in LIBRARY.frames.frames[lang].items():
            assert len(frames) >= 20, (lang, kind)
            assert all("{x}" in frame for frame in frames), (lang, kind)
            assert kind != "compare" or all("{y}" in frame for frame in frames), lang
