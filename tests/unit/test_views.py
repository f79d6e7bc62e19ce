"""The derived views: their numbers are those of transformers' GPT-2 (eager), and none is made up."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.panels.helpers import record
from tests.parity.test_transformers import reference, watched
from tests.tiny import write_checkpoint
from tutor.config import CaptureConfig, SamplingConfig
from tutor.engine.sampling import distribution
from tutor.model.registry import LoadedModel, load_model
from tutor.panels.codec import unpack_f32
from tutor.trace import Trace
from tutor.views import compute
from tutor.views.effect import direct_effect, effect_on, final_scale
from tutor.views.heads import head_parts
from tutor.views.lens import read_layers
from tutor.views.neurons import neurons_at
from tutor.views.pair import pair_sum

SETTINGS = SamplingConfig(
    temperature=1.1, top_k=60, top_p=0.95, repetition_penalty=1.2, seed=5, max_new_tokens=9
)
PROMPT = list(range(20, 34))
LIMIT = 2e-5
Case = tuple[LoadedModel, Trace, Any]
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"n_layer": 3},
    "unscaled": {"scale_attn_weights": False},
    "by layer": {"scale_attn_by_inverse_layer_idx": True, "n_layer": 3},
    "untied, relu, four heads": {"tie_word_embeddings": False, "activation_function": "relu", "n_head": 4},
}


@pytest.fixture(scope="module", params=list(VARIANTS))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A model, a reply of it with everything recorded, and transformers' values for the same tokens."""
    folder = write_checkpoint(
        tmp_path_factory.mktemp("views") / "tiny", "ours", seed=3, **VARIANTS[request.param]
    )
    loaded = load_model(str(folder), device="cpu")
    trace = record(loaded, PROMPT, SETTINGS)
    ids = [token.token_id for token in trace.tokens()[:-1]]
    return loaded, trace, watched(reference(folder), ids)


def asked(case: Case, name: str, /, **params: object) -> Any:
    """A view's answer after a round through JSON, which must not lose or refuse anything."""
    found = compute(name, case[0], case[1], {key: str(value) for key, value in params.items()})
    return json.loads(json.dumps(found, allow_nan=False))


def positions(trace: Trace) -> list[int]:
    """One in the prompt, the prompt's last, one in the reply, the last known."""
    return [5, len(PROMPT) - 1, len(PROMPT) + 2, len(PROMPT) + len(trace.steps) - 2]


def test_the_sum_of_a_pair_is_the_weight(case: Case) -> None:
    """Guards the scale flags, the wrong head's columns, q and k swapped, and a softmax over too few keys."""
    loaded, trace, theirs = case
    for query in positions(trace):
        for layer in range(trace.n_layer):
            for head in range(trace.n_head):
                for key in (0, query // 2, query):
                    found = pair_sum(loaded, trace, layer, head, query, key)
                    assert found.q == pytest.approx(theirs["q"][layer, head, query].tolist(), abs=LIMIT)
                    assert found.k == pytest.approx(theirs["k"][layer, head, key].tolist(), abs=LIMIT)
                    assert found.dot == pytest.approx(
                        sum(a * b for a, b in zip(found.q, found.k, strict=True))
                    )
                    assert found.score == pytest.approx(found.dot * loaded.config.score_scale(layer))
                    assert found.weight == pytest.approx(
                        float(theirs["pattern"][layer, head, query, key]), abs=LIMIT
                    )
                    assert found.weight == pytest.approx(math.exp(found.score - found.top) / found.total)


def test_the_view_of_a_pair_states_its_distance_from_the_record(case: Case) -> None:
    _, trace, _ = case
    square = trace.attention_map(1, 1)
    assert square is not None
    found = asked(case, "pair", step=3, layer=1, head=1, key=4)
    query = len(PROMPT) + 2
    assert (found["query"], found["key"], found["visible"]) == (query, 4, query + 1)
    assert found["recorded"] == float(square[query, 4])
    assert found["difference"] == abs(found["weight"] - found["recorded"]) < 1e-6
    strongest = asked(case, "pair", step=3, layer=1, head=1)
    assert strongest["key"] == 1 + int(square[query, 1 : query + 1].argmax())


def test_a_later_position_is_masked(case: Case) -> None:
    """Guards against a softmax that sees the future, and against a score that is hidden instead of masked."""
    found = asked(case, "pair", position=5, layer=0, head=0, key=6)
    assert found["masked"] and found["exp"] == 0 and found["weight"] == 0 and found["recorded"] == 0
    assert found["score"] != 0


def test_heads_add_up_to_what_attention_added(case: Case) -> None:
    """Guards against W_O rows of the wrong head, a forgotten bias, and shares that are no shares."""
    loaded, trace, theirs = case
    for position in positions(trace):
        for layer in range(trace.n_layer):
            found = head_parts(loaded, trace, layer, position)
            total = found.parts.sum(0) + found.bias
            assert (total - theirs["attn_out"][layer, position]).abs().max() < LIMIT
            assert found.gap < 1e-5
            assert float(found.share(found.parts).sum() + found.share(found.bias)) == pytest.approx(
                1, abs=1e-5
            )
    shown = asked(case, "heads", step=2, layer=1)
    exact = head_parts(loaded, trace, 1, len(PROMPT) + 1)
    assert shown["norms"] == exact.parts.norm(dim=-1).tolist() and shown["gap"] == exact.gap


def test_a_head_alone_is_its_own_rows_of_the_output_matrix(case: Case) -> None:
    loaded, trace, theirs = case
    z = theirs["pattern"][1, 1, 16, :17] @ theirs["v"][1, 1, :17]
    width = loaded.config.d_head
    expected = z @ loaded.model.blocks[1].attn_proj.weight[width : 2 * width]
    assert (head_parts(loaded, trace, 1, 16).parts[1] - expected).abs().max() < LIMIT


def test_heads_without_recorded_weights_are_worked_out(case: Case) -> None:
    loaded, _, _ = case
    full = record(loaded, PROMPT, SETTINGS)
    bare = record(loaded, PROMPT, SETTINGS, CaptureConfig(attention=False))
    ours, again = (head_parts(loaded, trace, 1, 16) for trace in (full, bare))
    assert ours.from_record and not again.from_record
    assert (ours.parts - again.parts).abs().max() < 1e-6


@pytest.mark.parametrize(("name", "site"), [("ln_1", "ln1"), ("ln_2", "ln2"), ("ln_f", "after ln_f")])
def test_layernorm_hands_on_what_transformers_hands_on(case: Case, name: str, site: str) -> None:
    """Guards the unbiased variance, the wrong site, and a forgotten gain or bias."""
    _, trace, theirs = case
    for position in positions(trace):
        found = asked(case, "layernorm", position=position, layer=1, name=name)
        expected = theirs[site][position] if name == "ln_f" else theirs[site][1, position]
        assert np.abs(unpack_f32(found["after"]["values"]) - expected.numpy()).max() < LIMIT
        before, standard = (
            unpack_f32(found[part]["values"]).astype(float) for part in ("before", "standard")
        )
        assert found["variance"] == pytest.approx(before.var(ddof=0)) and found["mean"] == pytest.approx(
            before.mean()
        )
        assert abs(standard.mean()) < 1e-6 and sum(found["after"]["counts"]) == trace.n_embd
        assert found["recorded"] == pytest.approx([found["mean"], found["variance"]], rel=1e-5, abs=1e-6)


def test_neurons_are_those_of_transformers_and_add_up(case: Case) -> None:
    """Guards the wrong activation function, the wrong LayerNorm, and a matrix read the wrong way round."""
    loaded, trace, theirs = case
    for position in positions(trace):
        for layer in range(trace.n_layer):
            found = neurons_at(loaded, trace, layer, position)
            assert (found.act - theirs["mlp_act"][layer, position]).abs().max() < 3e-3  # two forms of GELU
            assert (found.pre - theirs["mlp_pre"][layer, position]).abs().max() < LIMIT
            total = found.act @ found.w_out + loaded.model.blocks[layer].mlp_proj.bias
            assert (total - theirs["mlp_out"][layer, position]).abs().max() < 5e-3 and found.gap < 1e-5


@pytest.mark.parametrize("by", ["activation", "length", "token"])
def test_the_strongest_neurons_come_first(case: Case, by: str) -> None:
    _, trace, theirs = case
    found = asked(case, "neurons", step=2, layer=1, by=by, count=6)
    sizes = [abs(neuron[{"activation": "act"}.get(by, by)]) for neuron in found["neurons"]]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 6
    if by == "activation":
        acts = theirs["mlp_act"][1, len(PROMPT) + 1].abs()
        assert sizes[0] == pytest.approx(float(acts.max()), abs=3e-3)


def test_a_direct_effect_is_what_the_logits_lose_without_the_neuron(case: Case) -> None:
    """The definition: take the share out of the last stream, hold ln_f's scale, and compare the logits."""
    loaded, trace, _ = case
    step = trace.steps[2]
    assert step.resid is not None
    model, stream = loaded.model, torch.from_numpy(step.resid[-1, 2]).double()
    scale = final_scale(model, stream)
    neurons = neurons_at(loaded, trace, 1, len(PROMPT) + 1)
    share = neurons.act[7] * neurons.w_out[7]

    def logits(x: torch.Tensor) -> torch.Tensor:
        read = (x - x.mean()) / scale * model.ln_f.gain.double() + model.ln_f.bias.double()
        return read @ model.unembedding.weight.double()

    lost = logits(stream) - logits(stream - share)
    assert (direct_effect(model, share[None], scale)[0] - lost).abs().max() < LIMIT
    came = step.token.token_id
    assert float(effect_on(model, share, scale, came)) == pytest.approx(float(lost[came]), abs=1e-9)
    shown = asked(case, "neurons", step=2, layer=1, by="length", count=24)["neurons"]
    for neuron in shown:
        best = neuron["words"][0]
        row = direct_effect(
            model, (neurons.act[neuron["index"]] * neurons.w_out[neuron["index"]])[None], scale
        )[0]
        assert int(row.argmax()) == best["id"] and best["logit"] == pytest.approx(float(row.max()), abs=1e-6)


def test_the_same_settings_draw_the_same_token(case: Case) -> None:
    """Guards against a what-if that starts elsewhere than the reply did: penalty, filters, or the number."""
    _, trace, _ = case
    for step in trace.steps:
        found = asked(case, "whatif", step=step.index)
        assert found["chosen"] == step.token.token_id == found["came"]
        assert found["draw"] == step.draw and found["discarded"] == step.discarded_mass
        low, high = found["place"]
        assert step.draw is not None and low - 1e-12 <= step.draw < high + 1e-12
        recorded = {item.token_id: item.prob for item in step.candidates}
        assert all(item["prob"] == recorded.get(item["id"], item["prob"]) for item in found["candidates"])


def test_other_settings_are_those_of_the_sampler(case: Case) -> None:
    _, trace, _ = case
    step = trace.steps[4]
    assert step.logits is not None
    asked_for = {"temperature": 0.4, "top_k": 3, "top_p": 0.99, "repetition_penalty": 1.0}
    found = asked(case, "whatif", step=4, draw=0.999, **asked_for)
    config = SamplingConfig(temperature=0.4, top_k=3, top_p=0.99)
    dist = distribution(step.logits, [], config)
    assert found["kept"] == (3 if dist.kept_ids is None else len(dist.kept_ids)) <= 3
    for item in found["candidates"]:
        assert item["prob"] == float(dist.prob(np.array([item["id"]]))[0])
    greedy = asked(case, "whatif", step=4, temperature=0, repetition_penalty=1.0)
    assert greedy["draw"] is None and greedy["chosen"] == int(step.logits.argmax()) and greedy["entropy"] == 0


def test_the_embedding_is_the_first_layers_input(case: Case) -> None:
    loaded, trace, theirs = case
    for position in positions(trace):
        found = asked(case, "embedding", position=position)
        assert (
            np.abs(unpack_f32(found["sum"]["values"]) - theirs["resid_pre"][0, position].numpy()).max() < 1e-6
        )
        assert found["gap"] < 1e-6 and found["id"] == trace.tokens()[position].token_id
        table = torch.nn.functional.normalize(loaded.model.wte.double(), dim=-1)
        cosines = table @ table[found["id"]]
        cosines[found["id"]] = -2
        assert [item["id"] for item in found["neighbours"]] == cosines.topk(12).indices.tolist()
        assert found["neighbours"][0]["cosine"] == pytest.approx(float(cosines.max()), abs=1e-6)
    last = asked(case, "embedding", position=len(trace.tokens()) - 1)
    assert last["gap"] is None, "the last token was never read, so nothing can be compared"


def test_the_lens_ends_in_the_logits(case: Case) -> None:
    """Guards against ln_f applied twice, and against a lens read one layer off."""
    loaded, trace, theirs = case
    for step in trace.steps:
        assert step.logits is not None and step.resid is not None and step.lens is not None
        position = len(PROMPT) + step.index - 1
        scores = read_layers(loaded.model, step.resid)
        assert np.abs(scores[-1] - theirs["logits"][position].numpy()).max() < LIMIT
        for layer in range(trace.n_layer):
            found = asked(case, "lens", step=step.index, layer=layer)
            assert len(found["words"]) == 20 and found["difference"] < LIMIT
            assert [word["id"] for word in found["words"][:5]] == step.lens.token_ids[layer].tolist()
            assert [word["prob"] for word in found["words"][:5]] == pytest.approx(
                step.lens.probs[layer].tolist(), rel=1e-4
            )
            assert found["probs"] == pytest.approx(step.lens.chosen_prob.tolist(), rel=1e-4)
            assert found["entropy"] == pytest.approx(step.lens.entropy.tolist(), abs=1e-4)
            above = int((scores[layer] > scores[layer][step.token.token_id]).sum())
            assert found["ranks"][layer] == above + 1
        runs = asked(case, "ranks", **{"from": step.index, "to": step.index + 1})
        assert runs["ranks"] == [found["ranks"]]
