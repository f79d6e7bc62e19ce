"""The page's sentences: both languages alike, every error explained, values put in safely."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tutor import errors
from tutor.config import ROOT
from tutor.session.texts import Texts, fill, load_texts

_PLACE = re.compile(r"\{(\w+)\}")
_TEXTS = load_texts()


def test_both_languages_have_the_same_keys() -> None:
    assert set(_TEXTS["ja"]) == set(_TEXTS["en"])


@pytest.mark.parametrize("key", sorted(_TEXTS["ja"]))
def test_both_languages_use_the_same_values(key: str) -> None:
    """Guards against a figure that only one language's students get to see."""
    ja, en = _TEXTS["ja"][key], _TEXTS["en"][key]
    assert set(_PLACE.findall(ja)) == set(_PLACE.findall(en))
    assert ja.strip() and en.strip()


def test_every_error_has_a_sentence() -> None:
    kinds = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, errors.TutorError)
    ]
    assert len(kinds) >= 10
    for kind in kinds:
        assert kind.default_key in _TEXTS["en"], kind


def test_every_error_key_used_in_the_code_has_a_sentence() -> None:
    used = set()
    for path in (ROOT / "tutor").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"raise \w+\((.*?)\n\s*\)|raise \w+\((.*)\)", text, re.S):
            used |= set(re.findall(r'key="(\w+)"', " ".join(block)))
    assert {"question_too_long", "prompt_too_long", "busy"} <= used
    assert used <= set(_TEXTS["en"]), used - set(_TEXTS["en"])


def test_every_key_asked_for_by_the_page_has_a_sentence() -> None:
    """Guards against a page that shows a key instead of a sentence."""
    asked = set()
    for path in Path(ROOT / "app_pages").glob("*.py"):
        asked |= set(re.findall(r'texts(?:\.say\(|\[)"(\w+)"', path.read_text(encoding="utf-8")))
    assert len(asked) > 30
    assert asked <= set(_TEXTS["en"]), asked - set(_TEXTS["en"])


def test_values_are_put_in_once_and_as_they_are() -> None:
    """Guards against a student's text that is itself taken for a place."""
    assert fill("{a} and {b}", {"a": "{b}", "b": "{a}"}) == "{b} and {a}"
    assert fill("{missing}", {}) == "{missing}"
    assert fill("{0} {", {"a": 1}) == "{0} {"


def test_an_unknown_error_key_falls_back_to_a_sentence() -> None:
    texts = Texts({"unknown_error": "Something went wrong."})
    assert texts.error(errors.TutorError("x", key="no_such_key")) == "Something went wrong."
