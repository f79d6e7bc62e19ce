"""Measure, compare, and print: a table for people and, last, one JSON object for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tutor.bench.contenders import CONTENDERS, FULL, Contender, Run, prepare, record
from tutor.bench.subjects import RANDOM, Subject, make_subject, scratch_folder
from tutor.config import EMBEDDED, AppConfig
from tutor.errors import TutorError

PROMPTS = (64, 512)
NEW_TOKENS = 64
EARLY, LATE = 100, 900
AROUND = 16  # tokens timed at each of these positions

Json = dict[str, Any]


def prompt_ids(subject: Subject, length: int) -> list[int]:
    """Token ids that are the same in every run, spread over the vocabulary."""
    source = torch.Generator().manual_seed(length)
    return torch.randint(3, subject.loaded.config.n_vocab, (length,), generator=source).tolist()


def take_turns(
    contenders: dict[str, Contender], ids: Sequence[int], tokens: int, repeats: int
) -> dict[str, list[Run]]:
    """Run every contender once to warm up, then `repeats` times in turn."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for name, contender in contenders.items():
            run = contender(ids, tokens)
            if turn:
                runs[name].append(run)
    return runs


def summarise(runs: dict[str, list[Run]]) -> Json:
    """Medians of one prompt length, by contender."""
    return {
        name: {
            "tokens_per_second": median(run.rate for run in found),
            "tokens_per_second_whole": median(run.whole for run in found),
            "ms_per_token": 1000 * median(sum(run.steps) / len(run.steps) for run in found),
            "first_token_ms": 1000 * median(run.first for run in found),
        }
        for name, found in runs.items()
    }


def compare(runs: dict[str, dict[str, list[Run]]]) -> Json:
    """The ratios of one model.

    A ratio is taken within each round, where both contenders met the same machine, and the median
    of the rounds is kept; of the prompt lengths the one that is worse for us counts.

    Args:
        runs: Runs by prompt length and contender.
    """

    def ratios(one: str, other: str) -> list[float]:
        return [
            median(a.rate / b.rate for a, b in zip(found[one], found[other], strict=True))
            for found in runs.values()
        ]

    return {
        "recorded_vs_generate": min(ratios("engine_recorded", "generate")),
        "recorded_lens_vs_generate": min(ratios("engine_lens", "generate")),
        "recording_overhead": max(ratios("engine", "engine_recorded")),
        "recorded_vs_generate_recorded": min(ratios("engine_recorded", "generate_recorded")),
    }


def late_over_early(subject: Subject, repeats: int) -> Json:
    """Time of a token late in the context over that of an early one, with our recording, in turns."""
    last = subject.loaded.config.n_positions - AROUND - 1
    places = {"early": min(EARLY, last // 2), "late": min(LATE, last)}
    times: dict[str, list[float]] = {name: [] for name in places}
    capture = replace(FULL, lens_top_k=0, prompt_logprobs=False)
    for turn in range(repeats + 1):
        for name, place in places.items():
            stamps = record(subject, capture, prompt_ids(subject, place), AROUND)[1]
            steps = [late - early for early, late in zip(stamps[1:], stamps[2:], strict=False)]
            if turn:
                times[name].append(median(steps))
    early, late = median(times["early"]), median(times["late"])
    return {
        "late_over_early": median(b / a for a, b in zip(times["early"], times["late"], strict=True)),
        "early_position": places["early"],
        "late_position": places["late"],
        "early_ms": 1000 * early,
        "late_ms": 1000 * late,
    }


def sizes(subject: Subject) -> Json:
    """Bytes recorded per token, and bytes that the page is sent per token."""
    from tutor.panels import payload

    half = subject.loaded.config.n_positions // 2
    ids = prompt_ids(subject, min(PROMPTS[0], half))
    steps = record(subject, FULL, ids, min(NEW_TOKENS, half))[0].steps
    arrays = [[s.attention, s.resid, s.logits] for s in steps]
    recorded = [sum(a.nbytes for a in found if a is not None) for found in arrays]
    sent = [len(json.dumps(payload.step(step), ensure_ascii=False).encode()) for step in steps]
    return {"recorded_bytes_per_token": median(recorded), "browser_bytes_per_token": median(sent)}


def measure(name: str, repeats: int, scratch: Path, say: Callable[[str], None]) -> Json:
    """Measure one model.

    Args:
        name: "embedded", a name in RANDOM, a folder or a Hub id.
        repeats: Times that each contender runs, at least 5 for figures to rely on.
        scratch: Folder for random checkpoints.
        say: Told what is going on.

    Returns:
        The ratios, and beside them the medians that they come from.
    """
    subject = make_subject(name, scratch)
    contenders = prepare(subject)
    new_tokens = min(NEW_TOKENS, subject.loaded.config.n_positions // 2)
    runs: dict[str, dict[str, list[Run]]] = {}
    for length in PROMPTS:
        room = subject.loaded.config.n_positions - new_tokens
        ids = prompt_ids(subject, min(length, room))
        say(f"{name}: prompt of {len(ids)} tokens, {new_tokens} new ones, {repeats} rounds")
        runs[str(len(ids))] = take_turns(contenders, ids, new_tokens, repeats)
    say(f"{name}: early and late tokens")
    late = late_over_early(subject, repeats)
    return {
        **compare(runs),
        "late_over_early": late.pop("late_over_early"),
        "medians": {length: summarise(found) for length, found in runs.items()},
        "positions": late,
        **sizes(subject),
    }


def table(name: str, result: Json) -> str:
    """The medians of one model as aligned text."""
    lines = [f"\n{name}"]
    for length, medians in result["medians"].items():
        lines.append(f"  prompt {length:>4}{'':45}tokens/s   ms/token   first token ms")
        lines += [
            f"    {CONTENDERS[key]:<54}{row['tokens_per_second']:>9.1f}{row['ms_per_token']:>11.2f}"
            f"{row['first_token_ms']:>17.1f}"
            for key, row in medians.items()
        ]
    keys = ("recorded_vs_generate", "recorded_lens_vs_generate", "recording_overhead", "late_over_early")
    lines += [f"  {key:<30}{result[key]:.2f}" for key in keys]
    lines.append(
        f"  recorded per token {result['recorded_bytes_per_token'] / 1000:.0f} kB, "
        f"sent to the page {result['browser_bytes_per_token'] / 1000:.1f} kB"
    )
    return "\n".join(lines)


def machine(threads: int) -> Json:
    """What the figures were measured on."""
    return {
        "threads": threads,
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def parser() -> argparse.ArgumentParser:
    """Arguments of `python -m tutor bench`."""
    found = argparse.ArgumentParser(prog="python -m tutor bench", description=__doc__)
    found.add_argument(
        "--model", action="append", help=f"embedded, {', '.join(RANDOM)}, a folder or a Hub id"
    )
    found.add_argument("--repeats", type=int, default=5, help="rounds, 5 or more for figures to rely on")
    found.add_argument("--threads", type=int, help="torch threads for all contenders alike")
    found.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0, or 1 if a model could not be measured."""
    args = parser().parse_args(arguments)
    default = ["embedded" if (EMBEDDED / "config.json").is_file() else "random-7m", "random-124m"]
    threads = args.threads or AppConfig.from_env().cpu_threads
    torch.set_num_threads(threads)
    results: Json = {"machine": machine(threads)}
    failed = False
    with scratch_folder() as scratch:
        for name in args.model or default:
            try:
                results[name] = measure(
                    name, args.repeats, Path(scratch), lambda line: print(line, file=sys.stderr)
                )
            except TutorError as error:
                failed = True
                print(f"{name}: {error}", file=sys.stderr)
                continue
            print(table(name, results[name]), flush=True)
    if args.json:
        print(json.dumps(results), flush=True)
    return int(failed)
