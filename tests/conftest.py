"""Fixtures that all tests may use: seeded randomness, no network, tiny checkpoints, a recorded reply."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from tests.tiny import write_checkpoint
from tutor.config import SamplingConfig
from tutor.engine.generate import generate, new_trace
from tutor.model.registry import LoadedModel, load_model
from tutor.trace import Part, Trace

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Refuse connections that leave this machine, so that no test depends on one by accident."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        local = not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1", "localhost")
        if not local:
            raise OSError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def bpe_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a byte-level BPE tokenizer, as OpenAI's."""
    return write_checkpoint(tmp_path_factory.mktemp("bpe") / "tiny-bpe", "bpe")


@pytest.fixture(scope="session")
def ours_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a sentencepiece tokenizer that has Aura's tags."""
    return write_checkpoint(tmp_path_factory.mktemp("ours") / "tiny-ours", "ours", n_layer=3)


@pytest.fixture(scope="session")
def rinna_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a sentencepiece tokenizer as the published Japanese models have it."""
    return write_checkpoint(tmp_path_factory.mktemp("rinna") / "tiny-rinna", "rinna")


@pytest.fixture(scope="session")
def bpe(bpe_folder: Path) -> LoadedModel:
    return load_model(str(bpe_folder), device="cpu")


@pytest.fixture(scope="session")
def ours(ours_folder: Path) -> LoadedModel:
    return load_model(str(ours_folder), device="cpu")


@pytest.fixture(scope="session")
def rinna(rinna_folder: Path) -> LoadedModel:
    return load_model(str(rinna_folder), device="cpu")


@pytest.fixture(scope="session", params=["bpe", "ours", "rinna"])
def loaded(request: pytest.FixtureRequest) -> Iterator[LoadedModel]:
    """Each of the three tiny models in turn."""
    yield request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def recorded_trace(ours: LoadedModel) -> Trace:
    """A real sampled reply of twelve tokens with everything recorded."""
    ids = ours.tokenizer.encode("注意 is a weighted sum 😀")[:14]
    parts: list[Part] = ["question"] * len(ids)
    settings = SamplingConfig(temperature=1.1, top_k=40, top_p=0.9, seed=3, max_new_tokens=12)
    trace = new_trace(ours, settings)
    for _ in generate(ours, ids, parts, settings, trace=trace):
        pass
    return trace
