"""The frame of the page: its setup, its one style sheet, and the boundary that errors stop at."""

from __future__ import annotations

import base64
import html
import logging
from pathlib import Path

import streamlit as st

from tutor.errors import ContentError, TutorError
from tutor.session.texts import load_texts

HERE = Path(__file__).parent
STYLES = HERE / "page.css"
PORTRAIT = HERE / "aura.svg"
_log = logging.getLogger("aura.page")


def portrait(label: str, size: str) -> str:
    """Aura's portrait as markup, without a button for full screen.

    Args:
        label: What it shows, for those who cannot see it.
        size: Width and height as a CSS length.
    """
    drawing = base64.b64encode(PORTRAIT.read_bytes()).decode("ascii")
    style = f"display:block;width:{size};height:{size}"
    return f'<img alt="{html.escape(label)}" style="{style}" src="data:image/svg+xml;base64,{drawing}">'


def draw() -> None:
    """Draw the page for one visit; whatever goes wrong becomes a sentence, and a line in the log."""
    st.set_page_config(page_title="Aura", page_icon=str(PORTRAIT), layout="wide")
    st.html(STYLES)
    try:
        from app_pages.chat import draw_chat

        draw_chat()
    except Exception as error:  # the last boundary: a traceback helps nobody on the page
        on_script_error(error)
        show_error(error)


def on_script_error(error: Exception) -> bool:
    """Log an error of the page; True keeps Streamlit from drawing its traceback."""
    _log.error("The page met an error", exc_info=error)
    return True


def show_error(error: Exception) -> None:
    """Say in both languages that something broke, and what to do."""
    try:
        texts = load_texts()
    except ContentError:
        st.error("prompts/ui.toml")
        return
    known = isinstance(error, TutorError)
    for lang in ("ja", "en"):
        said = texts[lang].error(error) if known else texts[lang].say("page_error")
        st.error(said)
