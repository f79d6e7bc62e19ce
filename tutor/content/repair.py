"""Makes a question easier to recognise: mends misspelt Latin words, adds a term's other spellings.

Only the topic finder reads the result; the model and the page get what the student typed.
"""

from __future__ import annotations

import re
from collections import Counter

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from tutor.content.kinds import fold
from tutor.content.loader import Library
from tutor.content.text import katakana_to_hiragana

_WORD = re.compile(r"[a-z]{4,}")
_SHORTEST_READING = 4


class Repairer:
    """Knows the words of the lessons and the readings of the terms.

    Args:
        library: Everything under prompts/.
    """

    def __init__(self, library: Library) -> None:
        counts: Counter[str] = Counter()
        for lesson in library.lessons.values():
            text = lesson.texts["en"]
            passages = (
                text.title,
                text.note,
                *text.aliases,
                *text.descriptions,
                *(q for _, q in text.questions),
            )
            for passage in passages:
                counts.update(_WORD.findall(passage.lower()))
        for item in library.wordings.values():
            for _, question in item["en"]:
                counts.update(_WORD.findall(question.lower()))
        self.known = set(counts)
        self.words = [word for word, count in counts.items() if count >= 3]
        kana, romaji, swap = (library.readings.get(name, {}) for name in ("kana", "romaji", "swap"))
        spelt = {fold(reading): term for term, reading in {**romaji, **kana}.items()}
        self.readings = {r: t for r, t in spelt.items() if len(r.replace(" ", "")) >= _SHORTEST_READING}
        japanese = {term: other for term, other in swap.items() if not term.isascii()}
        self.translations = {katakana_to_hiragana(term): other for term, other in japanese.items()}

    def mend(self, folded: str) -> str:
        """Replace Latin words that no lesson uses by the nearest one that some lesson does."""
        return _WORD.sub(lambda match: self._nearest(match[0]), folded)

    def _nearest(self, word: str) -> str:
        if word in self.known:
            return word
        far = 1 if len(word) <= 5 else 2
        found = process.extractOne(word, self.words, scorer=DamerauLevenshtein.distance, score_cutoff=far)
        return found[0] if found else word

    def expand(self, question: str) -> str:
        """The question, mended, with other spellings of its terms behind it."""
        folded = self.mend(fold(question))
        extra = [term for reading, term in self.readings.items() if reading in folded]
        extra += [other for term, other in self.translations.items() if len(term) > 1 and term in folded]
        return " ".join((folded, *dict.fromkeys(extra[:6])))
