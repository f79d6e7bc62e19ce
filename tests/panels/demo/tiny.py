"""A small GPT-2 checkpoint with random weights and a sentencepiece tokenizer, for the demo and tests.

The text comes out as noise; every number on show is nevertheless what this model computed.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import sentencepiece
import torch
from transformers import GPT2Config, GPT2LMHeadModel

ROOT = Path(__file__).resolve().parents[3]


def lesson_text() -> list[str]:
    """All notes and answers under prompts/lessons, one string each."""
    lines = []
    for path in sorted((ROOT / "prompts" / "lessons").glob("*.toml")):
        lesson = tomllib.loads(path.read_text(encoding="utf-8"))
        for lang in ("ja", "en"):
            lines.append(lesson[lang]["note"])
            for answers in lesson[lang]["answers"].values():
                lines.extend(answers)
    return [" ".join(line.split()) for line in lines]


def build(folder: Path, *, n_layer: int = 6, n_head: int = 8, n_embd: int = 256, seed: int = 0) -> Path:
    """Write the checkpoint into a folder as an ordinary Hugging Face one."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lesson_text()),
        model_prefix=str(folder / "spiece"),
        vocab_size=2000,
        byte_fallback=True,
        normalization_rule_name="identity",
        character_coverage=0.98,
        bos_id=-1,
        minloglevel=2,
    )
    torch.manual_seed(seed)
    sizes = {"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd, "n_positions": 512}
    config = GPT2Config(vocab_size=2000, eos_token_id=2, bos_token_id=2, initializer_range=0.06, **sizes)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder
