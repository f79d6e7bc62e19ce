"""The same numbers, sooner: orders in memory that suit a CPU. Nothing here changes a formula.

A decode step reads every weight once for a single token, so its speed is that of memory, and the
order in which a matrix lies there decides it. Figures in this file: one thread, float32.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from tutor.model.gpt2 import Unembedding


def fast_layout(weight: Tensor) -> Tensor:
    """Choose the memory order of a weight, [in, out]; the values and the shape stay.

    Rows along the output ran at 20 to 28 GB/s and rows along the input at 13 to 15, except where
    the input is much wider than the output (the MLP's second matrix), where it was 16 against 20.
    """
    fan_in, fan_out = weight.shape
    if weight.device.type == "cpu" and fan_in >= 2 * fan_out:
        return weight.t().contiguous().t()
    return weight


class PackedUnembedding(Unembedding):
    """An output matrix with a second copy, in oneDNN's own order, for several rows at once.

    The logit lens asks for one row per layer, which a plain product does at a third of the speed
    (6 rows of 256 by 8,000: 0.7 ms against 0.3; 12 rows of 768 by 50,257: 45 ms against 17).
    The copy is made when it is first needed; one row alone is faster without it.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Scores of the vocabulary, [R, d] -> [R, V]."""
        if x.shape[0] == 1 or self._packed is None:
            return super().__call__(x)
        return torch.ops.mkldnn._linear_pointwise(x, self._packed, None, "none", [], "")

    @cached_property
    def _packed(self) -> Tensor | None:
        """The copy; None where this build of torch cannot make it or would not compute the same."""
        if self.weight.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
            return None
        try:
            packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.t().contiguous(), 8)
            probe = self.weight[:, :2].t().contiguous()  # [2, d]
            found = torch.ops.mkldnn._linear_pointwise(probe, packed, None, "none", [], "")
        except (RuntimeError, AttributeError, NotImplementedError):
            return None
        return packed if torch.allclose(found, super().__call__(probe), rtol=1e-4, atol=1e-4) else None


def fast_unembedding(wte: Tensor) -> Unembedding:
    """The output matrix from its rows per token, [V, d], in the order that its device likes."""
    if wte.device.type != "cpu":
        return Unembedding(wte.t())
    return PackedUnembedding(wte.t().contiguous())
