"""The browser's files: served safely, complete, worded in both languages, and without made-up data."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tutor.config import PROMPTS
from tutor.panels import assets

NODE = shutil.which("node")
SCRIPTS = sorted(assets.FOLDER.glob("*.js"))
TEXTS = tomllib.loads((PROMPTS / "ui.toml").read_text(encoding="utf-8"))
CHOICES = {
    "tab": ["path", "tokens", "attention", "layers", "sampling"],
    "lead": ["path", "tokens", "attention", "layers", "sampling"],
    "part": ["persona", "tags", "note", "history", "question", "reply"],
    "stage": ["raw", "tempered", "prob"],
    "set": ["temperature", "top_k", "top_p", "penalty", "seed", "entropy", "discarded"],
    "fact": ["token", "piece", "id", "position", "part", "bytes", "surprise", "prob"],
    "col": ["layer", "ln1_mean", "ln1_var", "ln2_mean", "ln2_var"],
    "finish": ["end", "length", "context", "stopped", "error"],
    "state": ["queued", "running", "finished", "failed"],
}


@pytest.mark.parametrize(
    "path", ["../payload.py", "v-x/../../payload.py", "", "v-1", "a/store.js", "none.js", "/etc/passwd"]
)
def test_only_our_files_are_served(path: str) -> None:
    """Guards against reading other files of the server through the address."""
    assert assets.read(path) is None


def test_versioned_addresses_may_be_cached_and_others_not() -> None:
    """Guards against a page that mixes modules of two versions after an update."""
    fresh = assets.read(f"v-{assets.version()}/store.js")
    old = assets.read("v-0000000000/store.js")
    assert fresh is not None and "immutable" in fresh.cache_control
    assert old is not None and old.cache_control == "no-cache" and old.body == fresh.body
    assert fresh.content_type.startswith("text/javascript")
    assert assets.address("store.js") == f"aura/static/v-{assets.version()}/store.js"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_whole_short_and_honest(script: Path) -> None:
    """Guards against a missing module, a file grown too long, HTML made from text, and invented numbers."""
    source = script.read_text(encoding="utf-8")
    for name in re.findall(r'from "\./([\w.]+)"', source):
        assert (assets.FOLDER / name).is_file(), name
    assert source.count("\n") <= 300
    assert max(map(len, source.splitlines())) <= 160
    for banned in ("innerHTML", "insertAdjacentHTML", "outerHTML", "document.write", "Math.random", "eval("):
        assert banned not in source


def test_every_sentence_exists_in_both_languages() -> None:
    """Guards against a key shown to the student instead of a sentence."""
    wanted = {f"{group}_{name}" for group, names in CHOICES.items() for name in names}
    spoken = {False: set(), True: set()}
    for script in SCRIPTS:
        source = script.read_text(encoding="utf-8")
        keys = set(re.findall(r'\bt\("(\w+)"', source))
        keys |= {key for pair in re.findall(r'\bt\([^"`()]+\? "(\w+)" : "(\w+)"', source) for key in pair}
        for name in re.findall(r'new FigureBox\(context, "(\w+)"', source):
            keys |= {f"fig_{name}", f"note_{name}"}
        for group in re.findall(r"\bt\(`(\w+)_\$", source):
            keys |= {key for key in wanted if key.startswith(f"{group}_")}
        for choices in re.findall(r"const MODES = \[([^\]]+)\]", source):
            keys |= set(re.findall(r'"(\w+)"', choices))
        spoken[script.name == "reply.js"] |= keys
    assert len(spoken[True]) > 12 and len(spoken[False]) > 90
    for lang in ("ja", "en"):
        missing = [f"reply_{key}" for key in spoken[True] if f"reply_{key}" not in TEXTS[lang]]
        missing += [f"panel_{key}" for key in spoken[False] if f"panel_{key}" not in TEXTS[lang]]
        assert missing == []


def test_both_languages_fill_the_same_places() -> None:
    """Guards against a value that one language forgets, or a place that nobody fills."""
    for key, text in TEXTS["ja"].items():
        if key.startswith(("reply_", "panel_")):
            other = TEXTS["en"][key]
            assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", other)), key


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_pure_functions_of_the_browser() -> None:
    """Runs the tests of the JavaScript parts that need no page."""
    files = [str(path) for path in sorted((Path(__file__).parent / "js").glob("*.test.mjs"))]
    done = subprocess.run([str(NODE), "--test", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(re.search(r"# pass (\d+)", done.stdout).group(1)) >= 25  # type: ignore[union-attr]
