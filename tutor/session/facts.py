"""What the page says about a loaded model; reads it, imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tutor.model.registry import LoadedModel


def model_facts(loaded: LoadedModel) -> dict[str, object]:
    """Name, place, number format and sizes, as the sentence "model_line" uses them."""
    return {
        "name": loaded.name,
        "device": loaded.device,
        "dtype": loaded.dtype,
        "n_layer": loaded.config.n_layer,
        "n_head": loaded.config.n_head,
        "n_embd": loaded.config.n_embd,
        "params": f"{loaded.n_params:,}",
    }
