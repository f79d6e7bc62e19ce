"""Who may import what: read from the import lines, and seen once more in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tutor.config import ROOT

FILES = sorted([*ROOT.glob("tutor/**/*.py"), *ROOT.glob("app_pages/*.py"), ROOT / "app.py"])
TORCH = ("tutor/model/", "tutor/engine/", "tutor/views/", "tutor/labs/", "tutor/training/", "tutor/bench")
STREAMLIT = ("app.py", "app_pages/", "tutor/panels/")
TRANSFORMERS = ("tutor/model/", "tutor/training/", "tutor/bench")


def imported(path: Path) -> set[str]:
    """Modules that a file imports at its top level or inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("package", "allowed", "but"),
    [
        ("streamlit", STREAMLIT, ()),
        ("torch", TORCH, ("tutor/commands.py", "tutor/selfcheck.py", "tutor/session/service.py")),
        ("transformers", TRANSFORMERS, ()),
    ],
)
def test_a_package_is_used_only_where_it_belongs(
    package: str, allowed: tuple[str, ...], but: tuple[str, ...]
) -> None:
    users = [where(p) for p in FILES if any(name.split(".")[0] == package for name in imported(p))]
    assert [user for user in users if not user.startswith(allowed) and user not in but] == []


def test_the_contract_files_import_nothing_of_ours_but_each_other() -> None:
    base = {"tutor.errors", "tutor.config", "tutor.trace"}
    for name in ("errors", "config", "trace"):
        ours = {m for m in imported(ROOT / "tutor" / f"{name}.py") if m.startswith("tutor")}
        assert ours <= base, name


def test_content_knows_no_model() -> None:
    for path in (ROOT / "tutor" / "content").glob("*.py"):
        ours = {m for m in imported(path) if m.startswith(("tutor.model", "tutor.engine", "tutor.session"))}
        assert ours == set(), path.name


def test_the_engine_runs_without_streamlit() -> None:
    code = (
        "import sys, tutor.engine.generate, tutor.teach, tutor.commands\n"
        "assert 'streamlit' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_no_file_of_ours_is_too_long_to_read() -> None:
    scripts = [*FILES, *ROOT.glob("tutor/panels/assets/*.js"), *ROOT.glob("tutor/panels/assets/*.css")]
    lengths = {where(p): len(p.read_text(encoding="utf-8").splitlines()) for p in scripts}
    assert {name: n for name, n in lengths.items() if n > 300} == {}
