"""What the browser is sent equals what was recorded, to the last bit, and stays small."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.panels.helpers import leaves, record
from tests.tiny import write_checkpoint
from tutor.config import CaptureConfig, SamplingConfig
from tutor.model.registry import LoadedModel, load_model
from tutor.panels import payload
from tutor.panels.codec import pack_f32, sse, unpack_f32
from tutor.trace import Trace

PLAIN = SamplingConfig(temperature=1.0, seed=5, max_new_tokens=6)


def sent(value: object) -> object:
    """The value after its way through strict JSON."""
    return json.loads(json.dumps(value, allow_nan=False))


def test_every_number_of_a_step_arrives_unchanged(recorded_trace: Trace) -> None:
    """Guards against rounding on the way: a figure rounded once can't be checked by a student."""
    for step in recorded_trace.steps:
        got = sent(payload.step_record(recorded_trace, step.index))
        assert isinstance(got, dict)
        for name in ("logprob", "entropy", "draw"):
            assert got[name] == getattr(step, name)
        assert got["discarded"] == step.discarded_mass
        assert [(c["id"], c["logit"], c["raw"], c["tempered"], c["prob"]) for c in got["candidates"]] == [
            (c.token_id, c.logit, c.prob_raw, c.prob_tempered, c.prob) for c in step.candidates
        ]
        layers = step.layers
        for key, array in (
            ("resid", layers.resid_norm),
            ("attn", layers.attn_norm),
            ("mlp", layers.mlp_norm),
        ):
            assert np.array_equal(unpack_f32(got["layers"][key]), array.astype(np.float32).ravel())
        for key, array in (("ln_mean", layers.ln_mean), ("ln_var", layers.ln_var)):
            assert np.array_equal(unpack_f32(got["layers"][key]), array.astype(np.float32).ravel())
        assert got["layers"]["ln_f"] == [layers.ln_f_mean, layers.ln_f_var]
        assert step.lens is not None
        assert got["lens"]["ids"] == step.lens.token_ids.tolist()
        assert got["lens"]["texts"] == step.lens.texts
        assert np.array_equal(unpack_f32(got["lens"]["probs"]), step.lens.probs.astype(np.float32).ravel())
        assert np.array_equal(unpack_f32(got["lens"]["chosen"]), step.lens.chosen_prob.astype(np.float32))


def test_packed_floats_keep_every_bit_and_their_order() -> None:
    """Guards against a transposed or byte-swapped array: [2, 3] in Fortran order must come out row by row."""
    values = np.asfortranarray(np.array([[0.1, -2.5, 1e-38], [3e38, 7.0, -0.0]], dtype=np.float32))
    assert np.array_equal(unpack_f32(pack_f32(values)).view(np.uint32), values.ravel().view(np.uint32))
    assert unpack_f32(pack_f32(np.float16(0.1))).tolist() == [float(np.float16(0.1))]


@pytest.mark.parametrize("kind", ["bpe", "ours", "rinna"])
def test_tokens_carry_their_exact_bytes(kind: str, request: pytest.FixtureRequest) -> None:
    """Guards against text rebuilt from display signs: every id of each vocabulary gives its bytes back."""
    tokenizer = request.getfixturevalue(kind).tokenizer
    parts_of_characters = 0
    for token_id in range(tokenizer.n_vocab):
        info = tokenizer.make_info(0, token_id, "reply")
        got = payload.token(info)
        parts_of_characters += "hex" in got
        text = bytes.fromhex(str(got["hex"])) if "hex" in got else str(got.get("raw", got["text"])).encode()
        assert text == info.token_bytes or got.get("special")
        assert bool(got.get("special")) == info.special
    assert (parts_of_characters > 0) == (kind != "rinna")  # that vocabulary has whole characters only


def test_prefill_names_the_parts_of_the_prompt(recorded_trace: Trace, ours: LoadedModel) -> None:
    """Guards against a part that is cut off or counted twice when tokens of one part are split."""
    trace = record(ours, list(range(20, 31)), PLAIN)
    got = payload.prefill(trace, draft=2)
    assert got["parts"] == [{"part": "note", "from": 0, "to": 5}, {"part": "question", "from": 5, "to": 11}]
    assert got["draft"] == 2
    assert trace.prefill is not None
    numbers = unpack_f32(str(got["logprobs"]))
    assert np.isnan(numbers[0]) and np.array_equal(numbers[1:], trace.prefill.logprobs[1:].astype(np.float32))
    assert got["model"] == {
        "name": "tiny-ours",
        "device": "cpu",
        **{
            name: getattr(ours.config, name)
            for name in ("n_layer", "n_head", "n_embd", "n_vocab", "n_positions")
        },
    }


def test_prompt_positions_have_their_own_statistics(recorded_trace: Trace) -> None:
    """Guards against an off-by-one between a prompt token and the pass at its position."""
    assert recorded_trace.prefill is not None
    for position, stats in enumerate(recorded_trace.prefill.layers):
        got = payload.position_record(recorded_trace, position)["layers"]
        assert isinstance(got, dict)
        assert np.array_equal(unpack_f32(got["attn"]), stats.attn_norm.astype(np.float32))
    with pytest.raises(IndexError):
        payload.position_record(recorded_trace, recorded_trace.prompt_length)


def test_the_drawn_token_is_always_among_the_candidates_sent(ours: LoadedModel) -> None:
    """Guards against a reply token without its row: at temperature 5 it's often far down the list."""
    trace = record(ours, [30, 31], SamplingConfig(temperature=5.0, seed=1, max_new_tokens=30))
    appended = 0
    for step in trace.steps:
        got = payload.step(step)
        items = got["candidates"]
        assert isinstance(items, list)
        assert sum(item["id"] == step.token.token_id for item in items) == 1
        assert len(items) + int(str(got["more"])) == len(step.candidates)
        appended += len(items) > payload.LIVE_CANDIDATES
    assert appended > 0, "the case did not occur; raise the temperature"


def test_left_out_records_are_named_not_invented(ours: LoadedModel) -> None:
    """Guards against zeros shown as if they had been measured when the record was dropped."""
    lean = CaptureConfig(attention=False, residuals=False, logits=False, lens_top_k=0)
    trace = record(ours, [30, 31, 32], PLAIN, lean)
    got = payload.step_record(trace, 1)
    assert (got["pooled"], got["lens"], got["has_logits"], got["has_resid"]) == (None, None, False, False)
    assert payload.attention_grid(trace)["data"] is None
    assert payload.attention_rows(trace, 0, 0)["data"] is None
    assert payload.prefill(trace)["has_attention"] is False


def test_nothing_can_be_asked_before_the_prompt_was_read(recorded_trace: Trace) -> None:
    """Guards against an answer about an empty record that looks like a real one."""
    empty = dataclasses.replace(recorded_trace, prefill=None, steps=[])
    for ask in (payload.prefill, payload.attention_grid):
        with pytest.raises(ValueError):
            ask(empty)
    with pytest.raises(ValueError):
        payload.attention_rows(empty, 0, 0)
    with pytest.raises(IndexError):
        payload.step_record(empty, 0)


def test_step_of_gpt2_small_shape_stays_under_12_kb(tmp_path: Path) -> None:
    """Guards the live budget at 12 layers, 12 heads, more than 300 tokens, 20 candidates, 5 lens words."""
    sizes = {"n_layer": 12, "n_head": 12, "n_embd": 48, "n_positions": 512}
    loaded = load_model(str(write_checkpoint(tmp_path / "small-shape", "bpe", **sizes)), device="cpu")
    ids = [i % loaded.config.n_vocab for i in range(300)]
    capture = CaptureConfig(lens_top_k=5, candidates=20)
    trace = record(loaded, ids, SamplingConfig(temperature=1.0, max_new_tokens=90), capture)
    assert len(trace.steps) > 80
    for step in trace.steps:
        text = json.dumps(payload.step(step), ensure_ascii=False, separators=(",", ":"))
        assert len(sse("step", text, 100_000).encode()) < 12_000


def test_other_weights_change_every_measured_number(tmp_path: Path) -> None:
    """Guards against placeholder or random display data: what does not depend on the weights is no measurement."""
    models = [
        load_model(str(write_checkpoint(tmp_path / f"m{seed}", "ours", seed=seed)), device="cpu")
        for seed in (1, 2)
    ]
    ids = [9, 30, 31, 40, 41, 33]
    first, second = (numbers(record(loaded, ids, PLAIN)) for loaded in models)
    assert first.keys() == second.keys() and len(first) > 60
    same = [name for name in first if first[name] == second[name]]
    assert same == []


def numbers(trace: Trace) -> dict[str, float]:
    """Every measured figure of the first step and the prompt, by path; arrays are spread out."""
    prompt, step = payload.prefill(trace), payload.step_record(trace, 0)
    shown: dict[str, object] = {"logprobs": unpack_f32(str(prompt["logprobs"]))[1:].tolist()}
    for name in ("logprob", "entropy", "layers", "lens"):
        shown[name] = step[name]
    candidates = step["candidates"]
    assert isinstance(candidates, list)
    shown["candidates"] = [{k: c[k] for k in ("logit", "raw", "tempered", "prob")} for c in candidates]
    shown["rows"] = [
        payload.attention_rows(trace, layer, head, 1)["data"] for layer in range(2) for head in (-1, 0, 1)
    ]
    out: dict[str, float] = {}
    for path, value in leaves(shown):
        if isinstance(value, str) and ".texts" not in path:
            out |= {f"{path}[{i}]": float(x) for i, x in enumerate(unpack_f32(value))}
        elif isinstance(value, float):
            out[path] = value
    return out
