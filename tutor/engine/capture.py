"""Recorders: what the model passes at its named sites becomes plain numpy, within a memory budget.

`PromptRecorder` watches the prefill and `StepRecorder` a decode step; both are handed to
`GPT2.forward` and forgotten after it. They decide nothing about tokens.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutor.config import CaptureConfig
from tutor.model.gpt2 import GPT2, GPT2Config
from tutor.trace import Floats, LayerStats

Floats32 = NDArray[np.float32]

_STREAM = frozenset({"attn_out", "resid_mid", "mlp_out", "resid_post"})
_ROWS = 4  # rows that a layer adds to a StepRecorder, after the first layer's resid_pre


class Stopped(Exception):
    """The reply was stopped while a pass was under way."""


def to_numpy(value: Tensor) -> Floats32:
    """Copy a tensor to the CPU as float32."""
    return value.detach().to(device="cpu", dtype=torch.float32).numpy()


@dataclass
class Budget:
    """Bytes that one reply's record may take, and what had to be left out for it.

    Attributes:
        limit: Bytes allowed.
        left_out: Names of kinds dropped, in the order in which that happened; shared with Trace.
        used: Bytes promised so far.
    """

    limit: int
    left_out: list[str] = field(default_factory=list)
    used: int = 0

    def admit(self, sizes: dict[str, int], reserve: int = 0) -> set[str]:
        """Promise room; kinds that do not fit are dropped for good, the first in `sizes` first.

        Args:
            sizes: Bytes by kind, the most dispensable kind first.
            reserve: Bytes that must stay free after this.

        Returns:
            The kinds to record now.
        """
        wanted = {kind: size for kind, size in sizes.items() if kind not in self.left_out}
        while wanted and self.used + sum(wanted.values()) > self.limit - reserve:
            kind = next(iter(wanted))
            self.left_out.append(kind)
            del wanted[kind]
        self.used += sum(wanted.values())
        return set(wanted)


class StepRecorder:
    """Keeps what one token met on its way through the layers.

    Args:
        stream: Keep the residual stream and what was added to it.
        attention: Keep the attention rows.
    """

    def __init__(self, stream: bool, attention: bool) -> None:
        self._stream = stream
        self._attention = attention
        self._rows: list[Tensor] = []
        self._patterns: list[Tensor] = []

    def __call__(self, site: str, layer: int, value: Tensor) -> None:
        """Keep a reference; the model never changes a value that it has handed out."""
        if site == "pattern":
            if self._attention:
                self._patterns.append(value)
        elif self._stream and (site in _STREAM or (site == "resid_pre" and layer == 0)):
            self._rows.append(value)

    def rows(self) -> Tensor | None:
        """Stream rows, [4 * n_layer + 1, d], or None if not kept.

        First the first layer's resid_pre, then each layer's attn_out, resid_mid, mlp_out, resid_post.
        """
        return torch.cat(self._rows) if self._rows else None

    def attention(self) -> Floats32:
        """Attention rows, [n_layer, n_head, S]."""
        return to_numpy(torch.stack(self._patterns)[:, :, 0])


def resid_posts(rows: Tensor) -> Tensor:
    """Every layer's resid_post out of a StepRecorder's rows, [n_layer, d]."""
    return rows[_ROWS::_ROWS]


def resid_of(rows: Floats32) -> Floats32:
    """resid_pre, resid_mid, resid_post of each layer out of a StepRecorder's rows, [n_layer, 3, d]."""
    return np.stack([rows[:-1:_ROWS], rows[2::_ROWS], rows[_ROWS::_ROWS]], axis=1)


def stats_of(rows: Floats32) -> LayerStats:
    """Norms and LayerNorm statistics out of a StepRecorder's rows, [4 * n_layer + 1, d]."""
    norms = np.sqrt(np.einsum("rd,rd->r", rows, rows))
    seen = rows[::2]  # what the LayerNorms receive: ln_1, ln_2 of each layer in turn, then ln_f
    mean = seen.mean(axis=-1)
    centred = seen - mean[:, None]
    var = np.einsum("rd,rd->r", centred, centred) / np.float32(rows.shape[1])
    return LayerStats(
        resid_norm=np.stack([norms[:-1:_ROWS], norms[2::_ROWS], norms[_ROWS::_ROWS]], axis=1),
        attn_norm=norms[1::_ROWS],
        mlp_norm=norms[3::_ROWS],
        ln_mean=mean[:-1].reshape(-1, 2),
        ln_var=var[:-1].reshape(-1, 2),
        ln_f_mean=float(mean[-1]),
        ln_f_var=float(var[-1]),
    )


def no_stats() -> LayerStats:
    """LayerStats for when they are not recorded: arrays for no layers, nan for ln_f."""
    none = np.zeros((0,), dtype=np.float32)
    pairs = none.reshape(0, 2)
    return LayerStats(none.reshape(0, 3), none, none, pairs, pairs, np.nan, np.nan)


class PromptRecorder:
    """Turns the prefill's values into numpy as they pass, so that no more than one layer waits.

    Args:
        config: The model's sizes.
        tokens: Length of the prompt, P.
        capture: What to record.
        kinds: Kinds that the budget admitted: "prompt_attention", "prompt_residuals".
        half: Store attention as float16, to fit the budget.
        last: Records the last position, from which the first reply token comes.
        stop: Checked at every site, so that a long prompt can be interrupted.
    """

    def __init__(
        self,
        config: GPT2Config,
        tokens: int,
        capture: CaptureConfig,
        kinds: set[str],
        half: bool,
        last: StepRecorder,
        stop: threading.Event | None,
    ) -> None:
        layers = config.n_layer
        self._stop = stop
        self._last = last
        self._n_layer = layers
        self.attention: Floats | None = None
        self.resid: Floats32 | None = None
        if "prompt_attention" in kinds:
            shape = (layers, config.n_head, tokens, tokens)
            self.attention = np.empty(shape, dtype=np.float16 if half else np.float32)
        if "prompt_residuals" in kinds:
            self.resid = np.empty((tokens, layers, 3, config.n_embd), dtype=np.float32)
        self._stats = capture.stats
        self._norm = np.empty((tokens, layers, 5), dtype=np.float32)  # resid_pre/mid/post, attn, mlp
        self._mean = np.empty((tokens, layers * 2 + 1), dtype=np.float32)  # ln_1, ln_2 of each layer; ln_f
        self._var = np.empty_like(self._mean)

    def __call__(self, site: str, layer: int, value: Tensor) -> None:
        """Store one site's value; raises Stopped if the reply was stopped."""
        if self._stop is not None and self._stop.is_set():
            raise Stopped
        if site == "pattern":
            self._last(site, layer, value[:, -1:].clone())
            if self.attention is not None:
                self.attention[layer] = to_numpy(value)
            return
        column = {"resid_pre": 0, "resid_mid": 1, "resid_post": 2, "attn_out": 3, "mlp_out": 4}.get(site)
        if column is None:
            return
        self._last(site, layer, value[-1:].clone())
        if self.resid is not None and column < 3:
            self.resid[:, layer, column] = to_numpy(value)
        if self._stats:
            self._norm[:, layer, column] = to_numpy(torch.linalg.vector_norm(value.float(), dim=-1))
            self._layernorm(layer, column, value)

    def _layernorm(self, layer: int, column: int, value: Tensor) -> None:
        """Mean and biased variance where a LayerNorm reads this value."""
        last = column == 2 and layer == self._n_layer - 1
        if column > 1 and not last:
            return
        index = 2 * self._n_layer if last else 2 * layer + column
        var, mean = torch.var_mean(value.float(), dim=-1, correction=0)
        self._mean[:, index], self._var[:, index] = to_numpy(mean), to_numpy(var)

    def stats(self) -> list[LayerStats]:
        """Statistics of every prompt position."""
        tokens = len(self._norm)
        if not self._stats:
            return [no_stats()] * tokens
        mean = self._mean[:, :-1].reshape(tokens, -1, 2)
        var = self._var[:, :-1].reshape(tokens, -1, 2)
        return [
            LayerStats(norm[:, :3], norm[:, 3], norm[:, 4], mean[i], var[i], float(final), float(spread))
            for i, (norm, final, spread) in enumerate(
                zip(self._norm, self._mean[:, -1], self._var[:, -1], strict=True)
            )
        ]


@torch.inference_mode()
def all_sites(model: GPT2, ids: list[int]) -> dict[str, Tensor]:
    """Run a short text once and return every named site of every layer.

    For the self-check, the tests and derived views; it holds everything in memory at once.

    Args:
        model: The model.
        ids: Token ids, T of them.

    Returns:
        By site name, the tensors of SITES stacked over the layers, [n_layer, ...], and "logits",
        [T, n_vocab].
    """
    found: dict[str, list[Tensor]] = {}

    def record(site: str, layer: int, value: Tensor) -> None:
        found.setdefault(site, []).append(value)

    final = model.forward(torch.tensor(ids, device=model.wte.device), record=record)
    sites = {site: torch.stack(values) for site, values in found.items()}
    return sites | {"logits": model.unembed(final)}
