"""Normalising and noise."""

from __future__ import annotations

import random

import pytest

from tutor.content.loader import load_library
from tutor.content.noise import add_noise, muddle
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


def test_a_muddled_question_is_shorter_or_holds_words_of_the_other_language() -> None:
    rng = random.Random(5)
    whole, other = (
        "残差接続はどうして入力をそのまま足すのかしら",
        "why does a residual connection add its input",
    )
    results = [muddle(whole, other, rng) for _ in range(50)]
    assert all(results) and all(result != whole for result in results)
    assert any(any(word in result for word in other.split()) for result in results)
    assert any(len(result) < 0.7 * len(whole) for result in results)
    assert muddle("何", other, rng) == "何"
