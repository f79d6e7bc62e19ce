"""The sentences of the page, from prompts/ui.toml, and how values are put into them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from tutor.config import PROMPTS
from tutor.content.loader import LANGS, read_toml
from tutor.errors import TutorError

_PLACE = re.compile(r"\{(\w+)\}")


class Texts(dict[str, str]):
    """Sentences of one language by key.

    >>> Texts({"hello": "Hello, {name}"}).say("hello", name="Aura")
    'Hello, Aura'
    """

    def __missing__(self, key: str) -> str:
        """A key without a sentence shows itself; a test keeps the two languages alike."""
        return key

    def say(self, key: str, **values: object) -> str:
        """The sentence with its values put in."""
        return fill(self[key], values)

    def error(self, error: TutorError) -> str:
        """The sentence for an error: what was asked, what is allowed, what to do."""
        key = error.key if error.key in self else "unknown_error"
        return self.say(key, **error.values)


def fill(text: str, values: Mapping[str, object]) -> str:
    """Put values into a sentence as they are; a value missing leaves its place visible.

    >>> fill("{n} of {of}", {"n": 2})
    '2 of {of}'
    """
    return _PLACE.sub(lambda match: str(values.get(match[1], match[0])), text)


@lru_cache(maxsize=4)
def load_texts(path: Path = PROMPTS / "ui.toml") -> dict[str, Texts]:
    """Read the page's sentences.

    Returns:
        Language -> sentences.

    Raises:
        ContentError: The file is missing or malformed.
    """
    data = read_toml(path)
    return {lang: Texts(data.get(lang, {})) for lang in LANGS}
