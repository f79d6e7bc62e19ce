"""A running page to measure: `streamlit run app.py` on a free port, and a headless Chromium in front of it.

Playwright is imported here and nowhere else, when it is needed: it is a development requirement.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.config import ROOT
from tutor.errors import TutorError

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROBE = Path(__file__).with_name("probe.js")
WINDOW = {"width": 1440, "height": 900}  # CSS pixels
START_SECONDS = 90
REST_SECONDS = 60
WAIT_SECONDS = 300  # for anything that the page is waited for, a whole reply at most
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class Server:
    """A server that answers: where, and its process."""

    url: str
    pid: int

    def resident_mb(self) -> float | None:
        """Memory that the process holds now, in MiB; None where there is no /proc."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def cpu_seconds(self) -> float | None:
        """Processor time that the process has used so far; None where there is no /proc."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system time

    def rest(self) -> None:
        """Wait until nothing is being computed for the panels any more, so that others can be measured."""
        deadline, before = time.monotonic() + REST_SECONDS, self.cpu_seconds()
        while before is not None and time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.cpu_seconds()
            if now is None or now - before < 0.05:
                return
            before = now


@contextmanager
def served(model: str, threads: int, folder: Path) -> Iterator[Server]:
    """Run the app with a model until the block ends.

    Args:
        model: What AURA_MODEL takes: "embedded", a folder or a Hub id.
        threads: Threads that torch may use there.
        folder: Where the server's log goes.

    Raises:
        TutorError: The server did not come up; the sentence holds the end of its log.
    """
    port, log = free_port(), folder / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    count = str(threads)
    env = {name: value for name, value in os.environ.items() if name != "SPACE_ID"}
    env |= {"AURA_MODEL": model, "AURA_THREADS": count, "OMP_NUM_THREADS": count}
    before = signal.signal(signal.SIGTERM, _leave)
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [*command, "--server.address", "127.0.0.1"], cwd=ROOT, env=env, stdout=out, stderr=out
        )
        try:
            server = Server(f"http://127.0.0.1:{port}", process.pid)
            _wait_for(server, process, log)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: object) -> None:
    """End as after Ctrl-C, so that the server does not outlive a benchmark that is told to end."""
    sys.exit(128 + number)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server says that it is well."""
    deadline = time.monotonic() + START_SECONDS
    while not _is_well(server.url):
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise TutorError(
                f"The page's server did not start within {START_SECONDS} s "
                f"({' '.join(said) or 'it said nothing'}). Try `streamlit run app.py` by hand."
            )
        time.sleep(0.2)


def _is_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return answer.read() == b"ok"
    except OSError:
        return False


def find_chromium() -> str | None:
    """Where the system's Chromium is; None if it has none (Playwright may have its own)."""
    return next(filter(None, map(shutil.which, _CHROMIUM)), None)


@contextmanager
def opened(url: str) -> Iterator[Page]:
    """Open an address in a headless Chromium with the probe in place.

    Raises:
        TutorError: Playwright or Chromium is not there; the sentence says what to install.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise TutorError(
            "The page is measured through playwright, which is not installed. "
            "It is a development requirement: pip install -r requirements-dev.txt"
        ) from error
    with sync_playwright() as play:
        try:
            browser = play.chromium.launch(executable_path=find_chromium(), args=_FLAGS)
        except Error as error:
            raise TutorError(
                f"No Chromium could be started ({str(error).splitlines()[0]}). "
                "Install the system's chromium, or run: playwright install chromium"
            ) from error
        try:
            page = browser.new_page(viewport=WINDOW)  # pyright: ignore[reportArgumentType]
            page.set_default_timeout(1000 * WAIT_SECONDS)
            page.add_init_script(path=PROBE)
            page.goto(url)
            yield page
        except Error as error:
            raise TutorError(
                f"The page did not do what was waited for: {str(error).splitlines()[0]}"
            ) from error
        finally:
            browser.close()


def heap_mb(page: Page) -> float:
    """The page's script memory in MiB, after a collection."""
    page.request_gc()
    return page.evaluate("performance.memory.usedJSHeapSize") / _MEBIBYTE
