"""What the command line does: ask, batch, train, eval. Arguments are parsed in `__main__`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tutor.config import EMBEDDED, AppConfig, CaptureConfig, SamplingConfig
from tutor.content.loader import LANGS, load_library
from tutor.content.topics import TopicFinder
from tutor.errors import TutorError
from tutor.teach import DraftEnded, DraftStarted, Event, Finished, PastTurn, Tutor
from tutor.trace import Step

QUIET = CaptureConfig(attention=False, residuals=False, logits=False, lens_top_k=0)


def make_tutor(model: str) -> Tutor:
    """Load a model and everything under prompts/."""
    import torch

    from tutor.model.registry import load_model

    torch.set_num_threads(AppConfig.from_env().cpu_threads)
    return Tutor(load_model(model), load_library())


def sampling_from(args: argparse.Namespace) -> SamplingConfig:
    """Sampling settings from the command line; what was not given keeps its default."""
    names = ("temperature", "top_k", "top_p", "repetition_penalty", "seed", "max_new_tokens")
    given = {name: getattr(args, name, None) for name in names}
    return SamplingConfig(**{name: value for name, value in given.items() if value is not None})


def ask(args: argparse.Namespace) -> int:
    """Stream one reply to the terminal; with --json print one object at the end instead."""
    tutor = make_tutor(args.model)
    prepared = tutor.prepare(args.question, ui_lang=args.lang or "ja")
    stream = tutor.loaded.tokenizer.stream()
    drafts: list[dict[str, Any]] = []
    for event in tutor.reply(prepared, sampling_from(args), QUIET):
        if isinstance(event, DraftStarted):
            stream = tutor.loaded.tokenizer.stream()
        elif isinstance(event, Step) and not args.json and not event.token.special:
            print(stream.push(event.token.token_id), end="", flush=True)
        elif isinstance(event, DraftEnded):
            drafts.append({"text": event.text, "failures": event.report.failures})
            if not args.json:
                print(stream.flush())
                if event.withdrawn:
                    print(f"-- withdrawn: {', '.join(event.report.failures)}", file=sys.stderr)
        elif isinstance(event, Finished) and args.json:
            print(json.dumps(_answer_object(prepared.finding, event, drafts), ensure_ascii=False))
    return 0


def _answer_object(finding: Any, event: Finished, drafts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "answer": event.text,
        "verified": event.verified,
        "reason": event.reason,
        "lang": finding.lang,
        "kind": finding.kind,
        "topics": finding.topics,
        "drafts": drafts,
    }


def last_event(events: Any) -> Finished:
    """Run a reply to its end."""
    final: Event | None = None
    for event in events:
        final = event
    assert isinstance(final, Finished)
    return final


def parse_batch_line(line: str) -> tuple[Any, str, list[PastTurn], str]:
    """Read one line of a batch file: (id, question, history, page language).

    Raises:
        ValueError: The line is not such an object; the message says what is wrong.
    """
    data = json.loads(line)
    if not isinstance(data, dict) or "id" not in data or not isinstance(data.get("question"), str):
        raise ValueError('needs an object with "id" and a text "question"')
    lang = data.get("lang") or "ja"
    if lang not in LANGS:
        raise ValueError(f'"lang" is {lang!r}, must be one of {", ".join(LANGS)}')
    return data["id"], data["question"], read_history(data.get("history") or [], lang), lang


def read_history(items: list[dict[str, str]], lang: str) -> list[PastTurn]:
    """Pair the student's and Aura's texts of a history.

    Raises:
        ValueError: An item has another form than {"role": "student" or "aura", "text": text}.
    """
    turns: list[PastTurn] = []
    question: str | None = None
    for item in items:
        role, text = (item.get("role"), item.get("text")) if isinstance(item, dict) else (None, None)
        if role not in ("student", "aura") or not isinstance(text, str):
            raise ValueError('"history" items need a "role" of student or aura, and a "text"')
        if role == "student":
            if question is not None:
                turns.append(PastTurn(question, "", lang))
            question = text
        elif question is not None:
            turns.append(PastTurn(question, text, lang))
            question = None
    return turns


def batch(args: argparse.Namespace) -> int:
    """Answer every line of a file, in order; go on past bad lines and exit with 1 at the end."""
    source = Path(args.input)
    if not source.exists():
        print(f"No such file: {source}. Give a JSONL file of questions.", file=sys.stderr)
        return 1
    tutor, sampling, bad = make_tutor(args.model), sampling_from(args), 0
    lines = source.read_text(encoding="utf-8-sig").split("\n")  # a question may hold other line ends
    with Path(args.output).open("w", encoding="utf-8") as out:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                key, question, history, lang = parse_batch_line(line)
                prepared = tutor.prepare(question, history, lang)
                answer = last_event(tutor.reply(prepared, sampling, QUIET)).text
            except (ValueError, TutorError) as error:
                print(f"{source}, line {number}: {error}", file=sys.stderr)
                bad += 1
                continue
            out.write(json.dumps({"id": key, "answer": answer}, ensure_ascii=False) + "\n")
            out.flush()
            if sys.stderr.isatty():
                print(f"\r{number}/{len(lines)}", end="", file=sys.stderr)
    return 1 if bad else 0


def train(args: argparse.Namespace) -> int:
    """Train the embedded model, the topic finder, or fine-tune another GPT-2."""
    from tutor.content.topics import WEIGHTS
    from tutor.training.embedded import train_embedded
    from tutor.training.finder import train_finder
    from tutor.training.finetune import finetune
    from tutor.training.recipes import load_recipe

    library, recipe = load_library(), load_recipe(args.recipe or ("finetune" if args.base else "embedded"))
    if args.finder:
        folder = Path(args.out or WEIGHTS)
        folder.mkdir(parents=True, exist_ok=True)
        losses = train_finder(library, folder)
        print(", ".join(f"{name}: loss {loss:.3f} nats" for name, loss in losses.items()))
        return 0
    if args.base:
        out = Path(args.out or Path(args.run) / "model")
        facts = finetune(library, args.base, Path(args.run), out, recipe, args.minutes)
    else:
        facts = train_embedded(library, recipe, Path(args.run), Path(args.out or EMBEDDED), args.minutes)
    print(json.dumps({k: v for k, v in facts.items() if k != "recipe"}, indent=1))
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Run the held-out evaluation and print its table."""
    from tutor.evaluation.report import as_table, rate_rows, run_evaluation, run_finder

    if args.finder:
        rates = run_finder(TopicFinder(load_library()))
        rows = {name: asdict(rate) for name, rate in rates.items()}
        print(json.dumps(rows) if args.json else "\n".join(rate_rows("topic finder", rates)))
        return 0
    result = run_evaluation(make_tutor(args.model), sampling_from(args), limit=args.limit)
    print(json.dumps(asdict(result), ensure_ascii=False) if args.json else as_table(result))
    return 0


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def selfcheck(args: argparse.Namespace) -> int:
    """Check GPT-2's identities on a loaded model; 1 if one fails."""
    import torch

    from tutor import selfcheck as checker
    from tutor.model.registry import load_model

    torch.set_num_threads(AppConfig.from_env().cpu_threads)
    results = checker.run(load_model(args.model))
    print_rows(checker.main_rows(results))
    return 0 if all(result.passed for result in results) else 1


def bench(args: argparse.Namespace) -> int:
    """Measure speed; the last line is one JSON object with --json."""
    from tutor.bench import main as run_bench

    return run_bench(args.rest)


def record(args: argparse.Namespace) -> int:
    """Record the short replies that the page's first screen replays, one per language."""
    from tutor.session import recording
    from tutor.session.texts import load_texts
    from tutor.session.writer import record_reply

    tutor = make_tutor(args.model)
    for lang in LANGS:
        path = recording.FOLDER / f"{lang}.npz"
        recording.save(record_reply(tutor, load_texts()[lang]["recording_question"], lang), path)
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB")
    return 0
