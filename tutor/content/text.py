"""Normalising what a student typed, for matching and for the prompt. The page shows the raw text."""

from __future__ import annotations

import re
import unicodedata

_SPACES = re.compile(r"[ \t\u3000\u00a0]+")
_NEWLINES = re.compile(r"\s*\n\s*")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9f]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_BIDI = set("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def printable(text: str) -> str:
    """Drop control, zero-width and direction characters; keep newlines as spaces.

    >>> printable("a\\x00b\\u202ec\\n d")
    'abc d'
    """
    kept = (c for c in text if c == "\n" or c == "\t" or not (unicodedata.category(c) == "Cc" or c in _BIDI))
    return _NEWLINES.sub(" ", "".join(kept)).strip()


def normalise(text: str) -> str:
    """Fold full width, half width and compatibility forms; squeeze spaces.

    This is the form of the question that the model reads.

    >>> normalise("ＧＰＴ－２　って何？")
    'GPT-2 って何?'
    """
    folded = unicodedata.normalize("NFKC", printable(text)).replace("−", "-").replace("‐", "-")
    return _SPACES.sub(" ", folded).strip()


def has_japanese(text: str) -> bool:
    """Whether the text holds kana or kanji."""
    return bool(_KANA.search(text) or _HAN.search(text))


def script_counts(text: str) -> tuple[int, int, int]:
    """Count kana, kanji and Latin letters."""
    return len(_KANA.findall(text)), len(_HAN.findall(text)), len(_LATIN.findall(text))


def katakana_to_hiragana(text: str) -> str:
    """Map katakana to hiragana, leaving the long-vowel mark.

    >>> katakana_to_hiragana("トークン")
    'とーくん'
    """
    return "".join(chr(ord(c) - 0x60) if "\u30a1" <= c <= "\u30f6" else c for c in text)
