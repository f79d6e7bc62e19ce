"""Reads prompts/ and checks it: lessons, question frames, dialogues. Knows no model.

A file with an unknown or missing key, or with one language lacking what the other has, is a
`ContentError` that names the file and what to change.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tutor.config import PROMPTS
from tutor.errors import ContentError

LANGS = ("ja", "en")
KINDS = (
    "what", "why", "how", "brief", "compare", "number", "formula", "code",
    "misconception", "analogy", "example",
)  # fmt: skip
OTHER_KINDS = ("smalltalk", "out", "empty")

Lang = str
Kind = str


@dataclass(frozen=True)
class LessonText:
    """One language of a lesson.

    Attributes:
        title: Name of the idea.
        key: Key line: title, figures, formula; put into the prompt as real tokens.
        aliases: Names of the idea.
        descriptions: Phrases that mean the idea without naming it.
        note: The note itself, shown as a card.
        questions: (kind, text) pairs written by hand.
        answers: kind -> answers that the model is trained on.
    """

    title: str
    key: str
    aliases: tuple[str, ...]
    descriptions: tuple[str, ...]
    note: str
    questions: tuple[tuple[Kind, str], ...]
    answers: dict[Kind, tuple[str, ...]]


@dataclass(frozen=True)
class Lesson:
    """One idea in both languages."""

    id: str
    group: str
    source: str
    related: tuple[str, ...]
    figures: tuple[str, ...]
    texts: dict[Lang, LessonText]

    @property
    def is_misconception(self) -> bool:
        """Whether the lesson only corrects a wrong belief."""
        return self.id.startswith("mis_")


@dataclass(frozen=True)
class SmallTalk:
    """One small-talk situation: wordings and answers per language."""

    id: str
    questions: dict[Lang, tuple[str, ...]]
    answers: dict[Lang, tuple[str, ...]]


@dataclass(frozen=True)
class Outside:
    """Questions outside the subject, and refusals with {a} and {b} for two offered topics."""

    questions: dict[Lang, tuple[str, ...]]
    answers: dict[Lang, tuple[str, ...]]


@dataclass(frozen=True)
class Frames:
    """Question frames per language and kind; `{x}` and `{y}` stand for topics."""

    frames: dict[Lang, dict[Kind, tuple[str, ...]]]
    followup: dict[Lang, dict[Kind, tuple[str, ...]]]
    openings: dict[Lang, tuple[str, ...]]
    closings: dict[Lang, tuple[str, ...]]


@dataclass(frozen=True)
class Thread:
    """A short conversation of the student's turns: (text, topic, kind)."""

    lang: Lang
    turns: tuple[tuple[str, str, Kind], ...]


@dataclass(frozen=True)
class WrongClaim:
    """A claim that must never be made: a pattern, and a pattern that excuses it (a negation)."""

    lang: Lang
    pattern: re.Pattern[str]
    unless: re.Pattern[str]


@dataclass(frozen=True)
class Library:
    """All of prompts/ that the tutor knows."""

    lessons: dict[str, Lesson]
    smalltalk: dict[str, SmallTalk]
    outside: Outside
    empty: Outside
    frames: Frames
    threads: tuple[Thread, ...] = ()
    readings: dict[str, dict[str, str]] = field(default_factory=dict)
    claims: tuple[WrongClaim, ...] = ()
    wordings: dict[str, dict[Lang, tuple[tuple[Kind, str], ...]]] = field(default_factory=dict)
    root: Path = PROMPTS


def read_toml(path: Path) -> dict[str, Any]:
    """Read one TOML file.

    Raises:
        ContentError: The file is missing or not valid TOML; the message names it.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContentError(f"{path.name} is missing under {path.parent}.", file=path.name) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContentError(f"{path.name} is not valid TOML: {error}.", file=path.name) from error


def _need(data: dict[str, Any], keys: set[str], where: str) -> None:
    missing, unknown = keys - data.keys(), data.keys() - keys
    if missing or unknown:
        raise ContentError(
            f"{where}: missing {sorted(missing)}, unknown {sorted(unknown)}; correct the keys.",
            file=where,
        )


def _lesson_text(data: dict[str, Any], where: str) -> LessonText:
    _need(data, {"title", "key", "aliases", "descriptions", "note", "questions", "answers"}, where)
    for kind in data["answers"]:
        if kind not in KINDS:
            raise ContentError(f"{where}: unknown answer kind {kind!r}; use one of {KINDS}.", file=where)
    questions = tuple((q["kind"], q["text"]) for q in data["questions"])
    return LessonText(
        title=data["title"],
        key=data["key"],
        aliases=tuple(data["aliases"]),
        descriptions=tuple(data["descriptions"]),
        note=data["note"].strip(),
        questions=questions,
        answers={kind: tuple(a.strip() for a in texts) for kind, texts in data["answers"].items()},
    )


def read_lesson(path: Path) -> Lesson:
    """Read and check one lesson file.

    Raises:
        ContentError: A key is missing or unknown, the id differs from the file name, or the two
            languages do not answer the same kinds.
    """
    data = read_toml(path)
    _need(data, {"id", "group", "source", "related", "figures", "ja", "en"}, path.name)
    if data["id"] != path.stem:
        raise ContentError(f"{path.name}: id is {data['id']!r}, must be {path.stem!r}.", file=path.name)
    texts = {lang: _lesson_text(data[lang], f"{path.name} [{lang}]") for lang in LANGS}
    if texts["ja"].answers.keys() != texts["en"].answers.keys():
        differ = sorted(texts["ja"].answers.keys() ^ texts["en"].answers.keys())
        raise ContentError(f"{path.name}: only one language answers {differ}; add the other.", file=path.name)
    return Lesson(
        id=data["id"],
        group=data["group"],
        source=data["source"],
        related=tuple(data["related"]),
        figures=tuple(str(f) for f in data["figures"]),
        texts=texts,
    )


def _tuples(data: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(value) for key, value in data.items() if isinstance(value, list)}


def _read_frames(path: Path) -> Frames:
    data = read_toml(path)
    return Frames(
        frames={lang: {k: v for k, v in _tuples(data[lang]).items() if k in KINDS} for lang in LANGS},
        followup={lang: _tuples(data[lang]["followup"]) for lang in LANGS},
        openings={lang: tuple(data[lang]["openings"]) for lang in LANGS},
        closings={lang: tuple(data[lang]["closings"]) for lang in LANGS},
    )


def _read_outside(path: Path, fields: tuple[str, ...]) -> Outside:
    """Questions of `name.toml` and of `name.b.toml` and so on; answers of the first."""
    data = read_toml(path)
    tables = [data, *map(read_toml, sorted(path.parent.glob(f"{path.stem}.*.toml")))]
    return Outside(
        questions={lang: tuple(q for t in tables for f in fields for q in t[lang][f]) for lang in LANGS},
        answers={lang: tuple(data[lang]["answers"]) for lang in LANGS},
    )


def _read_smalltalk(path: Path) -> dict[str, SmallTalk]:
    items = read_toml(path)["item"]
    return {
        item["id"]: SmallTalk(
            id=item["id"],
            questions={lang: tuple(item[lang]["questions"]) for lang in LANGS},
            answers={lang: tuple(item[lang]["answers"]) for lang in LANGS},
        )
        for item in items
    }


def _read_threads(path: Path, known: set[str]) -> tuple[Thread, ...]:
    threads: list[Thread] = []
    for item in read_toml(path)["thread"]:
        turns = tuple((turn["student"], turn["topic"], turn["kind"]) for turn in item["turns"])
        unknown = [topic for _, topic, _ in turns if topic not in known]
        if unknown:
            raise ContentError(f"{path.name}: unknown topics {unknown}; use a lesson id.", file=path.name)
        threads.append(Thread(lang=item["lang"], turns=turns))
    return tuple(threads)


def _read_wordings(folder: Path, known: set[str]) -> dict[str, dict[Lang, tuple[tuple[Kind, str], ...]]]:
    """Further wordings of questions, "kind|text": `<lesson>.toml`, `<lesson>.b.toml` and so on."""
    found: dict[str, dict[Lang, tuple[tuple[Kind, str], ...]]] = {}
    for path in sorted(folder.glob("*.toml")):
        data, lesson = read_toml(path), path.name.split(".")[0]
        _need(data, set(LANGS), path.name)
        if lesson not in known:
            raise ContentError(f"{path.name}: no such lesson; rename or remove it.", file=path.name)
        new = {lang: tuple(_wording(line, path.name) for line in data[lang]) for lang in LANGS}
        old = found.get(lesson, {})
        found[lesson] = {lang: old.get(lang, ()) + new[lang] for lang in LANGS}
    return found


def _wording(line: str, where: str) -> tuple[Kind, str]:
    kind, bar, text = line.partition("|")
    if not bar or kind not in KINDS:
        raise ContentError(f"{where}: {line!r} must read kind|question, with a kind of {KINDS}.", file=where)
    return kind, text


def _read_claims(path: Path) -> tuple[WrongClaim, ...]:
    data = read_toml(path)
    excuse = {lang: re.compile(data["negation"][lang], re.I) for lang in LANGS}
    try:
        return tuple(
            WrongClaim(lang, re.compile(pattern, re.I), excuse[lang])
            for lang in LANGS
            for pattern in data["claims"][lang]
        )
    except re.error as error:
        raise ContentError(f"{path.name}: bad pattern: {error}.", file=path.name) from error


@lru_cache(maxsize=4)
def load_library(root: Path = PROMPTS) -> Library:
    """Read all of `prompts/`.

    Raises:
        ContentError: A file is missing or malformed; the message names it and what to change.
    """
    lessons = {path.stem: read_lesson(path) for path in sorted((root / "lessons").glob("*.toml"))}
    if not lessons:
        raise ContentError(f"{root / 'lessons'} holds no lesson; restore the prompts folder.")
    dialogue = root / "dialogue"
    smalltalk = _read_smalltalk(dialogue / "smalltalk.toml")
    return Library(
        lessons=lessons,
        smalltalk=smalltalk,
        outside=_read_outside(dialogue / "outside.toml", ("near", "far")),
        empty=_read_outside(dialogue / "empty.toml", ("questions",)),
        frames=_read_frames(root / "frames.toml"),
        threads=_read_threads(dialogue / "threads.toml", set(lessons) | set(smalltalk)),
        readings=read_toml(root / "readings.toml"),
        claims=_read_claims(root / "wrong_claims.toml"),
        wordings=_read_wordings(root / "questions", set(lessons)),
        root=root,
    )
