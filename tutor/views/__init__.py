"""Views that need the model's weights or the full logits, computed on demand from a record.

Each module of `NAMES` is one view: a pure function of recorded values and weights, and
`view(loaded, trace, params)`, which reads the query and answers with JSON-able values. Nothing is
measured here: what comes out is "computed from measured". The model runs again only where a record
lacks its vectors (`again`), and the answer says so. Sums are taken in double precision, so that what
differs from the record is the record's own rounding.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from tutor.errors import SamplingError
from tutor.model.registry import LoadedModel
from tutor.trace import Trace
from tutor.views.again import filled
from tutor.views.source import LeftOut

NAMES = ("embedding", "heads", "layernorm", "lens", "neurons", "pair", "ranks", "whatif")


def compute(name: str, loaded: LoadedModel, trace: Trace, params: Mapping[str, str]) -> dict[str, object]:
    """Compute one view.

    Args:
        name: One of NAMES.
        loaded: The model that made the record.
        trace: The record, finished or growing.
        params: The query's parameters, as text.

    Returns:
        What the view says; with `again` true if the record lacked the vectors and they were computed
        again from its tokens. `{"left_out": kind}` if that cannot be done either.

    Raises:
        KeyError: No such view, or the model is another one than the record's.
        IndexError: No such step, position, layer or head.
        ValueError: A parameter is not usable, or the prompt has not been read yet.
    """
    if name not in NAMES or trace.model_name != loaded.name or trace.n_vocab != loaded.config.n_vocab:
        raise KeyError(name)
    module = importlib.import_module(f"tutor.views.{name}")
    try:
        try:
            return module.view(loaded, trace, params)
        except LeftOut:
            return module.view(loaded, filled(loaded, trace), params) | {"again": True}
    except LeftOut as gone:
        return {"left_out": gone.kind}
    except SamplingError as error:
        raise ValueError(f"invalid literal for a setting: {error}") from error
