"""The benchmark's arithmetic: which way each ratio goes, and that a slow machine cancels out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tutor.__main__ import limit_threads
from tutor.bench.contenders import Run
from tutor.bench.report import compare, main, summarise, take_turns
from tutor.config import ROOT


def steady(seconds: float) -> Run:
    return Run(0.5, (seconds,) * 10)


def test_rate_counts_tokens_after_the_first() -> None:
    run = Run(1.0, (0.5, 0.25, 0.25))
    assert run.rate == 3 and run.whole == 2


def test_ratios_point_the_right_way_and_the_worse_prompt_counts() -> None:
    """Guards a report that flatters: higher is better for rates, lower for overhead."""
    runs = {
        "64": {"generate": [steady(0.04)], "generate_recorded": [steady(0.08)], "engine": [steady(0.01)],
               "engine_recorded": [steady(0.02)], "engine_lens": [steady(0.04)]},
        "512": {"generate": [steady(0.04)], "generate_recorded": [steady(0.08)], "engine": [steady(0.02)],
                "engine_recorded": [steady(0.03)], "engine_lens": [steady(0.05)]},
    }  # fmt: skip
    assert compare(runs) == {
        "recorded_vs_generate": pytest.approx(4 / 3),
        "recorded_lens_vs_generate": pytest.approx(0.8),
        "recording_overhead": pytest.approx(2.0),
        "recorded_vs_generate_recorded": pytest.approx(8 / 3),
    }


def test_a_slow_round_slows_both_sides() -> None:
    """Guards ratios on a busy machine: they are taken within each round, not between medians."""
    runs = {"engine": [steady(t) for t in (1, 2, 4, 8)]}
    names = ("generate", "generate_recorded", "engine_recorded", "engine_lens")
    runs |= {name: [steady(2 * t) for t in (1, 2, 4, 8)] for name in names}
    assert compare({"64": runs})["recording_overhead"] == pytest.approx(2)


def test_contenders_take_turns_and_the_first_round_is_dropped() -> None:
    order: list[str] = []

    def contender(name: str) -> Run:
        order.append(name)
        return steady(0.1)

    runs = take_turns({n: lambda ids, tokens, n=n: contender(n) for n in ("a", "b")}, [1], 4, 3)
    assert order == ["a", "b"] * 4 and {name: len(found) for name, found in runs.items()} == {"a": 3, "b": 3}
    assert summarise(runs)["a"]["ms_per_token"] == pytest.approx(100)


def test_threads_are_set_before_numpy_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards our engine's speed: numpy's threads, once made, spin beside torch's and halve it."""
    monkeypatch.setenv("AURA_THREADS", "2")
    for arguments, wanted in ((["--threads", "3", "--json"], "3"), (["--model", "x"], "2")):
        monkeypatch.setenv("OMP_NUM_THREADS", "99")
        limit_threads(arguments)
        assert os.environ["OMP_NUM_THREADS"] == wanted
    code = "import sys, tutor.__main__; assert not {'numpy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.slow
def test_the_last_line_is_one_json_object(bpe_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards programs that read the figures, and every contender on a model that really runs."""
    assert main(["--model", str(bpe_folder), "--repeats", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])[str(bpe_folder)]
    assert result["recorded_vs_generate"] > 0 and result["late_over_early"] > 0
    assert result["medians"]["24"]["engine_lens"]["tokens_per_second"] > 0
    assert result["recorded_bytes_per_token"] > 0 and 0 < result["browser_bytes_per_token"] < 30_000


def test_a_model_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "no/such/place/at/all"]) == 1
    assert "no/such/place/at/all" in capsys.readouterr().err
