"""The topic finder: what a student asks about, how, and in which language."""

from __future__ import annotations

import pytest

from tutor.content.loader import load_library
from tutor.content.named import Names
from tutor.content.topics import Exchange, TopicFinder
from tutor.evaluation.report import run_finder

FINDER = TopicFinder(load_library())
AFTER_LAYERNORM = [Exchange("what", ("layernorm",), "ja", "LayerNormって何？")]


@pytest.mark.parametrize(
    ("question", "lang", "kind", "topic"),
    [
        ("残差接続って何？", "ja", "what", "residual_connection"),
        ("What is a residual connection?", "en", "what", "residual_connection"),
        ("residual connectionって何？", "ja", "what", "residual_connection"),
        ("what does 残差接続 mean?", "en", "what", "residual_connection"),
        ("AdamWの仕組みは？", "ja", "how", "adamw"),
        ("ＧＰＴ－２とは", "ja", "what", "gpt2"),
        ("ざんさせつぞく って なに", "ja", "what", "residual_connection"),
        ("what is layernrom", "en", "what", "layernorm"),
        ("LayerNormの式は？", "ja", "formula", "layernorm"),
        ("give me an analogy for top-k", "en", "analogy", "top_k"),
        ("温度を一言で", "ja", "brief", "temperature"),
        ("GPT-2にはエンコーダがあるよね？", "ja", "misconception", "mis_gpt2_has_encoder"),
    ],
)
def test_plain_questions_are_found(question: str, lang: str, kind: str, topic: str) -> None:
    finding = FINDER.find(question, ui_lang="en" if lang == "ja" else "ja")
    assert (finding.lang, finding.kind, finding.topics) == (lang, kind, (topic,))


@pytest.mark.parametrize("question", ["", "  ", "!!??", "🙂🙂", "asdfgh", "a"])
def test_what_says_nothing_is_empty(question: str) -> None:
    assert FINDER.find(question).kind == "empty"


@pytest.mark.parametrize(
    "question",
    [
        "明日の天気は？",
        "肉じゃがの作り方を教えて",
        "who won the world cup",
        "SQLでテーブルを結合するには",
        "I broke up with her",
    ],
)
def test_other_subjects_are_outside_and_two_lessons_are_offered(question: str) -> None:
    finding = FINDER.find(question)
    assert finding.kind == "out" and len(finding.topics) == 2


def test_a_question_that_leans_on_the_turn_before_keeps_its_topic() -> None:
    why = FINDER.find("それはなぜ？", AFTER_LAYERNORM)
    assert (why.topics, why.kind, why.follow_up) == (("layernorm",), "why", True)
    again = FINDER.find("そもそもGPT-2って何？", AFTER_LAYERNORM)
    assert again.topics == ("gpt2",) and not again.follow_up


def test_a_student_who_is_lost_gets_the_same_thing_as_a_picture() -> None:
    """Guards against an encouragement in place of another explanation."""
    lost = FINDER.find("うーん、よくわからない", AFTER_LAYERNORM)
    assert (lost.topics, lost.kind, lost.follow_up) == (("layernorm",), "analogy", True)
    assert FINDER.find("うーん、よくわからない").kind == "smalltalk"


def test_two_names_make_a_comparison() -> None:
    finding = FINDER.find("What is the difference between temperature and beam search?")
    assert finding.kind == "compare" and finding.topics == ("temperature", "beam_search")


def test_a_name_alone_counts_only_where_nothing_else_is_asked() -> None:
    names = Names(FINDER.library, FINDER.wording, FINDER.number)
    column = FINDER.number["layernorm"]
    assert names.alone("LayerNormの仕組みは？")[column] == 1.0
    crowded = names.alone("LayerNormの後に行列を掛けて足し合わせた結果をもう一度並べ直す理由")
    assert crowded[column] < 0.1


def test_the_finder_by_itself_on_held_out_questions() -> None:
    """A floor under what docs/evaluation.md reports, so that a change that harms it is seen."""
    rates = run_finder(FINDER)
    floors = {"right topic first": 0.80, "right topic among three": 0.90, "in-scope kept": 0.96}
    assert {name: rates[name].share for name, floor in floors.items() if rates[name].share < floor} == {}
    assert rates["right language"].share == 1.0
    assert rates["right topic first"].total > 300
