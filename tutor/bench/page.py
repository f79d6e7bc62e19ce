"""How much of the engine's speed reaches the reader: the real page, measured in a real browser.

Questions are asked in the page, with one tab of the instruments open after the other; `probe.js`
notes in the browser when each token arrives, what travelled and how long frames took. After each
reply the engine writes the same number of tokens alone, from the same prompt and with the same
recording, so that both meet the same machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tutor.bench.contenders import record, run_of
from tutor.bench.stage import Server, heap_mb, opened, served
from tutor.bench.subjects import Subject
from tutor.config import CaptureConfig
from tutor.content.loader import LANGS
from tutor.errors import TutorError
from tutor.session.texts import load_texts

if TYPE_CHECKING:
    from playwright.sync_api import Page

RECORDED = CaptureConfig()  # what the page's own service records on a student's machine
UNTAUGHT_TOKENS = 64  # a model that was never taught does not end by itself
BUNDLE = 0.02  # seconds; tokens that come closer to the first one than this came with it
REST = 1.0  # seconds for the panels to fetch what they show at the end of a reply
INPUT = "[data-testid=stChatInputTextArea]"
AGAIN = "[class*=st-key-again-] button"
TAB = ".inst [role=tab]"

Json = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One reply as the browser met it.

    Attributes:
        prompt: Token ids of the first draft's prompt.
        arrivals: Seconds at which the first draft's tokens arrived.
        tokens: Tokens of all drafts.
        event_bytes: Bytes of all events.
        view_bytes: Bytes of everything else that the panels fetched, headers included.
        redraws: Seconds of each frame in which something was drawn while tokens came, from its
            first callback until it was painted.
        server_rate: Tokens per second that the server itself measured, if there was one draft only.
    """

    prompt: tuple[int, ...]
    arrivals: tuple[float, ...]
    tokens: int
    event_bytes: int
    view_bytes: int
    redraws: tuple[float, ...]
    server_rate: float | None = None

    @property
    def rate(self) -> float | None:
        """Tokens per second by arrival, counted from the end of the first bundle; None if all came in it.

        A browser that was busy when the first token came sees the others closer together than they
        were written; so the rate at which the server wrote them, where it is known, is the most.
        """
        first = sum(at - self.arrivals[0] <= BUNDLE for at in self.arrivals)
        if first == len(self.arrivals):
            return None
        arrived = (len(self.arrivals) - first) / (self.arrivals[-1] - self.arrivals[first - 1])
        return min(arrived, self.server_rate or arrived)

    @property
    def kb_per_token(self) -> float:
        """Kilobytes on the wire for each token."""
        return (self.event_bytes + self.view_bytes) / self.tokens / 1000


def read_report(report: Json) -> Seen:
    """Read what the probe noted during one reply.

    Raises:
        TutorError: No token arrived.
    """
    steps = [event for event in report["events"] if event["name"] == "step"]
    if not steps:
        raise TutorError("A question was asked in the page, but no token arrived; see the server's log.")
    newest = max(event["source"] for event in steps)
    mine = [event for event in report["events"] if event["source"] == newest]
    first = [event["at"] / 1000 for event in mine if event["name"] == "step" and event["draft"] == 0]
    prompt = next(event["ids"] for event in mine if event["name"] == "prefill" and event["draft"] == 0)
    rates = [event["rate"] for event in mine if event["name"] == "status" and event["rate"]]
    alone = all(event["draft"] == 0 for event in mine if event["name"] == "step")
    begun, ended = steps[0]["at"], steps[-1]["at"]
    drawn = [frame for frame in report["frames"] if begun <= frame["at"] <= ended + 200]
    return Seen(
        prompt=tuple(prompt),
        arrivals=tuple(first),
        tokens=sum(event["name"] == "step" for event in mine),
        event_bytes=sum(event["bytes"] for event in report["events"]),
        view_bytes=sum(view["bytes"] for view in report["views"]),
        redraws=tuple(frame["whole"] / 1000 for frame in drawn),
        server_rate=rates[-1] if rates and alone else None,
    )


def questions() -> list[str]:
    """The first questions that the page offers, in each language in turn."""
    texts = load_texts()
    found = [[texts[lang][f"starter_{n}"] for n in range(1, 11)] for lang in LANGS]
    return list(chain.from_iterable(zip(*found, strict=True)))


def growth(values: Sequence[float | None]) -> float | None:
    """How much more the later half is than the earlier one, by their medians; None if too few are known.

    Single readings say little: a server's memory goes up and down with the length of the records it keeps.
    """
    known = [value for value in values if value is not None]
    half = len(known) // 2
    return median(known[-half:]) - median(known[:half]) if half else None


class Visit:
    """A student who asks one question after the other.

    Args:
        page: The page, just opened.
        server: Its server.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server
        self.asked = 0
        page.wait_for_selector(INPUT)
        page.wait_for_selector(TAB)
        self.tabs: list[str] = page.locator(TAB).evaluate_all("nodes => nodes.map(node => node.id)")
        self._questions = questions()

    def ask(self, tab: str) -> Seen:
        """Ask the next question with this tab open, and wait for the whole reply and for rest."""
        page = self.page
        page.locator(f"#{tab}").click()
        page.evaluate("auraProbe.report()")
        ends = page.evaluate("auraProbe.ends()")
        page.fill(INPUT, self._questions[self.asked % len(self._questions)])
        page.press(INPUT, "Enter")
        self.asked += 1
        page.wait_for_function("before => auraProbe.ends() > before", arg=ends, polling=200)
        page.wait_for_selector(".st-key-stop button", state="detached")
        page.wait_for_selector(AGAIN)
        page.wait_for_timeout(1000 * REST)
        self.server.rest()
        return read_report(page.evaluate("auraProbe.report()"))

    def memory(self) -> tuple[float, float | None]:
        """Script memory of the page and memory of the server, in MiB."""
        return heap_mb(self.page), self.server.resident_mb()


def round_of(seen: Seen, tab: str, subject: Subject) -> Json:
    """One reply beside the engine alone, which writes as many tokens from the same prompt."""
    alone = run_of(record(subject, RECORDED, seen.prompt, len(seen.arrivals))[1])
    rate = seen.rate
    return {
        "tab": tab.removeprefix("tab-"),
        "prompt": len(seen.prompt),
        "tokens": len(seen.arrivals),
        "page_tokens_per_second": rate,
        "server_tokens_per_second": seen.server_rate,
        "engine_tokens_per_second": alone.rate if alone.steps else None,
        "page_over_engine": rate / alone.rate if rate and alone.steps else None,
        "events_kb_per_token": seen.event_bytes / seen.tokens / 1000,
        "views_kb_per_token": seen.view_bytes / seen.tokens / 1000,
        "redraw_ms": [1000 * took for took in seen.redraws],
    }


def summarise_page(rounds: Sequence[Json], memory: Sequence[tuple[float, float | None]]) -> Json:
    """The figures of the page out of its rounds.

    Raises:
        TutorError: No reply was long enough to have a speed.
    """
    timed = [item for item in rounds if item["page_over_engine"] is not None]
    if not timed:
        raise TutorError(
            "Every reply of the page came at once: too short to have a speed. Ask for more tokens."
        )
    redraws = [took for item in rounds for took in item["redraw_ms"]]
    heap, resident = [found[0] for found in memory], [found[1] for found in memory]
    return {
        "page_over_engine": median(item["page_over_engine"] for item in timed),
        "page_over_engine_worst_tab": _worst_tab(timed),
        "browser_kb_per_token": median(
            item["events_kb_per_token"] + item["views_kb_per_token"] for item in rounds
        ),
        "redraw_ms_p95": float(np.percentile(redraws, 95)) if redraws else None,
        "redraw_ms_max": max(redraws, default=None),
        "heap_growth_mb": growth(heap),
        "server_growth_mb": growth(resident),
        "page": {
            "rounds": [{**item, "redraw_ms": _spread(item["redraw_ms"])} for item in rounds],
            "replies": len(memory),
            "heap_mb": heap,
            "server_mb": resident,
        },
    }


def _worst_tab(timed: Sequence[Json]) -> Json:
    """The tab with the lowest median ratio."""
    tabs: dict[str, list[float]] = {}
    for item in timed:
        tabs.setdefault(item["tab"], []).append(item["page_over_engine"])
    name = min(tabs, key=lambda tab: median(tabs[tab]))
    return {"tab": name, "ratio": median(tabs[name])}


def _spread(values: Sequence[float]) -> Json:
    """Number, median and greatest of a round's redraws."""
    middle = median(values) if values else None
    return {"frames": len(values), "median": middle, "max": max(values, default=None)}


def measure_page(
    subject: Subject,
    *,
    threads: int,
    rounds: int,
    replies: int,
    tokens: int | None,
    scratch: Path,
    say: Callable[[str], None],
) -> Json:
    """Measure the page of one model.

    Args:
        subject: The model, loaded here for the engine's own turns.
        threads: torch's threads, in the server as here.
        rounds: Replies that are timed, after one to warm up; each has the next tab open.
        replies: Further replies after which memory is read; 0 leaves memory out.
        tokens: Longest reply; None lets a taught model end by itself.
        scratch: Folder for the server's log.
        say: Told what is going on.

    Returns:
        `page_over_engine`, `browser_kb_per_token`, redraw times in ms, growth in MiB (None without
        replies), and under `page` each round.

    Raises:
        TutorError: Playwright, Chromium or the page failed.
    """
    model = "embedded" if subject.name == "embedded" else subject.folder
    most = tokens or (None if subject.loaded.taught else UNTAUGHT_TOKENS)
    query = "lang=en" if most is None else f"lang=en&max_new_tokens={most}"
    found: list[Json] = []
    memory: list[tuple[float, float | None]] = []
    say(f"{subject.name}: the page, {rounds} rounds" + (f", {replies} replies for memory" if replies else ""))
    with served(model, threads, scratch) as server, opened(f"{server.url}/?{query}") as page:
        visit = Visit(page, server)
        for turn in range(rounds + 1):
            tab = visit.tabs[(turn - 1) % len(visit.tabs)]
            result = round_of(visit.ask(tab), tab, subject)
            if turn:
                found.append(result)
        for turn in range(replies):
            visit.ask(visit.tabs[turn % len(visit.tabs)])
            memory.append(visit.memory())
    return summarise_page(found, memory)


def page_lines(result: Json) -> list[str]:
    """The page's figures as text."""
    heads = (
        f"{'prompt':>8}{'tokens':>8}{'page/s':>9}{'server/s':>10}{'engine/s':>10}{'ratio':>7}{'kB/token':>10}"
    )
    lines = [f"  {'page: tab':<14}{heads}"]
    for item in result["page"]["rounds"]:
        sent = item["events_kb_per_token"] + item["views_kb_per_token"]
        rates = [item[f"{who}_tokens_per_second"] for who in ("page", "server", "engine")]
        known = ["-" if value is None else f"{value:.1f}" for value in rates]
        ratio = "-" if item["page_over_engine"] is None else f"{item['page_over_engine']:.2f}"
        lines.append(
            f"    {item['tab']:<12}{item['prompt']:>8}{item['tokens']:>8}"
            f"{known[0]:>9}{known[1]:>10}{known[2]:>10}{ratio:>7}{sent:>10.1f}"
        )
    names = ("page_over_engine", "browser_kb_per_token", "redraw_ms_p95", "redraw_ms_max")
    more = ("heap_growth_mb", "server_growth_mb")
    shown = [*names, *(name for name in more if result[name] is not None)]
    lines += [f"  {name:<30}{result[name]:.2f}" for name in shown if result[name] is not None]
    worst = result["page_over_engine_worst_tab"]
    return [*lines, f"  {'page_over_engine_worst_tab':<30}{worst['ratio']:.2f} ({worst['tab']})"]
