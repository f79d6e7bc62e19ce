"""Where a model runs and at what precision; and a kind word when there is no room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tutor.errors import OutOfMemory

LARGE = 1_000_000_000
"""Models with more parameters than this run at half precision on CUDA."""


def choose_device(wanted: str | None = None) -> str:
    """Name the device to use: the one asked for, else what accelerate finds (CUDA, MPS ...), else the CPU.

    accelerate is only imported where there is an accelerator: on a plain CPU it has nothing to
    decide, and its import would double the start-up time.
    """
    if wanted is not None:
        return wanted
    if not torch.accelerator.is_available():
        return "cpu"
    from accelerate import PartialState

    return str(PartialState().device)


def choose_dtype(device: str, n_params: int) -> torch.dtype:
    """Pick the number format: float32, except for large models on CUDA.

    Half precision would change the figures that Aura shows, so it is used only where float32
    would not fit a common card.
    """
    if device.startswith("cuda") and n_params > LARGE:
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32


def _is_memory_error(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "not enough memory" in text or "out of memory" in text or "can't allocate memory" in text
    )


@contextmanager
def memory_guard(task: str, device: str) -> Iterator[None]:
    """Turn any allocation failure inside into OutOfMemory.

    Args:
        task: What needed the memory, for the log, e.g. "the weights of gpt2-xl".
        device: Where it was needed.

    Raises:
        OutOfMemory: In place of MemoryError, torch.OutOfMemoryError or the CPU allocator's
            RuntimeError; every other exception passes unchanged.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_memory_error(error):
            raise
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
        raise OutOfMemory(
            f"No room for {task} on {device}. Use a smaller model, or a shorter question and reply.",
            device=device,
            task=task,
        ) from error
