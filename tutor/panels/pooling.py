"""Attention thumbnails: maxima over blocks, small enough to send for every head at every step.

A block is `width` positions wide, the smallest power of two that needs at most `COLUMNS` blocks.
Because a maximum over a block of 2w is the maximum of two blocks of w, the browser can widen the
blocks of what it already has as the text grows, and ends with exactly what a fresh pooling gives.
A value v is sent as round(255 * sqrt(v)): a picture's brightness, never a figure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tutor.trace import Floats

COLUMNS = 24


def block_width(length: int) -> int:
    """Positions per block for a text of `length` tokens: the smallest power of two that fits.

    >>> [block_width(n) for n in (1, 24, 25, 48, 49, 300, 1024)]
    [1, 1, 2, 2, 4, 16, 64]
    """
    width = 1
    while -(-length // width) > COLUMNS:
        width *= 2
    return width


def shade(values: Floats) -> NDArray[np.uint8]:
    """Weights in [0, 1] to brightness bytes, round(255 * sqrt(v)); the order is kept."""
    clipped = np.clip(values.astype(np.float32), 0.0, 1.0)
    return np.rint(255.0 * np.sqrt(clipped)).astype(np.uint8)


def pool_last(values: Floats, width: int) -> Floats:
    """Maxima over blocks of the last axis: [..., n] -> [..., ceil(n / width)]."""
    if width == 1:
        return values
    return np.maximum.reduceat(values, np.arange(0, values.shape[-1], width), axis=-1)


def pool_row(attention: Floats, width: int) -> NDArray[np.uint8]:
    """One step's rows of all heads, pooled: [n_layer, n_head, T] -> [n_layer, n_head, blocks]."""
    return shade(pool_last(attention, width))


def pool_square(attention: Floats, width: int) -> NDArray[np.uint8]:
    """The prompt's patterns of all heads, pooled over queries and keys, layer by layer.

    Args:
        attention: Shape [n_layer, n_head, P, P].
        width: Positions per block.

    Returns:
        Shape [n_layer, n_head, blocks, blocks].
    """
    layers = []
    for pattern in attention:  # one layer at a time keeps the float32 copies small
        rows = pool_last(pattern.astype(np.float32), width)
        layers.append(shade(pool_last(rows.swapaxes(-1, -2), width).swapaxes(-1, -2)))
    return np.stack(layers)
