"""The training pipeline end to end, in seconds: from prompts/ to a folder that answers."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from tutor.config import ROOT, SamplingConfig
from tutor.content.loader import load_library
from tutor.content.persona import all_tags
from tutor.model.registry import load_model
from tutor.model.tokenizer import load_tokenizer
from tutor.teach import Finished, Tutor
from tutor.training.embedded import train_embedded
from tutor.training.finetune import finetune
from tutor.training.recipes import load_recipe

LIBRARY = load_library()
TINY = load_recipe("tiny")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, trained to its last step."""
    base = tmp_path_factory.mktemp("made")
    facts = train_embedded(LIBRARY, TINY, base / "run", base / "model", quiet=True)
    assert facts["finished"] and facts["steps"] == TINY.train.steps
    return base


def test_the_folder_is_an_ordinary_hugging_face_folder(made: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(made / "model")
    assert isinstance(model, GPT2LMHeadModel) and model.dtype == torch.float16
    ours = load_tokenizer(made / "model")
    theirs = AutoTokenizer.from_pretrained(made / "model")
    for text in ("残差接続は x + f(x) よ。", "A residual connection adds x back.", "１２３ ½ emoji 😀\nline"):
        assert theirs(text, add_special_tokens=False)["input_ids"] == ours.encode(text)
        assert ours.decode(ours.encode(text)) == text


def test_checksums_hold(made: Path) -> None:
    for line in (made / "model" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((made / "model" / name).read_bytes()).hexdigest() == digest


def test_every_tag_is_a_control_piece_that_no_text_can_produce(made: Path) -> None:
    tokenizer = load_tokenizer(made / "model")
    ids = {tag: tokenizer.piece_id(tag) for tag in all_tags(LIBRARY)}
    assert None not in ids.values()
    typed = set(tokenizer.encode(" ".join(ids)))
    assert typed.isdisjoint(ids.values())


def test_the_model_answers_through_the_tutor(made: Path) -> None:
    tutor = Tutor(load_model(str(made / "model")), LIBRARY)
    prepared = tutor.prepare("残差接続って何？")
    events = list(tutor.reply(prepared, SamplingConfig(max_new_tokens=5)))
    assert tutor.loaded.taught and isinstance(events[-1], Finished)
    assert prepared.finding.topics == ("residual_connection",)


def test_the_same_seed_gives_the_same_weights(made: Path, tmp_path: Path) -> None:
    train_embedded(LIBRARY, TINY, tmp_path / "run", tmp_path / "model", quiet=True)
    once, again = (p / "model" / "model.safetensors" for p in (made, tmp_path))
    assert once.read_bytes() == again.read_bytes()


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """A resume that started anew would lose hours and say nothing."""
    first = train_embedded(LIBRARY, TINY, tmp_path / "run", tmp_path / "model", minutes=1e-9, quiet=True)
    assert first["steps"] == 1 and not first["finished"] and not (tmp_path / "model").exists()
    second = train_embedded(LIBRARY, TINY, tmp_path / "run", tmp_path / "model", quiet=True)
    assert second["finished"] and second["tokens"] > first["tokens"]
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


def test_training_lowers_the_held_out_loss(tmp_path: Path) -> None:
    longer = replace(TINY, train=replace(TINY.train, steps=40, warmup=4, eval_every=20))
    train_embedded(LIBRARY, longer, tmp_path / "run", tmp_path / "model", quiet=True)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [row["held_out_loss"] for row in rows if "held_out_loss" in row]
    untrained = torch.log(torch.tensor(float(load_tokenizer(tmp_path / "run").n_vocab)))
    assert losses[0] < untrained and losses[-1] < losses[0]


@pytest.mark.parametrize("kind", ["bpe_folder", "rinna_folder"])
def test_any_gpt2_can_be_taught(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    recipe = replace(load_recipe("finetune"), train=replace(TINY.train, steps=3, save_every=2, eval_every=0))
    facts = finetune(LIBRARY, str(folder), tmp_path / "run", tmp_path / "model", recipe, quiet=True)
    loaded = load_model(str(tmp_path / "model"))
    before = load_model(str(folder))
    assert math.isfinite(facts["held_out_loss"])
    assert facts["steps"] == 3 and loaded.taught and not before.taught
    assert loaded.tokenizer.encode("residual 残差") == before.tokenizer.encode("residual 残差")
    changed = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    original = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert not torch.equal(changed.transformer.wte.weight, original.transformer.wte.weight)


@pytest.mark.slow
def test_two_processes_train_one_model(bpe_folder: Path, tmp_path: Path) -> None:
    """Each process draws its own windows; the weights must still be the same in both."""
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\nfrom dataclasses import replace\nfrom pathlib import Path\n"
        "from tutor.content.loader import load_library\nfrom tutor.training.finetune import finetune\n"
        "from tutor.training.recipes import load_recipe\n"
        "tiny = load_recipe('tiny')\n"
        "recipe = replace(tiny, train=replace(tiny.train, steps=3, eval_every=0))\n"
        "out = Path(sys.argv[2])\n"
        "facts = finetune(load_library(), sys.argv[1], out / 'run', out / 'model', recipe, quiet=True)\n"
        "assert facts['processes'] == 2, facts\n",
        encoding="utf-8",
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        "29611",
    ]
    command += [str(script), str(bpe_folder), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert load_model(str(tmp_path / "model")).taught
