"""Muon: momentum whose matrix updates are made orthogonal. Float32, batched by shape.

torch ships a Muon that works in bfloat16, which a CPU without bfloat16 units runs some twenty
times slower; this one stays in float32 and treats equal shapes together.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; scale that
matches AdamW's update size from Liu et al. 2025, arXiv:2502.16982.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Push all singular values of each matrix towards 1 by a quintic Newton-Schulz iteration.

    Args:
        matrices: Shape [batch, rows, cols], float32.
        steps: Iterations.

    Returns:
        New tensor of the same shape; singular values near 1 (0.7 to 1.2).
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / x.flatten(1).norm(dim=1).clamp_min(1e-7)[:, None, None]
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)  # [batch, rows, rows]
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for the weight matrices of the blocks.

    Args:
        params: Matrices. One whose name ends in `c_attn.weight` holds query, key and value side by
            side and is treated as three; mark it by a group with `thirds=True`.
        lr: Step size, comparable with AdamW's.
        momentum: Nesterov momentum.
        weight_decay: Decoupled weight decay.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "thirds": False}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state["momentum"] = torch.zeros_like(param)
                state["momentum"].lerp_(param.grad, 1 - group["momentum"])
                update = param.grad.lerp(state["momentum"], group["momentum"])
                by_shape[param.shape].append((param, update))
            for shape, pairs in by_shape.items():
                self._apply(shape, pairs, group)

    def _apply(self, shape: torch.Size, pairs: list[tuple[Tensor, Tensor]], group: dict[str, Any]) -> None:
        stacked = torch.stack([update for _, update in pairs])  # [n, in, out]
        parts = stacked.chunk(3, dim=2) if group["thirds"] else (stacked,)
        joined = torch.cat([orthogonalise(part) for part in parts], dim=2)
        scale = 0.2 * max(shape[0], shape[1] // len(parts)) ** 0.5  # root mean square of AdamW's updates
        for (param, _), update in zip(pairs, joined, strict=True):
            param.mul_(1 - group["lr"] * group["weight_decay"])
            param.add_(update, alpha=-group["lr"] * scale)
