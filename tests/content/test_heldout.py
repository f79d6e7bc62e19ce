"""The held-out questions: enough of them, of every kind, and none that training has seen."""

from __future__ import annotations

from collections import Counter

from tutor.content.kinds import fold
from tutor.content.loader import LANGS, load_library
from tutor.evaluation.heldout import read_heldout
from tutor.evaluation.judge import judge
from tutor.evaluation.report import summarise, wilson

LIBRARY = load_library()
QUESTIONS = read_heldout()
KINDS = {
    "what", "why", "how", "compare", "number", "formula", "code", "misconception", "analogy", "followup",
    "typo", "mixed", "out", "empty",
}  # fmt: skip


def shingles(text: str, size: int = 4) -> frozenset[str]:
    text = fold(text)
    return frozenset(text[i : i + size] for i in range(max(1, len(text) - size + 1)))


def training_texts() -> list[str]:
    texts = [q for out in (LIBRARY.outside, LIBRARY.empty) for lang in LANGS for q in out.questions[lang]]
    for lesson in LIBRARY.lessons.values():
        for lang in LANGS:
            own = lesson.texts[lang]
            texts += [*own.descriptions, *own.aliases, own.title, *(q for _, q in own.questions)]
    texts += [q for item in LIBRARY.wordings.values() for lang in LANGS for _, q in item[lang]]
    texts += [text for thread in LIBRARY.threads for text, _, _ in thread.turns]
    return texts


def test_there_are_300_of_every_kind_and_both_languages() -> None:
    assert len(QUESTIONS) >= 300
    for lang in LANGS:
        assert {q.kind for q in QUESTIONS if q.lang == lang} == KINDS
    assert len({q.id for q in QUESTIONS}) == len(QUESTIONS)


def test_every_topic_asked_for_exists() -> None:
    assert [(q.id, t) for q in QUESTIONS for t in q.topics if t not in LIBRARY.lessons] == []


def test_every_in_scope_question_demands_something() -> None:
    """A question without a demand would count any reply as right."""
    assert [q.id for q in QUESTIONS if q.in_scope and not (q.must and q.topics)] == []


def test_no_held_out_question_is_near_a_training_question() -> None:
    """Shared sentences would make the score a memory test. Follow-ups of a word or two are exempt."""
    index: dict[str, list[int]] = {}
    bags = [shingles(text) for text in training_texts()]
    for number, bag in enumerate(bags):
        for gram in bag:
            index.setdefault(gram, []).append(number)
    near = []
    for question in QUESTIONS:
        bag = shingles(question.question)
        if question.kind == "empty" or len(bag) < 12:
            continue
        shared = Counter(number for gram in bag for number in index.get(gram, ()))
        for number, count in shared.most_common(3):
            if count / len(bag | bags[number]) > 0.6:
                near.append((question.id, question.question))
    assert near == []


def test_the_judge_can_fail() -> None:
    """An empty reply to everything must score nothing on questions that have an answer."""
    from dataclasses import replace

    from tutor.content.checks import Report
    from tutor.content.topics import Finding
    from tutor.teach import Finished, Prepared

    inside = [q for q in QUESTIONS if q.in_scope]
    verdicts = []
    for question in inside:
        finding = Finding(question.lang, "what", question.topics[:1], (), False, 0.0)
        prepared = Prepared(question.question, finding, (), (), 0, ())
        final = Finished(
            0,
            "Hello there, my dear student." if question.lang == "en" else "こんにちは、学生さん。",
            True,
            "end",
        )
        verdicts.append(judge(question, prepared, final, Report((), ()), LIBRARY))
    result = summarise("nobody", verdicts)
    assert result.rates["right"].hits <= 0.02 * len(inside)
    wrong = replace(verdicts[0], wrong="GPT-2 has an encoder")
    assert not wrong.right


def test_the_interval_is_wilsons() -> None:
    rate = wilson(93, 100)
    assert (round(rate.low, 3), round(rate.high, 3)) == (0.863, 0.966)
