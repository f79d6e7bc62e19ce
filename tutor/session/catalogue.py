"""Models that the page offers by name, with what a student should know before loading them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """A GPT-2 on the Hub.

    Attributes:
        spec: Hub id, or "embedded".
        licence: Licence as its publisher states it.
        millions: Parameters in millions; in float32 each takes 4 bytes.
        languages: What it was trained on.
    """

    spec: str
    licence: str
    millions: float
    languages: str

    @property
    def size(self) -> str:
        """Parameters, and memory or download in float32.

        >>> Offer("openai-community/gpt2", "MIT", 124, "en").size
        '124 M, 0.5 GB'
        """
        return f"{self.millions:g} M, {self.millions * 4 / 1000:.1f} GB"


HUB_MODELS = (
    Offer("openai-community/gpt2", "MIT", 124, "en"),
    Offer("distilbert/distilgpt2", "Apache-2.0", 82, "en"),
    Offer("openai-community/gpt2-medium", "MIT", 355, "en"),
    Offer("rinna/japanese-gpt2-xsmall", "MIT", 37, "ja"),
    Offer("rinna/japanese-gpt2-small", "MIT", 110, "ja"),
    Offer("rinna/japanese-gpt2-medium", "MIT", 336, "ja"),
)


def offer(spec: str) -> Offer | None:
    """What is known about a model of the list; None for any other."""
    return next((item for item in HUB_MODELS if item.spec == spec), None)
