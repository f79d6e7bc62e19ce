"""The page in a real browser: what only a browser can show."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import INPUT, Open, ask

LONG = "lang=en&max_new_tokens=400&temperature=1.0&seed=3"
TABS = ("tokens", "attention", "layers", "sampling")

expect.set_options(timeout=120_000)


def stop_button(page: Page) -> Locator:
    return page.locator(".st-key-stop button")


def again_button(page: Page) -> Locator:
    """It is there when the last reply has ended and the page has noticed."""
    return page.locator("[class*=st-key-again-] button")


def words(page: Page) -> int:
    return page.locator(".reply > .text [data-step]").count()


def first_draft(page: Page) -> str:
    """What the first draft says so far, wherever it stands: on show, or folded away as withdrawn."""
    return "".join(page.locator('.reply [data-draft="0"]').all_text_contents())


def wait_for_more(page: Page, count: int) -> None:
    """Wait until this many words more have come, in whatever draft."""
    everything = page.locator(".reply [data-step]")
    everything.nth(everything.count() + count - 1).wait_for(state="attached")


def wait_for_words(page: Page, count: int) -> None:
    page.locator(".reply > .text [data-step]").nth(count - 1).wait_for()


def step_shown(page: Page) -> int:
    """The step that the scrubber stands at, from 1."""
    return int(page.locator(".inst [role=slider]").get_attribute("aria-valuenow") or 0)


def panel(page: Page) -> str:
    """Everything drawn in the open panel except pictures, and except the lens grid: it keeps its window
    of steps while the chosen one is inside, so it may stand elsewhere the second time."""
    return page.locator(".inst section.panel").evaluate(
        """node => {
          const copy = node.cloneNode(true);
          copy.querySelectorAll("table").forEach(table => table.querySelector("th[data-step]") && table.remove());
          copy.querySelectorAll("*").forEach(element => {  // the order in which they were set means nothing
            const found = [...element.attributes].sort((a, b) => (a.name < b.name ? -1 : 1));
            found.forEach(({ name }) => element.removeAttribute(name));
            found.forEach(({ name, value }) => element.setAttribute(name, value));
          });
          return copy.innerHTML;
        }"""
    )


def settled(page: Page) -> str:
    """The open panel once nothing in it changes any more: views that need the model arrive late."""
    drawn, same = panel(page), 0
    for _ in range(60):
        page.wait_for_timeout(300)
        now = panel(page)
        same = same + 1 if now == drawn else 0
        drawn = now
        if same == 4:
            return drawn
    raise AssertionError("the panel never comes to rest")


def open_tab(page: Page, name: str) -> None:
    page.locator(f"#tab-{name}").click()
    expect(page.locator(f"#tab-{name}")).to_have_attribute("aria-selected", "true")


def test_the_whole_path(open_page: Open) -> None:
    """Ask, see tokens arrive and the panels move, stop, and go back to a word: all views follow."""
    page = open_page(LONG)
    ask(page, "What does LayerNorm do?")
    wait_for_words(page, 5)
    while step_shown(page) > words(page) + 1:  # the first screen's recording is still on show
        page.wait_for_timeout(50)
    early, early_panel = step_shown(page), panel(page)
    wait_for_more(page, 20)
    expect(stop_button(page)).to_be_visible()
    assert step_shown(page) > early, "the scrubber follows the newest token"
    assert panel(page) != early_panel, "the panel moves while the reply is written"

    stop_button(page).click()
    expect(stop_button(page)).to_have_count(0)
    expect(again_button(page)).to_be_visible()
    stopped_at = words(page)
    assert stopped_at >= 25, "the partial reply stays"

    spans = page.locator(".reply > .text [data-step]")
    seen: dict[tuple[str, int], str] = {}
    for turn in range(2):
        for at in (4, 17):
            spans.nth(at).click()
            step = int(spans.nth(at).get_attribute("data-step") or -1)
            expect(spans.nth(at)).to_have_attribute("aria-current", "true")
            for tab in TABS:
                open_tab(page, tab)
                expect(page.locator(".inst [role=slider]")).to_have_attribute("aria-valuenow", str(step + 1))
                drawn = settled(page)
                if turn:
                    assert drawn == seen[tab, at], f"{tab} at step {step} is not the same the second time"
                seen[tab, at] = drawn
    for tab in TABS:
        assert seen[tab, 4] != seen[tab, 17], f"{tab} does not follow the chosen word"


def test_a_rerun_in_mid_reply_does_not_restart_it(open_page: Open) -> None:
    page = open_page(LONG)
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/events" in request.url else None)
    ask(page, "What is a token?")
    wait_for_words(page, 8)
    first = first_draft(page)[:-1]
    page.get_by_text("日本語", exact=True).click()
    expect(stop_button(page)).to_be_visible()
    wait_for_more(page, 5)
    assert first_draft(page).startswith(first)
    assert len(streams) == 1, "one stream for reply and instruments, over any number of reruns"
    stop_button(page).click()
    expect(again_button(page)).to_be_visible()


DROPPER = """
const Real = window.WebSocket;
window.__sockets = [];
window.WebSocket = new Proxy(Real, { construct(target, args) { const made = new target(...args); window.__sockets.push(made); return made; } });
"""


def test_a_dropped_socket_loses_nothing(open_page: Open) -> None:
    page = open_page(LONG, init=DROPPER)
    ask(page, "What is a token?")
    wait_for_words(page, 5)
    start = first_draft(page)[:-1]
    page.evaluate("window.__sockets.forEach(socket => socket.close())")
    wait_for_more(page, 10)
    page.wait_for_function("window.__sockets.length > 1 && window.__sockets.at(-1).readyState === 1")
    stop_button(page).click()
    expect(again_button(page)).to_be_visible()
    assert first_draft(page).startswith(start)
    expect(page.get_by_test_id("stChatMessage")).to_have_count(2)


def test_a_reload_in_mid_reply_finds_the_conversation_again(open_page: Open) -> None:
    page = open_page(LONG)
    ask(page, "What is a token?")
    wait_for_words(page, 5)
    start = first_draft(page)[:-1]
    page.reload()
    wait_for_words(page, 10)
    assert first_draft(page).startswith(start)
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("What is a token?")
    stop_button(page).click()
    expect(again_button(page)).to_be_visible()


def test_another_tab_begins_with_nothing(open_page: Open) -> None:
    """Guards one student's conversation against another browser."""
    first = open_page("lang=en&max_new_tokens=8")
    ask(first, "What is a token?")
    expect(again_button(first)).to_be_visible()
    second = open_page("lang=en")
    expect(second.get_by_test_id("stChatMessage")).to_have_count(0)


def test_escape_stops(open_page: Open) -> None:
    page = open_page(LONG)
    ask(page, "What is a token?")
    wait_for_words(page, 5)
    page.press(INPUT, "Escape")
    expect(again_button(page)).to_be_visible()
    expect(page.locator(".reply .foot")).to_contain_text(re.compile("stopped", re.I))


def test_two_students_wait_in_one_line(open_page: Open) -> None:
    first, second = open_page(LONG), open_page("lang=en&max_new_tokens=8")
    ask(first, "What is a token?")
    wait_for_words(first, 3)
    ask(second, "What is GPT-2?")
    expect(second.locator(".reply .foot")).to_contain_text("1")
    assert words(second) == 0
    stop_button(first).click()
    expect(again_button(second)).to_be_visible()
    assert words(second) > 0


HOSTILE = "<img src=x onerror='window.__owned=1'><script>window.__owned=1</script> **b** [a](javascript:window.__owned=1)"


def test_markup_in_a_question_stays_text(open_page: Open) -> None:
    page = open_page("lang=en&max_new_tokens=8")
    ask(page, HOSTILE)
    expect(again_button(page)).to_be_visible()
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("<img src=x")
    for tab in TABS:
        open_tab(page, tab)
    assert page.evaluate("window.__owned") is None
    assert page.locator("img[src=x]").count() == 0


def test_japanese_input_is_sent_by_the_last_enter_only(open_page: Open) -> None:
    """Chrome's order (keydown inside the composition) and Safari's (after it, with keyCode 229)."""
    page = open_page("lang=ja&max_new_tokens=8")
    cdp = page.context.new_cdp_session(page)
    page.focus(INPUT)
    cdp.send("Input.imeSetComposition", {"text": "わたし", "selectionStart": 3, "selectionEnd": 3})
    inside = {"key": "Enter", "bubbles": True, "cancelable": True, "isComposing": True, "keyCode": 229}
    page.dispatch_event(INPUT, "keydown", inside)
    cdp.send("Input.insertText", {"text": "私"})
    page.evaluate(
        """selector => {
          const field = document.querySelector(selector);
          field.dispatchEvent(new CompositionEvent("compositionend", { data: "私", bubbles: true }));
          const late = new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true });
          Object.defineProperty(late, "keyCode", { get: () => 229 });
          field.dispatchEvent(late);
        }""",
        INPUT,
    )
    page.wait_for_timeout(800)
    expect(page.get_by_test_id("stChatMessage")).to_have_count(0)
    expect(page.locator(INPUT)).to_have_value("私")
    page.press(INPUT, "Enter")
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("私")
    expect(again_button(page)).to_be_visible()


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_nothing_scrolls_sideways(open_page: Open, lang: str, width: int) -> None:
    page = open_page(f"lang={lang}&max_new_tokens=8", width=width, height=844)
    too_wide = """() => [...document.querySelectorAll('html, [data-testid=stMain], .st-key-conversation, .st-key-right')]
        .filter(node => node.scrollWidth > node.clientWidth + 1).map(node => node.className || node.tagName)"""
    assert page.evaluate(too_wide) == []
    ask(page, "残差接続 " + "x" * 120)
    expect(again_button(page)).to_be_visible()
    for tab in ("path", *TABS):
        open_tab(page, tab)
        assert page.evaluate(too_wide) == [], tab


def test_on_a_phone_the_conversation_comes_first_and_the_input_stays_in_reach(open_page: Open) -> None:
    page = open_page("lang=ja&max_new_tokens=8", width=390, height=844)
    assert page.locator(INPUT).bounding_box()["y"] < 844  # pyright: ignore[reportOptionalSubscript]
    left, right = page.locator(".st-key-left").bounding_box(), page.locator(".st-key-right").bounding_box()
    assert left and right and left["y"] + left["height"] <= right["y"] + 1
    ask(page, "残差接続とは何？")
    expect(again_button(page)).to_be_visible()
    assert page.locator(INPUT).bounding_box()["y"] < 844  # pyright: ignore[reportOptionalSubscript]


def test_unknown_files_and_jobs_are_gone(open_page: Open, server: str) -> None:
    page = open_page("lang=en")
    assert page.request.get(f"{server}/aura/static/nothing.js").status == 404
    assert page.request.get(f"{server}/aura/jobs/nobody/events").status == 404


def setting(page: Page, name: str) -> float:
    """The value that the slider of a setting shows."""
    return float(page.locator(f"[class*=st-key-{name}-] input[type=range]").input_value())


def test_settings_show_what_is_used_before_and_after_a_reload(open_page: Open) -> None:
    """Guards against sliders that stand at their lowest value because they were drawn late."""
    page = open_page("lang=en&max_new_tokens=16&temperature=0.5")
    page.locator(".st-key-settings button").first.click()
    page.locator("[class*=st-key-top_p-]").wait_for()
    assert [setting(page, name) for name in ("top_p", "temperature", "max_new_tokens")] == [1.0, 0.5, 16]
    page.locator("[class*=st-key-temperature-] input[type=range]").press("ArrowRight")
    page.keyboard.press("Escape")
    ask(page, "What is GPT-2?")
    expect(again_button(page)).to_be_visible()
    expect(page.locator(".reply .foot")).to_contain_text("0.55")
    page.reload()
    expect(again_button(page)).to_be_visible()
    page.locator(".st-key-settings button").first.click()
    page.locator("[class*=st-key-top_p-]").wait_for()
    assert [setting(page, name) for name in ("top_p", "temperature", "max_new_tokens")] == [1.0, 0.55, 16]
