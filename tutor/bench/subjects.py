"""The models that are measured: any checkpoint, or random weights of a named size."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tutor.config import EMBEDDED
from tutor.model.gpt2 import GPT2Config
from tutor.model.registry import LoadedModel, load_model
from tutor.model.tokenizer import Tokenizer
from tutor.model.vocabulary import gpt2_byte_stand_ins

RANDOM: dict[str, GPT2Config] = {
    "random-7m": GPT2Config(8000, 1024, 256, 6, 8, 1024),
    "random-124m": GPT2Config(50257, 1024, 768, 12, 12, 3072),
}
"""Sizes with random weights, by name: that of the embedded model, and that of GPT-2 small."""


@dataclass(frozen=True)
class Subject:
    """A model to measure, loaded for our engine, and the folder from which others load it."""

    name: str
    loaded: LoadedModel
    folder: str


def make_subject(name: str, scratch: Path) -> Subject:
    """Load a checkpoint, or write one with random weights into a scratch folder and load that.

    The end token is taken away, so that every reply has the length that was asked for.
    """
    folder = str(EMBEDDED) if name == "embedded" else name
    if name in RANDOM:
        folder = str(_write_random(RANDOM[name], scratch / name))
    loaded = load_model(name if name == "embedded" else folder, device="cpu")
    tokenizer = Tokenizer(loaded.tokenizer.vocabulary, None)
    return Subject(name, replace(loaded, tokenizer=tokenizer), folder)


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for random checkpoints, removed at the end."""
    return tempfile.TemporaryDirectory(prefix="aura-bench-")


def _write_random(config: GPT2Config, folder: Path) -> Path:
    folder.mkdir(parents=True)
    entries = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": config.n_vocab,
        "n_positions": config.n_positions,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    (folder / "config.json").write_text(json.dumps(entries), encoding="utf-8")
    vocab = {char: index for index, char in enumerate(gpt2_byte_stand_ins())}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    save_file(_random_state(config), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _random_state(config: GPT2Config) -> dict[str, Tensor]:
    """Weights as GPT-2 starts its training from: normal with deviation 0.02, gains 1, biases 0."""
    source = torch.Generator().manual_seed(0)
    width, inner = config.n_embd, config.n_inner

    def normal(*shape: int) -> Tensor:
        return 0.02 * torch.randn(*shape, generator=source)

    state = {"wte.weight": normal(config.n_vocab, width), "wpe.weight": normal(config.n_positions, width)}
    sizes = {
        "attn.c_attn": (width, 3 * width),
        "attn.c_proj": (width, width),
        "mlp.c_fc": (width, inner),
        "mlp.c_proj": (inner, width),
    }
    norms = [f"h.{layer}.{name}" for layer in range(config.n_layer) for name in ("ln_1", "ln_2")]
    for layer in range(config.n_layer):
        for name, shape in sizes.items():
            state[f"h.{layer}.{name}.weight"] = normal(*shape)
            state[f"h.{layer}.{name}.bias"] = torch.zeros(shape[1])
    for name in [*norms, "ln_f"]:
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.ones(width), torch.zeros(width)
    return {f"transformer.{name}": value for name, value in state.items()}
