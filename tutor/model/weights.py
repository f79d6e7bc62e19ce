"""From a checkpoint to our parameters: any Hugging Face GPT-2, single file or sharded.

A folder with safetensors is read directly, which takes a fraction of a second; older `.bin`
files go through transformers. Both end as one dictionary of tensors, from which `build` takes
what GPT-2 needs and checks every name and shape. The files store Conv1D weights as [in, out],
as our `Linear` does, so nothing is transposed. It knows nothing of tokenizers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutor.errors import BrokenCheckpoint, ModelNotFound, NotGPT2
from tutor.model.fast import fast_layout, fast_unembedding
from tutor.model.gpt2 import ACTIVATIONS, GPT2, Block, GPT2Config, LayerNorm, Linear

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
WEIGHT_FILES = (SINGLE, INDEX, "pytorch_model.bin", "pytorch_model.bin.index.json")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty dict if there is no such file.

    Raises:
        BrokenCheckpoint: The file is there but is not a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise _broken(path.parent, f"{path.name} is not readable ({error})") from error
    if not isinstance(content, dict):
        raise _broken(path.parent, f"{path.name} is not a JSON object")
    return content


def _broken(folder: Path, reason: str) -> BrokenCheckpoint:
    return BrokenCheckpoint(
        f"The checkpoint in {folder} cannot be used: {reason}. Copy or download it again.",
        model=str(folder),
        reason=reason,
    )


def read_config(folder: Path) -> GPT2Config:
    """Read the sizes of a GPT-2 from the folder's config.json.

    Raises:
        ModelNotFound: There is no config.json.
        NotGPT2: The file describes another architecture.
        BrokenCheckpoint: A size is missing or makes no sense.
    """
    if not (folder / "config.json").is_file():
        raise ModelNotFound(
            f"{folder} has no config.json. Name a folder made by save_pretrained, or a Hub id.",
            model=str(folder),
        )
    raw = read_json(folder / "config.json")
    kind = raw.get("model_type", "(none)")
    if kind != "gpt2":
        raise NotGPT2(
            f"{folder} is a {kind!r} model; Aura reads GPT-2 only. Choose a checkpoint whose config.json "
            'says "model_type": "gpt2".',
            model=str(folder),
            model_type=kind,
        )
    try:
        config = _config_from(raw)
    except (TypeError, ValueError, OverflowError) as error:
        raise _broken(folder, f"config.json has a value of the wrong kind ({error})") from error
    _check_config(folder, config)
    return config


def _config_from(raw: Mapping[str, Any]) -> GPT2Config:
    """Fill in GPT-2's defaults, which config.json may leave out."""

    def number(*names: str, default: int) -> int:
        found = (raw[name] for name in names if raw.get(name) is not None)
        return int(next(found, default))

    width = number("n_embd", "hidden_size", default=768)
    return GPT2Config(
        n_vocab=number("vocab_size", default=50257),
        n_positions=number("n_positions", "max_position_embeddings", default=1024),
        n_embd=width,
        n_layer=number("n_layer", "num_hidden_layers", default=12),
        n_head=number("n_head", "num_attention_heads", default=12),
        n_inner=number("n_inner", default=4 * width),
        activation_function=str(raw.get("activation_function", "gelu_new")),
        layer_norm_epsilon=float(raw.get("layer_norm_epsilon", 1e-5)),
        scale_attn_weights=bool(raw.get("scale_attn_weights", True)),
        scale_attn_by_inverse_layer_idx=bool(raw.get("scale_attn_by_inverse_layer_idx", False)),
        tie_word_embeddings=bool(raw.get("tie_word_embeddings", True)),
    )


def _check_config(folder: Path, config: GPT2Config) -> None:
    sizes = ("n_vocab", "n_positions", "n_embd", "n_layer", "n_head", "n_inner")
    for name in sizes:
        if getattr(config, name) < 1:
            raise _broken(folder, f"config.json says {name}={getattr(config, name)}")
    if config.n_embd % config.n_head:
        raise _broken(folder, f"n_embd={config.n_embd} is not a multiple of n_head={config.n_head}")
    if config.activation_function not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        reason = f"activation_function={config.activation_function!r} is unknown; known are {known}"
        raise _broken(folder, reason)


def read_state(folder: Path) -> dict[str, Tensor]:
    """Read all tensors of the checkpoint, names without the "transformer." prefix.

    Raises:
        ModelNotFound: The folder holds no weight file.
        BrokenCheckpoint: A file is truncated, unreadable or missing.
    """
    if (folder / SINGLE).is_file():
        state = _read_safetensors(folder, [SINGLE])
    elif (folder / INDEX).is_file():
        shards = read_json(folder / INDEX).get("weight_map")
        if not isinstance(shards, dict):
            raise _broken(folder, f"{INDEX} has no weight_map")
        state = _read_safetensors(folder, sorted({str(name) for name in shards.values()}))
    elif any((folder / name).is_file() for name in WEIGHT_FILES):
        state = _read_with_transformers(folder)
    else:
        raise ModelNotFound(
            f"{folder} has a config.json but no weights ({', '.join(WEIGHT_FILES)}).", model=str(folder)
        )
    return {name.removeprefix("transformer."): value for name, value in state.items()}


def _read_safetensors(folder: Path, files: list[str]) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    state: dict[str, Tensor] = {}
    for name in files:
        if not (folder / name).is_file():
            raise _broken(folder, f"the part {name} is missing")
        try:
            state.update(load_file(folder / name))
        except (SafetensorError, OSError, ValueError) as error:
            raise _broken(folder, f"{name} is truncated or damaged ({error})") from error
    return state


def _read_with_transformers(folder: Path) -> dict[str, Tensor]:
    """Let transformers read what is not safetensors; only tensors really in the files come back."""
    from transformers import GPT2LMHeadModel
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        loaded: Any = GPT2LMHeadModel.from_pretrained(
            folder, output_loading_info=True, local_files_only=True, dtype="auto"
        )
        model, info = loaded
    except MemoryError:
        raise
    except Exception as error:  # torch, pickle and zip each raise their own kinds for a damaged file
        raise _broken(folder, f"the weights are truncated or damaged ({error})") from error
    finally:
        logging.set_verbosity(level)
    absent = {str(name) for name in info["missing_keys"]}
    absent |= {str(entry[0] if isinstance(entry, tuple) else entry) for entry in info["mismatched_keys"]}
    return {name: value for name, value in model.state_dict().items() if name not in absent}


def build(
    folder: Path, config: GPT2Config, state: Mapping[str, Tensor], device: str, dtype: torch.dtype
) -> GPT2:
    """Make our model of the tensors.

    Args:
        folder: Where they came from, for messages.
        config: Sizes that every tensor must match.
        state: Tensors by GPT-2 name ("wte.weight", "h.0.ln_1.bias", ...), of any float type.
        device: Where the model will run.
        dtype: The number format it will have; half-precision files are widened to float32.

    Raises:
        BrokenCheckpoint: A tensor is missing or of the wrong shape; the message names it.
    """
    width, inner = config.n_embd, config.n_inner

    def take(name: str, *shape: int) -> Tensor:
        if name not in state:
            raise _broken(folder, f"the tensor {name} is missing")
        found = tuple(state[name].shape)
        if found != shape:
            raise _broken(folder, f"{name} has the shape {list(found)}, expected {list(shape)}")
        # A copy: safetensors only maps its file, and weights must not wait for the disk later.
        return state[name].to(device=device, dtype=dtype, copy=True)

    def norm(name: str) -> LayerNorm:
        return LayerNorm(
            take(f"{name}.weight", width), take(f"{name}.bias", width), config.layer_norm_epsilon
        )

    def linear(name: str, fan_in: int, fan_out: int) -> Linear:
        weight = take(f"{name}.weight", fan_in, fan_out).contiguous()
        return Linear(fast_layout(weight), take(f"{name}.bias", fan_out))

    def block(prefix: str) -> Block:
        return Block(
            ln_1=norm(f"{prefix}.ln_1"),
            c_attn=linear(f"{prefix}.attn.c_attn", width, 3 * width),
            attn_proj=linear(f"{prefix}.attn.c_proj", width, width),
            ln_2=norm(f"{prefix}.ln_2"),
            mlp_fc=linear(f"{prefix}.mlp.c_fc", width, inner),
            mlp_proj=linear(f"{prefix}.mlp.c_proj", inner, width),
        )

    wte = take("wte.weight", config.n_vocab, width)
    tied = config.tie_word_embeddings
    head = wte if tied else take("lm_head.weight", config.n_vocab, width)
    return GPT2(
        config=config,
        wte=wte,
        wpe=take("wpe.weight", config.n_positions, width),
        blocks=tuple(block(f"h.{layer}") for layer in range(config.n_layer)),
        ln_f=norm("ln_f"),
        unembedding=fast_unembedding(head),
    )


def count_parameters(config: GPT2Config) -> int:
    """Count the parameters that the sizes imply; 124,439,808 for GPT-2 small. Tied ones count once."""
    width, inner = config.n_embd, config.n_inner
    attention = width * 3 * width + 3 * width + width * width + width
    mlp = width * inner + inner + inner * width + width
    layer = attention + mlp + 2 * 2 * width
    embeddings = (config.n_vocab + config.n_positions) * width
    head = 0 if config.tie_word_embeddings else config.n_vocab * width
    return embeddings + config.n_layer * layer + 2 * width + head
