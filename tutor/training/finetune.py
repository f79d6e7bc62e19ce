"""Fine-tunes any GPT-2 on the corpus: `python -m tutor train --base FOLDER_OR_HUB_ID`.

The prompt format is the same; tags that the base's tokenizer lacks are written out as text. Runs
on whatever accelerate finds: one device, several (`accelerate launch -m tutor train …`), or a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import GPT2LMHeadModel

from tutor.content.loader import Library
from tutor.content.render import fill_library
from tutor.model.registry import fetch_folder
from tutor.model.tokenizer import load_tokenizer
from tutor.model.weights import read_config, read_json
from tutor.training.batches import Window
from tutor.training.card import model_card
from tutor.training.embedded import Log, Recipe, held_out_windows, make_windows_from, model_values, save_model
from tutor.training.loop import Progress, TrainConfig, Trainer, only_cpu

TOKENIZER_FILES = ("*.model", "tokenizer*.json", "vocab.json", "merges.txt", "special_tokens_map.json")


def fitting(train: TrainConfig, n_positions: int) -> TrainConfig:
    """Settings that fit the base's context and this machine's precision."""
    precision = train.mixed_precision
    if precision == "no" and torch.cuda.is_available():
        precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return replace(
        train,
        window=min(train.window, n_positions),
        long_window=min(train.long_window, n_positions),
        mixed_precision=precision,
    )


def finetune(
    library: Library,
    base: str,
    run: Path,
    out: Path,
    recipe: Recipe,
    minutes: float | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Fine-tune a GPT-2 checkpoint and write the result as a Hugging Face folder.

    Args:
        library: Everything under prompts/.
        base: Folder or Hub id.
        run: Folder of checkpoints and the log; a run found there is resumed.
        out: Folder of the finished model.
        recipe: Settings; the sizes come from the base.
        minutes: Stop, resumably, after this long.
        quiet: No progress bar.

    Returns:
        The facts written to aura.json.

    Raises:
        ModelNotFound, NotGPT2, BrokenCheckpoint: As for `load_model`.
    """
    state = PartialState(cpu=only_cpu())
    folder = fetch_folder(base)
    config = read_config(folder)
    recipe = replace(recipe, train=fitting(recipe.train, config.n_positions))
    run.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(folder)
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)
    filled = fill_library(library, model_values(model))

    def windows(start: int) -> Iterator[Window]:
        return make_windows_from(filled, tokenizer, recipe, state.process_index, start)

    log = Log(run / "log.jsonl", recipe.train.steps, quiet or not state.is_main_process)
    held_out = held_out_windows(filled, tokenizer, recipe)
    trainer = Trainer(model, windows, held_out, run, recipe.train, log)
    trainer.resume()
    progress = trainer.run(until=60 * minutes if minutes else float("inf"))
    log.close()
    pieces = [*pieces_of(folder), piece(progress, recipe)]
    facts: dict[str, Any] = {
        "taught": True,
        "format": 1,
        "base": Path(base).name if Path(base).is_dir() else base,
        "steps": sum(part["steps"] for part in pieces),
        "tokens": sum(part["tokens"] for part in pieces),
        "hours": round(sum(part["hours"] for part in pieces), 2),
        "pieces": pieces,
        "processes": state.num_processes,
        "held_out_loss": round(trainer.measure(), 4),
        "recipe": asdict(recipe),
        "finished": True,
    }
    if state.is_main_process:
        copy_tokenizer(folder, run)
        save_model(trainer.raw, run, out, facts)
        (out / "README.md").write_text(model_card(facts, model_values(model)), encoding="utf-8")
    state.wait_for_everyone()
    return facts


def piece(progress: Progress, recipe: Recipe) -> dict[str, Any]:
    """What one run added to a model's training."""
    hours = round(progress.seconds / 3600, 2)
    return {"steps": progress.step, "tokens": progress.tokens, "hours": hours, "seed": recipe.train.seed}


def pieces_of(folder: Path) -> list[dict[str, Any]]:
    """The runs that a model's training on the lessons has consisted of so far, oldest first."""
    facts = read_json(folder / "aura.json")
    if not facts.get("taught"):
        return []
    first = {name: facts.get(name, 0) for name in ("steps", "tokens", "hours")}
    return facts.get("pieces") or [first | {"seed": facts.get("recipe", {}).get("train", {}).get("seed")}]


def copy_tokenizer(folder: Path, run: Path) -> None:
    """Keep the base's tokenizer files beside the checkpoints."""
    for pattern in TOKENIZER_FILES:
        for path in folder.glob(pattern):
            (run / path.name).write_bytes(path.read_bytes())
