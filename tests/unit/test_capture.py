"""The record: its figures are those of the pass, and its size is bounded in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tutor.config import CaptureConfig, SamplingConfig
from tutor.engine.capture import Budget, all_sites
from tutor.engine.generate import generate, new_trace
from tutor.engine.lens import lens_on_demand
from tutor.model.gpt2 import SITES
from tutor.model.registry import LoadedModel
from tutor.trace import LayerStats, Part, Trace

IDS = [40, 41, 55, 60, 61, 90, 12, 99]
PARTS: list[Part] = ["question"] * len(IDS)


def reply(loaded: LoadedModel, capture: CaptureConfig) -> Trace:
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=10)
    trace = new_trace(loaded, sampling)
    for _ in generate(loaded, IDS, PARTS, sampling, capture, trace=trace):
        pass
    return trace


def test_all_sites_has_every_named_site(ours: LoadedModel) -> None:
    sites = all_sites(ours.model, IDS)
    assert set(sites) == {*SITES, "logits"}
    assert all(len(sites[name]) == ours.config.n_layer for name in SITES)


def assert_stats(stats: LayerStats, sites: dict[str, torch.Tensor], position: int) -> None:
    """Compare with plain definitions on the sites of one whole pass."""

    def at(site: str) -> np.ndarray:
        return sites[site][:, position].double().numpy()

    def norm(values: np.ndarray) -> np.ndarray:
        return np.sqrt((values**2).sum(-1))

    for column, site in enumerate(("resid_pre", "resid_mid", "resid_post")):
        assert stats.resid_norm[:, column] == pytest.approx(norm(at(site)), rel=1e-4)
    assert stats.attn_norm == pytest.approx(norm(at("attn_out")), rel=1e-4)
    assert stats.mlp_norm == pytest.approx(norm(at("mlp_out")), rel=1e-4)
    for column, site in enumerate(("resid_pre", "resid_mid")):
        assert stats.ln_mean[:, column] == pytest.approx(at(site).mean(-1), abs=1e-5)
        assert stats.ln_var[:, column] == pytest.approx(at(site).var(-1), rel=1e-4)
    assert stats.ln_f_mean == pytest.approx(at("resid_post")[-1].mean(), abs=1e-5)
    assert stats.ln_f_var == pytest.approx(at("resid_post")[-1].var(), rel=1e-4)


def test_statistics_are_those_of_the_right_layer_and_position(ours: LoadedModel) -> None:
    """Guards columns swapped between attention and MLP, layers, ln_1 and ln_2, or positions."""
    trace = reply(ours, CaptureConfig())
    sites = all_sites(ours.model, [token.token_id for token in trace.tokens()])
    assert trace.prefill is not None and len(trace.prefill.layers) == len(IDS)
    for position, stats in enumerate(trace.prefill.layers):
        assert_stats(stats, sites, position)
    for step in trace.steps:
        assert_stats(step.layers, sites, len(IDS) + step.index - 1)


def test_residuals_are_those_of_the_right_site(ours: LoadedModel) -> None:
    trace = reply(ours, CaptureConfig())
    sites = all_sites(ours.model, [token.token_id for token in trace.tokens()])
    assert trace.prefill is not None and trace.prefill.resid is not None
    for column, site in enumerate(("resid_pre", "resid_mid", "resid_post")):
        expected = sites[site].numpy()
        found = trace.prefill.resid[:, :, column].swapaxes(0, 1)
        assert np.abs(found - expected[:, : len(IDS)]).max() < 1e-5
        for step in trace.steps:
            assert step.resid is not None
            assert np.abs(step.resid[:, column] - expected[:, len(IDS) + step.index - 1]).max() < 1e-5


def test_lens_rows_are_the_layers_own_distributions(ours: LoadedModel) -> None:
    """Guards ln_f: applied once to every layer's resid_post, and the last row is the output."""
    trace = reply(ours, CaptureConfig(lens_top_k=4))
    for step in trace.steps:
        assert step.resid is not None and step.lens is not None and step.logits is not None
        norm = ours.model.ln_f
        posts = torch.from_numpy(step.resid[:, 2]).double()
        normed = torch.nn.functional.layer_norm(
            posts, posts.shape[1:], norm.gain.double(), norm.bias.double(), norm.eps
        )
        probs = (normed @ ours.model.wte.double().T).softmax(-1)
        assert step.lens.token_ids.shape == (3, 4)
        listed = probs.gather(1, torch.from_numpy(step.lens.token_ids))
        assert step.lens.probs == pytest.approx(listed.numpy(), abs=1e-6)
        assert (listed[:, 0] == probs.max(-1).values).all()
        assert step.lens.chosen_prob == pytest.approx(probs[:, step.token.token_id].numpy(), abs=1e-6)
        assert step.lens.entropy == pytest.approx(-(probs * probs.log()).sum(-1).numpy(), abs=1e-5)
        assert step.lens.texts[0][0] == ours.tokenizer.display(int(step.lens.token_ids[0, 0]))
        assert np.exp(step.logprob) == pytest.approx(step.lens.chosen_prob[-1], abs=1e-6)


def test_lens_on_demand_equals_the_live_lens(ours: LoadedModel) -> None:
    live = reply(ours, CaptureConfig())
    later = reply(ours, CaptureConfig(lens_top_k=0))
    for step, plain in zip(live.steps, later.steps, strict=True):
        assert plain.lens is None and plain.resid is not None and step.lens is not None
        lens = lens_on_demand(ours.model, plain.resid, plain.token.token_id, 5, ours.tokenizer.display)
        assert (lens.token_ids == step.lens.token_ids).all() and lens.texts == step.lens.texts
        assert lens.probs == pytest.approx(step.lens.probs, abs=1e-6)


def recorded_bytes(trace: Trace) -> int:
    assert trace.prefill is not None
    arrays = [trace.prefill.attention, trace.prefill.resid]
    arrays += [a for step in trace.steps for a in (step.attention, step.resid, step.logits)]
    return sum(array.nbytes for array in arrays if array is not None)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_budget_is_kept_and_what_is_missing_is_named(ours: LoadedModel, share: float) -> None:
    """Guards memory on a long reply: never above the budget, and no gap without a name."""
    whole = reply(ours, CaptureConfig())
    budget = int(share * recorded_bytes(whole))
    trace = reply(ours, CaptureConfig(budget_bytes=budget))
    assert recorded_bytes(trace) <= budget
    assert [s.token.token_id for s in trace.steps] == [s.token.token_id for s in whole.steps]
    assert trace.prefill is not None
    missing = {
        "prompt_attention": trace.prefill.attention is None,
        "prompt_residuals": trace.prefill.resid is None,
        "attention": any(step.attention is None for step in trace.steps),
        "residuals": any(step.resid is None for step in trace.steps),
        "logits": any(step.logits is None for step in trace.steps),
    }
    assert set(trace.left_out) == {kind for kind, gone in missing.items() if gone}
    assert trace.left_out and len(trace.left_out) == len(set(trace.left_out))
    if "logits" in trace.left_out and "attention" in trace.left_out:
        assert trace.left_out.index("logits") < trace.left_out.index("attention")
    assert all(step.layers.resid_norm.shape == (3, 3) for step in trace.steps), "statistics always stay"


def test_enough_budget_leaves_nothing_out(ours: LoadedModel) -> None:
    assert reply(ours, CaptureConfig()).left_out == []


def test_budget_drops_a_kind_for_good() -> None:
    """Guards against a kind that comes back for small steps, leaving holes in the middle."""
    budget = Budget(100)
    assert budget.admit({"logits": 30, "attention": 30}) == {"logits", "attention"}
    assert budget.admit({"logits": 30, "attention": 30}) == {"attention"}
    assert budget.admit({"logits": 1, "attention": 5}) == {"attention"}
    assert budget.left_out == ["logits"] and budget.used == 95
    assert Budget(100).admit({"logits": 60}, reserve=50) == set()


def test_prompt_attention_becomes_half_precision_before_it_is_dropped(ours: LoadedModel) -> None:
    """Guards long prompts on larger models, whose float32 patterns alone would fill the budget."""
    exact = reply(ours, CaptureConfig()).prefill
    assert exact is not None and exact.attention is not None and exact.attention.dtype == np.float32
    tight = CaptureConfig(residuals=False, logits=False, budget_bytes=int(exact.attention.nbytes * 1.2))
    half = reply(ours, tight).prefill
    assert half is not None and half.attention is not None and half.attention.dtype == np.float16
    assert np.abs(half.attention.astype(np.float32) - exact.attention).max() < 1e-3


def test_recorded_arrays_are_the_traces_own(ours: LoadedModel) -> None:
    """Guards against views of buffers that the next step overwrites, or that keep the cache alive."""
    trace = reply(ours, CaptureConfig())
    first = trace.steps[1]
    assert first.attention is not None and first.resid is not None and first.logits is not None
    kept = [a.copy() for a in (first.attention, first.resid, first.logits)]
    reply(ours, CaptureConfig())
    for array, before in zip((first.attention, first.resid, first.logits), kept, strict=True):
        assert np.array_equal(array, before) and array.dtype == np.float32
        owner = array if array.base is None else array.base
        assert getattr(owner, "nbytes", array.nbytes) <= array.nbytes
