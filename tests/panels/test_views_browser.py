"""The derived views in a real Chromium: each opens, says what the server computed, and answers to its controls."""

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
from tests.panels.test_browser import (  # noqa: F401
    browser,
    finished,
    playwright,
    pytestmark,
    show,
    trace,
    visit,
)
from tutor.config import CaptureConfig, SamplingConfig
from tutor.model.registry import LoadedModel
from tutor.panels.codec import unpack_f32
from tutor.trace import Trace
from tutor.views import compute

CHOSEN = 9
FIGURES = {
    "attention": ["The sum itself", "What each head adds"],
    "layers": ["One layer’s lens in full", "LayerNorm, step by step", "The strongest neurons"],
    "sampling": ["What if the settings were others"],
    "tokens": ["Where the token starts", "Neighbours in the vocabulary"],
}


@pytest.fixture(scope="module")
def address(trace: Trace, ours: LoadedModel) -> Iterator[str]:  # noqa: F811
    """A server of the demo page that has the model: a whole record, a live one, and one without vectors."""
    settings = SamplingConfig(temperature=1.0, top_k=30, seed=4, max_new_tokens=24)
    bare = record(ours, list(range(20, 34)), settings, CaptureConfig(residuals=False, logits=False))
    jobs = {"done": Replay([trace], 10_000), "slow": Replay([trace], 12), "bare": Replay([bare], 10_000)}
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


def opened(visit, trace: Trace, tab: str, lang: str = "en", job: str = "done", width: int = 1280):  # noqa: F811
    """The page with one step chosen and one tab open."""
    page = visit(f"?job={job}&lang={lang}", width)
    finished(page, len(trace.steps))
    page.locator(f'.scrub .tok[data-step="{CHOSEN}"]').click()
    show(page, tab)
    return page


def figure(page, title: str):
    return page.locator(".fig").filter(has=page.locator("h3", has_text=title))


def asked(ours: LoadedModel, trace: Trace, name: str, /, **params: object) -> dict:  # noqa: F811
    return compute(name, ours, trace, {key: str(value) for key, value in params.items()})


def exact(locator, value: float, single: bool = False) -> None:
    """Wait until the full precision behind a shown figure is this number."""
    kind = np.float32 if single else float
    playwright.expect(locator).to_have_attribute("title", re.compile(r"\d"))
    for _ in range(50):
        if kind(locator.get_attribute("title")) == kind(value):
            return
        time.sleep(0.1)
    assert kind(locator.get_attribute("title")) == kind(value)


def test_the_sum_and_the_heads_follow_the_choice(visit, trace: Trace, ours: LoadedModel) -> None:  # noqa: F811
    """Guards against a sum of another pair, layer or head than the one chosen, and against rounded figures."""
    page = opened(visit, trace, "attention")
    page.locator("select[aria-label=Layer]").select_option("2")
    page.locator("select[aria-label=Head]").select_option("1")
    query = trace.prompt_length + CHOSEN - 1
    page.locator(f'.words .tok[data-key="{query - 3}"]').click()
    sums = figure(page, "The sum itself")
    playwright.expect(sums.locator(".caption").first).to_contain_text("L2 H1: the query of")
    playwright.expect(sums.locator(".caption").first).to_contain_text(f"at {query - 3}")
    found = asked(ours, trace, "pair", position=query, layer=2, head=1, key=query - 3)
    numbers = sums.locator(".stages .num")
    for i, name in enumerate(("dot", "score", "score", "exp", "weight", "recorded")):
        exact(numbers.nth(i), found[name])
    square = trace.attention_map(2, 1)
    assert square is not None and found["recorded"] == square[query, query - 3]
    heads = figure(page, "What each head adds")
    parts = asked(ours, trace, "heads", position=query, layer=2)
    rows = heads.locator(".row[data-head]")
    playwright.expect(rows).to_have_count(trace.n_head)
    for i in range(trace.n_head):
        exact(rows.nth(i).locator(".num").nth(0), parts["norms"][i])
        exact(rows.nth(i).locator(".num").nth(1), parts["shares"][i])
    playwright.expect(heads.locator(".sum")).to_contain_text("within the tolerance")
    rows.nth(0).locator("button").press("Enter")
    playwright.expect(page.locator("select[aria-label=Head]")).to_have_value("0")
    playwright.expect(sums.locator(".caption").first).to_contain_text("L2 H0")
    page.locator("select[aria-label=Head]").select_option("-1")
    playwright.expect(sums.locator(".absent")).to_contain_text("Choose a single head")


def test_layernorm_neurons_and_lens_follow_the_choice(visit, trace: Trace, ours: LoadedModel) -> None:  # noqa: F811
    page = opened(visit, trace, "layers")
    position = trace.prompt_length + CHOSEN - 1
    page.locator('.ledger .row[data-layer="1"] button').press("Enter")
    norm = figure(page, "LayerNorm, step by step")
    norm.get_by_role("button", name="ln_2 (MLP)").press("Enter")
    playwright.expect(norm.locator(".caption").first).to_contain_text("ln_2 in L1")
    found = asked(ours, trace, "layernorm", position=position, layer=1, name="ln_2")
    for i, value in enumerate((found["mean"], found["variance"])):
        exact(norm.locator("dd").nth(i), value)
    playwright.expect(norm.locator("svg.spread .bin")).to_have_count(5 * 40)
    neurons = figure(page, "The strongest neurons")
    for order, by in (
        ("Activation", "activation"),
        ("Length added", "length"),
        ("Effect on the token", "token"),
    ):
        neurons.get_by_role("button", name=order).press("Enter")
        best = asked(ours, trace, "neurons", position=position, layer=1, by=by)["neurons"]
        rows = neurons.locator(".row:not(.headline)")
        playwright.expect(rows.first.locator(".name")).to_have_text(f"#{best[0]['index']}")
        playwright.expect(rows).to_have_count(len(best))
        for i, neuron in enumerate(best):
            exact(rows.nth(i).locator(":scope > .num").nth(1), neuron["length"])
            exact(rows.nth(i).locator(":scope > .num").nth(2), neuron["token"])
    words = figure(page, "One layer’s lens in full")
    places = words.locator(".place")
    places.nth(2).press("Enter")
    lens = asked(ours, trace, "lens", position=position, layer=2)
    playwright.expect(words.locator(".caption")).to_contain_text(
        f"number {lens['ranks'][2]} of {trace.n_vocab}"
    )
    playwright.expect(words.locator("ol.full li")).to_have_count(20)
    assert [int(places.nth(i).locator("b").text_content()) for i in range(trace.n_layer)] == lens["ranks"]


def test_the_lens_grid_shows_ranks(visit, trace: Trace, ours: LoadedModel) -> None:  # noqa: F811
    """Guards against ranks of another step or layer than the cell's."""
    page = opened(visit, trace, "layers")
    page.get_by_role("button", name="Rank", exact=True).press("Enter")
    ranks = asked(ours, trace, "ranks", **{"from": 0, "to": 16})["ranks"]
    for step in (CHOSEN - 1, CHOSEN):
        for layer in range(trace.n_layer):
            cell = page.locator(f'.lensgrid td[data-step="{step}"][data-l="{layer}"]')
            playwright.expect(cell).to_have_text(str(ranks[step][layer]))


def test_sliders_draw_again_and_can_be_put_back(visit, trace: Trace, ours: LoadedModel) -> None:  # noqa: F811
    """Guards against sliders that only look alive, and against a what-if that cannot find back."""
    page = opened(visit, trace, "sampling")
    box = figure(page, "What if the settings were others")
    playwright.expect(box.locator(".verdict")).to_contain_text("still falls on")
    playwright.expect(box.locator(".knobs .more")).to_be_disabled()
    knobs = box.locator(".knob input")
    knobs.nth(0).focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    found = asked(ours, trace, "whatif", step=CHOSEN, temperature=0.6)
    exact(box.locator(".verdict"), found["draw"])
    playwright.expect(box.locator(".counts")).to_have_attribute(
        "title", f"{found['entropy']} / {found['discarded']}"
    )
    shown = box.locator(".candidates .drawn .name")
    playwright.expect(shown).to_have_attribute("title", f"id {found['chosen']}")
    knobs.nth(4).focus()
    page.keyboard.press("Home")
    first = asked(ours, trace, "whatif", step=CHOSEN, temperature=0.6, draw=0)
    playwright.expect(shown).to_have_attribute("title", f"id {first['chosen']}")
    assert first["chosen"] == first["candidates"][0]["id"], "the number 0 falls on the most probable token"
    box.locator(".knobs .more").press("Enter")
    playwright.expect(shown).to_have_attribute("title", f"id {trace.steps[CHOSEN].token.token_id}")


def test_the_embedding_is_that_of_the_chosen_token(visit, trace: Trace, ours: LoadedModel) -> None:  # noqa: F811
    page = opened(visit, trace, "tokens")
    page.locator('.tokens .tok[data-position="5"]').click()
    box, near = figure(page, "Where the token starts"), figure(page, "Neighbours in the vocabulary")
    found = asked(ours, trace, "embedding", position=5)
    playwright.expect(box.locator(".caption").first).to_contain_text(f"(id {found['id']}) at position 5")
    for i, name in enumerate(("token", "place", "sum")):
        exact(box.locator(".vector .quiet").nth(i), found[name]["norm"])
    playwright.expect(near.locator("li")).to_have_count(12)
    for i in (0, 11):
        title = near.locator("li").nth(i).get_attribute("title")
        assert title is not None and f"id {found['neighbours'][i]['id']}," in title
        assert np.float32(title.rsplit(" ", 1)[1]) == np.float32(found["neighbours"][i]["cosine"])
    page.locator(".export > button").click()
    with page.expect_download() as waiting:
        page.locator(".export .item", has_text="Where the token starts").get_by_text(
            "CSV", exact=True
        ).click()
    text = Path(waiting.value.path()).read_bytes().decode("utf-8-sig")
    column = [np.float32(row["wte"]) for row in csv.DictReader(io.StringIO(text))]
    assert column == list(unpack_f32(found["token"]["values"]))


@pytest.mark.parametrize("tab", list(FIGURES))
def test_every_view_can_be_taken_along(visit, trace: Trace, tab: str) -> None:  # noqa: F811
    """Guards against a figure without export, or with an empty one."""
    page = opened(visit, trace, tab)
    for title in FIGURES[tab]:
        playwright.expect(figure(page, title).locator(".mark")).to_have_text("computed from measured")
        playwright.expect(figure(page, title).locator(".content")).to_be_visible()
    page.wait_for_timeout(400)
    page.locator(".export > button").click()
    for title in FIGURES[tab]:
        with page.expect_download() as waiting:
            page.locator(".export .item", has_text=title).get_by_text("PNG", exact=True).click()
        assert len(Path(waiting.value.path()).read_bytes()) > 8_000


def test_a_record_without_vectors_says_that_they_were_computed_again(visit, trace: Trace) -> None:  # noqa: F811
    page = opened(visit, trace, "layers", job="bare")
    playwright.expect(figure(page, "The strongest neurons").locator(".mark")).to_have_text("computed again")
    show(page, "sampling")
    playwright.expect(figure(page, "What if").locator(".mark")).to_have_text("computed again")


def test_a_live_reply_asks_seldom(visit, trace: Trace) -> None:  # noqa: F811
    """Guards against views that compete with the model: at most two requests a second for each place."""
    asked_for: list[str] = []
    page = visit("?job=slow&lang=en")
    page.on("request", lambda request: "/view/" in request.url and asked_for.append(request.url))
    show(page, "attention")
    started = time.monotonic()
    page.locator('.scrub .tok[data-step="20"]').wait_for()
    seconds = time.monotonic() - started
    assert 0 < len(asked_for) <= 2 * (2 * seconds + 2)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_phone_scrolls_nothing_sideways(visit, trace: Trace, lang: str) -> None:  # noqa: F811
    """Guards against a derived view wider than 390 px, and against a key instead of a sentence."""
    page = opened(visit, trace, "attention", lang, width=390)
    for tab in FIGURES:
        show(page, tab)
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        raw = page.evaluate(
            """() => [...document.getElementById("instruments").shadowRoot.querySelectorAll("*")]
              .filter((node) => node.children.length === 0 && /^[a-z]+_[a-z_0-9]+$/.test(node.textContent)
                && !["ln_1", "ln_2", "ln_f"].includes(node.textContent)
                && !node.closest(".tok, .word, .name, td, th, .promoted")).map((node) => node.textContent)"""
        )
        assert raw == [], "a key is shown instead of a sentence"
