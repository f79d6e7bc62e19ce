"""Records replies of tiny models for the panel tests; every number comes from a real pass."""

from __future__ import annotations

from collections.abc import Iterator

from tutor.config import CaptureConfig, SamplingConfig
from tutor.engine.generate import generate, new_trace
from tutor.model.registry import LoadedModel
from tutor.trace import Part, Trace


def record(
    loaded: LoadedModel,
    ids: list[int],
    sampling: SamplingConfig,
    capture: CaptureConfig | None = None,
) -> Trace:
    """Let a model continue some ids, the first half of which count as the lesson note."""
    half = len(ids) // 2
    parts: list[Part] = ["note"] * half + ["question"] * (len(ids) - half)
    trace = new_trace(loaded, sampling)
    for _ in generate(loaded, ids, parts, sampling, capture or CaptureConfig(), trace=trace):
        pass
    return trace


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """All values inside nested dicts and lists, with their path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}[{i}]")
    else:
        yield path, value
