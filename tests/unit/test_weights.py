"""What cannot be loaded is refused by name, with what to do; what can be loaded is placed right."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import write_checkpoint
from tutor.errors import BrokenCheckpoint, ModelNotFound, NotGPT2, OutOfMemory
from tutor.model.fast import PackedUnembedding, fast_layout
from tutor.model.gpt2 import GPT2Config
from tutor.model.place import LARGE, choose_device, choose_dtype, memory_guard
from tutor.model.registry import LoadedModel, load_model
from tutor.model.weights import count_parameters, read_config


@pytest.fixture
def copy(bpe_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bpe_folder, tmp_path / "copy"))


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def test_missing_folder_is_named() -> None:
    """Guards against a download attempt, or a traceback, for a mistyped path."""
    with pytest.raises(ModelNotFound, match="no/such/place/at/all"):
        load_model("no/such/place/at/all")


def test_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"config\.json"):
        load_model(str(tmp_path))


def test_unreachable_hub_is_a_sentence() -> None:
    """Guards against minutes of retries and a traceback without a network (the fixture blocks it)."""
    started = time.monotonic()
    with pytest.raises(ModelNotFound, match="nobody-here/gpt2-nothing") as caught:
        load_model("nobody-here/gpt2-nothing")
    assert caught.value.values["model"] == "nobody-here/gpt2-nothing"
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "bert", None])
def test_other_architectures_are_refused_by_name(copy: Path, kind: str | None) -> None:
    """Guards against reading another model's weights as if they were GPT-2's."""
    change_config(copy, model_type=kind)
    with pytest.raises(NotGPT2) as caught:
        load_model(str(copy))
    assert caught.value.values["model_type"] == kind
    assert str(kind) in str(caught.value)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_weights_are_refused(copy: Path, keep: int) -> None:
    """Guards against a download that broke off, at any point of the file."""
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[:keep])
    with pytest.raises(BrokenCheckpoint, match=r"model\.safetensors is truncated"):
        load_model(str(copy))


def test_missing_tensor_is_named(copy: Path) -> None:
    state = load_file(copy / "model.safetensors")
    del state["transformer.h.1.attn.c_proj.bias"]
    save_file(state, copy / "model.safetensors")
    with pytest.raises(BrokenCheckpoint, match=r"h\.1\.attn\.c_proj\.bias is missing"):
        load_model(str(copy))


def test_missing_shard_is_named(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": {"transformer.wte.weight": names[0], "transformer.wpe.weight": names[1]}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BrokenCheckpoint, match=names[1]):
        load_model(str(copy))


@pytest.mark.parametrize(
    "changes",
    [
        {"n_embd": 24},
        {"n_head": 3},
        {"n_layer": 3},
        {"vocab_size": 7},
        {"n_inner": 9},
        {"n_layer": 0},
        {"n_head": -2},
        {"n_embd": "wide"},
        {"activation_function": "mish2"},
    ],
    ids=str,
)
def test_config_that_does_not_fit_is_refused(copy: Path, changes: dict[str, Any]) -> None:
    """Guards against a wrong head split or a silently cut vocabulary."""
    change_config(copy, **changes)
    with pytest.raises(BrokenCheckpoint) as caught:
        load_model(str(copy))
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "\x00\xff", ""])
def test_unreadable_config_is_refused(copy: Path, text: str) -> None:
    (copy / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(BrokenCheckpoint, match=r"config\.json"):
        load_model(str(copy))


def test_folder_without_weights_is_named(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelNotFound, match="no weights"):
        load_model(str(copy))


def test_what_the_loaded_model_says_of_itself(ours: LoadedModel, bpe: LoadedModel) -> None:
    """Guards the line on the page that tells which model answers, on what, and whether it was taught."""
    assert (ours.name, ours.device, ours.dtype) == ("tiny-ours", "cpu", "float32")
    assert ours.taught and not bpe.taught
    assert ours.config.n_layer == 3 and ours.n_params == count_parameters(ours.config)


def test_a_model_with_tags_but_no_note_is_not_taught(ours_folder: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(ours_folder, tmp_path / "copy"))
    (target / "aura.json").unlink()
    assert not load_model(str(target)).taught


def test_parameter_count_of_the_published_models() -> None:
    """Guards the count on the page: the figures of the four released sizes."""
    sizes = {(12, 12, 768): 124_439_808, (24, 16, 1024): 354_823_168, (36, 20, 1280): 774_030_080}
    for (n_layer, n_head, n_embd), expected in sizes.items():
        assert count_parameters(GPT2Config(50257, 1024, n_embd, n_layer, n_head, 4 * n_embd)) == expected
    untied = GPT2Config(50257, 1024, 768, 12, 12, 3072, tie_word_embeddings=False)
    assert count_parameters(untied) == 124_439_808 + 50257 * 768


def test_missing_config_entries_are_gpt2_small(tmp_path: Path) -> None:
    """Guards defaults: config.json may leave out whatever equals GPT-2 small."""
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    config = read_config(tmp_path)
    assert (config.n_layer, config.n_head, config.n_embd, config.n_inner) == (12, 12, 768, 3072)
    assert (config.n_vocab, config.n_positions, config.activation_function) == (50257, 1024, "gelu_new")


def test_fast_layout_changes_order_in_memory_only() -> None:
    """Guards against transposing values while transposing their order."""
    for shape in ((4, 12), (12, 4), (5, 5)):
        weight = torch.randn(shape)
        laid = fast_layout(weight)
        assert laid.shape == weight.shape and torch.equal(laid, weight)
    assert fast_layout(torch.randn(12, 4)).stride() == (1, 12)


def test_packed_output_matrix_computes_the_same() -> None:
    """Guards the second copy: another order in memory, equal scores for one row and for many."""
    weight = torch.randn(64, 1003)
    packed = PackedUnembedding(weight)
    for rows in (1, 2, 3, 12, 70):
        x = torch.randn(rows, 64)
        assert (packed(x) - x @ weight).abs().max() < 1e-4
    strided = torch.randn(24, 64)[3::4]
    assert (packed(strided) - strided @ weight).abs().max() < 1e-4


def test_weights_do_not_require_gradients_or_change(bpe: LoadedModel) -> None:
    """Guards sharing: many threads read one model."""
    before = bpe.model.wte.clone()
    bpe.model.forward(torch.tensor([1, 2, 3]))
    assert not bpe.model.wte.requires_grad and torch.equal(before, bpe.model.wte)


def test_dtype_rule() -> None:
    """Guards exactness: only models beyond a billion parameters leave float32, and only on CUDA."""
    assert choose_dtype("cpu", 10 * LARGE) == choose_dtype("mps", 10 * LARGE) == torch.float32
    assert choose_dtype("cuda", LARGE // 2) == torch.float32
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_allocation_failures_become_one_error(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="the weights of xl"), memory_guard("the weights of xl", "cpu"):
        raise error


def test_a_real_allocation_failure_becomes_out_of_memory() -> None:
    """Guards the recognition itself: the allocator's own message, not one we typed."""
    with pytest.raises(OutOfMemory), memory_guard("a petabyte", "cpu"):
        torch.empty(2**50)


def test_other_errors_pass_the_memory_guard() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_guard("anything", "cpu"):
        raise RuntimeError("shape mismatch")


def test_gpt2_config_of_a_tiny_model(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", "bpe", scale_attn_by_inverse_layer_idx=True)
    config = load_model(str(folder)).config
    assert config.d_head == 8
    assert config.score_scale(1) == pytest.approx(8**-0.5 / 2)
