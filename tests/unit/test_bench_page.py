"""The page's benchmark without a browser: how arrivals become a speed, and what it says when it cannot run."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tutor.bench.page import Seen, growth, page_lines, questions, read_report, summarise_page
from tutor.bench.stage import Server, opened
from tutor.errors import TutorError


def seen(arrivals: list[float]) -> Seen:
    return Seen((1, 2), tuple(arrivals), len(arrivals), 1000, 0, ())


def test_the_first_bundle_gives_no_speed() -> None:
    """Guards a figure that flatters: tokens written before the first arrival came in no measured time."""
    bundles = [0.0] * 10 + [0.1] * 10 + [0.2] * 10
    assert seen(bundles).rate == pytest.approx(100)


def test_tokens_that_come_one_by_one_have_their_own_speed() -> None:
    """Guards slow models, and fast ones that are not sent in bundles."""
    assert seen([n / 20 for n in range(40)]).rate == pytest.approx(20)
    assert seen([n / 500 for n in range(400)]).rate == pytest.approx(500)


def test_a_stalled_browser_gains_nothing() -> None:
    """Guards the page that seemed faster than the engine: its first event was handled late."""
    late = replace(seen([0.5] * 20 + [0.55 + n / 1000 for n in range(20)]), server_rate=80.0)
    assert late.rate == 80 and replace(late, server_rate=900.0).rate == pytest.approx(20 / 0.069)


def test_a_reply_that_came_at_once_has_no_speed() -> None:
    assert seen([3.0, 3.001, 3.002]).rate is None and seen([3.0]).rate is None


def event(name: str, at: float, source: int = 1, draft: int | None = 0, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "at": at,
        "source": source,
        "draft": draft,
        "bytes": 100,
        "rate": None,
        **more,
    }


def test_a_report_is_read_for_its_newest_reply_and_first_draft() -> None:
    """Guards mixing in an older reply that was opened again, or a second draft after a pause."""
    report = {
        "events": [
            event("prefill", 0, source=0, ids=[9]),
            event("step", 1, source=0),
            event("status", 1000, draft=None, rate=5.0),
            event("prefill", 1000, ids=[4, 5, 6]),
            event("step", 1100),
            event("step", 1200),
            event("prefill", 5000, draft=1, ids=[4, 5]),
            event("step", 5100, draft=1),
            event("end", 5200, draft=None),
        ],
        "views": [{"at": 1150, "bytes": 40}, {"at": 5300, "bytes": 60}],
        "frames": [
            {"at": 1150, "script": 1, "whole": 30},
            {"at": 9000, "script": 1, "whole": 500},
        ],
    }
    found = read_report(report)
    assert found.prompt == (4, 5, 6) and found.arrivals == (1.1, 1.2)
    assert found.tokens == 3 and found.event_bytes == 900 and found.view_bytes == 100
    assert found.redraws == (0.03,), "what is drawn after the reply is no redraw of it"
    assert found.server_rate is None, "the server's speed is that of another draft"
    assert found.kb_per_token == pytest.approx(1 / 3)


def test_no_token_is_a_sentence() -> None:
    with pytest.raises(TutorError, match="no token arrived"):
        read_report({"events": [event("end", 1)], "views": [], "frames": []})


def round_with(ratio: float | None, redraws: list[float], tab: str = "path") -> dict[str, Any]:
    return {
        "tab": tab, "prompt": 3, "tokens": 9, "page_tokens_per_second": 1.0, "server_tokens_per_second": None,
        "engine_tokens_per_second": 2.0, "page_over_engine": ratio, "events_kb_per_token": 3.0,
        "views_kb_per_token": 1.0, "redraw_ms": redraws,
    }  # fmt: skip


def test_the_median_round_counts_and_every_frame() -> None:
    rounds = [round_with(r, [10.0, 20.0]) for r in (0.9, 0.1, 0.8)] + [round_with(None, [150.0])]
    found = summarise_page(rounds, [])
    assert found["page_over_engine"] == 0.8 and found["browser_kb_per_token"] == 4
    assert found["redraw_ms_max"] == 150 and found["heap_growth_mb"] is None
    assert "0.80" in "\n".join(page_lines(found))


def test_the_slowest_tab_is_named_by_its_median() -> None:
    """Guards a median over all tabs that hides one slow one, and one slow round that blames its tab."""
    slow = [round_with(r, [], "layers") for r in (0.5, 0.6, 0.7)]
    rounds = [round_with(r, []) for r in (0.1, 0.9, 0.8)] + slow
    assert summarise_page(rounds, [])["page_over_engine_worst_tab"] == {"tab": "layers", "ratio": 0.6}


def test_replies_too_short_for_a_speed_are_a_sentence() -> None:
    with pytest.raises(TutorError, match="too short"):
        summarise_page([round_with(None, [])], [])


def test_growth_is_between_halves_and_a_peak_is_none() -> None:
    """Guards a leak that is not seen, and a single high reading that is taken for one."""
    assert growth([100 + 3 * n for n in range(20)]) == 30
    assert growth([10, 11, 10, 99, 10, 11, 10, 12]) == pytest.approx(0, abs=0.5)
    assert growth([10.0, None]) is None and growth([]) is None


def test_questions_are_those_that_the_page_offers() -> None:
    """Guards questions written into the benchmark, and one language only."""
    from tutor.session.texts import load_texts

    asked, texts = questions(), load_texts()
    assert len(asked) == len(set(asked)) == 20
    assert set(asked) <= set(texts["ja"].values()) | set(texts["en"].values())
    assert not asked[0].isascii() and asked[1].isascii()


def test_without_playwright_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(TutorError, match=r"pip install -r requirements-dev\.txt"), opened("about:blank"):
        pass


def test_without_chromium_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("playwright")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    with pytest.raises(TutorError, match="playwright install chromium"), opened("about:blank"):
        pass


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_memory_of_a_process_is_read_in_mebibytes() -> None:
    """Guards a factor of 1024, and a crash where the process is gone."""
    import os

    held = Server("", os.getpid()).resident_mb()
    assert held is not None and 50 < held < 50_000
    assert Server("", 2**22 + 1).resident_mb() is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")
def test_rest_lasts_as_long_as_the_process_computes() -> None:
    """Guards an engine that is measured while the server still computes a panel's view."""
    code = "import time; end = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass\ntime.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", code]) as busy:
        try:
            server, begun = Server("", busy.pid), time.monotonic()
            time.sleep(0.3)
            server.rest()
            used, took = server.cpu_seconds(), time.monotonic() - begun
        finally:
            busy.kill()
    assert used is not None and used > 0.2 and 1.5 < took < 20
