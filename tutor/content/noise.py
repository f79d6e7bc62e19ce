"""Makes questions look as students really type them: typos, kana, romaji, widths, fillers.

Used on training questions only, never on answers. All randomness comes from the generator
passed in.
"""

from __future__ import annotations

import random
import re
import unicodedata

from tutor.content.loader import Lang, Library
from tutor.content.text import katakana_to_hiragana

_KEYS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
_CHUNK = re.compile(
    r"[A-Za-z0-9√²_.()\-']+\s*|[\u3400-\u9fff々]+\s*|[\u30a1-\u30ffー]+\s*|[\u3041-\u3096]+\s*|.\s*", re.S
)
_FILLERS = {
    "ja": (
        "えっと、",
        "あの、",
        "すみません、",
        "ちょっと聞きたいんだけど、",
        "うーん、",
        "ねえ、",
        "質問です。",
        "アウラ、",
    ),
    "en": ("um, ", "uh, ", "hey, ", "ok so ", "sorry, ", "quick question: ", "hi aura, ", "wait, "),
}
_TRAILERS = {
    "ja": ("、教えて", "！", "？？", "笑", "w", "…"),
    "en": (" pls", " thx", "??", " lol", "...", "!"),
}


def _typo(text: str, rng: random.Random) -> str:
    if len(text) < 5:
        return text
    i = rng.randrange(1, len(text) - 1)
    how = rng.random()
    if how < 0.3:
        return text[:i] + text[i + 1 :]
    if how < 0.5:
        return text[:i] + text[i] + text[i:]
    if how < 0.75 or text[i].lower() not in _KEYS:
        return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    return text[:i] + rng.choice(_KEYS[text[i].lower()]) + text[i + 1 :]


def _swap_term(text: str, table: dict[str, str], rng: random.Random) -> str:
    found = [term for term in table if term in text]
    if not found:
        return text
    term = rng.choice(found)
    return text.replace(term, table[term])


def add_noise(text: str, lang: Lang, library: Library, rng: random.Random) -> str:
    """Apply one or two disturbances to a question.

    Args:
        text: The clean question.
        lang: Its language, "ja" or "en".
        library: Source of the kana, romaji and swap tables.
        rng: Random numbers.

    Returns:
        The disturbed question, never empty if the input was not.
    """
    readings = library.readings
    moves = ["typo", "typo", "filler", "trailer", "case"]
    if lang == "ja":
        moves += ["kana", "kana", "romaji", "swap", "hiragana", "long", "bare"]
    else:
        moves += ["bare", "bare", "typo"]
    for move in rng.sample(moves, k=2 if rng.random() < 0.35 else 1):
        text = _apply(move, text, lang, readings, rng) or text
    return text


def muddle(question: str, other: str, rng: random.Random) -> str:
    """Lose half of a question, or put a stretch of its wording in another language into it.

    Args:
        question: The question.
        other: The same question in the other language.
        rng: Random numbers.

    Returns:
        What is left; never empty if the question was not.
    """
    words, foreign = _CHUNK.findall(question), _CHUNK.findall(other)
    if len(words) < 2:
        return question
    size = max(1, len(words) // 2)
    at = rng.randrange(len(words) - size + 1)
    if rng.random() < 0.4:
        return "".join(words[at : at + size]).strip()
    length = min(len(foreign), rng.randint(1, 4))
    start = rng.randrange(len(foreign) - length + 1)
    stretch = "".join(foreign[start : start + length]).strip(" ?？。、")
    return "".join((*words[:at], f" {stretch} ", *words[at + size :])).strip()


def _apply(move: str, text: str, lang: Lang, readings: dict[str, dict[str, str]], rng: random.Random) -> str:
    match move:
        case "typo":
            return _typo(text, rng)
        case "filler":
            return rng.choice(_FILLERS[lang]) + text
        case "trailer":
            return text.rstrip("?？。.") + rng.choice(_TRAILERS[lang])
        case "case":
            return text.lower() if rng.random() < 0.8 else text.upper()
        case "kana":
            return _swap_term(text, readings.get("kana", {}), rng)
        case "romaji":
            return _swap_term(text, readings.get("romaji", {}), rng)
        case "swap":
            return _swap_term(text, readings.get("swap", {}), rng)
        case "hiragana":
            return katakana_to_hiragana(text)
        case "long":
            return text.replace("ー", "", 1) if rng.random() < 0.6 else text.replace("っ", "つ", 1)
        case _:
            return "".join(c for c in text if not unicodedata.category(c).startswith("P")).strip()
