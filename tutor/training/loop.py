"""The training loop: any GPT-2, on accelerate, seeded, resumable.

The loss is taken on replies only, except in a share of the steps, where it covers every token so
that the surprise of a prompt token means something too. Learning rate: warm-up, flat, then linear
decay to zero over the last part.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GPT2LMHeadModel

from tutor.training.batches import Window
from tutor.training.muon import Muon


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one run.

    Attributes:
        steps: Optimizer steps.
        batch_tokens: Tokens per step and process.
        window: Length of most windows, in tokens.
        long_window: Length of every `long_every`-th step's windows; trains the later positions.
        long_every: 0 turns long windows off.
        lr: Step size of the block matrices (Muon).
        lr_embed: Step size of embeddings, norms and biases (AdamW).
        weight_decay: Decoupled weight decay.
        warmup: Steps of warm-up.
        decay_share: Share of the steps over which the rate falls to zero.
        full_loss_every: Every n-th step takes the loss on all tokens; 0 never.
        save_every: Steps between checkpoints.
        eval_every: Steps between measurements on held-out windows; 0 never.
        patience: Stop after this many measurements without a gain; 0 never.
        seed: Seed of everything.
        mixed_precision: "no", "fp16" or "bf16"; "no" on CPUs.
    """

    steps: int = 2000
    batch_tokens: int = 4096
    window: int = 256
    long_window: int = 512
    long_every: int = 4
    lr: float = 4e-3
    lr_embed: float = 4e-3
    weight_decay: float = 0.1
    warmup: int = 60
    decay_share: float = 0.3
    full_loss_every: int = 4
    save_every: int = 200
    eval_every: int = 200
    patience: int = 0
    seed: int = 1
    mixed_precision: str = "no"


def rate(step: int, config: TrainConfig) -> float:
    """Factor of the learning rate at a step, in 0 to 1."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    left = (config.steps - step) / max(1.0, config.steps * config.decay_share)
    return min(warm, left, 1.0)


def window_lengths(config: TrainConfig, start: int = 0) -> Iterator[int]:
    """Lengths of the windows, step after step; all windows of a step are equally long."""
    for step in range(start, config.steps):
        length = window_of(step, config)
        yield from [length] * max(1, config.batch_tokens // length)


def window_of(step: int, config: TrainConfig) -> int:
    """Window length at a step, in tokens."""
    long = config.long_every and step % config.long_every == config.long_every - 1
    return config.long_window if long else config.window


def optimizers(model: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings, norms and biases."""
    thirds, matrices, decayed, plain = [], [], [], []
    for name, param in model.named_parameters():
        if param.ndim == 2 and ".h." in name:
            (thirds if "c_attn" in name else matrices).append(param)
        else:
            (decayed if "wte" in name else plain).append(param)
    groups = [{"params": thirds, "thirds": True}, {"params": matrices}]
    adam = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    return [
        Muon(groups, lr=config.lr, weight_decay=config.weight_decay),
        torch.optim.AdamW(adam, lr=config.lr_embed, betas=(0.9, 0.95), fused=True),
    ]


def loss_on(model: nn.Module, ids: Tensor, counted: Tensor) -> Tensor:
    """Mean cross-entropy of the counted tokens, in nats.

    Args:
        model: A (wrapped) GPT2LMHeadModel.
        ids: Token ids, [batch, T].
        counted: True for tokens whose prediction counts, [batch, T].
    """
    inner: Any = model.module if hasattr(model, "module") else model
    hidden = inner.transformer(ids[:, :-1]).last_hidden_state  # [batch, T-1, n_embd], after ln_f
    keep = counted[:, 1:]
    logits = inner.lm_head(hidden[keep])  # [kept, n_vocab]
    total = F.cross_entropy(logits.float(), ids[:, 1:][keep], reduction="sum")
    return total / keep.sum().clamp_min(1)  # a batch of short windows may hold no reply at all


class _Wrapped(nn.Module):
    """Gives the loss as `forward`, so that data-parallel wrappers see the whole step."""

    def __init__(self, model: GPT2LMHeadModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, counted: Tensor) -> Tensor:
        return loss_on(self.model, ids, counted)


@dataclass
class Progress:
    """Where a run stands; saved beside each checkpoint."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    misses: int = 0


def only_cpu() -> bool:
    """Whether there is no accelerator; accelerate forms groups of CPU processes only when told so."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


class Trainer:
    """Runs a training to its end, or from its last checkpoint on.

    Args:
        model: The model to train, on the CPU.
        make_windows: Called with the step to start from; yields windows of the lengths of
            `window_lengths`. The same start gives the same windows.
        held_out: Windows to measure on, equally long; may be empty.
        folder: Where checkpoints and the log go.
        config: Settings.
        report: Called with each log line.
    """

    def __init__(
        self,
        model: GPT2LMHeadModel,
        make_windows: Callable[[int], Iterator[Window]],
        held_out: list[Window],
        folder: Path,
        config: TrainConfig,
        report: Callable[[dict[str, Any]], None] = lambda row: None,
    ) -> None:
        self.accelerator = Accelerator(mixed_precision=config.mixed_precision, cpu=only_cpu())
        self.config, self.folder, self.report = config, folder, report
        self.raw = model
        wrapped = _Wrapped(model)
        optims = optimizers(wrapped, config)
        self.model, *self.optims = self.accelerator.prepare(wrapped, *optims)
        self.base_rates = [[group["lr"] for group in optim.param_groups] for optim in self.optims]
        self.make_windows, self.held_out = make_windows, held_out
        self.progress = Progress()

    @property
    def checkpoint(self) -> Path:
        """Folder of the newest checkpoint."""
        return self.folder / "checkpoint"

    def resume(self) -> bool:
        """Load the newest checkpoint if there is one."""
        state = self.checkpoint / "progress.json"
        if not state.exists():
            return False
        self.accelerator.load_state(str(self.checkpoint))
        self.progress = Progress(**json.loads(state.read_text()))
        return True

    def save(self) -> None:
        """Write a checkpoint; the state file comes last, so that a cut leaves the old one valid."""
        self.accelerator.save_state(str(self.checkpoint))
        if self.accelerator.is_main_process:
            (self.checkpoint / "progress.json").write_text(json.dumps(asdict(self.progress)))

    def run(self, until: float = float("inf")) -> Progress:
        """Train to the last step, or until this many seconds have passed, then save.

        Returns:
            Where the run stands.
        """
        started, windows = time.monotonic(), self.make_windows(self.progress.step)
        spent = self.progress.seconds
        while self.progress.step < self.config.steps:
            loss = self._step(windows)
            self.progress.seconds = spent + time.monotonic() - started
            step = self.progress.step
            if step % 10 == 0 or step == self.config.steps:
                self._log(loss)
            if self.config.eval_every and step % self.config.eval_every == 0 and self._worse():
                break
            if step % self.config.save_every == 0:
                self.save()
            if time.monotonic() - started > until:
                break
        self.save()
        return self.progress

    def _step(self, windows: Iterator[Window]) -> Tensor:
        config, step = self.config, self.progress.step
        count = max(1, config.batch_tokens // window_of(step, config))
        batch = [next(windows) for _ in range(count)]
        ids, counted = to_tensors(batch, self.accelerator.device)
        if config.full_loss_every and step % config.full_loss_every == 0:
            counted = torch.ones_like(counted)
        self._set_rate(rate(step, config))
        self.model.train()
        loss = self.model(ids, counted)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        for optim in self.optims:
            optim.step()
            optim.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.tokens += ids.numel() * self.accelerator.num_processes
        return loss.detach()

    def _set_rate(self, factor: float) -> None:
        for optim, rates in zip(self.optims, self.base_rates, strict=True):
            for group, base in zip(optim.param_groups, rates, strict=True):
                group["lr"] = base * factor

    def _log(self, loss: Tensor) -> None:
        if self.accelerator.is_main_process:
            row = asdict(self.progress) | {"loss": round(float(loss), 4)}
            self.report(row)

    @torch.no_grad()
    def measure(self) -> float:
        """Mean held-out loss on reply tokens, in nats."""
        self.model.eval()
        total, rows = 0.0, 0
        for start in range(0, len(self.held_out), 8):
            ids, counted = to_tensors(self.held_out[start : start + 8], self.accelerator.device)
            total += float(self.model(ids, counted)) * len(ids)
            rows += len(ids)
        return total / max(1, rows)

    def _worse(self) -> bool:
        """Measure on the held-out windows; True when patience has run out."""
        if not self.held_out:
            return False
        loss = self.measure()
        self.report(asdict(self.progress) | {"held_out_loss": round(loss, 4)})
        improved = loss < self.progress.best - 1e-4
        self.progress.best = min(self.progress.best, loss)
        self.progress.misses = 0 if improved else self.progress.misses + 1
        return bool(self.config.patience) and self.progress.misses >= self.config.patience


def to_tensors(batch: list[Window], device: torch.device) -> tuple[Tensor, Tensor]:
    """Stack windows: ids [batch, T] and the mask of reply tokens [batch, T]."""
    ids = torch.stack([torch.from_numpy(window.ids) for window in batch])
    answer = torch.stack([torch.from_numpy(window.answer) for window in batch])
    return ids.to(device), answer.to(device)
