"""Who takes part, and how one reply of each is timed: a stamp when each token arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch

from tutor.bench.subjects import Subject
from tutor.config import CaptureConfig, SamplingConfig
from tutor.engine.generate import generate, new_trace
from tutor.trace import Part, Step, Trace

FULL = CaptureConfig(budget_bytes=2**31)


@dataclass(frozen=True)
class Run:
    """One reply, timed.

    Attributes:
        first: Seconds from the question to the first token.
        steps: Seconds from each token to the next, one fewer than tokens.
    """

    first: float
    steps: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Tokens per second once the first one is there."""
        return len(self.steps) / sum(self.steps)

    @property
    def whole(self) -> float:
        """Tokens per second from the question to the last token."""
        return (len(self.steps) + 1) / (self.first + sum(self.steps))


Contender = Callable[[Sequence[int], int], Run]

CONTENDERS: dict[str, str] = {
    "generate": "transformers generate",
    "generate_recorded": "transformers generate, attentions and hidden states kept",
    "engine": "Aura's engine, nothing recorded",
    "engine_recorded": "Aura's engine, all recorded, lens on demand",
    "engine_lens": "Aura's engine, all recorded, lens live",
}
"""The contenders in the order in which they take turns."""


def run_of(stamps: list[float]) -> Run:
    """Make a Run of the start and the arrival of each token."""
    gaps = [late - early for early, late in zip(stamps, stamps[1:], strict=False)]
    return Run(gaps[0], tuple(gaps[1:]))


def ratios(runs: Mapping[str, Mapping[str, Sequence[Run]]], one: str, other: str) -> list[float]:
    """For each prompt length, how many times as fast `one` is as `other`.

    A ratio is taken within each round, where both met the same machine, and the median is kept.

    Args:
        runs: Runs by prompt length and contender.
        one: A contender.
        other: Another one.
    """
    return [
        median(a.rate / b.rate for a, b in zip(found[one], found[other], strict=True))
        for found in runs.values()
    ]


class _Stamps:
    """A streamer for `generate` that notes when each token arrives; the prompt comes first."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: object) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing is left to do."""


def ours(subject: Subject, capture: CaptureConfig) -> Contender:
    """Our engine with a given recording, greedy."""

    def run(ids: Sequence[int], tokens: int) -> Run:
        return run_of(record(subject, capture, ids, tokens)[1])

    return run


def record(
    subject: Subject, capture: CaptureConfig, ids: Sequence[int], tokens: int
) -> tuple[Trace, list[float]]:
    """Write a greedy reply; its trace, and the time of the start and of each token."""
    sampling = SamplingConfig(max_new_tokens=tokens)
    trace = new_trace(subject.loaded, sampling)
    parts: list[Part] = ["question"] * len(ids)
    stamps = [time.perf_counter()]
    for event in generate(subject.loaded, ids, parts, sampling, capture, trace=trace):
        if isinstance(event, Step):
            stamps.append(time.perf_counter())
    return trace, stamps


def theirs(model: Any, recorded: bool) -> Contender:
    """transformers' generate, greedy, with its own fastest attention unless that hides the weights."""

    def run(ids: Sequence[int], tokens: int) -> Run:
        model.set_attn_implementation("eager" if recorded else "sdpa")
        stamps, prompt = _Stamps(), torch.tensor([list(ids)])
        started = time.perf_counter()
        model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=tokens,
            do_sample=False,
            output_attentions=recorded,
            output_hidden_states=recorded,
            return_dict_in_generate=recorded,
            streamer=stamps,
        )
        return run_of([started, *stamps.times[1:]])

    return run


def prepare(subject: Subject) -> dict[str, Contender]:
    """Make all contenders for a model, each ready to run."""
    from transformers import GPT2LMHeadModel

    model: Any = GPT2LMHeadModel.from_pretrained(subject.folder, dtype=torch.float32)
    model.eval()
    for name in ("eos_token_id", "pad_token_id", "bos_token_id"):
        setattr(model.generation_config, name, None)
    return {
        "generate": theirs(model, recorded=False),
        "generate_recorded": theirs(model, recorded=True),
        "engine": ours(subject, CaptureConfig.nothing()),
        "engine_recorded": ours(subject, replace(FULL, lens_top_k=0)),
        "engine_lens": ours(subject, FULL),
    }
