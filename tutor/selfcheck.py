"""Checks that a student can run: does every figure on the page obey the equations it stands for?

Each check recomputes one identity of the loaded model in double precision, from other recorded
values or by another route, and reports the largest error. It passes if that error, relative to
the size of the values, is within the tolerance. A broken engine, a wrong formula or a damaged
weight layout shows here in seconds, on any GPT-2.
"""

from __future__ import annotations

from dataclasses import dataclass

from tutor.engine.identities import PASS_CHECKS
from tutor.engine.replies import REPLY_CHECKS, make_probe
from tutor.model.registry import LoadedModel

ROUNDING = 1e-5  # relative error that float32 arithmetic may leave
ROUNDING_HALF = 3e-2  # the same for half precision

CHECK_KEYS = tuple(f"check_{key}" for key, _, _ in (*PASS_CHECKS, *REPLY_CHECKS))
"""Keys of the checks' sentences in the interface texts, in the order in which they run."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        name_key: Key of the check's sentence in the interface texts.
        passed: True if the error is within the tolerance.
        error: Largest error found, relative to the largest value compared (absolute below 1).
        tolerance: Largest error allowed, the same way; 0 demands equality.
    """

    name_key: str
    passed: bool
    error: float
    tolerance: float


def run(loaded: LoadedModel) -> list[CheckResult]:
    """Run every check on a loaded model; takes seconds and changes nothing.

    Args:
        loaded: Any GPT-2; at least 4 positions long.

    Returns:
        One result per check, in the order of CHECK_KEYS.
    """
    probe = make_probe(loaded)
    rounding = ROUNDING if loaded.dtype == "float32" else ROUNDING_HALF
    results = []
    for key, check, rounds in (*PASS_CHECKS, *REPLY_CHECKS):
        error, tolerance = float(check(probe)), rounding if rounds else 0.0
        results.append(CheckResult(f"check_{key}", error <= tolerance, error, tolerance))
    return results


def main_rows(results: list[CheckResult]) -> list[tuple[str, str, str, str]]:
    """Rows for a printed table: check, verdict, largest error, tolerance."""
    return [
        (
            result.name_key.removeprefix("check_"),
            "pass" if result.passed else "FAIL",
            f"{result.error:.1e}",
            f"{result.tolerance:.0e}",
        )
        for result in results
    ]
