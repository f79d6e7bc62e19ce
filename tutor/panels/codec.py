"""Arrays as text: little-endian base64 that the browser reads back bit for bit."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pack_f32(values: ArrayLike) -> str:
    """Encode numbers as base64 of little-endian float32, flattened in C order.

    Args:
        values: Any shape, float16 to float64. float16 and float32 survive exactly.

    Returns:
        ASCII text, 4 bytes a number before base64.
    """
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")


def unpack_f32(text: str) -> NDArray[np.float32]:
    """Decode what `pack_f32` made; flat."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def pack_u8(values: NDArray[np.uint8]) -> str:
    """Encode bytes as base64, flattened in C order."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=np.uint8).tobytes()).decode("ascii")


def unpack_u8(text: str) -> NDArray[np.uint8]:
    """Decode what `pack_u8` made; flat."""
    return np.frombuffer(base64.b64decode(text), dtype=np.uint8)


def finite(value: float | None) -> float | None:
    """Turn nan and infinities into None: JSON has no word for them."""
    if value is None or not np.isfinite(value):
        return None
    return float(value)


def sse(event: str, payload_json: str, event_id: int | None = None) -> str:
    """Format one Server-Sent Event.

    Args:
        event: Event name, one word.
        payload_json: One line of JSON.
        event_id: Number the browser sends back as Last-Event-ID when it reconnects.

    Returns:
        The event's text, ending in an empty line.

    Source: WHATWG HTML, "Server-sent events".
    """
    head = "" if event_id is None else f"id: {event_id}\n"
    return f"{head}event: {event}\ndata: {payload_json}\n\n"


def query_int(params: Mapping[str, str], name: str, default: int | None = None) -> int | None:
    """Read a whole number from a query string; absent gives the default.

    Raises:
        ValueError: The value is not a whole number.
    """
    text = params.get(name)
    return default if text is None or text == "" else int(text)
