"""`python -m tutor`: the tutor without a browser. Arguments only; the work is in `commands`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from tutor.config import AppConfig
from tutor.errors import TutorError


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--temperature", type=float, help="0 is greedy (default)")
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--repetition-penalty", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--max-new-tokens", type=int)


def _add_model(parser: argparse.ArgumentParser) -> None:
    default = AppConfig.from_env().model
    parser.add_argument("--model", default=default, help='"embedded", a folder, or a Hub id')


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m tutor", description="Aura, a tutor that is a GPT-2.")
    commands = parser.add_subparsers(dest="command", required=True)

    ask = commands.add_parser("ask", help="ask one question")
    ask.add_argument("question")
    ask.add_argument("--lang", choices=("ja", "en"), help="language of the page, if the question shows none")
    ask.add_argument("--json", action="store_true", help="print one JSON object instead of streaming")
    _add_model(ask)
    _add_sampling(ask)

    batch = commands.add_parser("batch", help="answer a JSONL file of questions")
    batch.add_argument("input")
    batch.add_argument("output")
    _add_model(batch)
    _add_sampling(batch)

    train = commands.add_parser("train", help="train the embedded model, or fine-tune another GPT-2")
    train.add_argument("--base", help="folder or Hub id of a GPT-2 to fine-tune")
    train.add_argument(
        "--recipe", help="name of a recipe in tutor/training/recipes.toml (finetune with --base)"
    )
    train.add_argument("--finder", action="store_true", help="train the topic finder instead")
    train.add_argument("--run", default="runs/embedded", help="folder of checkpoints; a run there is resumed")
    train.add_argument("--out", help="folder of the finished model (default: the embedded model)")
    train.add_argument("--minutes", type=float, help="stop, resumably, after this long")

    evaluate = commands.add_parser("eval", help="measure on the held-out questions")
    evaluate.add_argument("--json", action="store_true")
    evaluate.add_argument("--finder", action="store_true", help="the topic finder by itself; asks no model")
    evaluate.add_argument("--limit", type=int, help="only the first N questions")
    _add_model(evaluate)
    _add_sampling(evaluate)

    selfcheck = commands.add_parser("selfcheck", help="check the identities of GPT-2 on a loaded model")
    _add_model(selfcheck)

    record = commands.add_parser("record", help="record the replies that the page's first screen replays")
    _add_model(record)

    commands.add_parser("bench", help="measure speed; --help lists its own arguments", add_help=False)
    return parser


def limit_threads(rest: Sequence[str]) -> None:
    """Give the libraries under numpy and torch the benchmark's number of threads.

    They read it when they are imported. torch can be told later, numpy cannot: its own threads spin
    beside torch's, which halved the engine's speed at 124 M parameters.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--threads", type=int)
    threads = parser.parse_known_args(rest)[0].threads or AppConfig.from_env().cpu_threads
    os.environ["OMP_NUM_THREADS"] = str(threads)


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors meant for people are printed as one sentence."""
    argv = sys.argv[1:] if argv is None else argv
    args, rest = build_parser().parse_known_args(argv)
    if rest and args.command != "bench":
        build_parser().error(f"unknown arguments: {' '.join(rest)}")
    args.rest = rest
    if args.command == "bench":
        limit_threads(rest)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from tutor import commands

    run = {
        "ask": commands.ask,
        "batch": commands.batch,
        "train": commands.train,
        "eval": commands.evaluate,
        "selfcheck": commands.selfcheck,
        "record": commands.record,
        "bench": commands.bench,
    }[args.command]
    try:
        return run(args)
    except TutorError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
