"""Derived views that the engine computes from a record on demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutor.trace import Trace


def view(name: str, trace: Trace, tutor: Any, params: Mapping[str, str]) -> dict[str, object]:
    """Compute one derived view of a record.

    Args:
        name: Name of the view.
        trace: The record that it derives from.
        tutor: The tutor whose model made the record; None if it is no longer loaded.
        params: The query's parameters, as text.

    Raises:
        KeyError: No such view, or the model is no longer loaded.
        IndexError: No such step, position, layer or head.
        ValueError: A parameter is not usable, or the prompt has not been read yet.
    """
    if tutor is None:
        raise KeyError(name)
    from tutor.views import compute  # needs torch, which is there once a model is

    return compute(name, tutor.loaded, trace, params)
