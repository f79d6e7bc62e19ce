"""The page's benchmark, run once as anyone would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import CHROMIUM
from tests.pagemodel import write_page_model
from tutor.config import ROOT


def run(command: list[str]) -> str:
    """What a command prints; if it does not end, it goes with all that it has started."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=1200)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, err
    return out


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_is_measured(tmp_path: Path) -> None:
    """Guards the probe: it must see the tokens, their bytes, the frames and the panels' own requests."""
    folder = str(write_page_model(tmp_path / "page-model"))
    bench = [sys.executable, "-m", "tutor", "bench", "--model", folder, "--page", "--json"]
    options = ["--repeats", "3", "--replies", "2", "--page-tokens", "96", "--threads", "1"]
    result = json.loads(run([*bench, *options]).splitlines()[-1])[folder]

    rounds = {item["tab"]: item for item in result["page"]["rounds"]}
    assert list(rounds) == ["path", "tokens", "attention"], "each round has the next tab open"
    assert all(item["prompt"] > 10 and item["tokens"] > 30 for item in rounds.values())
    assert 0.02 < result["page_over_engine"] < 1.5
    step = result["browser_bytes_per_token"] / 1000  # a step's JSON, made here without any page
    assert all(step * 0.9 < item["events_kb_per_token"] < step * 1.5 for item in rounds.values())
    assert rounds["attention"]["views_kb_per_token"] > 0, "thumbnails and rows are fetched"
    assert step * 0.9 < result["browser_kb_per_token"] < 30
    assert 0 < result["redraw_ms_p95"] <= result["redraw_ms_max"]
    assert all(item["redraw_ms"]["frames"] for item in rounds.values())
    assert len(result["page"]["heap_mb"]) == 2 and min(result["page"]["heap_mb"]) > 1
    assert min(result["page"]["server_mb"]) > 100
