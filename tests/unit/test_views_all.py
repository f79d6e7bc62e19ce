"""All derived views at once: with other weights, with a gap in the record, with nonsense for a question."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.panels.helpers import leaves, record
from tests.tiny import write_checkpoint
from tests.unit.test_views import PROMPT, SETTINGS, Case, asked, case  # noqa: F401
from tutor.config import CaptureConfig
from tutor.model.registry import LoadedModel, load_model
from tutor.trace import Trace
from tutor.views import NAMES, compute

EVERY: dict[str, dict[str, object]] = {
    "pair": {"step": 3, "layer": 1, "head": 1, "key": 4},
    "heads": {"step": 3, "layer": 1},
    "layernorm": {"step": 3, "layer": 1, "name": "ln_2"},
    "neurons": {"step": 3, "layer": 1},
    "whatif": {"step": 0, "temperature": 0.9},
    "embedding": {"position": 3},
    "lens": {"step": 0, "layer": 1},
    "ranks": {"from": 0, "to": 9},
}
SAME = (  # what the question or the sizes decide, not the weights; and what may agree by chance
    "layer head query key visible d_head by_root by_layer masked scale position name eps by n_neurons step draw "
    "recorded_draw id text piece came came_text token_id n_vocab from to from_record chosen chosen_text kept rank "
    "index active exp gap difference counts again"
).split()


def test_other_weights_change_every_number(tmp_path: Path) -> None:
    """Guards against a figure that does not come from the model: a constant, a sample, a placeholder."""
    assert set(EVERY) == set(NAMES)
    cases = []
    for seed in (1, 2):
        folder = write_checkpoint(tmp_path / str(seed), "ours", seed=seed, n_layer=3)
        loaded = dataclasses.replace(load_model(str(folder), device="cpu"), name="tiny")
        trace = record(loaded, PROMPT, SETTINGS)
        cases.append((loaded, trace, None))
    for name, params in EVERY.items():
        left, right = (dict(leaves(asked(one, name, **params))) for one in cases)
        known = [path for path in left if path in right and path.rsplit(".", 1)[-1].split("[")[0] not in SAME]
        equal = [path for path in known if left[path] == right[path]]
        if name in ("lens", "ranks"):  # ranks are whole numbers, of which a few may agree
            assert len(equal) < len(known) / 4
        else:
            assert known and equal == [], name


def test_what_a_record_lacks_is_computed_again_and_said_so(case: Case) -> None:  # noqa: F811
    """Guards against a made-up answer where the record has a gap, and against one that hides the gap."""
    loaded, trace, _ = case
    bare = record(loaded, PROMPT, SETTINGS, CaptureConfig(residuals=False, logits=False))
    for name, params in EVERY.items():
        query = {key: str(value) for key, value in params.items()}
        again, whole = (dict(leaves(compute(name, loaded, which, query))) for which in (bare, trace))
        assert not whole.get(".again")
        if name == "embedding":
            assert again[".gap"] is None and not again.get(".again")
            continue
        assert again[".again"] is True
        for path, value in whole.items():
            if isinstance(value, float) and path.rsplit(".", 1)[-1] not in ("gap", "difference"):
                assert again[path] == pytest.approx(value, rel=1e-3, abs=1e-4), (name, path)
    halves = dataclasses.replace(
        trace, steps=[dataclasses.replace(step, logits=None) for step in trace.steps]
    )
    assert compute("whatif", loaded, halves, {"step": "2"})["again"] is True


def test_what_cannot_be_computed_again_is_named(ours: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against a pass that takes the memory which the budget was to save, or that disturbs a live reply."""
    bare = record(ours, PROMPT, SETTINGS, CaptureConfig(residuals=False, logits=False))
    bare.finish = None
    assert compute("neurons", ours, bare, {"step": "2"}) == {"left_out": "residuals"}
    bare.finish = "length"
    monkeypatch.setattr("tutor.views.again.LIMIT", 1000)
    assert compute("pair", ours, bare, {"step": "2"}) == {"left_out": "residuals"}


@pytest.mark.parametrize(
    ("name", "params", "error"),
    [
        ("no_such_view", {}, KeyError),
        ("source", {}, KeyError),
        ("pair", {"step": "99"}, IndexError),
        ("pair", {"step": "3", "layer": "9"}, IndexError),
        ("pair", {"step": "3", "head": "-1"}, IndexError),
        ("pair", {"step": "3", "key": "99"}, IndexError),
        ("pair", {"step": "x"}, ValueError),
        ("pair", {}, ValueError),
        ("neurons", {"step": "1", "by": "luck"}, KeyError),
        ("layernorm", {"step": "1", "name": "ln_9"}, KeyError),
        ("whatif", {"step": "1", "temperature": "nan"}, ValueError),
        ("whatif", {"step": "1", "temperature": "-1"}, ValueError),
        ("whatif", {"step": "1", "top_p": "0"}, ValueError),
        ("whatif", {"step": "1", "draw": "1"}, ValueError),
        ("embedding", {"position": "1000"}, IndexError),
    ],
)
def test_nonsense_is_refused(
    ours: LoadedModel, recorded_trace: Trace, name: str, params: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        compute(name, ours, recorded_trace, params)


def test_a_record_of_another_model_is_refused(
    ours: LoadedModel, bpe: LoadedModel, recorded_trace: Trace
) -> None:
    """Guards against numbers of one model computed with the weights of another."""
    with pytest.raises(KeyError):
        compute("pair", bpe, recorded_trace, {"step": "1"})
    assert compute("neurons", ours, recorded_trace, {"step": "1", "count": "0"})["neurons"]
