"""llama.cpp on the same weights, as one more contender; it records nothing.

Both packages are optional: `gguf` writes the checkpoint in llama.cpp's format, `llama-cpp-python`
runs it. Where one is missing the benchmark says so and goes on without.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tutor.bench.contenders import Contender, Run, ratios, record, run_of
from tutor.bench.subjects import Subject
from tutor.config import CaptureConfig
from tutor.model.gpt2 import GPT2Config
from tutor.model.registry import fetch_folder
from tutor.model.weights import read_state

PEERS: dict[str, str] = {
    "llama_cpp": "llama.cpp, float32",
    "llama_cpp_half": "llama.cpp, float16",
}
"""The contenders of this file, in the order in which they take turns."""

AGREEMENT = 32  # tokens compared with our engine's before anything is timed
_PACKAGES = {"gguf": "gguf", "llama_cpp": "llama-cpp-python"}
_NAMES = {
    "wte": "token_embd",
    "wpe": "position_embd",
    "ln_f": "output_norm",
    "lm_head": "output",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
_CACHE = {"float32": 0, "float16": 1}  # llama.cpp's numbers for them
Json = dict[str, Any]


def missing() -> str | None:
    """One sentence on what to install for the comparison; None if everything is there."""
    absent: list[str] = []
    for module, package in _PACKAGES.items():
        try:
            importlib.import_module(module)
        except (ImportError, OSError, RuntimeError):  # llama_cpp raises the others if its library is broken
            absent.append(package)
    if not absent:
        return None
    return f"llama.cpp is left out, because a package is missing: pip install {' '.join(absent)}"


def gguf_name(name: str) -> str | None:
    """llama.cpp's name of a GPT-2 tensor; None for what it does not need, such as the causal masks.

    >>> gguf_name("h.3.attn.c_proj.weight"), gguf_name("wpe.weight"), gguf_name("h.0.attn.bias")
    ('blk.3.attn_output.weight', 'position_embd.weight', None)
    """
    stem, _, kind = name.rpartition(".")
    prefix = ""
    if stem.startswith("h."):
        _, layer, stem = stem.split(".", 2)
        prefix = f"blk.{layer}."
    return f"{prefix}{_NAMES[stem]}.{kind}" if stem in _NAMES else None


def gguf_tensors(
    state: Mapping[str, Tensor], tied: bool, half: bool
) -> Iterator[tuple[str, NDArray[np.floating[Any]]]]:
    """A checkpoint's tensors under llama.cpp's names.

    Args:
        state: Tensors by GPT-2 name; Conv1D weights are [in, out].
        tied: Whether the unembedding is the token embedding; then it is not written a second time.
        half: Matrices in float16; vectors, and the positions, which llama.cpp adds, stay float32.

    Yields:
        Names and arrays; matrices of layers are [out, in], as llama.cpp reads them.
    """
    for name, value in state.items():
        known = gguf_name(name)
        if known is None or (tied and name == "lm_head.weight"):
            continue
        array = value.float().numpy()
        if ".c_" in name and array.ndim == 2:
            array = array.T
        kind = np.float16 if half and array.ndim == 2 and name != "wpe.weight" else np.float32
        yield known, np.ascontiguousarray(array, dtype=kind)


def write_gguf(config: GPT2Config, state: Mapping[str, Tensor], path: Path, half: bool) -> Path:
    """Write a checkpoint for llama.cpp, without a tokenizer: it is asked with token ids only."""
    gguf = importlib.import_module("gguf")
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(config.n_layer)
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_feed_forward_length(config.n_inner)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("none")
    writer.add_vocab_size(config.n_vocab)
    for name, array in gguf_tensors(state, config.tie_word_embeddings, half):
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Llama:
    """A checkpoint in llama.cpp.

    Args:
        path: A GGUF file.
        config: The model's sizes.
        threads: Threads for prompt and reply alike.
        half: Keep keys and values in float16, as llama.cpp does by itself; else in float32.
    """

    def __init__(self, path: Path, config: GPT2Config, threads: int, half: bool) -> None:
        kind = _CACHE["float16" if half else "float32"]
        self._llm = importlib.import_module("llama_cpp").Llama(
            str(path), n_ctx=config.n_positions, n_batch=config.n_positions, n_ubatch=config.n_positions,
            n_threads=threads, n_threads_batch=threads,
            type_k=kind, type_v=kind, verbose=False,
        )  # fmt: skip

    def write(self, ids: Sequence[int], tokens: int) -> tuple[list[int], list[float]]:
        """A greedy reply; its ids, and the time of the start and of each token."""
        self._llm.reset()  # without it a prompt that it has seen would cost nothing
        stamps, reply = [time.perf_counter()], []
        for token in islice(self._llm.generate(list(ids), top_k=1, temp=0.0, repeat_penalty=1.0), tokens):
            stamps.append(time.perf_counter())
            reply.append(token)
        return reply, stamps

    def run(self, ids: Sequence[int], tokens: int) -> Run:
        """The same, timed only: a Contender."""
        return run_of(self.write(ids, tokens)[1])


def prepare_peers(subject: Subject, scratch: Path, threads: int) -> dict[str, Llama]:
    """Put the subject's weights into llama.cpp, once in float32, as we run them, and once in float16."""
    state, config = read_state(fetch_folder(subject.folder)), subject.loaded.config
    made: dict[str, Llama] = {}
    for name in PEERS:
        half = name == "llama_cpp_half"
        path = write_gguf(config, state, scratch / f"{Path(subject.name).name}-{name}.gguf", half)
        made[name] = Llama(path, config, threads, half)
    return made


def agreement(subject: Subject, peers: Mapping[str, Llama], ids: Sequence[int]) -> dict[str, int]:
    """How many tokens each peer writes as our engine does before the first difference, of AGREEMENT.

    In float32 all of them should be equal; in float16 rounding may choose another token where the
    best two lie close together.
    """
    steps = record(subject, CaptureConfig.nothing(), ids, AGREEMENT)[0].steps
    ours = [step.token.token_id for step in steps]
    found: dict[str, int] = {}
    for name, peer in peers.items():
        theirs = peer.write(ids, AGREEMENT)[0]
        unlike = (at for at, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        found[name] = next(unlike, len(ours))
    return found


def about_peers(subject: Subject, peers: Mapping[str, Llama], ids: Sequence[int]) -> Json:
    """What stands beside the ratios: the version measured, and how far it agrees with us."""
    version = getattr(importlib.import_module("llama_cpp"), "__version__", None)
    equal = agreement(subject, peers, ids)
    return {"peers": {"llama_cpp_python": version, "equal_tokens": equal, "of": AGREEMENT}}


def contenders(peers: Mapping[str, Llama]) -> dict[str, Contender]:
    """The peers as the benchmark runs them."""
    return {name: peer.run for name, peer in peers.items()}


def compare_peers(runs: Mapping[str, Mapping[str, Sequence[Run]]]) -> Json:
    """Tokens per second of ours over theirs, the worse prompt length; above 1 we are faster."""
    return {
        f"{ours}_vs_{peer}": min(ratios(runs, engine, peer))
        for ours, engine in (("engine", "engine"), ("recorded", "engine_recorded"))
        for peer in PEERS
    }
