"""Runs the held-out questions through the tutor and sums the verdicts up, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tutor.config import CaptureConfig, SamplingConfig
from tutor.content.topics import Exchange, Finding, TopicFinder
from tutor.evaluation.heldout import HeldOut, read_heldout
from tutor.evaluation.judge import Verdict, judge, located
from tutor.teach import DraftEnded, Finished, Tutor

QUIET = CaptureConfig(attention=False, residuals=False, logits=False, lens_top_k=0)
MISSES_SHOWN = 400


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval (Wilson).

    Attributes:
        hits, total: Counts.
        low, high: Bounds of the interval, 0 to 1.
    """

    hits: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """hits / total; nan of nothing."""
        return self.hits / self.total if self.total else float("nan")


def wilson(hits: int, total: int, z: float = 1.96) -> Rate:
    """Wilson score interval of a proportion.

    >>> rate = wilson(9, 10)
    >>> round(rate.low, 2), round(rate.high, 2)
    (0.6, 0.98)
    """
    if total == 0:
        return Rate(0, 0, 0.0, 1.0)
    share = hits / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return Rate(hits, total, (centre - spread) / scale, (centre + spread) / scale)


@dataclass(frozen=True)
class Evaluation:
    """The whole result.

    Attributes:
        model: Name of the model.
        rates: Measure -> share of each.
        by_kind: Kind of question -> share right.
        mean_length: Characters per reply, by language.
        misses: One row per reply that was not right, with the stage that failed.
    """

    model: str
    rates: dict[str, Rate]
    by_kind: dict[str, Rate]
    mean_length: dict[str, float]
    misses: list[dict[str, str]] = field(default_factory=list)


def answer_one(tutor: Tutor, question: HeldOut, sampling: SamplingConfig) -> Verdict:
    """Ask one question and judge the reply."""
    prepared = tutor.prepare(question.question, question.history, question.lang)
    drafts: list[DraftEnded] = []
    final: Finished | None = None
    for event in tutor.reply(prepared, sampling, QUIET):
        if isinstance(event, DraftEnded):
            drafts.append(event)
        elif isinstance(event, Finished):
            final = event
    assert final is not None
    return judge(question, prepared, final, drafts[final.chosen].report, tutor.library)


def run_evaluation(
    tutor: Tutor,
    sampling: SamplingConfig,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Answer and judge every held-out question.

    Args:
        tutor: The tutor to measure.
        sampling: Settings of the first draft.
        limit: Only the first so many questions of each language.
        progress: Called with questions done and questions in all.
    """
    questions = read_heldout()
    if limit:
        questions = [q for lang in ("ja", "en") for q in [x for x in questions if x.lang == lang][:limit]]
    verdicts: list[Verdict] = []
    for question in questions:
        verdicts.append(answer_one(tutor, question, sampling))
        progress(len(verdicts), len(questions))
    return summarise(tutor.loaded.name, verdicts)


def run_finder(finder: TopicFinder) -> dict[str, Rate]:
    """Measure the topic finder by itself on every held-out question; no model is asked."""
    rows = [(question, find_one(finder, question)) for question in read_heldout()]
    inside = [located(question, finding) for question, finding in rows if question.in_scope]
    outside = [located(question, finding) for question, finding in rows if not question.in_scope]
    return {
        "right topic first": _rate(first for first, _, _ in inside),
        "right topic among three": _rate(three for _, three, _ in inside),
        "in-scope kept": _rate(kept for _, _, kept in inside),
        "outside or empty seen": _rate(not kept for _, _, kept in outside),
        "right language": _rate(finding.lang == question.lang for question, finding in rows),
    }


def find_one(finder: TopicFinder, question: HeldOut) -> Finding:
    """What the finder makes of one question after its history."""
    past: list[Exchange] = []
    for turn in question.history:
        found = finder.find(turn.question, (), question.lang)
        past.append(Exchange(found.kind, found.topics, found.lang, turn.question))
    return finder.find(question.question, past, question.lang)


def summarise(model: str, verdicts: list[Verdict]) -> Evaluation:
    """Sum verdicts up."""
    inside = [v for v in verdicts if v.question.in_scope]
    outside = [v for v in verdicts if v.question.kind == "out"]
    japanese = [v for v in verdicts if v.question.lang == "ja"]
    english = [v for v in verdicts if v.question.lang == "en"]
    grounded = [v.grounded for v in verdicts]
    rates = {
        "right": _rate(v.right for v in verdicts),
        "right, Japanese": _rate(v.right for v in japanese),
        "right, English": _rate(v.right for v in english),
        "right language": _rate(v.language for v in verdicts),
        "outside declined": _rate(v.declined for v in outside),
        "wrong claim": _rate(bool(v.wrong) for v in verdicts),
        "repeats or breaks off": _rate(v.repeats or v.broke_off for v in verdicts),
        "right topic first": _rate(v.first for v in inside),
        "right topic among three": _rate(v.among_three for v in inside),
        "in-scope kept": _rate(v.kept for v in inside),
        "figures grounded": wilson(sum(a for a, _ in grounded), sum(b for _, b in grounded)),
        "passed own checks": _rate(v.verified for v in verdicts),
        "in Aura's voice (ja)": _rate(v.persona for v in japanese),
    }
    kinds = dict.fromkeys(v.question.kind for v in verdicts)
    by_kind = {kind: _rate(v.right for v in verdicts if v.question.kind == kind) for kind in kinds}
    lengths = {name: _mean(v.length for v in group) for name, group in (("ja", japanese), ("en", english))}
    misses = [_miss(v) for v in verdicts if not v.right][:MISSES_SHOWN]
    return Evaluation(model, rates, by_kind, lengths, misses)


def _rate(values: Iterable[bool]) -> Rate:
    flags = list(values)
    return wilson(sum(flags), len(flags))


def _mean(values: Iterable[int]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def _miss(verdict: Verdict) -> dict[str, str]:
    question = verdict.question
    stage = "generation"
    if question.in_scope and not verdict.kept:
        stage = "scope"
    elif question.in_scope and not verdict.first:
        stage = "topic"
    elif not verdict.language:
        stage = "language"
    elif verdict.wrong:
        stage = "claim"
    return {
        "id": question.id,
        "stage": stage,
        "kind": question.kind,
        "question": question.question,
        "wanted": ", ".join(question.topics),
        "found": ", ".join(verdict.found),
        "answer": verdict.answer,
        "must": " & ".join("/".join(group) for group in question.must),
        "wrong": verdict.wrong,
    }


def rate_rows(title: str, rates: dict[str, Rate]) -> list[str]:
    """Lines of a table of shares with their intervals."""
    lines = [f"{title:<26}{'share':>8}   95 % interval     n"]
    for name, rate in rates.items():
        lines.append(f"{name:<26}{rate.share:>7.1%}   {rate.low:.1%} to {rate.high:.1%}{rate.total:>6}")
    return lines


def as_table(result: Evaluation) -> str:
    """The result as plain text."""
    rows = [f"model: {result.model}", ""]
    for title, rates in (("measure", result.rates), ("right, by kind", result.by_kind)):
        rows += [*rate_rows(title, rates), ""]
    for lang, length in result.mean_length.items():
        rows.append(f"mean length, {lang}: {length:.0f} characters")
    stages: dict[str, int] = {}
    for miss in result.misses:
        stages[miss["stage"]] = stages.get(miss["stage"], 0) + 1
    rows.append("misses by stage: " + (", ".join(f"{k} {n}" for k, n in stages.items()) or "none"))
    return "\n".join(rows)
