"""Other people's text inside Markdown."""

from __future__ import annotations

_MARKS = frozenset("\\`*_{}[]()<>#+-.!|~$:")


def plain(text: str) -> str:
    """A text whose characters mean nothing to Markdown.

    >>> plain("a*b")
    'a\\\\*b'
    """
    return "".join(f"\\{c}" if c in _MARKS else c for c in text)
