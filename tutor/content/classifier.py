"""A small linear text classifier: hashed n-grams, their mean embedding, one linear layer. Numpy only.

It is the trained half of the topic finder; `python -m tutor train --finder` makes its weights.
Form: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification", arXiv:1607.01759.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tutor.content.kinds import fold

BUCKETS = 1 << 16
_RUN = re.compile(r"[\x21-\x7e]+|[^\s\x21-\x7e]+")


def features(text: str) -> list[int]:
    """Hashed n-grams of a text: words and 3- to 5-grams of Latin stretches, 1- to 4-grams of others.

    Returns:
        Bucket numbers, 1 to BUCKETS - 1, repeated as often as they occur; bucket 0 stands for
        an empty text.
    """
    grams = ngrams(text)
    return [1 + zlib.crc32(gram.encode()) % (BUCKETS - 1) for gram in grams] or [0]


def ngrams(text: str) -> list[str]:
    """The n-grams of a text that matching goes by; a Latin word inside Japanese counts as a word.

    >>> "w:gpt" in ngrams("GPTって何"), "って" in ngrams("GPTって何")
    (True, True)
    """
    grams: list[str] = []
    for word in _RUN.findall(fold(text)):
        if word.isascii():
            padded, sizes = f"_{word}_", (3, 4, 5)
            grams.append(f"w:{word}")
        else:
            padded, sizes = word, (1, 2, 3, 4)
        grams += [padded[i : i + n] for n in sizes for i in range(len(padded) - n + 1)]
    return grams


class Classifier:
    """Scores labels for a text.

    Args:
        labels: Names of the labels.
        embedding: Shape [BUCKETS, d].
        weight: Shape [n_labels, d].
        bias: Shape [n_labels].
    """

    def __init__(
        self,
        labels: list[str],
        embedding: NDArray[np.floating],
        weight: NDArray[np.floating],
        bias: NDArray[np.floating],
    ) -> None:
        self.labels = labels
        self.embedding, self.weight, self.bias = embedding, weight, bias

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read weights written by `save`."""
        with np.load(path, allow_pickle=False) as data:
            labels = [str(label) for label in data["labels"]]
            floats = {name: data[name].astype(np.float32) for name in ("embedding", "weight", "bias")}
        return cls(labels, **floats)

    def save(self, path: Path) -> None:
        """Write the weights in half precision."""
        half = {name: getattr(self, name).astype(np.float16) for name in ("embedding", "weight", "bias")}
        np.savez_compressed(path, labels=np.array(self.labels), **half)

    def probabilities(self, text: str) -> NDArray[np.float32]:
        """Probability of each label, [n_labels]."""
        mean = self.embedding[features(text)].mean(axis=0)  # [d]
        logits = self.weight @ mean + self.bias  # [n_labels]
        exps = np.exp(logits - logits.max())
        return (exps / exps.sum()).astype(np.float32)
