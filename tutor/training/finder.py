"""Trains the classifier of the topic finder on sampled, disturbed questions. A minute on one core."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tutor.content.classifier import BUCKETS, Classifier, features
from tutor.content.loader import KINDS, LANGS, Lang, Lesson, Library
from tutor.content.noise import add_noise
from tutor.content.topics import OUT
from tutor.training.samples import Sampler

FRAME_KINDS = ("what", "why", "how", "brief", "number", "formula", "code", "analogy", "example")


class FinderSampler:
    """Draws (question, topic, kind): every lesson equally often, small talk and outside beside them."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library = library
        self.rng = random.Random(seed)
        self.turns = Sampler(library, seed)
        self.lessons = list(library.lessons.values())
        self.sentences = {
            (lesson.id, lang): _sentences(lesson, lang) for lesson in self.lessons for lang in LANGS
        }

    def __iter__(self) -> Iterator[tuple[str, str, str | None]]:
        while True:
            lang, draw = self.rng.choice(LANGS), self.rng.random()
            kind = None
            if draw < 0.10:
                text, label = self.rng.choice(self.library.outside.questions[lang]), OUT
            elif draw < 0.15:
                item = self.rng.choice(list(self.library.smalltalk.values()))
                text, label = self.rng.choice(item.questions[lang]), item.id
            else:
                lesson = self.rng.choice(self.lessons)
                label, (kind, text) = lesson.id, self._lesson(lesson, lang)
            if self.rng.random() < 0.4:
                text = add_noise(text, lang, self.library, self.rng)
            yield text, label, kind

    def _lesson(self, lesson: Lesson, lang: Lang) -> tuple[str | None, str]:
        text, rng = lesson.texts[lang], self.rng
        wordings, draw = self.library.wordings.get(lesson.id, {}).get(lang, ()), rng.random()
        if wordings and draw < 0.65:
            return rng.choice(wordings)
        if draw < 0.73:
            return rng.choice(text.questions)
        if draw < 0.81:
            return None, rng.choice(text.descriptions)
        if draw < 0.89:
            return None, rng.choice(self.sentences[lesson.id, lang])
        kind = rng.choice(FRAME_KINDS)
        asked = "misconception" if lesson.is_misconception else kind
        return asked, self.turns.question(lesson, lang, kind)


def _sentences(lesson: Lesson, lang: Lang) -> list[str]:
    """Sentences of a lesson's note and answers: the words in which the idea is talked about."""
    text = lesson.texts[lang]
    passages = [
        text.note,
        *(a for k in ("what", "why", "how", "misconception") for a in text.answers.get(k, ())),
    ]
    split = re.compile(r"(?<=[。.!?])\s*")
    return [s for passage in passages for s in split.split(passage) if len(s) > 8]


class Head(nn.Module):
    """Mean of hashed n-gram embeddings, then one linear layer; what `Classifier` runs in numpy."""

    def __init__(self, labels: list[str], width: int) -> None:
        super().__init__()
        self.labels = labels
        self.number = {label: i for i, label in enumerate(labels)}
        self.embedding = nn.EmbeddingBag(BUCKETS, width, mode="mean")
        self.linear = nn.Linear(width, len(labels))
        nn.init.normal_(self.embedding.weight, std=0.1)

    def loss(self, bags: list[list[int]], labels: list[str]) -> Tensor:
        """Mean cross-entropy of labelled bags of buckets, in nats."""
        flat = torch.tensor([i for bag in bags for i in bag])
        starts = torch.tensor([0, *(len(bag) for bag in bags[:-1])]).cumsum(0)
        target = torch.tensor([self.number[label] for label in labels])
        return F.cross_entropy(self.linear(self.embedding(flat, starts)), target, label_smoothing=0.05)

    def export(self) -> Classifier:
        """The same function without torch."""
        arrays = (self.embedding.weight, self.linear.weight, self.linear.bias)
        return Classifier(self.labels, *(a.detach().numpy() for a in arrays))


def train_finder(
    library: Library, folder: Path, seed: int = 1, steps: int = 2000, batch: int = 256, width: int = 96
) -> dict[str, float]:
    """Train and write both classifiers of the topic finder: topic and kind.

    Args:
        library: Everything under prompts/.
        folder: Where `topics.npz` and `kinds.npz` go.
        seed: Seed of samples and weights.
        steps, batch: Length of the training.
        width: Width of the topic embedding.

    Returns:
        Mean loss of each over the last tenth of the steps, in nats.
    """
    torch.manual_seed(seed)
    heads = {
        "topics": Head([*library.lessons, *library.smalltalk, OUT], width=width),
        "kinds": Head(list(KINDS), width=16),
    }
    optims = {name: torch.optim.Adam(head.parameters(), lr=0.02) for name, head in heads.items()}
    samples, dropper = iter(FinderSampler(library, seed)), random.Random(seed)
    losses: dict[str, list[float]] = {name: [] for name in heads}
    for step in range(steps):
        rows = [next(samples) for _ in range(batch)]
        bags = [_thin(features(text), dropper) for text, _, _ in rows]
        asked = [(bag, kind) for bag, (_, _, kind) in zip(bags, rows, strict=True) if kind]
        parts = {
            "topics": (bags, [label for _, label, _ in rows]),
            "kinds": ([bag for bag, _ in asked], [kind for _, kind in asked]),
        }
        for name, head in heads.items():
            loss = head.loss(*parts[name])
            optims[name].param_groups[0]["lr"] = 0.02 * max(0.02, 1 - step / steps)
            optims[name].zero_grad()
            loss.backward()
            optims[name].step()
            losses[name].append(float(loss.detach()))
    for name, head in heads.items():
        head.export().save(folder / f"{name}.npz")
    tail = max(1, steps // 10)
    return {name: sum(values[-tail:]) / tail for name, values in losses.items()}


def _thin(bag: list[int], rng: random.Random, drop: float = 0.25) -> list[int]:
    """Leave some n-grams out, so that none is leant on alone."""
    return [i for i in bag if rng.random() > drop] or bag[:1]
