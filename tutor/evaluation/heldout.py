"""The held-out questions: written by somebody who knew the topic names and nothing else of prompts/."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from tutor.content.loader import LANGS
from tutor.errors import ContentError
from tutor.teach import PastTurn

FOLDER = Path(__file__).with_name("heldout")


@dataclass(frozen=True)
class HeldOut:
    """One question with what a right answer must and must not hold.

    Attributes:
        id: Name of the question.
        lang: Language that the answer must have.
        kind: One of the lesson kinds, "followup", "typo", "mixed", "out" or "empty".
        question: As a student would type it.
        topics: Lessons whose answer would be right.
        must: Groups of patterns; each group needs one match.
        must_not: Patterns of wrong claims that the question tempts to.
        history: Exchanges before it.
    """

    id: str
    lang: str
    kind: str
    question: str
    topics: tuple[str, ...]
    must: tuple[tuple[str, ...], ...]
    must_not: tuple[str, ...]
    history: tuple[PastTurn, ...] = field(default=())

    @property
    def in_scope(self) -> bool:
        """Whether the question has an answer in the lessons."""
        return self.kind not in ("out", "empty")


def read_heldout(folder: Path = FOLDER) -> list[HeldOut]:
    """Read all held-out questions, Japanese first.

    Raises:
        ContentError: A line is malformed; the message names file and line.
    """
    found: list[HeldOut] = []
    for lang in LANGS:
        path = folder / f"{lang}.jsonl"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                found.append(_parse(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise ContentError(f"{path.name}, line {number}: {error!r}.", file=path.name) from error
    return found


def _parse(data: dict) -> HeldOut:
    history, question = list[PastTurn](), ""
    for item in data.get("history", []):
        if item["role"] == "student":
            question = item["text"]
        else:
            history.append(PastTurn(question, item["text"], data["lang"]))
    return HeldOut(
        id=data["id"],
        lang=data["lang"],
        kind=data["kind"],
        question=data["question"],
        topics=tuple(data.get("topics", ())),
        must=tuple(tuple(group) for group in data.get("must", ())),
        must_not=tuple(data.get("must_not", ())),
        history=tuple(history),
    )
