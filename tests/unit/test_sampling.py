"""The way from logits to a token, against a plain definition and against transformers' own filters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tutor.config import SamplingConfig
from tutor.engine.sampling import candidates, choose, distribution, nucleus, penalise, ranked, softmax
from tutor.errors import ModelError, SamplingError

FOUR = np.log(np.array([0.5, 0.25, 0.15, 0.1]))  # logits whose softmax is known
SIZES = [7, 200, 5000]  # below, at and beyond what is ranked in one piece


def noise(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size).astype(np.float32) * 3


def test_greedy_is_one_hot_and_ignores_the_draw() -> None:
    """Guards temperature 0: no division by it, no randomness."""
    dist = distribution(FOUR, [], SamplingConfig(temperature=0, top_k=3, top_p=0.2))
    assert dist.tempered.tolist() == [1, 0, 0, 0]
    assert {choose(dist, draw) for draw in (0.0, 0.5, 0.999999)} == {0}
    assert dist.raw == pytest.approx([0.5, 0.25, 0.15, 0.1])
    assert dist.discarded_mass == 0


def test_temperature_is_a_power_of_the_probabilities() -> None:
    """Guards the formula: at temperature T, p becomes p^(1/T), rescaled."""
    dist = distribution(FOUR, [], SamplingConfig(temperature=0.5))
    squares = np.array([0.5, 0.25, 0.15, 0.1]) ** 2
    assert dist.tempered == pytest.approx(squares / squares.sum())
    assert dist.raw == pytest.approx([0.5, 0.25, 0.15, 0.1]), "raw is before temperature"


def test_entropy_rises_with_temperature_and_tiny_temperature_is_greedy() -> None:
    logits = noise(5000)
    warmer = [distribution(logits, [], SamplingConfig(temperature=t)).tempered for t in (0.5, 1, 2)]
    entropies = [-(p[p > 0] @ np.log(p[p > 0])) for p in warmer]
    assert entropies[0] < entropies[1] < entropies[2]
    coldest = distribution(logits, [], SamplingConfig(temperature=1e-310))
    assert coldest.tempered[int(logits.argmax())] == 1 and np.isfinite(coldest.tempered).all()


def test_entropy_and_logprob_are_those_of_the_raw_distribution() -> None:
    dist = distribution(FOUR + 100, [], SamplingConfig(temperature=2, top_k=2))
    expected = -sum(p * math.log(p) for p in (0.5, 0.25, 0.15, 0.1))
    assert dist.entropy == pytest.approx(expected)
    assert dist.logprob(2) == pytest.approx(math.log(0.15))


def test_softmax_does_not_care_about_a_constant() -> None:
    assert softmax(FOUR + 700)[0] == pytest.approx(softmax(FOUR - 700)[0])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 5, 40, 199, 10_000])
def test_ranked_equals_a_stable_sort(size: int, count: int) -> None:
    """Guards the short cut: coarse values give many ties, and each tie must keep the lower id."""
    values = np.round(noise(size))
    assert ranked(values, count).tolist() == np.argsort(-values, kind="stable")[:count].tolist()


def test_top_k_keeps_k_even_among_ties() -> None:
    """Guards a known bug elsewhere: a threshold at the k-th value keeps all of its ties."""
    dist = distribution(np.zeros(1000), [], SamplingConfig(temperature=1, top_k=5))
    assert dist.kept_ids is not None and dist.kept_ids.tolist() == [0, 1, 2, 3, 4]
    assert dist.discarded_mass == pytest.approx(0.995)


@pytest.mark.parametrize("top_p, kept", [(0.4, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.9, 3), (0.91, 4)])
def test_nucleus_is_the_smallest_set_that_reaches_p(top_p: float, kept: int) -> None:
    probs = np.array([0.15, 0.5, 0.1, 0.25])
    assert nucleus(probs, top_p).tolist() == [1, 3, 0, 2][:kept]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("top_p", [1e-9, 0.3, 0.9, 0.999, 1 - 1e-12])
def test_nucleus_equals_the_definition_on_the_full_vocabulary(size: int, top_p: float) -> None:
    """Guards the search in growing pieces, on flat distributions that need thousands of tokens."""
    for spread in (1, 1e-6):
        probs = softmax(noise(size).astype(np.float64) * spread)[0]
        order = np.argsort(-probs, kind="stable")
        fewest = next((n for n in range(1, size + 1) if probs[order[:n]].sum() >= top_p - 1e-15), size)
        assert abs(len(nucleus(probs, top_p)) - fewest) <= (1 if spread < 1 else 0)
        assert nucleus(probs, top_p).tolist() == order[: len(nucleus(probs, top_p))].tolist()


def test_top_p_looks_at_the_full_vocabulary_and_top_k_must_agree() -> None:
    """Guards the order of the filters: 0.5 + 0.25 of *everything* reach 0.75, top_k only cuts further."""
    dist = distribution(FOUR, [], SamplingConfig(temperature=1, top_k=3, top_p=0.76))
    assert dist.kept_ids is not None and dist.kept_ids.tolist() == [0, 1, 2]
    tighter = distribution(FOUR, [], SamplingConfig(temperature=1, top_k=1, top_p=0.76))
    assert tighter.kept_ids is not None and tighter.kept_ids.tolist() == [0]
    assert tighter.discarded_mass == pytest.approx(0.5)


def test_kept_probabilities_are_rescaled() -> None:
    dist = distribution(FOUR, [], SamplingConfig(temperature=1, top_k=2))
    assert dist.prob(np.arange(4)) == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert dist.discarded_mass == pytest.approx(0.25)


@pytest.mark.parametrize(
    "draw, token",
    [(0, 2), (0.4999, 2), (0.5, 0), (0.7499, 0), (0.75, 3), (0.8999, 3), (0.9, 1), (1 - 1e-16, 1)],
)
def test_the_draw_falls_on_the_right_token(draw: float, token: int) -> None:
    """Guards the edges of the inverse distribution function, most probable token first."""
    logits = np.log(np.array([0.25, 0.1, 0.5, 0.15]))
    assert choose(distribution(logits, [], SamplingConfig(temperature=1)), draw) == token


@pytest.mark.parametrize(
    "settings", [{}, {"top_k": 50}, {"top_p": 0.8}, {"top_k": 300, "top_p": 0.95}], ids=str
)
def test_draws_follow_the_probabilities(settings: dict[str, float]) -> None:
    """Guards the sampler as a whole: 4,000 evenly spaced numbers hit each token in its proportion.

    Evenly spaced numbers leave nothing to luck: each count is within one of the exact share.
    """
    config = SamplingConfig(temperature=1.3, **settings)  # type: ignore[arg-type]
    dist = distribution(noise(2000), [], config)
    draws = (np.arange(4000) + 0.5) / 4000
    hits = np.bincount([choose(dist, float(draw)) for draw in draws], minlength=2000)
    assert np.abs(hits - 4000 * dist.prob(np.arange(2000))).max() <= 1.001
    assert dist.prob(np.arange(2000)).sum() == pytest.approx(1)


def test_penalty_divides_positive_and_multiplies_negative_logits_once() -> None:
    """Guards the sign: dividing a negative logit would reward repetition."""
    logits = np.array([2.0, -2.0, 1.0, 0.0])
    assert penalise(logits, [0, 0, 1, 3], 2.0).tolist() == [1.0, -4.0, 1.0, 0.0]
    assert logits.tolist() == [2.0, -2.0, 1.0, 0.0], "the recorded logits must stay as they were"
    assert penalise(logits, [], 2.0) is logits


def test_penalty_changes_the_choice_but_not_the_raw_record() -> None:
    config = SamplingConfig(temperature=0, repetition_penalty=1.5)
    dist = distribution(np.array([3.0, 2.5, 0.0]), [0], config)
    assert choose(dist, 0) == 1
    assert dist.raw == pytest.approx(softmax(np.array([3.0, 2.5, 0.0]))[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7},
        {"temperature": 1.5, "top_k": 9},
        {"temperature": 1.0, "top_p": 0.7},
        {"temperature": 0.8, "repetition_penalty": 1.4, "top_k": 30},
    ],
    ids=str,
)
def test_probabilities_equal_those_of_transformers(settings: dict[str, float]) -> None:
    """Guards every stage against the filters that `generate` itself uses."""
    from transformers import (
        LogitsProcessorList,
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    logits, reply = noise(500), [3, 5, 5, 77]
    chain = LogitsProcessorList()
    if "repetition_penalty" in settings:
        chain.append(RepetitionPenaltyLogitsProcessor(settings["repetition_penalty"]))
    chain.append(TemperatureLogitsWarper(settings["temperature"]))
    if "top_k" in settings:
        chain.append(TopKLogitsWarper(int(settings["top_k"])))
    if "top_p" in settings:
        chain.append(TopPLogitsWarper(settings["top_p"]))
    scores = chain(torch.tensor([reply]), torch.from_numpy(logits)[None].double())
    expected = torch.softmax(scores[0], dim=-1).numpy()
    dist = distribution(logits, reply, SamplingConfig(**settings))  # type: ignore[arg-type]
    assert np.abs(dist.prob(np.arange(500)) - expected).max() < 1e-9


def test_candidates_are_the_best_and_the_chosen_one() -> None:
    """Guards the record of an unlikely draw: the token drawn is listed even if it is the worst."""
    dist = distribution(FOUR, [], SamplingConfig(temperature=1, top_k=3))
    listed = candidates(dist, 3, 2, str)
    assert [c.token_id for c in listed] == [0, 1, 3]
    assert [c.kept for c in listed] == [True, True, False]
    assert listed[0].logit == FOUR[0] and listed[0].text == "0"
    assert listed[1].prob_raw == pytest.approx(0.25) and listed[1].prob == pytest.approx(0.25 / 0.9)
    assert [c.token_id for c in candidates(dist, 1, 2, str)] == [0, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_broken_scores_are_an_error_not_a_token(bad: float) -> None:
    logits = FOUR.copy()
    logits[2] = bad
    with np.errstate(all="ignore"), pytest.raises(ModelError) as caught:
        distribution(logits, [], SamplingConfig(temperature=1))
    assert caught.value.key == "logits_not_finite"


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": 6},
        {"top_k": 0},
        {"top_p": 0},
        {"top_p": 1.01},
        {"repetition_penalty": 0.5},
        {"seed": -1},
        {"max_new_tokens": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SamplingError) as caught:
        SamplingConfig(**settings)  # type: ignore[arg-type]
    assert caught.value.values["name"] == next(iter(settings))
