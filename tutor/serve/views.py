"""Derived views that the engine computes from a record on demand, looked up by name."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any

from tutor.trace import Trace

_NAME = re.compile(r"[a-z][a-z_]{0,30}")


def view(name: str, trace: Trace, tutor: Any, params: Mapping[str, str]) -> object:
    """Compute one derived view: `tutor.views.<name>.view(loaded, trace, params)`.

    Args:
        name: Name of the view.
        trace: The record that it derives from.
        tutor: The tutor whose model made the record; None if it is no longer loaded.
        params: The query's parameters, as text.

    Raises:
        KeyError: No such view, or the model is no longer loaded.
        ValueError: A parameter is not usable.
    """
    if not _NAME.fullmatch(name) or tutor is None:
        raise KeyError(name)
    try:
        module = importlib.import_module(f"tutor.views.{name}")
    except ModuleNotFoundError as error:
        raise KeyError(name) from error
    return module.view(tutor.loaded, trace, params)
