"""Writes the model card of the embedded model from the facts of its training."""

from __future__ import annotations

from typing import Any

CARD = """---
license: mit
language: [ja, en]
library_name: transformers
pipeline_tag: text-generation
---

# A GPT-2 that answers as Aura

A GPT-2 of {n_params:,} parameters ({n_layer} layers, {n_head} heads, width {n_embd}, {n_positions}
positions, {n_vocab:,} pieces) that answers students' questions about transformers and GPT-2, in
Japanese and English, in the voice of a tutor called Aura.

- **Made by** `python -m tutor train`{start}; the text is that of the lesson notes, questions and
  dialogues under `prompts/`, all written for this project.
- **Training**: {steps:,} steps, {tokens:,} tokens, {hours} hours, in {runs}; loss on held-out windows
  {held_out_loss} nats. Seeds and settings stand in `aura.json`.
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
    runs = len(facts.get("pieces", ())) or 1
    said = {"start": "", "runs": "one run" if runs == 1 else f"{runs} runs, each going on from the last"}
    if runs == 1 and "base" in facts:
        said["start"] = f", starting from `{facts['base']}`"
    return CARD.format(**{**values, **facts, **said})
