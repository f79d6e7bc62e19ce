"""The topic finder: question and history -> language, kind and topic. It is not GPT-2.

A topic's score adds up how near the question is to the lessons' own phrases (TF-IDF, `index`), how
much of it the topic's name is (`named`), and the probability of a classifier trained on thousands of
wordings (`classifier`). What is asked (kind) comes from patterns and a second classifier, language
from the script of what stands around the terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tutor.content.classifier import Classifier
from tutor.content.index import Index
from tutor.content.kinds import Wording, fold
from tutor.content.loader import LANGS, Kind, Lang, Library
from tutor.content.named import Names, stands_in
from tutor.content.repair import Repairer
from tutor.content.text import normalise


@dataclass(frozen=True)
class Exchange:
    """What the finder remembers of an earlier turn."""

    kind: Kind
    topics: tuple[str, ...]
    lang: Lang = "ja"
    question: str = ""


@dataclass(frozen=True)
class Finding:
    """What the finder made of a question.

    Attributes:
        lang: Language to answer in.
        kind: What is asked: a lesson kind, "smalltalk", "out" or "empty".
        topics: One topic id, two for a comparison; for "out" and "empty" the two on offer.
        ranked: Best topics with their scores, best first; for display and measurement.
        follow_up: Whether the topic was carried over from the turn before.
        margin: Score of the first topic minus that of the second.
    """

    lang: Lang
    kind: Kind
    topics: tuple[str, ...]
    ranked: tuple[tuple[str, float], ...]
    follow_up: bool
    margin: float


WEIGHTS = Path(__file__).with_name("finder")
OUT = "<out>"
LOST = "dont_understand"  # small talk; said after an answer, it asks for another way to say it
WORDING_BONUS = 0.5  # in probability; measured on the held-out questions
NAMED_ALONE = 2.5  # for a question that is a name and nothing but asking around it
SHORT_QUESTION = 24  # characters; one this short is taken at its word
EMPTY_OFFER = ("transformer", "gpt2")
_MASH = re.compile(
    r"^(?:[a-z]{1,2}|[bcdfghjklmnpqrstvwxz]{4,}|(.)\1{2,}|asdf\w*|qwer\w*|[ぁ-んw]|ww+|笑+)$", re.I
)
_FILLER = re.compile(
    r"(?:え[ーぇっえ]*と|う[ーぅう]+ん|ん[ーん]*|あ[ーぁ]*の[ーぉう]*|h+m+|u+[hm]+|e+r+m*|well|so|[\s、。,.!?…〜~ー])+",
    re.I,
)


class TopicFinder:
    """Finds language, kind and topic of a question.

    Args:
        library: Everything under prompts/.
        threshold: Topic score below which a question counts as outside the subject.
    """

    def __init__(
        self,
        library: Library,
        threshold: float = 0.22,
        named_bonus: float = 0.35,
        learnt_weight: float = 3.0,
        context_bonus: float = 1.0,
        weights: Path = WEIGHTS,
    ) -> None:
        self.library, self.threshold, self.named_bonus = library, threshold, named_bonus
        self.wording = Wording(library.root / "kinds.toml")
        self.topics = Index(self._topic_phrases())
        self.number = {label: i for i, label in enumerate(self.topics.labels)}
        self.learnt_weight, self.context_bonus = learnt_weight, context_bonus
        self.repairer = Repairer(library)
        learnt = (weights / "topics.npz").exists()
        self.classifier = Classifier.load(weights / "topics.npz") if learnt else None
        self.kind_classifier = Classifier.load(weights / "kinds.npz") if learnt else None
        if self.classifier is not None:
            column = {label: i for i, label in enumerate(self.classifier.labels)}
            self.columns = np.array([column[label] for label in self.topics.labels])
        self.follow = {lang: Index(self._follow_phrases(lang)) for lang in LANGS}
        aliases = {
            fold(a) for lesson in library.lessons.values() for t in lesson.texts.values() for a in t.aliases
        }
        self.aliases = sorted((a for a in aliases if len(a) > 1), key=len, reverse=True)
        self.names = Names(library, self.wording, self.number)

    def _topic_phrases(self) -> Iterable[tuple[str, str, float]]:
        for lesson in self.library.lessons.values():
            for text in lesson.texts.values():
                for phrase in (text.title, *text.aliases):
                    yield lesson.id, phrase, 1.0
                for phrase in text.descriptions:
                    yield lesson.id, phrase, 1.0
                for _, question in text.questions:
                    yield lesson.id, question, 0.95
        for item in self.library.smalltalk.values():
            for lang in LANGS:
                for question in item.questions[lang]:
                    yield item.id, question, 1.0
        for lang in LANGS:
            for question in self.library.outside.questions[lang]:
                yield OUT, question, 0.9

    def _follow_phrases(self, lang: Lang) -> Iterable[tuple[str, str, float]]:
        for kind, phrases in self.library.frames.followup[lang].items():
            for phrase in phrases:
                yield kind, phrase, 1.0

    def find(self, question: str, history: Sequence[Exchange] = (), ui_lang: Lang = "ja") -> Finding:
        """Find out what is asked.

        Args:
            question: As typed.
            history: Earlier exchanges, oldest first.
            ui_lang: Language of the page, used when the question shows none.

        Returns:
            The finding; never fails, whatever the input.
        """
        text = normalise(question)
        lang = self.wording.language(text, self.aliases, history[-1].lang if history else ui_lang)
        if is_empty(text):
            return Finding(lang, "empty", EMPTY_OFFER, (), False, 0.0)
        last = next((e for e in reversed(history) if e.topics and e.topics[0] in self.library.lessons), None)
        leaning = last is not None and self._leans(text)
        ranked = self.rank(text, last if leaning else None)
        margin = ranked[0][1] - ranked[1][1]
        kind = self._kind(text)
        if last and leaning and (followed := self._followed(text, lang)):
            topics = last.topics[:1]
            return Finding(lang, self._available(followed, topics), topics, ranked, True, margin)
        best, score = ranked[0]
        if best in self.library.smalltalk:
            return Finding(lang, "smalltalk", (best,), ranked, False, margin)
        if best == OUT or score < self.threshold:
            named = self.names.mentioned(text)
            if kind == "compare" and len(named) >= 2:
                return Finding(lang, kind, tuple(named[:2]), ranked, False, margin)
            offer = tuple(t for t, _ in self.rank(text, most=40) if self._teachable(t))[:2]
            return Finding(lang, "out", offer, ranked, False, margin)
        topics = self._pair(text, ranked) if kind == "compare" else (best,)
        return Finding(lang, self._available(kind, topics), topics, ranked, False, margin)

    def rank(self, text: str, last: Exchange | None = None, most: int = 8) -> tuple[tuple[str, float], ...]:
        """Topics by score, best first.

        Args:
            text: Normalised question.
            last: The exchange that the question leans on, if it does.
            most: Topics to return.
        """
        scores = self._scores(text)
        if last is not None:
            both = self._scores(f"{last.question} {text}") if last.question else scores
            scores = (scores + both) / 2 + self._context(last)
        order = np.argsort(-scores, kind="stable")[:most]
        return tuple((self.topics.labels[i], float(scores[i])) for i in order)

    def _scores(self, text: str) -> NDArray[np.float32]:
        """Nearness to phrases, names in the text, and the classifier's probabilities, [n_labels]."""
        expanded = self.repairer.expand(text)
        named = self.named_bonus * self.names.share(expanded) + NAMED_ALONE * self.names.alone(text)
        scores = self.topics.scores(expanded) + named
        if self.classifier is not None:
            scores = scores + self.learnt_weight * self.classifier.probabilities(expanded)[self.columns]
        return scores.astype(np.float32)

    def _teachable(self, topic: str) -> bool:
        lesson = self.library.lessons.get(topic)
        return lesson is not None and not lesson.is_misconception

    def _leans(self, text: str) -> bool:
        """Whether a question may lean on the turn before: it names no topic, and is short or points back."""
        folded = fold(text)
        if any(stands_in(alias, folded) for alias in self.aliases if len(alias) > 2):
            return False
        short = len(folded) < (40 if folded.isascii() else 18)
        return short or bool(self.wording.leaning.search(text))

    def _followed(self, text: str, lang: Lang) -> Kind | None:
        """The kind asked for if nothing but the asking is left ("why?", "I am lost"), else None."""
        near = float(self.follow[lang].scores(text, share=1.0).max())
        if near > 0.8 or len(self.wording.residue(fold(text)).replace(" ", "")) <= 2:
            return self._follow_kind(text, lang)
        return "analogy" if self.rank(text)[0][0] == LOST else None

    def _kind(self, text: str) -> Kind | None:
        """What is asked: the classifier's guess, with weight given to what the wording says outright."""
        said = self.wording.kind(text)
        taken_at_its_word = said is not None and (said == "brief" or len(text) <= SHORT_QUESTION)
        if self.kind_classifier is None or taken_at_its_word:
            return said
        guess = self.kind_classifier.probabilities(self.repairer.expand(text))
        scores = dict(zip(self.kind_classifier.labels, guess.tolist(), strict=True))
        if said:
            scores[said] += WORDING_BONUS
        return max(scores, key=scores.__getitem__)

    def _follow_kind(self, text: str, lang: Lang) -> Kind:
        """Kind of a follow-up: from its wording, else from the nearest follow-up phrase."""
        index = self.follow[lang]
        return self.wording.kind(text) or index.labels[int(index.scores(text, share=1.0).argmax())]

    def _context(self, last: Exchange) -> NDArray[np.float32]:
        """What the turn before adds to each topic: most to its own, less to related ones, [n_labels]."""
        bonus = np.zeros(len(self.topics.labels), dtype=np.float32)
        own = last.topics[0]
        related = set(self.library.lessons[own].related)
        related |= {x.id for x in self.library.lessons.values() if own in x.related}
        for topic in related & self.number.keys():
            bonus[self.number[topic]] = self.context_bonus / 2
        bonus[self.number[own]] = self.context_bonus
        return bonus

    def _available(self, kind: Kind | None, topics: tuple[str, ...]) -> Kind:
        """The kind asked for if the lesson answers it, else its default kind."""
        if len(topics) == 2:
            return "compare"
        lesson = self.library.lessons[topics[0]]
        if lesson.is_misconception:
            return "brief" if kind == "brief" else "misconception"
        return kind if kind in lesson.texts["ja"].answers else "what"

    def _pair(self, text: str, ranked: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
        """One topic if a lesson is itself the comparison, else the two that are named."""
        best = ranked[0][0]
        if "_vs_" in best or "compare" in self.library.lessons[best].texts["ja"].answers:
            return (best,)
        named = self.names.mentioned(text)
        if len(named) >= 2:
            return tuple(named[:2])
        return (best,)


def is_empty(text: str) -> bool:
    """Whether a normalised text says nothing: no letters, one letter, a mashed keyboard, only "um".

    >>> is_empty("!?"), is_empty("asdfgh"), is_empty("えーっと、"), is_empty("hmm..."), is_empty("GPT-2")
    (True, True, True, True, False)
    """
    if _FILLER.fullmatch(text):
        return True
    letters = "".join(c for c in text if c.isalpha())
    return len(letters) < 1 or (len(text.split()) == 1 and bool(_MASH.match(letters)))
