"""From logits to the next token: repetition penalty, temperature, top-k, top-p, one draw.

Pure functions of numpy arrays in double precision; no model, no random state. The caller draws
a number in [0, 1) and passes it in, so a recorded reply can be replayed, or asked "what if the
temperature had been 1?", without running the model again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutor.config import SamplingConfig
from tutor.errors import ModelError
from tutor.trace import Candidate

Doubles = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Distribution:
    """All stages between the logits and the draw.

    Attributes:
        logits: As the model gave them, [n_vocab], float64.
        log_total: log of the sum of exp(logits): logprob of token i is logits[i] - log_total.
        raw: softmax of the logits, [n_vocab].
        tempered: After repetition penalty and temperature, [n_vocab]; one-hot at temperature 0.
        kept_ids: Tokens that survive top-k and top-p, most probable first; None keeps all.
        kept_mass: Tempered probability of the survivors together, 0 to 1.
    """

    logits: Doubles
    log_total: float
    raw: Doubles
    tempered: Doubles
    kept_ids: Ids | None
    kept_mass: float

    @property
    def discarded_mass(self) -> float:
        """Tempered probability that top-k and top-p dropped."""
        return 0.0 if self.kept_ids is None else max(0.0, 1.0 - self.kept_mass)

    @property
    def entropy(self) -> float:
        """Entropy of the raw distribution, in nats."""
        # einsum, not @: numpy's BLAS would wake threads of its own, which spin beside torch's
        return float(self.log_total - np.einsum("i,i->", self.raw, self.logits))

    def logprob(self, token_id: int) -> float:
        """Log of the raw probability of a token, in nats."""
        return float(self.logits[token_id] - self.log_total)

    def prob(self, ids: Ids) -> Doubles:
        """Probabilities with which these tokens would be drawn; 0 for those dropped."""
        if self.kept_ids is None:
            return self.tempered[ids]
        kept = np.zeros(len(self.tempered), dtype=bool)
        kept[self.kept_ids] = True
        return np.where(kept[ids], self.tempered[ids] / self.kept_mass, 0.0)


def ranked(values: NDArray[np.floating], count: int) -> Ids:
    """Indices of the `count` largest values, largest first; equal values keep the lower index.

    Same result as a stable sort of everything, at a fraction of its time for a large vocabulary.
    """
    size = len(values)
    if count >= size:
        return np.argsort(-values, kind="stable")
    # `count` blocks have a maximum of at least `floor`, so at least `count` values do, ties included.
    block = max(1, size // (8 * count))
    maxima = np.maximum.reduceat(values, np.arange(0, size, block))
    floor = np.partition(maxima, len(maxima) - count)[len(maxima) - count]
    ids = np.flatnonzero(values >= floor)
    return ids[np.argsort(-values[ids], kind="stable")[:count]]


def softmax(scores: Doubles) -> tuple[Doubles, float]:
    """Probabilities of scores, and the log of the sum of their exponentials."""
    top = scores.max()
    weights = np.exp(scores - top)
    total = weights.sum()
    return weights / total, float(top + np.log(total))


def penalise(logits: Doubles, reply_ids: Iterable[int], penalty: float) -> Doubles:
    """Make tokens that the reply already has less likely.

    Positive logits are divided by the penalty and negative ones multiplied, once per distinct
    token. Source: Keskar et al. 2019, CTRL, arXiv:1909.05858; here for the reply only, so the
    student's own words are not held against Aura.
    """
    seen = np.fromiter(set(reply_ids), dtype=np.int64)
    if penalty == 1 or not seen.size:
        return logits
    changed = logits.copy()
    old = logits[seen]
    changed[seen] = np.where(old > 0, old / penalty, old * penalty)
    return changed


def temper(scores: Doubles, temperature: float) -> Doubles:
    """softmax(scores / temperature), exact down to the smallest temperature above 0."""
    with np.errstate(over="ignore"):  # -inf is right for a token that has no chance left
        return softmax((scores - scores.max()) / temperature)[0]


def _leaders_over(probs: Doubles, mass: float) -> Ids:
    """Most probable tokens, best first, at least until their sum is above `mass` (or all of them)."""
    count = 128
    while count < len(probs):
        ids = ranked(probs, count)
        if probs[ids].sum() > mass:
            return ids
        count *= 8
    return ranked(probs, len(probs))


def nucleus(probs: Doubles, top_p: float) -> Ids:
    """The smallest set of tokens whose probabilities reach top_p, most probable first.

    Args:
        probs: Probabilities of the full vocabulary, [n_vocab], sum 1.
        top_p: Probability to reach, 0 < top_p <= 1.

    Returns:
        At least one id; of equally probable tokens the lower ids come first.

    Source: Holtzman et al. 2020, arXiv:1904.09751.
    """
    ids = _leaders_over(probs, top_p)
    reached = int(np.searchsorted(np.cumsum(probs[ids]), top_p, side="left"))
    return ids[: reached + 1]


def distribution(
    logits: NDArray[np.floating], reply_ids: Iterable[int], config: SamplingConfig
) -> Distribution:
    """Compute every stage from the logits to the probabilities that are drawn from.

    top_p is measured on the tempered probabilities of the full vocabulary. With top_k as well, a
    token has to pass both.

    Args:
        logits: Raw logits, [n_vocab].
        reply_ids: Tokens of the reply so far, for the repetition penalty.
        config: Temperature, top_k, top_p and penalty.

    Raises:
        ModelError: A logit is not a finite number (broken weights).
    """
    scores = logits.astype(np.float64)
    raw, log_total = softmax(scores)
    if not np.isfinite(log_total):
        raise ModelError(
            "The model's scores are not finite numbers; its weights are broken or overflow. Reload it.",
            key="logits_not_finite",
        )
    adjusted = penalise(scores, reply_ids, config.repetition_penalty)
    if config.temperature == 0:
        best = int(adjusted.argmax())
        tempered = np.zeros_like(raw)
        tempered[best] = 1.0
        return Distribution(scores, log_total, raw, tempered, np.array([best]), 1.0)
    same = adjusted is scores and config.temperature == 1
    tempered = raw if same else temper(adjusted, config.temperature)
    kept = _keep(tempered, config)
    return Distribution(
        scores, log_total, raw, tempered, kept, 1.0 if kept is None else float(tempered[kept].sum())
    )


def _keep(tempered: Doubles, config: SamplingConfig) -> Ids | None:
    if config.top_p < 1:
        return nucleus(tempered, config.top_p)[: config.top_k]
    return None if config.top_k is None else ranked(tempered, config.top_k)


def choose(dist: Distribution, draw: float) -> int:
    """Pick the token on which a number falls, laid along the kept tokens from the most probable on.

    Args:
        dist: The stages.
        draw: In [0, 1). Token i of the kept ones, sorted by probability, is chosen where the sum
            of the probabilities before it is <= draw and the sum with it is > draw.
    """
    kept = _leaders_over(dist.tempered, draw) if dist.kept_ids is None else dist.kept_ids
    steps = np.cumsum(dist.tempered[kept]) / dist.kept_mass
    place = int(np.searchsorted(steps, draw, side="right"))
    return int(kept[min(place, len(kept) - 1)])


def candidates(dist: Distribution, chosen: int, count: int, display: Callable[[int], str]) -> list[Candidate]:
    """List the most probable tokens by raw probability, and the one drawn if it is not among them.

    Args:
        dist: The stages.
        chosen: The token drawn.
        count: How many to list, at least 1.
        display: Text to show for a token id.
    """
    ids = ranked(dist.logits, max(1, count))
    if chosen not in ids:
        ids = np.append(ids, chosen)
    columns = (dist.logits[ids], dist.raw[ids], dist.tempered[ids], dist.prob(ids))
    return [
        Candidate(token_id, display(token_id), logit, raw, tempered, prob)
        for token_id, logit, raw, tempered, prob in zip(
            ids.tolist(), *(column.tolist() for column in columns), strict=True
        )
    ]
