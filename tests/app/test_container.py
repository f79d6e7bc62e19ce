"""The image's own command in the surroundings of a container: user 1000, no home, a bare environment.

There is no container engine here; this runs what the Dockerfile says with what it copies.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import body
from tests.pagemodel import write_page_model
from tutor.bench.stage import free_port
from tutor.config import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")

pytestmark = pytest.mark.slow


def instruction(name: str) -> list[str]:
    """The JSON list after an instruction such as CMD."""
    match = re.search(rf"^{name}\s+(\[.*\])\s*$", DOCKERFILE, re.M)
    assert match, f"the Dockerfile has no {name} in list form"
    return json.loads(match[1])


def copied() -> list[str]:
    """Top-level names that COPY . . brings into the image, by .dockerignore's plain lines."""
    ignored = {
        line.strip("/") for line in (ROOT / ".dockerignore").read_text().split() if line[0] not in "!*#"
    }
    return [item.name for item in ROOT.iterdir() if item.name not in ignored]


@pytest.fixture
def image() -> Iterator[Path]:
    """The files of the image, readable by anyone and writable by nobody but their owner."""
    base = Path(tempfile.mkdtemp(prefix="aura-image-"))  # pytest's own folders are closed to other users
    app = base / "app"
    app.mkdir()
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, app / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, app / name)
    write_page_model(base / "model")
    for path in (base, *base.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield app
    shutil.rmtree(base, ignore_errors=True)


def as_user_1000(command: list[str]) -> list[str]:
    """The command run as user 1000, in its group and in no other.

    If the interpreter itself lies in a folder of root's, the process may read it all the same (a single
    capability; it may write nothing of others'). The image's own files are readable without it.
    """
    become = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]
    python = Path(sys.executable).resolve()
    open_to_all = all(parent.stat().st_mode & 0o005 == 0o005 for parent in python.parents)
    if not open_to_all:
        become += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [*become, *command]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_image_starts_as_user_1000_without_a_home(image: Path) -> None:
    """Guards against caches that need a home, files that need another user, and a page that does not come up."""
    port = free_port()
    command = [sys.executable, *instruction("CMD")[1:]]
    command = [word.replace("8501", str(port)).replace("0.0.0.0", "127.0.0.1") for word in command]
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "AURA_MODEL": str(image.parent / "model")}
    log = image.parent / "log"
    with log.open("w") as out:
        process = subprocess.Popen(as_user_1000(command), cwd=image, env=environment, stdout=out, stderr=out)
        try:
            health = f"http://127.0.0.1:{port}/_stcore/health"
            deadline = time.monotonic() + 90
            while body(health) != "ok":
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.3)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert "<title>Streamlit</title>" in answer.read().decode()
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/aura/static/store.js", timeout=10
            ) as answer:
                assert answer.headers["content-type"].startswith("text/javascript")
            check = instruction("CMD")  # the container's own health check, pointed at this port
            probe = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.*?\])\n", DOCKERFILE, re.S)[1])  # pyright: ignore
            ast.parse(probe[2])
            assert check[0] == probe[0] == "python"
            good = subprocess.run([sys.executable, "-c", probe[2].replace("8501", str(port))], timeout=30)
            assert good.returncode == 0
            bad = subprocess.run(
                [sys.executable, "-c", probe[2].replace("8501", str(port)).replace("/_stcore/health", "/")],
                timeout=30,
            )
            assert bad.returncode == 1, "a page where the health answer should be is not healthy"
        finally:
            process.terminate()
            process.wait(20)
    text = log.read_text()
    assert "Traceback" not in text and "Permission" not in text, text


def test_the_image_is_what_a_space_needs() -> None:
    assert re.search(r"^USER user$", DOCKERFILE, re.M) and "--uid 1000" in DOCKERFILE
    assert "HF_HOME=/home/user" in DOCKERFILE and "OMP_NUM_THREADS=1" in DOCKERFILE
    assert "chown -R" not in DOCKERFILE
    for name in ("app.py", "app_pages", "tutor", "prompts", ".streamlit", "requirements.txt"):
        assert name in copied(), f"{name} is left out of the image"
    assert "tests" not in copied() and ".venv" not in copied()
