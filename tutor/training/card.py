"""Writes the model card of the embedded model from the facts of its training."""

from __future__ import annotations

from typing import Any

CARD = """---
license: mit
language: [ja, en]
library_name: transformers
pipeline_tag: text-generation
---

# Aura's embedded GPT-2

A GPT-2 of {n_params:,} parameters ({n_layer} layers, {n_head} heads, width {n_embd}, {n_positions}
positions, {n_vocab:,} pieces) that answers students' questions about transformers and GPT-2, in
Japanese and English, in the voice of a tutor called Aura.

- **Made by** `python -m tutor train`, from nothing but the lesson notes and dialogues under
  `prompts/`, all written for this project.
- **Training**: {steps:,} steps, {tokens:,} tokens, {hours} hours on two CPU cores, float32; loss on
  held-out windows {held_out_loss} nats. Seed and settings stand in `aura.json`.
- **Tokenizer**: sentencepiece unigram with byte fallback, no normalisation; the tags of the prompt
  format are control pieces.
- **Stored** in half precision; computed in float32 on a CPU.
- **Prompt**: `<lang><kind><topic> key line <q> question <a>`, the answer ends with `</s>`. A topic
  finder outside the model supplies the tags; `tutor/content/persona.py` is the format's home.

## What it is for, and what not

It knows its lessons and nothing else. It is a teaching specimen: small enough to watch whole. It can
be wrong, and fluently so; figures are checked by the program around it, reasoning is not. It must
not be used as a source on anything else. How often it is right on questions it has not seen is
measured by `python -m tutor eval`; the last table stands in `docs/evaluation.md`.
"""


def model_card(facts: dict[str, Any], values: dict[str, int]) -> str:
    """The card as Markdown.

    Args:
        facts: What is written to aura.json.
        values: Sizes of the model by config name.
    """
    return CARD.format(**{**values, **facts})
