"""From a name to a model that is ready to answer: the embedded one, a folder, or a Hub id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tutor.config import EMBEDDED
from tutor.errors import ModelNotFound
from tutor.model.gpt2 import GPT2, GPT2Config
from tutor.model.place import choose_device, choose_dtype, memory_guard
from tutor.model.tokenizer import Tokenizer, load_tokenizer
from tutor.model.weights import build, count_parameters, read_config, read_json, read_state

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_TEXT_FILES = ["*.json", "*.txt", "*.model"]


@dataclass(frozen=True)
class LoadedModel:
    """A model, its tokenizer, and where and how it runs; read-only and shared by all.

    Attributes:
        name: "embedded", the folder's name, or the Hub id.
        model: The weights and the pass through them.
        tokenizer: Text to ids and back.
        config: The model's sizes.
        device: Where it runs, e.g. "cpu", "cuda", "mps".
        dtype: Its number format, e.g. "float32".
        taught: True if its aura.json says that it learnt Aura's prompt format.
        n_params: Number of parameters; shared ones count once.
    """

    name: str
    model: GPT2
    tokenizer: Tokenizer
    config: GPT2Config
    device: str
    dtype: str
    taught: bool
    n_params: int


def load_model(spec: str = "embedded", *, device: str | None = None) -> LoadedModel:
    """Load a GPT-2 and its tokenizer.

    Args:
        spec: "embedded", the path of a folder made by save_pretrained, or a Hub id such as
            "openai-community/gpt2".
        device: "cpu", "cuda", "mps" ...; None takes the best there is.

    Returns:
        The model on its device: float32, except beyond a billion parameters on CUDA.

    Raises:
        ModelNotFound: No such folder or Hub id, or the Hub cannot be reached.
        NotGPT2: It is some other architecture.
        BrokenCheckpoint: A file is missing, truncated, or does not fit its config.
        OutOfMemory: The device has no room for it.
    """
    name, folder = _locate(spec)
    config = read_config(folder)
    n_params = count_parameters(config)
    place = choose_device(device)
    dtype = choose_dtype(place, n_params)
    tokenizer = load_tokenizer(folder)
    with memory_guard(f"the weights of {name}", place):
        model = build(folder, config, read_state(folder), place, dtype)
    return LoadedModel(
        name=name,
        model=model,
        tokenizer=tokenizer,
        config=config,
        device=place,
        dtype=str(dtype).removeprefix("torch."),
        taught=_is_taught(folder),
        n_params=n_params,
    )


def fetch_folder(spec: str) -> Path:
    """The folder that a spec means, downloaded if it is a Hub id.

    Raises:
        ModelNotFound: No such folder or Hub id, or the Hub cannot be reached.
    """
    return _locate(spec)[1]


def _is_taught(folder: Path) -> bool:
    """Whether this is a model of ours: its own note says that it learnt Aura's format.

    Our tokenizer has the tags as control tokens; a fine-tuned base reads them written out as text.
    """
    note = read_json(folder / "aura.json") or read_json(folder / "config.json").get("aura") or {}
    return isinstance(note, dict) and bool(note.get("taught"))


def _locate(spec: str) -> tuple[str, Path]:
    """Find the folder that a spec means; (display name, folder)."""
    spec = spec.strip()
    if spec == "embedded":
        if not (EMBEDDED / "config.json").is_file():
            raise ModelNotFound(
                f"The embedded model is not in {EMBEDDED}. Run `python -m tutor train`, or check the clone.",
                model=spec,
            )
        return spec, EMBEDDED
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return folder.resolve().name, folder
    if not _HUB_ID.fullmatch(spec):
        raise ModelNotFound(
            f"There is no folder {spec!r}, and that cannot be a Hub id. Give a folder or owner/name.",
            model=spec,
        )
    return spec, _download(spec)


def _download(hub_id: str) -> Path:
    """Fetch a checkpoint from the Hub, or find it in the cache; safetensors where there are any."""
    folder = _snapshot(hub_id, [*_TEXT_FILES, "*.safetensors"])
    if (folder / "config.json").is_file() and not any(folder.glob("*.safetensors")):
        read_config(folder)  # refuse another architecture before its older files are downloaded
        folder = _snapshot(hub_id, [*_TEXT_FILES, "pytorch_model*.bin"])
    return folder


def _snapshot(hub_id: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=patterns))
    except Exception as error:  # the client and its transport raise many kinds, all with one meaning here
        raise ModelNotFound(
            f"{hub_id!r} is no folder here, and the Hugging Face Hub did not give it "
            f"({type(error).__name__}). Check the spelling and the network, or name a folder.",
            model=hub_id,
        ) from error
