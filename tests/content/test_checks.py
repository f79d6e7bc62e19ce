"""The checks of a reply."""

from __future__ import annotations

from tutor.content import checks
from tutor.content.loader import load_library

LIBRARY = load_library()
VALUES = {"n_layer": 6, "n_head": 8}


def report(reply: str, **changes):
    settings = {
        "question": "", "lang": "en", "kind": "number", "topics": ("gpt2_small_numbers",), "ended": True,
        "library": LIBRARY, "values": VALUES, "claims": LIBRARY.claims,
    }  # fmt: skip
    return checks.check(reply, **(settings | changes))


def test_a_figure_from_the_note_passes_and_an_invented_one_does_not() -> None:
    assert report("GPT-2 small has 12 layers and a width of 768.").passed
    wrong = report("GPT-2 small has 17 layers.")
    assert wrong.failures == ("figure",) and wrong.details == ("17",)


def test_sizes_of_the_running_model_are_marked_as_measured_only_for_itself() -> None:
    own = report("I have 6 layers and 8 heads.", topics=("aura_model",))
    assert [m.source for m in own.marks] == ["measured", "measured"]
    assert [m.value_name for m in own.marks] == ["n_layer", "n_head"]
    other = report("GPT-2 small has 12 heads.", topics=("gpt2_small_numbers",))
    assert [m.source for m in other.marks] == ["note", "note"][: len(other.marks)]
    assert report("It has 8 layers.", topics=("layernorm",)).marks[0].value_name is None


def test_the_wrong_language_is_seen() -> None:
    assert "language" in report("残差接続は入力を足す仕組みよ。", lang="en").failures
    assert (
        "language" in report("A residual connection adds the input back to the output.", lang="ja").failures
    )


def test_a_repeated_sentence_and_a_missing_end_are_seen() -> None:
    twice = "Attention mixes value vectors by weight. Attention mixes value vectors by weight."
    assert "repeats" in report(twice).failures
    assert "no_end" in report("Attention mixes", ended=False).failures


def test_a_wrong_claim_is_seen_and_its_denial_is_not() -> None:
    assert "claim" in report("GPT-2 has an encoder.").failures
    assert "claim" not in report("GPT-2 has no encoder.").failures
    assert "claim" in report("GPT-2はReLUを使うのよ。", lang="ja").failures
    assert "claim" not in report("GPT-2はReLUを使わないのよ。GELUなの。", lang="ja").failures
