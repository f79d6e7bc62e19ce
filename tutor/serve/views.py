"""Derived views that the engine computes from a record on demand, looked up by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from tutor.trace import Trace


def view(name: str, trace: Trace, tutor: Any, params: Mapping[str, str]) -> object:
    """Compute one derived view, see `tutor.views.compute`.

    Args:
        name: Name of the view.
        trace: The record that it derives from.
        tutor: The tutor whose model made the record; None if it is no longer loaded.
        params: The query's parameters, as text.

    Raises:
        KeyError: No such view, or the model is no longer loaded.
        IndexError: No such step, position, layer or head.
        ValueError: A parameter is not usable.
    """
    if tutor is None:
        raise KeyError(name)
    views = importlib.import_module("tutor.views")  # imports torch: only once a model is there
    return views.compute(name, tutor.loaded, trace, params)
