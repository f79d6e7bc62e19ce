"""A real server and a real Chromium; both are closed whatever happens."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.pagemodel import write_page_model
from tutor.bench.stage import find_chromium, served

INPUT = "[data-testid=stChatInputTextArea]"
CHROMIUM = find_chromium()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker("browser")
            item.add_marker("slow")


def body(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many layers of random weights: slow enough to be stopped in the middle on an idle machine."""
    return write_page_model(tmp_path_factory.mktemp("browser") / "page-model", n_layer=24, n_embd=384)


@pytest.fixture(scope="session")
def server(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running `streamlit run app.py`."""
    folder = tmp_path_factory.mktemp("server")
    with served(str(model_folder), 1, folder) as running:
        yield running.url
    log = folder / "server.log"
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(server: str, browser: Browser) -> Iterator[Open]:
    """Open the page and wait until it can be typed into; errors of the browser's console fail the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def opener(
        query: str = "lang=en", width: int = 1440, height: int = 900, init: str = "", **options: str
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)  # pyright: ignore
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        if init:
            page.add_init_script(init)
        page.goto(f"{server}/?{query}")
        page.wait_for_selector(INPUT)
        page.get_by_role("tab").first.wait_for()
        page.wait_for_selector("text=/Loading|読み込んでいます…/", state="detached", timeout=180_000)
        return page

    yield opener
    for context in contexts:
        context.close()
    harmless = ("WebSocket", "net::ERR", "when disconnected from server")  # what a lost connection causes
    serious = [text for text in errors if not any(word in text for word in harmless)]
    assert not serious, serious


def ask(page: Page, question: str) -> None:
    page.fill(INPUT, question)
    page.press(INPUT, "Enter")
