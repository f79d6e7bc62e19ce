"""Which topics a question names, and whether the name is all it is about."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tutor.content.kinds import Wording, fold
from tutor.content.loader import Kind, Library

_POWER = 6  # makes the share of a name count only where it is close to all of the question


class Names:
    """The titles and aliases of the lessons.

    Args:
        library: Everything under prompts/.
        wording: Knows the words that only ask.
        number: Column of each topic in a row of scores.
    """

    def __init__(self, library: Library, wording: Wording, number: Mapping[str, int]) -> None:
        self.wording, self.number = wording, number
        self.lessons = library.lessons
        concepts = [x for x in library.lessons.values() if not x.is_misconception and "_vs_" not in x.id]
        names = {
            fold(name): lesson.id
            for lesson in concepts
            for text in lesson.texts.values()
            for name in (text.title, *text.aliases)
        }
        self.topics = sorted(names.items(), key=lambda pair: -len(pair[0]))
        self.owners: dict[str, set[str]] = {}
        for lesson in library.lessons.values():
            for text in lesson.texts.values():
                for name in (text.title, *text.aliases):
                    self.owners.setdefault(fold(name), set()).add(lesson.id)
        self.frames = {
            (fold(before), fold(after)): kind
            for frames in library.frames.frames.values()
            for kind, wordings in frames.items()
            if kind not in ("compare", "misconception")
            for before, bar, after in (wording.partition("{x}") for wording in wordings)
            if bar
        }

    def share(self, text: str) -> NDArray[np.float32]:
        """How much of what a question is about each topic's longest name covers, [n_labels]."""
        folded = fold(text)
        about = max(1, len(self.wording.residue(folded).replace(" ", "")))
        share = np.zeros(len(self.number), dtype=np.float32)
        for name, topic in self.topics:
            if stands_in(name, folded):
                i = self.number[topic]
                share[i] = max(share[i], min(1.0, len(name.replace(" ", "")) / about))
        return share

    def alone(self, text: str) -> NDArray[np.float32]:
        """1 for a topic whose name is all that the question is about, near 0 for others, [n_labels].

        Either next to nothing is left beside the name, or the name stands in one of the known
        question frames and the lesson answers that kind of question.
        """
        alone = self.share(text) ** _POWER
        for topic in self._framed(fold(text)):
            alone[self.number[topic]] = 1.0
        return alone

    def _framed(self, folded: str) -> set[str]:
        found: set[str] = set()
        for (before, after), kind in self.frames.items():
            if (
                len(folded) > len(before) + len(after)
                and folded.startswith(before)
                and folded.endswith(after)
            ):
                name = folded[len(before) : len(folded) - len(after)].strip()
                found |= {t for t in self.owners.get(name, ()) if self._answers(t, kind)}
        return found

    def _answers(self, topic: str, kind: Kind) -> bool:
        return kind in self.lessons[topic].texts["ja"].answers

    def mentioned(self, text: str) -> list[str]:
        """Topics whose name stands in the text, in order of appearance, longest name first."""
        folded, found = fold(text), dict[int, str]()
        for name, topic in self.topics:
            at = folded.find(name)
            if at >= 0:
                folded = folded[:at] + " " * len(name) + folded[at + len(name) :]
                found.setdefault(at, topic)
        return list(dict.fromkeys(found[at] for at in sorted(found)))


def stands_in(alias: str, folded: str) -> bool:
    """Whether a folded name stands in a folded text; Latin names only as whole words.

    >>> stands_in("bert", "albert"), stands_in("bert", "what is bert"), stands_in("残差", "残差接続")
    (False, True, True)
    """
    at = folded.find(alias)
    if at < 0 or not alias.isascii():
        return at >= 0
    around = folded[at - 1 : at] + folded[at + len(alias) : at + len(alias) + 1]
    return not any(c.isascii() and c.isalnum() for c in around)
