"""The instruments in a real Chromium: what is on the screen is what was recorded, and everything can be reached."""

from __future__ import annotations

import csv
import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from tests.panels.demo.serve import Replay, app
from tests.panels.helpers import record
from tutor.bench.stage import find_chromium
from tutor.config import SamplingConfig
from tutor.model.registry import LoadedModel
from tutor.trace import Trace

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = find_chromium()
TABS = ["path", "tokens", "attention", "layers", "sampling"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]


@pytest.fixture(scope="module")
def trace(ours: LoadedModel) -> Trace:
    settings = SamplingConfig(temperature=1.0, top_k=30, seed=4, max_new_tokens=24)
    return record(ours, list(range(20, 34)), settings)


@pytest.fixture(scope="module")
def address(trace: Trace, ours: LoadedModel) -> Iterator[str]:
    """A server of the demo page with a finished, a slow and a twice drafted reply."""
    other = record(ours, list(range(20, 34)), SamplingConfig(max_new_tokens=5))
    jobs = {
        "done": Replay([trace], rate=10_000),
        "slow": Replay([trace], rate=12),
        "slower": Replay([trace], rate=4),
        "drafts": Replay([other, trace], rate=10_000),
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app(jobs, ours), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as runner:
        chromium = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, address: str) -> Iterator[object]:
    """Opens a page; the test fails if the page logged an error."""
    pages, problems = [], []

    def open_page(query: str, width: int = 1280, ready: str = ".scrub .tok"):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda line: (
                line.type == "error" and "favicon" not in str(line.location) and problems.append(line.text)
            ),
        )
        pages.append(page)
        page.goto(address + query, wait_until="domcontentloaded")
        page.locator(ready).first.wait_for()
        return page

    yield open_page
    for page in pages:
        page.close()
    assert problems == []


def finished(page, steps: int) -> None:
    playwright.expect(page.locator(".scrub .count")).to_have_text(f"{steps} / {steps}")
    page.locator(".reply .caret").wait_for(state="detached")


def show(page, tab: str) -> None:
    page.locator(f"#tab-{tab}").click()
    playwright.expect(page.locator(f"#tab-{tab}")).to_have_attribute("aria-selected", "true")


def test_figures_on_the_screen_are_the_recorded_ones(visit, trace: Trace) -> None:
    """Guards the last metre: a panel that shows another step, layer, head or a rounded value as exact."""
    page = visit("?job=done&lang=en")
    finished(page, len(trace.steps))
    chosen = 9
    page.locator(f'.scrub .tok[data-step="{chosen}"]').click()
    step = trace.steps[chosen]
    show(page, "layers")
    row = page.locator('.ledger .row[data-layer="2"]')
    for place, value in enumerate(
        (step.layers.attn_norm[2], step.layers.mlp_norm[2], step.layers.resid_norm[2, 2])
    ):
        assert np.float32(row.locator(".num").nth(place).get_attribute("title")) == value
    assert step.lens is not None
    words = page.locator('.lens .row[data-layer="1"] .word')
    assert [np.float32(words.nth(i).get_attribute("title")) for i in range(words.count())] == list(
        step.lens.probs[1]
    )
    show(page, "sampling")
    logits = page.locator(".candidates .row .logit")
    for i, candidate in enumerate(step.candidates[:12]):
        assert str(candidate.logit) in logits.nth(i).get_attribute("title")
    playwright.expect(page.locator(".fig .caption", has_text="random number")).to_have_attribute(
        "title", str(step.draw)
    )
    show(page, "attention")
    page.locator("select[aria-label=Layer]").select_option("2")
    page.locator("select[aria-label=Head]").select_option("1")
    square, query = trace.attention_map(2, 1), trace.prompt_length + chosen - 1
    assert square is not None
    chip = page.locator(f'.words .tok[data-key="{query - 4}"]')
    playwright.expect(page.locator(".fig .caption", has_text="L2 H1")).to_have_count(1)
    playwright.expect(page.locator(".words .tok")).to_have_count(query + 1)
    page.wait_for_function("(chip) => Number(chip.title) > 0", arg=chip.element_handle())
    assert np.float32(chip.get_attribute("title")) == square[query, query - 4]
    chip.click()
    playwright.expect(page.locator(".readout")).to_contain_text(f"→ {query - 4} ")
    shown = page.locator(".readout").text_content().rsplit(" ", 1)[1]
    assert np.float32(shown) == square[query, query - 4]


def test_a_click_on_a_word_moves_every_view(visit, trace: Trace) -> None:
    """Guards against views that keep their own idea of the chosen step."""
    page = visit("?job=done&lang=en")
    finished(page, len(trace.steps))
    word = page.locator(".reply .u").nth(3)
    step = int(word.get_attribute("data-step"))
    word.click()
    playwright.expect(word).to_have_attribute("aria-current", "true")
    playwright.expect(page.locator(".scrub .count")).to_have_text(f"{step + 1} / {len(trace.steps)}")
    show(page, "tokens")
    playwright.expect(page.locator(".tokens .chosen")).to_have_attribute(
        "data-position", str(trace.prompt_length + step)
    )
    show(page, "layers")
    playwright.expect(page.locator(".lensgrid thead .chosen")).to_have_attribute("data-step", str(step))
    show(page, "attention")
    playwright.expect(page.locator(".words .tok")).to_have_count(trace.prompt_length + step)


def test_a_live_reply_updates_without_being_rebuilt(visit, trace: Trace) -> None:
    """Guards against flicker: nodes present at the third token must be the same ones at the last."""
    page = visit("?job=slow&lang=ja")
    show(page, "tokens")
    page.locator(".tokens [data-part=reply] .tok").nth(2).wait_for()
    page.evaluate(
        """() => {
          const root = document.getElementById("instruments").shadowRoot;
          window.kept = [".scrub", ".panel > *", ".tokens", ".tokens .tok"].map((name) => [name, root.querySelector(name)]);
        }"""
    )
    assert page.locator(".scrub .live").get_attribute("aria-pressed") == "true"
    finished(page, len(trace.steps))
    same = """() => {
      const root = document.getElementById("instruments").shadowRoot;
      return window.kept.every(([name, node]) => node && node === root.querySelector(name));
    }"""
    assert page.evaluate(same)


def test_choosing_a_word_while_live_is_not_undone_by_the_next_token(visit) -> None:
    """Guards against a live view that snaps back to the newest token while someone is reading."""
    page = visit("?job=slower&lang=en")
    page.locator('.scrub .tok[data-step="6"]').wait_for()
    page.locator('.scrub .tok[data-step="1"]').click()
    page.locator('.scrub .tok[data-step="10"]').wait_for()
    playwright.expect(page.locator(".scrub .tok[aria-current]")).to_have_attribute("data-step", "1")
    page.locator(".scrub .live").click()
    playwright.expect(page.locator(".scrub .live")).to_have_attribute("aria-pressed", "true")


def test_keys_move_play_and_change_tabs(visit, trace: Trace) -> None:
    """Guards against instruments that only a mouse can use."""
    page = visit("?job=done&lang=en")
    finished(page, len(trace.steps))
    line, count = page.locator(".scrub .line"), page.locator(".scrub .count")
    line.focus()
    page.keyboard.press("Home")
    playwright.expect(count).to_have_text(f"1 / {len(trace.steps)}")
    page.keyboard.press("ArrowRight")
    playwright.expect(line).to_have_attribute("aria-valuenow", "2")
    page.keyboard.press("p")
    playwright.expect(count).not_to_have_text(re.compile("^[12] /"))
    page.keyboard.press("p")
    paused = count.text_content()
    page.wait_for_timeout(700)
    assert count.text_content() == paused
    page.locator("#tab-path").click()
    page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("#tab-tokens")).to_have_attribute("aria-selected", "true")
    show(page, "path")
    page.locator(".path .block[data-tab=attention]").nth(1).focus()
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#tab-attention")).to_have_attribute("aria-selected", "true")
    playwright.expect(page.locator("select[aria-label=Layer]")).to_have_value("1")
    page.locator("canvas.grid").focus()
    page.keyboard.press("ArrowDown")
    playwright.expect(page.locator("select[aria-label=Layer]")).to_have_value("2")


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_phone_scrolls_nothing_sideways(visit, trace: Trace, lang: str) -> None:
    """Guards against a panel wider than 390 px, in every view and both languages."""
    page = visit(f"?job=done&lang={lang}&theme=dark", width=390)
    finished(page, len(trace.steps))
    for tab in TABS:
        show(page, tab)
        page.locator(".panel .fig").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        raw = page.evaluate(
            """() => [...document.getElementById("instruments").shadowRoot.querySelectorAll("*")]
              .filter((node) => node.children.length === 0 && /^[a-z]+_[a-z_0-9]+$/.test(node.textContent)
                && !node.closest(".tok, .word, .name, td, th")).map((node) => node.textContent)"""
        )
        assert raw == [], "a key is shown instead of a sentence"


def test_drafts_can_be_opened(visit, trace: Trace) -> None:
    """Guards against a withdrawn draft whose record can no longer be looked at."""
    page = visit("?job=drafts&lang=en")
    finished(page, len(trace.steps))
    assert page.locator(".reply details.withdrawn").count() == 1
    page.locator("select[aria-label=Draft]").select_option("0")
    playwright.expect(page.locator(".scrub .count")).to_have_text("1 / 5")
    page.locator(".reply details.withdrawn summary").click()
    page.locator(".reply details.withdrawn .u").nth(1).click()
    playwright.expect(page.locator(".reply details.withdrawn .u[aria-current]")).to_have_count(1)


def test_exports_carry_the_exact_numbers_and_a_picture(visit, trace: Trace) -> None:
    """Guards against an export of rounded figures, and against an empty or tainted picture."""
    page = visit("?job=done&lang=en")
    finished(page, len(trace.steps))
    show(page, "attention")
    page.locator(".words .tok[title]").first.wait_for()
    page.wait_for_function(
        """() => [...document.getElementById("instruments").shadowRoot.querySelectorAll(".words .tok")]
          .some((chip) => Number(chip.title) > 0)"""
    )
    page.locator(".export > button").click()
    item = page.locator(".export .item", has_text="The chosen head")

    def save(format_name: str) -> bytes:
        with page.expect_download() as waiting:
            item.get_by_text(format_name, exact=True).click()
        return Path(waiting.value.path()).read_bytes()

    rows = list(csv.DictReader(io.StringIO(save("CSV").decode("utf-8-sig"))))
    square = trace.attention_map(0, 0)
    assert square is not None and len(rows) == len(square) * (len(square) + 1) // 2
    for row in rows:
        assert np.float32(row["weight"]) == square[int(row["query_position"]), int(row["key_position"])]
    picture = save("PNG")
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000
    assert b"data:image/png" in save("SVG")


def test_a_reply_whose_record_is_gone_still_shows_its_text(browser, address: str) -> None:
    """Guards against an empty message after the server has let the record go."""
    page = browser.new_page()
    page.goto(f"{address}?job=unknown&lang=en&text=What+remains", wait_until="domcontentloaded")
    playwright.expect(page.locator(".reply .text")).to_have_text("What remains")
    playwright.expect(page.locator(".inst .empty")).to_contain_text("no longer keeps")
    page.close()


def test_a_recording_plays_by_itself_until_someone_takes_over(visit, trace: Trace) -> None:
    """Guards against a first screen that stands still, and against one that fights the student."""
    page = visit("?job=done&lang=en&play=1")
    count = page.locator(".scrub .count")
    playwright.expect(count).to_have_text(re.compile("^[3-6] /"))
    page.locator('.scrub .tok[data-step="1"]').click()
    playwright.expect(count).to_have_text(re.compile("^2 /"))
    page.wait_for_timeout(900)
    assert count.text_content() == f"2 / {len(trace.steps)}"
