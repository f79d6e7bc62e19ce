"""Normalising and noise."""

from __future__ import annotations

import random

import pytest

from tutor.content.loader import load_library
from tutor.content.noise import add_noise
from tutor.content.text import normalise, printable


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("ＧＰＴ－２　って\u200b何？", "GPT-2 って何?"),
        ("ﾚｲﾔｰﾉｰﾑ", "レイヤーノーム"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("line\nbreak", "line break"),
        ("\u202eabc", "abc"),
    ],
)
def test_normalise(raw: str, clean: str) -> None:
    assert normalise(raw) == clean


def test_emoji_and_html_survive_as_text() -> None:
    assert printable("<b>😀</b>") == "<b>😀</b>"


def test_noise_is_seeded_and_changes_most_questions() -> None:
    library = load_library()
    text = "なぜ残差接続が必要なの？"
    once = [add_noise(text, "ja", library, random.Random(i)) for i in range(50)]
    again = [add_noise(text, "ja", library, random.Random(i)) for i in range(50)]
    assert once == again
    assert len(set(once)) > 12 and all(once)
