"""Makes the embedded model from prompts/: tokenizer, corpus, training, folder. One command, one seed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import GPT2Config, GPT2LMHeadModel

from tutor.content.loader import Library
from tutor.content.persona import all_tags
from tutor.content.render import fill_library
from tutor.model.tokenizer import Tokenizer, load_tokenizer
from tutor.training.batches import Window, make_encoder, windows
from tutor.training.card import model_card
from tutor.training.loop import TrainConfig, Trainer, window_lengths
from tutor.training.samples import Mix, Sampler, corpus_lines
from tutor.training.tokenizer import save_tokenizer, train_tokenizer

HELD_OUT_SEED = 10_007


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out.

    Attributes:
        n_layer, n_head, n_embd, n_positions, n_vocab: Sizes of the model.
        train: Settings of the loop.
        mix: Shares of the sorts of samples.
    """

    n_layer: int = 6
    n_head: int = 8
    n_embd: int = 256
    n_positions: int = 512
    n_vocab: int = 8192
    train: TrainConfig = field(default_factory=TrainConfig)
    mix: Mix = field(default_factory=Mix)


def build_model(recipe: Recipe, n_vocab: int, eos: int, pad: int) -> GPT2LMHeadModel:
    """A fresh GPT-2; the tanh GELU under the name that runs fastest here."""
    torch.manual_seed(recipe.train.seed)
    config = GPT2Config(
        n_layer=recipe.n_layer,
        n_head=recipe.n_head,
        n_embd=recipe.n_embd,
        n_positions=recipe.n_positions,
        vocab_size=n_vocab,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=eos,
        eos_token_id=eos,
        pad_token_id=pad,
    )
    return GPT2LMHeadModel(config)


def model_values(model: GPT2LMHeadModel) -> dict[str, int]:
    """Sizes by the names that lesson texts use."""
    config = model.config
    return {
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "n_vocab": config.vocab_size,
        "n_positions": config.n_positions,
        "n_params": model.num_parameters(),
        "d_head": config.n_embd // config.n_head,
        "d_mlp": config.n_inner or 4 * config.n_embd,
    }


def make_windows_from(
    library: Library, tokenizer: Tokenizer, recipe: Recipe, rank: int, start: int
) -> Iterator[Window]:
    """Windows from a step on. A resumed run draws from a fresh seed made of seed, rank and step."""
    sampler = Sampler(library, recipe.train.seed * 1_000_003 + rank * 7919 + start, recipe.mix)
    return windows(sampler.conversations(), make_encoder(tokenizer), window_lengths(recipe.train, start))


def held_out_windows(library: Library, tokenizer: Tokenizer, recipe: Recipe, count: int = 24) -> list[Window]:
    """Fixed windows from another seed: unseen questions and noise, known answers."""
    sampler = Sampler(library, HELD_OUT_SEED, recipe.mix)
    lengths = iter([recipe.train.window] * count)
    return list(windows(sampler.conversations(), make_encoder(tokenizer), lengths))


def prepare_tokenizer(library: Library, recipe: Recipe, folder: Path) -> Tokenizer:
    """Train the tokenizer into the folder, unless it is there already."""
    if not (folder / "spiece.model").exists():
        model = train_tokenizer(corpus_lines(library), all_tags(library), recipe.n_vocab)
        save_tokenizer(model, folder)
    return load_tokenizer(folder)


def save_model(model: GPT2LMHeadModel, run: Path, out: Path, facts: dict[str, Any]) -> None:
    """Write the model as a Hugging Face folder in half precision, with aura.json and checksums."""
    out.mkdir(parents=True, exist_ok=True)
    half = GPT2LMHeadModel(model.config)
    half.load_state_dict(model.state_dict())
    half = half.half()
    half.config.activation_function = "gelu_new"  # the same function, under GPT-2's own name
    half.save_pretrained(out, safe_serialization=True)
    for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json"):
        if (run / name).exists():
            shutil.copyfile(run / name, out / name)
    (out / "aura.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_checksums(out)


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS over the files of the folder, in the format that `sha256sum -c` reads."""
    names = sorted(
        p.name for p in folder.iterdir() if p.is_file() and p.name != "SHA256SUMS" and p.suffix != ".md"
    )
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in names]
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


class Log:
    """Shows a progress bar and appends each row to a JSONL file."""

    def __init__(self, path: Path, steps: int, quiet: bool = False) -> None:
        self.path = path
        self.bar = Progress(
            TextColumn("{task.completed}/{task.total} steps"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}, held out {task.fields[held]}"),
            TimeRemainingColumn(),
            disable=quiet,
        )
        self.task = self.bar.add_task("train", total=steps, loss="-", held="-")
        self.bar.start()

    def __call__(self, row: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if "loss" in row:
            self.bar.update(self.task, completed=row["step"], loss=row["loss"])
        else:
            self.bar.update(self.task, held=row["held_out_loss"])

    def close(self) -> None:
        """Leave the last state of the bar on the screen."""
        self.bar.stop()


def train_embedded(
    library: Library, recipe: Recipe, run: Path, out: Path, minutes: float | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Train, or go on training, and write the folder when the last step is done.

    Args:
        library: Everything under prompts/.
        recipe: Sizes and settings.
        run: Folder of checkpoints and the log; a run found there is resumed.
        out: Folder of the finished model.
        minutes: Stop, resumably, after this long.
        quiet: No progress bar.

    Returns:
        The facts written to aura.json, with "finished" False if steps are left.
    """
    run.mkdir(parents=True, exist_ok=True)
    tokenizer = prepare_tokenizer(library, recipe, run)
    model = build_model(
        recipe, tokenizer.n_vocab, tokenizer.piece_id("</s>") or 2, tokenizer.piece_id("<pad>") or 1
    )
    filled = fill_library(library, model_values(model))
    log = Log(run / "log.jsonl", recipe.train.steps, quiet)
    held_out = held_out_windows(filled, tokenizer, recipe)
    trainer = Trainer(
        model,
        lambda start: make_windows_from(filled, tokenizer, recipe, 0, start),
        held_out,
        run,
        recipe.train,
        log,
    )
    trainer.resume()
    progress = trainer.run(until=60 * minutes if minutes else float("inf"))
    log.close()
    facts = {
        "taught": True,
        "format": 1,
        "steps": progress.step,
        "tokens": progress.tokens,
        "hours": round(progress.seconds / 3600, 2),
        "held_out_loss": round(trainer.measure(), 4),
        "recipe": asdict(recipe),
    }
    facts["finished"] = progress.step >= recipe.train.steps
    target = out if facts["finished"] else run / "partial"
    save_model(trainer.raw, run, target, facts)
    (target / "README.md").write_text(model_card(facts, model_values(model)), encoding="utf-8")
    return facts
