"""Questions to click on."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app_pages import actions


def draw_suggestions(label: str, questions: Sequence[str], key: str) -> None:
    """Draw questions as pills; a click asks one.

    Args:
        label: What they are, above them.
        questions: The questions, all different.
        key: The same in every run.
    """
    st.pills(label, questions, key=key, on_change=actions.pick, args=(key,))
