"""Measure, compare, and print: a table for people and, last, one JSON object for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tutor.bench import peers
from tutor.bench.contenders import CONTENDERS, FULL, Contender, Run, prepare, ratios, record
from tutor.bench.page import measure_page, page_lines
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

    Of the prompt lengths the one that is worse for us counts.

    Args:
        runs: Runs by prompt length and contender.
    """
    return {
        "recorded_vs_generate": min(ratios(runs, "engine_recorded", "generate")),
        "recorded_lens_vs_generate": min(ratios(runs, "engine_lens", "generate")),
        "recording_overhead": max(ratios(runs, "engine", "engine_recorded")),
        "recorded_vs_generate_recorded": min(ratios(runs, "engine_recorded", "generate_recorded")),
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


@dataclass(frozen=True)
class Extras:
    """What is measured beside the engine.

    Attributes:
        page: Measure the page in a browser.
        replies: Replies of the page after which memory is read.
        page_tokens: Longest reply of the page; None leaves a taught model its own end.
        peers: Let llama.cpp take part.
        threads: torch's threads, for the page's server and for llama.cpp.
    """

    page: bool = False
    replies: int = 0
    page_tokens: int | None = None
    peers: bool = False
    threads: int = 1


def measure(
    name: str, repeats: int, scratch: Path, say: Callable[[str], None], extras: Extras = Extras()
) -> Json:
    """Measure one model.

    Args:
        name: "embedded", a name in RANDOM, a folder or a Hub id.
        repeats: Times that each contender runs, at least 5 for figures to rely on.
        scratch: Folder for random checkpoints.
        say: Told what is going on.
        extras: What is measured beside the engine.

    Returns:
        The ratios, and beside them the medians that they come from; "page_error" if there was a
        page to measure and it failed.
    """
    subject = make_subject(name, scratch)
    found, contenders = _with_peers(subject, prepare(subject), scratch, say, extras)
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
        **(peers.compare_peers(runs) if found else {}),
        "late_over_early": late.pop("late_over_early"),
        "medians": {length: summarise(timed) for length, timed in runs.items()},
        "positions": late,
        **sizes(subject),
        **found,
        **(_page(subject, repeats, scratch, say, extras) if extras.page else {}),
    }


def _with_peers(
    subject: Subject,
    ours: dict[str, Contender],
    scratch: Path,
    say: Callable[[str], None],
    extras: Extras,
) -> tuple[Json, dict[str, Contender]]:
    """What is known about the peers, and all contenders with them; a sentence if they cannot come."""
    if not extras.peers:
        return {}, ours
    lacking = peers.missing()
    if lacking is not None:
        say(lacking)
        return {}, ours
    say(f"{subject.name}: llama.cpp gets the weights")
    made = peers.prepare_peers(subject, scratch, extras.threads)
    room = subject.loaded.config.n_positions - peers.AGREEMENT
    about = peers.about_peers(subject, made, prompt_ids(subject, min(PROMPTS[0], room)))
    return about, ours | peers.contenders(made)


def _page(subject: Subject, rounds: int, scratch: Path, say: Callable[[str], None], extras: Extras) -> Json:
    """The page's figures, or why there are none; the other figures stay."""
    try:
        return measure_page(
            subject, threads=extras.threads, rounds=rounds, replies=extras.replies,
            tokens=extras.page_tokens, scratch=scratch, say=say,
        )  # fmt: skip
    except TutorError as error:
        say(f"{subject.name}: {error}")
        return {"page_error": str(error)}


def table(name: str, result: Json) -> str:
    """The medians of one model as aligned text."""
    lines, labels = [f"\n{name}"], CONTENDERS | peers.PEERS
    for length, medians in result["medians"].items():
        lines.append(f"  prompt {length:>4}{'':45}tokens/s   ms/token   first token ms")
        lines += [
            f"    {labels[key]:<54}{row['tokens_per_second']:>9.1f}{row['ms_per_token']:>11.2f}"
            f"{row['first_token_ms']:>17.1f}"
            for key, row in medians.items()
        ]
    keys = ("recorded_vs_generate", "recorded_lens_vs_generate", "recording_overhead", "late_over_early")
    shown = [*keys, *(key for key in result if "_vs_llama_cpp" in key)]
    lines += [f"  {key:<30}{result[key]:.2f}" for key in shown]
    lines.append(
        f"  recorded per token {result['recorded_bytes_per_token'] / 1000:.0f} kB, "
        f"sent to the page {result['browser_bytes_per_token'] / 1000:.1f} kB"
    )
    if "page" in result:
        lines += page_lines(result)
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
    found.add_argument("--page", action="store_true", help="measure the page in a browser too")
    found.add_argument("--replies", type=int, default=0, help="with --page: read memory over N more replies")
    found.add_argument("--page-tokens", type=int, help="with --page: longest reply")
    found.add_argument("--peers", action="store_true", help="let llama.cpp take part, if it is installed")
    found.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0, or 1 if a model could not be measured."""
    args = parser().parse_args(arguments)
    default = ["embedded" if (EMBEDDED / "config.json").is_file() else "random-7m", "random-124m"]
    threads = args.threads or AppConfig.from_env().cpu_threads
    torch.set_num_threads(threads)
    results: Json = {"machine": machine(threads)}
    extras = Extras(args.page, args.replies, args.page_tokens, args.peers, threads)
    failed = False
    with scratch_folder() as scratch:
        for name in args.model or default:
            try:
                results[name] = measure(
                    name, args.repeats, Path(scratch), lambda line: print(line, file=sys.stderr), extras
                )
            except TutorError as error:
                failed = True
                print(f"{name}: {error}", file=sys.stderr)
                continue
            failed |= "page_error" in results[name]
            print(table(name, results[name]), flush=True)
    if args.json:
        print(json.dumps(results), flush=True)
    return int(failed)
