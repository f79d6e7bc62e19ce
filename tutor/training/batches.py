"""Packs training conversations into windows of token ids with a loss mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutor.content.persona import Encoder, Segment, Turn, encode_segment, segments

Encode = Callable[[Sequence[Segment]], list[tuple[int, bool]]]


class Window(NamedTuple):
    """One training window.

    Attributes:
        ids: Token ids, [T].
        answer: True where the token belongs to a reply, [T].
    """

    ids: NDArray[np.int64]
    answer: NDArray[np.bool_]


def make_encoder(tokenizer: Encoder) -> Encode:
    """Make a function from segments to (token id, belongs to a reply)."""

    def encode(laid: Sequence[Segment]) -> list[tuple[int, bool]]:
        return [(i, s.part == "reply") for s in laid for i in encode_segment(s, tokenizer)]

    return encode


def windows(conversations: Iterator[list[Turn]], encode: Encode, lengths: Iterator[int]) -> Iterator[Window]:
    """Pack conversations one after another; each window starts with the start of a turn.

    Args:
        conversations: Endless stream of conversations.
        encode: Segments to tokens.
        lengths: Length of each window to make, in tokens.
    """
    for length in lengths:
        row: list[tuple[int, bool]] = []
        while len(row) < length:
            for turn in next(conversations):
                row += encode(segments(turn))
        row = row[:length]
        yield Window(
            np.fromiter((i for i, _ in row), np.int64, length),
            np.fromiter((a for _, a in row), np.bool_, length),
        )
