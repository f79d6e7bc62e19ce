"""How fast the engine is, against plain transformers, measured in one run and side by side.

    python -m tutor bench [--model M] [--threads N] [--page] [--peers] [--json]

The contenders take turns, so that a busy machine slows all of them alike; each figure is a
median. `contenders` knows how to run each one; `report` turns the runs into ratios and a table. `page`
measures what of it a reader gets, in a real browser; `peers` lets llama.cpp take part.
"""

from tutor.bench.contenders import CONTENDERS, Run, prepare
from tutor.bench.report import main, measure

__all__ = ["CONTENDERS", "Run", "main", "measure", "prepare"]
