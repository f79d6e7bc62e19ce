"""The prompt: layout, cutting at whole turns, and text that can never become a tag."""

from __future__ import annotations

from tutor.content.loader import load_library
from tutor.content.persona import Turn, all_tags, fit, key_line, segments

LIBRARY = load_library()


def turn(question: str, answer: str | None = None) -> Turn:
    return Turn("en", "what", ("layernorm",), "key", question, answer)


def count(laid) -> int:
    return sum(1 if s.control else len(s.text.split()) for s in laid)


def test_a_turn_is_laid_out_in_order() -> None:
    laid = segments(turn("what is it", "It is."))
    assert [s.text for s in laid] == [
        "<en>", "<what>", "<t:layernorm>", "key", "<q>", "what is it", "<a>", "It is.", "</s>",
    ]  # fmt: skip
    assert [s.part for s in laid][-2:] == ["reply", "reply"]


def test_the_oldest_turns_go_first_and_whole() -> None:
    history = [turn(f"question {i}", "word " * 10) for i in range(5)]
    now = turn("the last question")
    laid, dropped = fit(history, now, count, room=60)
    kept = [s.text for s in laid if s.part == "history" and s.text.startswith("question")]
    assert dropped > 0 and kept == [f"question {i}" for i in range(dropped, 5)]
    assert count(laid) <= 60 and laid[-1].text == "<a>"


def test_the_current_question_stays_even_without_room() -> None:
    laid, dropped = fit([turn("old", "x")], turn("new"), count, room=1)
    assert dropped == 1 and any(s.text == "new" for s in laid)


def test_every_lesson_and_kind_has_a_tag_and_no_tag_twice() -> None:
    tags = all_tags(LIBRARY)
    assert len(tags) == len(set(tags)) and "<t:layernorm>" in tags and "<q>" in tags


def test_two_topics_are_named_by_their_titles() -> None:
    assert key_line(LIBRARY, "compare", ("encoder", "decoder"), "en").count("/") == 1
    assert key_line(LIBRARY, None, ("encoder",), "en") == ""
