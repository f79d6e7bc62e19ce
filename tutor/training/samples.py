"""Turns prompts/ into training conversations. Endless, seeded, no torch.

Every sample is a `Turn` with its answer; samples are drawn independently and shuffled globally,
so that two wordings of one fact meet in a window only by chance.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tutor.content.answers import whole_answer
from tutor.content.loader import KINDS, LANGS, Kind, Lang, Lesson, Library
from tutor.content.noise import add_noise, muddle
from tutor.content.persona import Turn, key_line
from tutor.content.text import normalise

JOIN = {
    "ja": ("{a}一方、{b}", "{a}それに対して、{b}", "{a}もう片方を言うと、{b}"),
    "en": ("{a} By contrast, {b}", "{a} On the other side, {b}", "{a} As for the other: {b}"),
}


@dataclass(frozen=True)
class Mix:
    """How often each sort of sample is drawn, and how it is disturbed (shares of 1).

    Attributes:
        smalltalk, outside, empty, pair, thread: Shares of all samples; the rest are lesson cells.
        noise: Share of questions disturbed by typos and the like.
        drop_tags: Share of samples without kind, topic and key line.
        corrupt_tags: Share of samples with the wrong topic and key line before a right answer.
        opening: Share of answers with an opening or a closing sentence.
        wordings: Share of a lesson's questions taken from prompts/questions, of whatever kind: the
            kind tag decides what is answered, the wording must not confuse it.
        muddle: Share of a lesson's questions that are half lost, or mixed with the other language.
    """

    smalltalk: float = 0.04
    outside: float = 0.06
    empty: float = 0.015
    pair: float = 0.05
    thread: float = 0.06
    noise: float = 0.35
    drop_tags: float = 0.08
    corrupt_tags: float = 0.03
    opening: float = 0.12
    wordings: float = 0.6
    muddle: float = 0.1


class Sampler:
    """Draws training turns.

    Args:
        library: Everything under prompts/.
        seed: Seed of all draws.
        mix: Shares of the sorts of samples.
    """

    def __init__(self, library: Library, seed: int, mix: Mix = Mix()) -> None:
        self.library = library
        self.rng = random.Random(seed)
        self.mix = mix
        self.concepts = [lesson for lesson in library.lessons.values() if not lesson.is_misconception]
        self.cells = [
            (lesson, lang, kind)
            for lesson in library.lessons.values()
            for lang in LANGS
            for kind, answers in lesson.texts[lang].answers.items()
            for _ in answers
        ]
        self.order: list[int] = []

    def _next_cell(self) -> tuple[Lesson, Lang, Kind]:
        """Draw cells without replacement, so that every answer is seen equally often."""
        if not self.order:
            self.order = list(range(len(self.cells)))
            self.rng.shuffle(self.order)
        return self.cells[self.order.pop()]

    def conversations(self) -> Iterator[list[Turn]]:
        """Yield conversations of one to four turns, for ever."""
        while True:
            draw, mix = self.rng.random(), self.mix
            if draw < mix.thread and self.library.threads:
                yield self._thread()
                continue
            yield [self._turn()]

    def _turn(self) -> Turn:
        draw, mix = self.rng.random(), self.mix
        for share, make in (
            (mix.smalltalk, self._smalltalk),
            (mix.outside, self._outside),
            (mix.empty, self._empty),
            (mix.pair, self._pair),
        ):
            if draw < share:
                return make()
            draw -= share
        lesson, lang, kind = self._next_cell()
        return self._lesson(lesson, lang, kind)

    def _lesson(self, lesson: Lesson, lang: Lang, kind: Kind, question: str | None = None) -> Turn:
        rng, text = self.rng, lesson.texts[lang]
        question = question or self.question(lesson, lang, kind)
        if rng.random() < self.mix.muddle:
            other = self.question(lesson, "en" if lang == "ja" else "ja", kind)
            question = muddle(question, other, rng)
        answer = whole_answer(lesson, lang, kind, rng.choice(text.answers[kind]))
        if kind != "code" and rng.random() < self.mix.opening:
            answer = self._dress(answer, lang)
        turn = Turn(lang, kind, (lesson.id,), text.key, self._noisy(question, lang), answer)
        return self._disturb(turn)

    def _dress(self, answer: str, lang: Lang) -> str:
        frames, space = self.library.frames, " " if lang == "en" else ""
        if self.rng.random() < 0.5:
            return self.rng.choice(frames.openings[lang]) + space + answer
        return answer + space + self.rng.choice(frames.closings[lang])

    def question(self, lesson: Lesson, lang: Lang, kind: Kind) -> str:
        """Word a question of one kind about one lesson."""
        rng, text = self.rng, lesson.texts[lang]
        wordings = self.library.wordings.get(lesson.id, {}).get(lang, ())
        if wordings and rng.random() < self.mix.wordings:
            fitting = [q for k, q in wordings if k == kind]
            return rng.choice(fitting) if fitting and rng.random() < 0.6 else rng.choice(wordings)[1]
        own = [q for k, q in text.questions if k == kind]
        if own and rng.random() < 0.35:
            return rng.choice(own)
        frames = self.library.frames.frames[lang]
        if lesson.is_misconception:
            claim = rng.choice(text.descriptions)
            asked = claim.endswith(("?", "？", "か")) or rng.random() < 0.25
            return claim if asked else rng.choice(frames["misconception"]).format(x=claim)
        kind = kind if kind in frames and kind not in ("compare", "misconception") else "what"
        pool = text.aliases if rng.random() < 0.6 else text.descriptions
        if rng.random() < 0.2:
            pool = (text.title,)
        return rng.choice(frames[kind]).format(x=rng.choice(pool))

    def _noisy(self, question: str, lang: Lang) -> str:
        if self.rng.random() < self.mix.noise:
            question = add_noise(question, lang, self.library, self.rng)
        return normalise(question)

    def _disturb(self, turn: Turn) -> Turn:
        draw = self.rng.random()
        if draw < self.mix.drop_tags:
            return replace(turn, kind=None, topics=(), key="")
        if draw < self.mix.drop_tags + self.mix.corrupt_tags:
            other = self.rng.choice(self.concepts)
            return replace(turn, topics=(other.id,), key=other.texts[turn.lang].key)
        return turn

    def _smalltalk(self) -> Turn:
        lang = self.rng.choice(LANGS)
        item = self.rng.choice(list(self.library.smalltalk.values()))
        question = self._noisy(self.rng.choice(item.questions[lang]), lang)
        return Turn(lang, "smalltalk", (item.id,), "", question, self.rng.choice(item.answers[lang]))

    def _refusal(self, kind: Kind) -> Turn:
        rng, lang = self.rng, self.rng.choice(LANGS)
        source = self.library.outside if kind == "out" else self.library.empty
        first, second = rng.sample(self.concepts, 2)
        titles = [lesson.texts[lang].title for lesson in (first, second)]
        question = rng.choice(source.questions[lang])
        if kind == "out":
            question = self._noisy(question, lang)
        answer = rng.choice(source.answers[lang]).format(a=titles[0], b=titles[1])
        key = key_line(self.library, kind, (first.id, second.id), lang)
        return Turn(lang, kind, (first.id, second.id), key, normalise(question), answer)

    def _outside(self) -> Turn:
        return self._refusal("out")

    def _empty(self) -> Turn:
        return self._refusal("empty")

    def _pair(self) -> Turn:
        """A comparison put together from the one-sentence answers of two lessons."""
        rng, lang = self.rng, self.rng.choice(LANGS)
        first = rng.choice(self.concepts)
        near = [self.library.lessons[r] for r in first.related if r in self.library.lessons]
        near = [lesson for lesson in near if not lesson.is_misconception]
        second = rng.choice(near) if near and rng.random() < 0.6 else rng.choice(self.concepts)
        texts = [lesson.texts[lang] for lesson in (first, second)]
        answer = rng.choice(JOIN[lang]).format(a=texts[0].answers["brief"][0], b=texts[1].answers["brief"][0])
        names = [rng.choice((text.title, *text.aliases)) for text in texts]
        question = rng.choice(self.library.frames.frames[lang]["compare"]).format(x=names[0], y=names[1])
        topics = (first.id, second.id)
        key = key_line(self.library, "compare", topics, lang)
        return Turn(lang, "compare", topics, key, self._noisy(question, lang), answer)

    def _thread(self) -> list[Turn]:
        thread = self.rng.choice(self.library.threads)
        turns: list[Turn] = []
        for question, topic, kind in thread.turns:
            lesson = self.library.lessons.get(topic)
            if lesson is None:
                continue
            kind = kind if kind in lesson.texts[thread.lang].answers else default_kind(lesson)
            turns.append(self._lesson(lesson, thread.lang, kind, question))
        return turns or [self._turn()]


def default_kind(lesson: Lesson) -> Kind:
    """The kind answered when the one asked for is not in the lesson."""
    return "misconception" if lesson.is_misconception else "what"


def corpus_lines(library: Library) -> list[str]:
    """All text that the tokenizer is trained on, answers several times so that they weigh more."""
    lines: list[str] = []
    for lesson in library.lessons.values():
        for lang in LANGS:
            text = lesson.texts[lang]
            answers = [answer for kind in KINDS for answer in text.answers.get(kind, ())]
            lines += answers * 3 + [text.key, text.title, text.note, *text.aliases, *text.descriptions]
            lines += [normalise(question) for _, question in text.questions]
    frames = library.frames
    for lang in LANGS:
        for table in (frames.frames[lang], frames.followup[lang]):
            lines += [
                normalise(frame.replace("{x}", "").replace("{y}", "")) for t in table.values() for frame in t
            ]
        for refusals in (library.outside, library.empty):
            lines += [normalise(question) for question in refusals.questions[lang]]
            lines += [answer.replace("{a}", "").replace("{b}", "") for answer in refusals.answers[lang]] * 5
        for item in library.smalltalk.values():
            lines += [*map(normalise, item.questions[lang]), *item.answers[lang] * 3]
        lines += [*frames.openings[lang], *frames.closings[lang]] * 5
    return [line for line in lines if line]
