"""TF-IDF over character n-grams: how near a text is to labelled phrases, and to a label as a whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tutor.content.classifier import ngrams


class Index:
    """TF-IDF vectors of labelled phrases; compares a text with phrases and with labels.

    Args:
        phrases: (label, phrase, weight) triples.
    """

    def __init__(self, phrases: Iterable[tuple[str, str, float]]) -> None:
        rows = [(label, Counter(ngrams(phrase)), weight) for label, phrase, weight in phrases]
        self.labels = sorted({label for label, _, _ in rows})
        number = {label: i for i, label in enumerate(self.labels)}
        used: dict[str, set[int]] = {}
        for label, grams, _ in rows:
            for gram in grams:
                used.setdefault(gram, set()).add(number[label])
        self.vocab = {gram: i for i, gram in enumerate(sorted(used))}
        total = len(self.labels)
        self.idf = np.zeros(len(self.vocab), dtype=np.float32)
        for gram, i in self.vocab.items():
            self.idf[i] = math.log((1 + total) / (0.5 + len(used[gram])))
        self.owner = np.array([number[label] for label, _, _ in rows])
        self.weight = np.array([weight for _, _, weight in rows], dtype=np.float32)
        self._build([grams for _, grams, _ in rows])

    def _build(self, rows: list[Counter[str]]) -> None:
        """Store phrase vectors as an inverted list, and one mean vector a label."""
        centre = np.zeros((len(self.labels), len(self.vocab)), dtype=np.float32)
        where: list[list[int]] = [[] for _ in self.vocab]
        value: list[list[float]] = [[] for _ in self.vocab]
        for r, grams in enumerate(rows):
            ids, values = self._vector(grams)
            centre[self.owner[r], ids] += values * self.weight[r]
            for i, v in zip(ids, values, strict=True):
                where[i].append(r)
                value[i].append(v)
        self.where = [np.array(w, dtype=np.int32) for w in where]
        self.value = [np.array(v, dtype=np.float32) for v in value]
        centre = np.sqrt(centre)  # a gram in many phrases of a topic should not drown the rest
        self.centre = centre / np.maximum(np.linalg.norm(centre, axis=1, keepdims=True), 1e-9)

    def _vector(self, grams: Counter[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        known = [(self.vocab[g], 1 + math.log(n)) for g, n in grams.items() if g in self.vocab]
        ids = np.array([i for i, _ in known], dtype=np.int64)
        values = np.array([n for _, n in known], dtype=np.float32) * self.idf[ids]
        return ids, values / max(float(np.linalg.norm(values)), 1e-9)

    def scores(self, text: str, share: float = 0.5) -> NDArray[np.float32]:
        """Similarity with each label, [n_labels], 0 to 1: best phrases and topic vector mixed."""
        ids, values = self._vector(Counter(ngrams(text)))
        near = np.zeros(len(self.owner), dtype=np.float32)
        for i, v in zip(ids, values, strict=True):
            near[self.where[i]] += v * self.value[i]
        near *= self.weight
        best = np.zeros(len(self.labels), dtype=np.float32)
        np.maximum.at(best, self.owner, near)
        whole = self.centre[:, ids] @ values if len(ids) else np.zeros(len(self.labels), np.float32)
        return (share * best + (1 - share) * whole).astype(np.float32)
