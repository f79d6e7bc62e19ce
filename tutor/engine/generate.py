"""A reply, token by token: one prefill, then cached decode steps, each recorded as it happens.

It knows ids, a model and settings; it knows nothing of languages, personas or pages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor

from tutor.config import CaptureConfig, SamplingConfig
from tutor.engine import sampling as sampler
from tutor.engine.capture import (
    Budget,
    PromptRecorder,
    StepRecorder,
    Stopped,
    no_stats,
    resid_of,
    resid_posts,
    stats_of,
    to_numpy,
)
from tutor.engine.lens import read_lens
from tutor.errors import QuestionError
from tutor.model.place import memory_guard
from tutor.model.registry import LoadedModel
from tutor.trace import FinishReason, Floats, Part, Prefill, Step, Trace

EVERYTHING = CaptureConfig()
_CHUNK = 64  # prompt positions whose full logits are held at once


def new_trace(loaded: LoadedModel, sampling: SamplingConfig) -> Trace:
    """Start an empty record for a reply by this model."""
    config = loaded.config
    return Trace(
        model_name=loaded.name,
        device=loaded.device,
        n_layer=config.n_layer,
        n_head=config.n_head,
        n_embd=config.n_embd,
        n_vocab=config.n_vocab,
        n_positions=config.n_positions,
        sampling=asdict(sampling),
    )


def generate(
    loaded: LoadedModel,
    prompt_ids: Sequence[int],
    parts: Sequence[Part],
    sampling: SamplingConfig,
    capture: CaptureConfig = EVERYTHING,
    *,
    stop: threading.Event | None = None,
    dropped_turns: int = 0,
    trace: Trace | None = None,
) -> Iterator[Prefill | Step]:
    """Write a reply and yield the record of each step as soon as it exists.

    Args:
        loaded: The model.
        prompt_ids: The prompt, at least one token and fewer than n_positions.
        parts: For each prompt token, the part of the prompt it belongs to.
        sampling: How tokens are chosen; the same settings and seed give the same reply.
        capture: What is recorded, within which budget.
        stop: Set it to end the reply; what was written stays.
        dropped_turns: For the record: turns of the conversation that the prompt leaves out.
        trace: Grows as the reply does; make one with `new_trace`. `trace.finish` says why it ended.

    Yields:
        One Prefill, then one Step per reply token; the end-of-text token is a Step too.

    Raises:
        QuestionError: The prompt is empty, longer than the context, or has unknown ids.
        OutOfMemory: The device has no room for this reply.
    """
    trace = new_trace(loaded, sampling) if trace is None else trace
    try:
        _check_prompt(loaded, prompt_ids, parts)
        with memory_guard("this reply", loaded.device):
            reply = _Reply(loaded, list(prompt_ids), sampling, capture, trace)
            yield from reply.run(parts, stop, dropped_turns)
    except GeneratorExit:
        trace.finish = trace.finish or "stopped"
        raise
    except BaseException:
        trace.finish = "error"
        raise


def _check_prompt(loaded: LoadedModel, ids: Sequence[int], parts: Sequence[Part]) -> None:
    if len(ids) != len(parts):
        raise ValueError(f"{len(ids)} prompt ids, but {len(parts)} parts")
    if not ids:
        raise QuestionError("The prompt is empty; ask something.", key="prompt_empty")
    longest = loaded.config.n_positions - 1
    if len(ids) > longest:
        raise QuestionError(
            f"The prompt has {len(ids)} tokens; {loaded.name} reads at most {longest}. Shorten the question.",
            key="prompt_too_long",
            tokens=len(ids),
            limit=longest,
        )
    unknown = [i for i in ids if not 0 <= i < loaded.config.n_vocab]
    if unknown:
        raise QuestionError(
            f"The tokenizer gave id {unknown[0]}, but the model knows {loaded.config.n_vocab} tokens only. "
            "Use the tokenizer that belongs to this checkpoint.",
            key="prompt_unknown_id",
            token_id=unknown[0],
            limit=loaded.config.n_vocab,
        )


@dataclass(frozen=True)
class _Pass:
    """One pass through the layers, as the next token needs it."""

    resid: Tensor  # [1, d], the last position's resid_post
    recorder: StepRecorder
    kinds: set[str]  # what the budget admitted


class _Reply:
    """The state of one reply under way."""

    def __init__(
        self,
        loaded: LoadedModel,
        prompt_ids: list[int],
        sampling: SamplingConfig,
        capture: CaptureConfig,
        trace: Trace,
    ) -> None:
        self.loaded = loaded
        self.model = loaded.model
        self.sampling = sampling
        self.capture = capture
        self.trace = trace
        self.prompt = prompt_ids
        self.reply: list[int] = []
        self.budget = Budget(capture.budget_bytes, trace.left_out)
        self.random = torch.Generator().manual_seed(sampling.seed)
        room = min(len(prompt_ids) + sampling.max_new_tokens, loaded.config.n_positions)
        self.cache = self.model.new_cache(room)

    def run(
        self, parts: Sequence[Part], stop: threading.Event | None, dropped_turns: int
    ) -> Iterator[Prefill | Step]:
        """Prefill, then steps until there is a reason to end."""
        stop = stop or threading.Event()
        try:
            prefill, first = self._prefill(parts, stop, dropped_turns)
        except Stopped:
            self.trace.finish = "stopped"
            return
        self.trace.prefill = prefill
        yield prefill
        while self.trace.finish is None:
            if stop.is_set():
                self.trace.finish = "stopped"
                return
            started = time.perf_counter()
            seen = first if not self.reply else self._decode()
            step = self._step(seen, started)
            self.trace.steps.append(step)
            self.trace.finish = self._finished(step)
            yield step

    def _finished(self, step: Step) -> FinishReason | None:
        if step.token.token_id == self.loaded.tokenizer.eos_token_id:
            return "end"
        if len(self.reply) >= self.sampling.max_new_tokens:
            return "length"
        if len(self.prompt) + len(self.reply) >= self.loaded.config.n_positions:
            return "context"
        return None

    def _forward(self, ids: list[int], start: int, record: StepRecorder | PromptRecorder) -> Tensor:
        tokens = torch.tensor(ids, device=self.loaded.device)
        return self.model.forward(tokens, self.cache, start, record)

    def _prefill(
        self, parts: Sequence[Part], stop: threading.Event, dropped_turns: int
    ) -> tuple[Prefill, _Pass]:
        """Send the whole prompt through the model; its record, and what its last position met."""
        started = time.perf_counter()
        prompt_kinds, half = self._admit_prompt()
        kinds, last = self._recorder(len(self.prompt))
        recorder = PromptRecorder(
            self.loaded.config, len(self.prompt), self.capture, prompt_kinds, half, last, stop
        )
        resid = self._forward(self.prompt, 0, recorder)  # [P, d]
        prefill = Prefill(
            tokens=list(map(self.loaded.tokenizer.make_info, count(), self.prompt, parts)),
            attention=recorder.attention,
            resid=recorder.resid,
            logprobs=self._prompt_logprobs(resid, stop),
            layers=recorder.stats(),
            seconds=time.perf_counter() - started,
            dropped_turns=dropped_turns,
        )
        return prefill, _Pass(resid[-1:], last, kinds)

    def _decode(self) -> _Pass:
        """Send the newest token through the model."""
        seen = len(self.prompt) + len(self.reply)
        kinds, recorder = self._recorder(seen)
        return _Pass(self._forward(self.reply[-1:], seen - 1, recorder), recorder, kinds)

    def _prompt_logprobs(self, resid: Tensor, stop: threading.Event) -> Floats:
        """log-probability of each prompt token given those before it, [P]; nan at 0."""
        found = np.full(len(self.prompt), np.nan, dtype=np.float32)
        if not self.capture.prompt_logprobs:
            return found
        following = torch.tensor(self.prompt[1:], device=resid.device)
        for begin in range(0, len(following), _CHUNK):
            if stop.is_set():
                raise Stopped
            logits = self.model.unembed(resid[begin : begin + _CHUNK][: len(following) - begin]).float()
            wanted = following[begin : begin + _CHUNK, None]
            logprobs = logits.gather(1, wanted)[:, 0] - logits.logsumexp(dim=1)
            found[begin + 1 : begin + 1 + len(logprobs)] = to_numpy(logprobs)
        return found

    def _step(self, seen: _Pass, started: float) -> Step:
        """Choose the next token from the last position's stream, and record how."""
        capture, tokenizer = self.capture, self.loaded.tokenizer
        rows = seen.recorder.rows()
        lens_on = rows is not None and capture.lens_top_k > 0
        readings = self.model.unembed(resid_posts(rows) if rows is not None and lens_on else seen.resid)
        logits = to_numpy(readings[-1])
        dist = sampler.distribution(logits, self.reply, self.sampling)
        draw, chosen = self._draw(dist)
        stream = None if rows is None else to_numpy(rows)
        self.reply.append(chosen)
        return Step(
            index=len(self.reply) - 1,
            token=tokenizer.make_info(len(self.prompt) + len(self.reply) - 1, chosen, "reply"),
            logprob=dist.logprob(chosen),
            entropy=dist.entropy,
            discarded_mass=dist.discarded_mass,
            draw=draw,
            candidates=sampler.candidates(dist, chosen, capture.candidates, tokenizer.display),
            layers=stats_of(stream) if stream is not None and capture.stats else no_stats(),
            lens=read_lens(readings, chosen, capture.lens_top_k, tokenizer.display) if lens_on else None,
            attention=seen.recorder.attention() if "attention" in seen.kinds else None,
            resid=resid_of(stream) if stream is not None and "residuals" in seen.kinds else None,
            logits=logits.copy() if "logits" in seen.kinds else None,
            seconds=time.perf_counter() - started,
        )

    def _draw(self, dist: sampler.Distribution) -> tuple[float | None, int]:
        """The random number used and the token it falls on; greedy needs no number."""
        if self.sampling.temperature == 0:
            return None, sampler.choose(dist, 0.0)
        draw = float(torch.rand((), dtype=torch.float64, generator=self.random))
        return draw, sampler.choose(dist, draw)

    def _recorder(self, seen: int) -> tuple[set[str], StepRecorder]:
        """What the budget lets the next step record, with `seen` tokens known, and a recorder for it."""
        capture = self.capture
        kinds = self.budget.admit(self._step_sizes(seen))
        stream = capture.stats or capture.lens_top_k > 0 or "residuals" in kinds
        return kinds, StepRecorder(stream, "attention" in kinds)

    def _step_sizes(self, seen: int) -> dict[str, int]:
        """Bytes that one step records, the most dispensable kind first."""
        config, capture = self.loaded.config, self.capture
        sizes = {
            "logits": capture.logits * 4 * config.n_vocab,
            "residuals": capture.residuals * 4 * config.n_layer * 3 * config.n_embd,
            "attention": capture.attention * 4 * config.n_layer * config.n_head * seen,
        }
        return {kind: size for kind, size in sizes.items() if size}

    def _admit_prompt(self) -> tuple[set[str], bool]:
        """Ask the budget for the prompt's record, and whether its attention must be float16.

        A quarter of the budget, or less if the reply cannot need that much, is kept for the reply.
        """
        config, tokens = self.loaded.config, len(self.prompt)
        whole_reply = sum(self._step_sizes(self.cache.length).values()) * self.sampling.max_new_tokens
        reserve = min(whole_reply, self.budget.limit // 4)
        weights = config.n_layer * config.n_head * tokens * tokens
        half = 4 * weights > self.budget.limit // 2
        sizes = {
            "prompt_residuals": self.capture.residuals * 4 * tokens * config.n_layer * 3 * config.n_embd,
            "prompt_attention": self.capture.attention * (2 if half else 4) * weights,
        }
        return self.budget.admit({kind: size for kind, size in sizes.items() if size}, reserve), half
