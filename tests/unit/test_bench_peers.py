"""llama.cpp as a contender: the same weights under its names, and a benchmark that goes on without it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tutor.bench.contenders import Run
from tutor.bench.peers import AGREEMENT, agreement, compare_peers, gguf_tensors, missing, prepare_peers
from tutor.bench.report import main
from tutor.bench.subjects import make_subject
from tutor.model.weights import read_state


def test_every_tensor_arrives_once_and_matrices_are_turned(bpe_folder: Path) -> None:
    """Guards a wrong name, and the square attn.c_proj, whose shape says nothing about its direction."""
    state = read_state(bpe_folder)
    masks = {"h.0.attn.bias": torch.ones(1, 1, 48, 48), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    found = dict(gguf_tensors(state | masks | {"lm_head.weight": state["wte.weight"]}, tied=True, half=False))
    assert len(found) == len(state) and all(array.dtype == np.float32 for array in found.values())
    square = state["h.1.attn.c_proj.weight"]
    assert square.shape[0] == square.shape[1] and not torch.equal(square, square.T)
    assert np.array_equal(found["blk.1.attn_output.weight"], square.numpy().T)
    assert np.array_equal(found["token_embd.weight"], state["wte.weight"].numpy())
    assert found["blk.0.attn_qkv.weight"].shape == (48, 16) and found["blk.0.ffn_down.weight"].shape == (
        16,
        64,
    )


def test_an_unembedding_of_its_own_is_written_too(bpe_folder: Path) -> None:
    state = read_state(bpe_folder)
    found = dict(gguf_tensors(state | {"lm_head.weight": state["wte.weight"] * 2}, tied=False, half=True))
    assert np.allclose(found["output.weight"], 2 * state["wte.weight"].numpy(), rtol=1e-2)
    assert found["output.weight"].dtype == np.float16 and found["output_norm.bias"].dtype == np.float32
    assert found["position_embd.weight"].dtype == np.float32, "llama.cpp adds it to float32"


def test_ratios_say_how_fast_we_are_beside_the_peer() -> None:
    def steady(seconds: float) -> list[Run]:
        return [Run(0.5, (seconds,) * 4)]

    runs = {"64": {"engine": steady(0.02), "engine_recorded": steady(0.04), "llama_cpp": steady(0.01),
                   "llama_cpp_half": steady(0.005)}}  # fmt: skip
    assert compare_peers(runs)["engine_vs_llama_cpp"] == pytest.approx(0.5)
    assert compare_peers(runs)["recorded_vs_llama_cpp_half"] == pytest.approx(0.125)


@pytest.mark.slow
def test_a_missing_package_is_one_sentence_and_the_rest_is_measured(
    bpe_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    sentence = missing()
    assert sentence is not None and "pip install" in sentence and "llama-cpp-python" in sentence
    assert main(["--model", str(bpe_folder), "--repeats", "1", "--peers", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.count("llama-cpp-python") == 1
    result = json.loads(printed.out.splitlines()[-1])[str(bpe_folder)]
    assert result["recorded_vs_generate"] > 0 and not any("llama" in key for key in result)


def test_llama_cpp_writes_what_our_engine_writes(ours_folder: Path, tmp_path: Path) -> None:
    """Guards a comparison with another model: float32 must agree on every token. Needs the packages."""
    pytest.importorskip("llama_cpp")
    pytest.importorskip("gguf")
    subject = make_subject(str(ours_folder), tmp_path)
    peers = prepare_peers(subject, tmp_path, threads=1)
    ids = list(range(5, 5 + 12))
    assert agreement(subject, peers, ids)["llama_cpp"] == AGREEMENT
    reply, stamps = peers["llama_cpp"].write(ids, 8)
    assert len(reply) == 8 and len(stamps) == 9
    assert peers["llama_cpp"].write(ids, 8)[0] == reply, "a prompt seen before is read anew"
