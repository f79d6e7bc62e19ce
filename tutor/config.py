"""Settings as small frozen values, checked when made; nothing here knows torch or Streamlit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tutor.errors import SamplingError

ROOT = Path(__file__).resolve().parent.parent
PROMPTS = ROOT / "prompts"
EMBEDDED = Path(__file__).resolve().parent / "model" / "embedded"


def _require(ok: bool, name: str, value: object, allowed: str) -> None:
    if not ok:
        raise SamplingError(
            f"{name}={value!r} is not possible: {allowed}.", name=name, value=value, allowed=allowed
        )


@dataclass(frozen=True)
class SamplingConfig:
    """How the next token is chosen.

    Attributes:
        temperature: Divides the logits, unitless, 0 to 5; 0 is greedy.
        top_k: Keep this many tokens; None keeps all.
        top_p: Keep the smallest set reaching this probability, in (0, 1]; 1 keeps all.
        repetition_penalty: Logits of tokens already in the *reply* are divided (if positive)
            or multiplied (if negative) by this, 1 to 2; 1 is off.
        seed: Seed of the random numbers drawn, 0 to 2^63 - 1.
        max_new_tokens: Longest reply, in tokens, at least 1.

    Raises:
        SamplingError: A value is outside its range.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    max_new_tokens: int = 304

    def __post_init__(self) -> None:
        _require(0 <= self.temperature <= 5, "temperature", self.temperature, "0 to 5")
        _require(self.top_k is None or self.top_k >= 1, "top_k", self.top_k, "1 or more, or none")
        _require(0 < self.top_p <= 1, "top_p", self.top_p, "above 0, at most 1")
        _require(1 <= self.repetition_penalty <= 2, "repetition_penalty", self.repetition_penalty, "1 to 2")
        _require(0 <= self.seed < 2**63, "seed", self.seed, "0 to 2^63 - 1")
        _require(self.max_new_tokens >= 1, "max_new_tokens", self.max_new_tokens, "1 or more")


@dataclass(frozen=True)
class CaptureConfig:
    """What is recorded while a reply is generated.

    Attributes:
        attention: Keep every head's attention row of every step.
        residuals: Keep resid_pre/mid/post vectors of every step.
        logits: Keep the full logits of every step (needed by what-if sampling).
        lens_top_k: Candidates kept per layer of the logit lens; 0 turns the lens off.
        candidates: Candidates kept per step in the sampling record.
        stats: Keep norms and LayerNorm statistics of every step; without, LayerStats are empty.
        prompt_logprobs: Compute the log-probability of each prompt token; without, they are nan.
        budget_bytes: Upper bound of one reply's record; what does not fit is left out, oldest
            kind first (logits, then residuals, then attention), and named in `Trace.left_out`.
    """

    attention: bool = True
    residuals: bool = True
    logits: bool = True
    lens_top_k: int = 5
    candidates: int = 20
    stats: bool = True
    prompt_logprobs: bool = True
    budget_bytes: int = 256 * 2**20

    @classmethod
    def nothing(cls) -> CaptureConfig:
        """Record only the tokens and their probabilities."""
        return cls(
            attention=False,
            residuals=False,
            logits=False,
            lens_top_k=0,
            candidates=1,
            stats=False,
            prompt_logprobs=False,
        )


@dataclass(frozen=True)
class AppConfig:
    """What the surroundings decide; read once, at the entry points only.

    Attributes:
        model: "embedded", a folder, or a Hub id.
        hosted: True on a Hugging Face Space.
        cpu_threads: Threads torch may use.
        max_queue: Replies that may wait before new ones are refused.
        max_question_chars: Longest question accepted, in characters.
    """

    model: str = "embedded"
    hosted: bool = False
    cpu_threads: int = 1
    max_queue: int = 16
    max_question_chars: int = 2000

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> AppConfig:
        """Read AURA_MODEL, AURA_THREADS and the variables a Space sets."""
        cores = int(env.get("CPU_CORES") or os.cpu_count() or 1)
        threads = int(env.get("AURA_THREADS") or (1 if cores <= 2 else cores - 1))
        return cls(
            model=env.get("AURA_MODEL", "embedded"),
            hosted="SPACE_ID" in env,
            cpu_threads=max(1, threads),
        )
