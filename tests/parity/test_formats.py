"""One model, every way that a checkpoint may lie on disk; all must give the same logits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import GPT2LMHeadModel

from tutor.engine.capture import all_sites
from tutor.errors import BrokenCheckpoint
from tutor.model.registry import LoadedModel, load_model

IDS = [5, 9, 17, 3, 200, 44, 9]


def logits(loaded: LoadedModel) -> Tensor:
    return all_sites(loaded.model, IDS)["logits"]


def saved_by_transformers(source: Path, target: Path) -> None:
    GPT2LMHeadModel.from_pretrained(source).save_pretrained(target)


def sharded_safetensors(source: Path, target: Path) -> None:
    GPT2LMHeadModel.from_pretrained(source).save_pretrained(target, max_shard_size="10KB")
    assert len(list(target.glob("*.safetensors"))) > 1


def bin_file(source: Path, target: Path) -> None:
    torch.save(load_file(source / "model.safetensors"), target / "pytorch_model.bin")


def sharded_bin(source: Path, target: Path) -> None:
    state = load_file(source / "model.safetensors")
    names = sorted(state)
    halves = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
    for file, part in halves.items():
        torch.save({name: state[name] for name in part}, target / file)
    index = {"metadata": {}, "weight_map": {name: file for file, part in halves.items() for name in part}}
    (target / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def without_prefix(source: Path, target: Path) -> None:
    """As openai-community/gpt2 has it: no "transformer.", and the mask among the weights."""
    state = {
        name.removeprefix("transformer."): value
        for name, value in load_file(source / "model.safetensors").items()
    }
    state["h.0.attn.bias"] = torch.ones(1, 1, 48, 48).tril()
    save_file(state, target / "model.safetensors")


FORMATS = [saved_by_transformers, sharded_safetensors, bin_file, sharded_bin, without_prefix]


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
def test_every_format_gives_the_same_logits(
    bpe_folder: Path, bpe: LoadedModel, tmp_path: Path, write: Callable[[Path, Path], None]
) -> None:
    """Guards against a format that loads without complaint but with weights missing or swapped."""
    target = tmp_path / "copy"
    shutil.copytree(bpe_folder, target, ignore=shutil.ignore_patterns("*.safetensors"))
    write(bpe_folder, target)
    assert torch.equal(logits(load_model(str(target), device="cpu")), logits(bpe))


def test_half_precision_files_are_widened(bpe_folder: Path, bpe: LoadedModel, tmp_path: Path) -> None:
    """Guards the embedded model's format: float16 on disk, float32 in use, values rounded once."""
    target = tmp_path / "half"
    shutil.copytree(bpe_folder, target)
    state = {name: value.half() for name, value in load_file(target / "model.safetensors").items()}
    save_file(state, target / "model.safetensors")
    half = load_model(str(target), device="cpu")
    assert half.dtype == "float32" and half.model.wte.dtype == torch.float32
    assert torch.equal(half.model.wte, bpe.model.wte.half().float())
    gap = (logits(half) - logits(bpe)).abs().max()
    assert 0 < gap < 0.05


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00002-of-00002.bin"])
def test_truncated_bin_is_refused(bpe_folder: Path, tmp_path: Path, name: str) -> None:
    """Guards against a traceback, or silently random weights, for a download that broke off."""
    target = tmp_path / "copy"
    shutil.copytree(bpe_folder, target, ignore=shutil.ignore_patterns("*.safetensors"))
    (bin_file if name == "pytorch_model.bin" else sharded_bin)(bpe_folder, target)
    data = (target / name).read_bytes()
    (target / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(BrokenCheckpoint) as caught:
        load_model(str(target), device="cpu")
    assert str(target) in str(caught.value)


def test_bin_with_a_missing_tensor_is_refused(bpe_folder: Path, tmp_path: Path) -> None:
    """Guards against transformers filling a missing weight with random numbers."""
    target = tmp_path / "copy"
    shutil.copytree(bpe_folder, target, ignore=shutil.ignore_patterns("*.safetensors"))
    state = load_file(bpe_folder / "model.safetensors")
    del state["transformer.h.1.mlp.c_fc.weight"]
    torch.save(state, target / "pytorch_model.bin")
    with pytest.raises(BrokenCheckpoint, match=r"h\.1\.mlp\.c_fc\.weight"):
        load_model(str(target), device="cpu")
