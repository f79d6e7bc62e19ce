"""A reply as a whole: why it ends, what it yields, that it stops, and that a seed repeats it."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
import torch

from tutor.config import CaptureConfig, SamplingConfig
from tutor.engine.generate import generate, new_trace
from tutor.errors import ModelError, QuestionError
from tutor.model.gpt2 import GPT2, Unembedding
from tutor.model.registry import LoadedModel
from tutor.trace import Part, Prefill, Step, Trace

IDS = [40, 41, 55, 60, 61, 90]
PARTS: list[Part] = ["question"] * len(IDS)


def reply(loaded: LoadedModel, capture: CaptureConfig | None = None, **settings: Any) -> Trace:
    sampling = SamplingConfig(**({"temperature": 1.0, "max_new_tokens": 10} | settings))
    trace = new_trace(loaded, sampling)
    for _ in generate(loaded, IDS, PARTS, sampling, capture or CaptureConfig(), trace=trace):
        pass
    return trace


def ids_of(trace: Trace) -> list[int]:
    return [step.token.token_id for step in trace.steps]


def with_eos(loaded: LoadedModel, token_id: int | None) -> LoadedModel:
    """The same model with another end token."""
    tokenizer = type(loaded.tokenizer)(loaded.tokenizer.vocabulary, token_id)
    return dataclasses.replace(loaded, tokenizer=tokenizer)


def test_events_and_trace_are_the_same_things(ours: LoadedModel) -> None:
    """Guards the live page: each event is in the trace when it is yielded, not before, not twice."""
    sampling = SamplingConfig(max_new_tokens=3)
    trace = new_trace(ours, sampling)
    stream = generate(ours, IDS, PARTS, sampling, trace=trace, dropped_turns=2)
    first = next(stream)
    assert isinstance(first, Prefill) and trace.prefill is first and trace.steps == []
    assert first.dropped_turns == 2 and [t.part for t in first.tokens] == PARTS
    for index in range(3):
        step = next(stream)
        assert isinstance(step, Step) and step is trace.steps[-1] and len(trace.steps) == index + 1
        assert (step.index, step.token.position, step.token.part) == (index, len(IDS) + index, "reply")
        assert step.seconds > 0
    assert next(stream, None) is None


def test_ends_at_the_length(ours: LoadedModel) -> None:
    trace = reply(with_eos(ours, None), max_new_tokens=7)
    assert (len(trace.steps), trace.finish) == (7, "length")


def test_ends_with_the_end_token_and_keeps_it(ours: LoadedModel) -> None:
    """Guards the end: the token is a step, nothing follows it, and it has no text."""
    drawn = ids_of(reply(with_eos(ours, None), seed=4))
    end = next(token for i, token in enumerate(drawn) if i >= 3 and token not in drawn[:i])
    trace = reply(with_eos(ours, end), seed=4)
    assert ids_of(trace) == drawn[: drawn.index(end) + 1] and trace.finish == "end"


def test_ends_at_the_context_without_an_index_error(ours: LoadedModel) -> None:
    """Guards the last position: one more would be an index error inside the model."""
    trace = reply(with_eos(ours, None), max_new_tokens=1000)
    assert trace.finish == "context" and len(trace.tokens()) == ours.config.n_positions


def test_the_longest_prompt_leaves_room_for_one_token(ours: LoadedModel) -> None:
    longest = ours.config.n_positions - 1
    sampling = SamplingConfig()
    trace = new_trace(ours, sampling)
    for _ in generate(ours, [5] * longest, ["question"] * longest, sampling, trace=trace):
        pass
    assert len(trace.steps) == 1 and trace.finish in ("context", "end")
    with pytest.raises(QuestionError) as caught:
        next(iter(generate(ours, [5] * (longest + 1), ["question"] * (longest + 1), sampling)))
    assert caught.value.key == "prompt_too_long" and caught.value.values["limit"] == longest


@pytest.mark.parametrize(
    "ids, key", [([], "prompt_empty"), ([1, 10**6], "prompt_unknown_id"), ([-1], "prompt_unknown_id")]
)
def test_impossible_prompts_are_refused(ours: LoadedModel, ids: list[int], key: str) -> None:
    trace = new_trace(ours, SamplingConfig())
    with pytest.raises(QuestionError) as caught:
        list(generate(ours, ids, ["question"] * len(ids), SamplingConfig(), trace=trace))
    assert caught.value.key == key and trace.finish == "error"


def test_stop_ends_at_once_and_keeps_the_reply(ours: LoadedModel) -> None:
    stop = threading.Event()
    sampling = SamplingConfig(temperature=1, max_new_tokens=30)
    trace = new_trace(ours, sampling)
    for event in generate(with_eos(ours, None), IDS, PARTS, sampling, stop=stop, trace=trace):
        if isinstance(event, Step) and event.index == 3:
            stop.set()
    assert len(trace.steps) == 4 and trace.finish == "stopped"


def test_stop_before_and_within_the_prefill(ours: LoadedModel) -> None:
    """Guards a long prompt on a large model: Stop must not wait for the whole prefill."""
    stop = threading.Event()
    stop.set()
    trace = new_trace(ours, SamplingConfig())
    assert list(generate(ours, IDS, PARTS, SamplingConfig(), stop=stop, trace=trace)) == []
    assert trace.finish == "stopped" and trace.prefill is None

    class Late(threading.Event):
        """Set once it has been asked five times: in the middle of the first layer."""

        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > 5

    late, trace = Late(), new_trace(ours, SamplingConfig())
    assert list(generate(ours, IDS, PARTS, SamplingConfig(), stop=late, trace=trace)) == []
    assert trace.finish == "stopped" and late.asked < 10


def test_a_closed_generator_counts_as_stopped(ours: LoadedModel) -> None:
    sampling = SamplingConfig(max_new_tokens=9)
    trace = new_trace(ours, sampling)
    stream: Any = generate(ours, IDS, PARTS, sampling, trace=trace)
    next(stream), next(stream)
    stream.close()
    assert trace.finish == "stopped" and len(trace.steps) == 1


def test_an_exception_is_named_in_the_trace(ours: LoadedModel) -> None:
    """Guards a dead reply: whoever watches the trace must learn that nothing more will come."""
    nan = Unembedding(ours.model.unembedding.weight * float("nan"))
    broken = dataclasses.replace(ours.model, unembedding=nan)
    sampling = SamplingConfig()
    trace = new_trace(ours, sampling)
    with np.errstate(all="ignore"), pytest.raises(ModelError):
        list(generate(dataclasses.replace(ours, model=broken), IDS, PARTS, sampling, trace=trace))
    assert trace.finish == "error"


def test_same_seed_same_reply_and_other_seeds_differ(ours: LoadedModel) -> None:
    """Guards the seed: 20 seeds on a near-uniform 400-token vocabulary cannot all agree by luck."""
    assert ids_of(reply(ours, seed=11)) == ids_of(reply(ours, seed=11))
    assert [s.draw for s in reply(ours, seed=11).steps] == [s.draw for s in reply(ours, seed=11).steps]
    assert len({tuple(ids_of(reply(ours, seed=seed))) for seed in range(20)}) > 15


def test_the_seed_is_the_replys_own(ours: LoadedModel) -> None:
    """Guards several students at once: other draws from the global generator change nothing."""
    before = ids_of(reply(ours, seed=5))
    torch.manual_seed(999)
    torch.rand(10)
    assert ids_of(reply(ours, seed=5)) == before


def test_replies_in_parallel_do_not_mix(ours: LoadedModel) -> None:
    """Guards the shared model: two replies interleaved step by step equal the same two in turn."""
    alone = [ids_of(reply(ours, seed=seed)) for seed in (1, 2)]
    settings = [SamplingConfig(temperature=1.0, max_new_tokens=10, seed=seed) for seed in (1, 2)]
    traces = [new_trace(ours, s) for s in settings]
    streams = [generate(ours, IDS, PARTS, s, trace=trace) for s, trace in zip(settings, traces, strict=True)]
    while [event for stream in streams if (event := next(stream, None))]:
        pass
    assert [ids_of(trace) for trace in traces] == alone


def test_what_is_recorded_does_not_change_the_reply(ours: LoadedModel) -> None:
    full, bare = reply(ours, seed=8), reply(ours, CaptureConfig.nothing(), seed=8)
    assert ids_of(full) == ids_of(bare)
    step = bare.steps[4]
    assert step.attention is None and step.resid is None and step.logits is None and step.lens is None
    assert step.layers.resid_norm.shape == (0, 3) and bare.left_out == []
    assert step.logprob == pytest.approx(full.steps[4].logprob, abs=1e-5)


def test_repetition_penalty_sees_the_reply_only(ours: LoadedModel) -> None:
    """Guards the student's words: a token of the prompt is not penalised before Aura used it."""
    trace = reply(ours, repetition_penalty=2.0, max_new_tokens=6)
    first = trace.steps[0]
    assert first.logits is not None
    plain = reply(ours, max_new_tokens=1).steps[0]
    assert [c.prob_tempered for c in first.candidates] == [c.prob_tempered for c in plain.candidates]
    used = {step.token.token_id for step in trace.steps[:-1]}
    for candidate in trace.steps[-1].candidates:
        raised = candidate.prob_tempered > candidate.prob_raw
        if candidate.token_id in used and candidate.logit > 0:
            assert not raised


def test_prompt_logprobs_equal_one_plain_pass(ours: LoadedModel) -> None:
    """Guards the surprise tint: token i is judged by the logits at i - 1, in chunks or not."""
    ids = (IDS * 8)[:47]
    stream = generate(ours, ids, ["question"] * len(ids), SamplingConfig(max_new_tokens=1))
    prefill = next(iter(stream))
    assert isinstance(prefill, Prefill) and np.isnan(prefill.logprobs[0])
    model: GPT2 = ours.model
    logits = model.unembed(model.forward(torch.tensor(ids)))
    expected = logits.log_softmax(-1)[torch.arange(46), torch.tensor(ids[1:])]
    assert prefill.logprobs[1:] == pytest.approx(expected.numpy(), abs=1e-5)


def test_prompt_logprobs_over_several_chunks(ours: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the seams: the same figures whatever the chunk length."""
    from tutor.engine import generate as module

    found = []
    for chunk in (64, 5, 1):
        monkeypatch.setattr(module, "_CHUNK", chunk)
        prefill = next(iter(generate(ours, IDS * 2, PARTS * 2, SamplingConfig())))
        assert isinstance(prefill, Prefill)
        found.append(prefill.logprobs[1:])
    assert found[1] == pytest.approx(found[0], abs=1e-5) and found[2] == pytest.approx(found[0], abs=1e-5)


def test_new_trace_says_what_ran(ours: LoadedModel) -> None:
    trace = new_trace(ours, SamplingConfig(seed=9))
    assert (trace.model_name, trace.device, trace.n_vocab) == ("tiny-ours", "cpu", ours.config.n_vocab)
    assert trace.sampling["seed"] == 9 and trace.finish is None and trace.prompt_length == 0
