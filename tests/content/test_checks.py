"""The checks of a reply."""

from __future__ import annotations

from tutor.content import checks
from tutor.content.answers import whole_answer
from tutor.content.loader import load_library
from tutor.content.restate import plain_question
from tutor.content.topics import TopicFinder

LIBRARY = load_library()
VALUES = {"n_layer": 6, "n_head": 8}


def report(reply: str, **changes):
    settings = {
        "question": "", "lang": "en", "kind": "number", "topics": ("gpt2_small_numbers",), "ended": True,
        "library": LIBRARY, "values": VALUES, "claims": LIBRARY.claims,
    }  # fmt: skip
    return checks.check(reply, **(settings | changes))


def test_a_figure_from_the_note_passes_and_an_invented_one_does_not() -> None:
    assert "figure" not in report("GPT-2 small has 12 layers and a width of 768.").failures
    wrong = report("GPT-2 small has 17 layers.")
    assert wrong.failures[0] == "figure" and wrong.details[0] == "17"


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


def test_the_lesson_itself_passes_and_another_lesson_strays() -> None:
    """Guards against fluent replies about something else, which no figure gives away."""
    for lang in ("ja", "en"):
        for topic, other in (("layernorm", "temperature"), ("temperature", "layernorm")):
            lesson = LIBRARY.lessons[topic]
            told = whole_answer(lesson, lang, "what", lesson.texts[lang].answers["what"][0])
            assert report(told, lang=lang, kind="what", topics=(topic,)).passed
            assert "strays" in report(told, lang=lang, kind="what", topics=(other,)).failures


def test_broken_words_stray() -> None:
    told = LIBRARY.lessons["layernorm"].texts["en"].answers["why"][0].split()
    muddled = " ".join(told[::2] + told[1::2])
    assert "strays" in report(muddled, kind="why", topics=("layernorm",)).failures


def test_a_model_that_never_learnt_the_lessons_is_not_held_to_their_words() -> None:
    assert (
        "strays" not in report("Cats like boxes.", kind="what", topics=("layernorm",), taught=False).failures
    )


def test_every_lesson_and_kind_has_a_plain_question_that_the_finder_knows() -> None:
    """Guards against a second draft that is given a question about something else."""
    finder, missed = TopicFinder(LIBRARY), []
    for lesson in LIBRARY.lessons.values():
        for lang in ("ja", "en"):
            for kind in set(lesson.texts[lang].answers) - {"compare"}:  # those may lean on the turn before
                question = plain_question(LIBRARY, kind, (lesson.id,), lang)
                assert question is not None
                finding = finder.find(question, ui_lang=lang)
                if lesson.id not in finding.topics or finding.lang != lang:
                    missed.append((lesson.id, lang, kind, question))
    assert len(missed) <= 20, missed  # of more than 2,000
    assert plain_question(LIBRARY, "out", ("layernorm", "gpt2"), "en") is None
