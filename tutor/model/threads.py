"""How many threads torch may use; set once, at the start."""

from __future__ import annotations

import torch


def use_threads(count: int) -> None:
    """Let torch compute with this many threads, here and in threads started later.

    With two threads on two busy cores a decode step waits for the slower one again and again; one
    thread was 10 to 20 times as fast there.
    """
    torch.set_num_threads(max(1, count))
