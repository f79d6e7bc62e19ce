"""What is asked (kind), in which language, and about what: from the wording alone.

The words and patterns themselves stand in prompts/kinds.toml.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

from tutor.content.loader import KINDS, Kind, Lang, read_toml
from tutor.content.text import katakana_to_hiragana, normalise
from tutor.errors import ContentError

_WORD = re.compile(r"[A-Za-z']+")
_HIRAGANA = re.compile(r"[\u3041-\u3096\u30fc]")
_JAPANESE = re.compile(r"[\u3041-\u30fa\u30fc\u3400-\u9fff]")
_EDGE = re.compile(r"[^0-9a-z\u0370-\u03ff\u3041-\u30ff\u3400-\u9fff√^/+=²%]+")


def fold(text: str) -> str:
    """Reduce a text to what matching needs: lower case, hiragana, no punctuation.

    >>> fold("LayerNormって、何？")
    'layernormって 何'
    """
    return _EDGE.sub(" ", katakana_to_hiragana(normalise(text).lower())).strip()


class Wording:
    """The patterns of prompts/kinds.toml.

    Args:
        path: The file.

    Raises:
        ContentError: An unknown kind, or a pattern that is no regular expression.
    """

    def __init__(self, path: Path) -> None:
        self._data = read_toml(path)
        self._path = path
        self.rules = [(rule["name"], self._compile(rule["patterns"])) for rule in self._data["kind"]]
        unknown = [name for name, _ in self.rules if name not in KINDS]
        if unknown:
            raise ContentError(f"{path.name}: unknown kinds {unknown}; use {KINDS}.", file=path.name)
        self.leaning = self._compile(self._data["leaning"]["patterns"])

    def _compile(self, patterns: list[str], around: str = "{}") -> re.Pattern[str]:
        try:
            return re.compile(around.format("|".join(patterns)), re.I)
        except re.error as error:
            raise ContentError(f"{self._path.name}: bad pattern: {error}.", file=self._path.name) from error

    @cached_property
    def _asking(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        asking = self._data["asking"]
        return self._compile(asking["en"], r"\b(?:{})\b"), self._compile(asking["ja"])

    @cached_property
    def _frame_words(self) -> dict[str, set[str]]:
        words: dict[str, Any] = self._data["frame_words"]
        return {name: set(words[name]) for name in ("en", "romaji")}

    def kind(self, question: str) -> Kind | None:
        """The kind that the wording asks for; None if nothing says so (then "what" is meant)."""
        text = normalise(question)
        return next((name for name, pattern in self.rules if pattern.search(text)), None)

    def residue(self, folded: str) -> str:
        """What is left of a folded question without the words that only ask."""
        english, japanese = self._asking
        return " ".join(japanese.sub(" ", english.sub(" ", folded)).split())

    def language(self, question: str, aliases: list[str], default: Lang) -> Lang:
        """The language of the question's frame: its terms do not count.

        Args:
            question: Normalised question.
            aliases: Folded names of topics, longest first; taken out before looking.
            default: Language used when the frame says nothing: that of the turn before or the page.
        """
        frame = katakana_to_hiragana(question.lower())
        for alias in aliases:
            if alias in frame:
                frame = frame.replace(alias, " ")
        words = [word.lower() for word in _WORD.findall(frame)]
        english = sum(word in self._frame_words["en"] for word in words)
        romaji = sum(word in self._frame_words["romaji"] for word in words)
        kana, japanese = len(_HIRAGANA.findall(frame)), len(_JAPANESE.findall(frame))
        if kana >= 2 or japanese >= 3:
            return "en" if english >= 3 and english > kana / 2 else "ja"
        if romaji > english:
            return "ja"
        if english or len(words) >= 2:
            return "en"
        if _JAPANESE.search(question):
            return "ja"
        return "en" if len(_WORD.findall(question)) > 1 else default
