"""A small random GPT-2 with Aura's whole tag vocabulary, for tests of everything around the model.

It writes nonsense, but through the real tokenizer, engine, checks and records; nothing is faked.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from safetensors.torch import save_file

from tests import tiny
from tutor.config import AppConfig
from tutor.content.loader import load_library
from tutor.content.persona import all_tags
from tutor.session.service import Service, install
from tutor.session.writer import load_tutor
from tutor.teach import Tutor


def write_page_model(folder: Path, n_layer: int = 2, n_embd: int = 32) -> Path:
    """Write the checkpoint folder."""
    folder.mkdir(parents=True, exist_ok=True)
    library = load_library()
    notes = [text.note for lesson in library.lessons.values() for text in lesson.texts.values()]
    model, pieces = _train(
        notes[::3],
        model_type="unigram",
        vocab_size=1500,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        control_symbols=all_tags(library),
        user_defined_symbols=["\n"],
        pad_id=1,
        eos_id=2,
        bos_id=-1,
        unk_id=0,
    )
    (folder / "spiece.model").write_bytes(model)
    (folder / "aura.json").write_text(json.dumps({"taught": True}))
    settings = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = {
        **tiny.BASE,
        "vocab_size": pieces.get_piece_size(),
        "eos_token_id": 2,
        "n_positions": 512,
        "n_layer": n_layer,
        "n_embd": n_embd,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tiny.random_state(config, 0), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _train(lines: list[str], **options: Any) -> tuple[bytes, sentencepiece.SentencePieceProcessor]:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=out,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return out.getvalue(), sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint, written once."""
    return write_page_model(tmp_path_factory.mktemp("page") / "page-model")


@pytest.fixture(scope="session")
def page_tutor(page_folder: Path) -> Tutor:
    """The tutor of that model, made once; it is read-only, as in the app."""
    return load_tutor(str(page_folder), 1)


@pytest.fixture
def service(page_folder: Path, page_tutor: Tutor) -> Iterator[Service]:
    """A fresh service of the process, with that model loaded; any other model is loaded for real."""

    def load(spec: str) -> Tutor:
        return page_tutor if spec == str(page_folder) else load_tutor(spec, 1)

    made = Service(AppConfig(model=str(page_folder), max_queue=4), load=load)
    made.start()
    install(made)
    made.shelf.get(str(page_folder))
    yield made
    install(None)
