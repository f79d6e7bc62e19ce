"""The one component that is always mounted: it reports ended replies and guards the keyboard."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from app_pages import actions
from app_pages.state import Visit

_SCRIPT = Path(__file__).with_name("keeper.js")


@cache
def _component() -> Any:
    return st.components.v2.component(  # pyright: ignore[reportAttributeAccessIssue]
        "aura_keeper", html="<span hidden></span>", js=_SCRIPT.read_text(encoding="utf-8")
    )


def keeper(now: Visit) -> None:
    """Mount it. A reply that ends makes the page run once more; that run notices the end by itself."""
    session = now.session
    data = {
        "pending": list(now.pending),
        "lang": session.lang,
        "asked": len(session.turns),
        "session": session.key,
        "reloads": now.reloads,
    }
    _component()(key="keeper", data=data, on_done_change=lambda: None, on_restore_change=actions.restore)
