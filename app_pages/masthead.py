"""The line on top of the conversation: name, language, settings, export, a new start."""

from __future__ import annotations

import html

import streamlit as st

from app_pages import actions
from app_pages.names import model_name
from app_pages.plain import plain
from app_pages.settings import draw_model, draw_sampling
from app_pages.shell import portrait
from app_pages.state import Visit
from tutor.session import export

_LANGUAGES = {"ja": "日本語", "en": "English"}


def draw_masthead(now: Visit) -> None:
    """Draw it, and below it where a model stands that is not ready yet."""
    texts, session = now.texts, now.session
    with st.container(key="masthead", horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        with st.container(key="name", horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
            st.html(portrait(texts["aura_alt"], "2.25rem"), width=36)
            name, tagline = html.escape(texts["app_name"]), html.escape(texts["app_tagline"])
            st.html(f'<h1 class="aura-name">{name}<small>{tagline}</small></h1>')
        if "lang" not in st.session_state:
            st.session_state["lang"] = session.lang
        st.segmented_control(
            texts["language_label"],
            list(_LANGUAGES),
            key="lang",
            required=True,
            format_func=_LANGUAGES.__getitem__,
            label_visibility="collapsed",
            on_change=actions.language,
        )
        with st.popover(
            texts["settings"], icon=":material/tune:", help=texts["settings"], type="tertiary", key="settings"
        ):
            draw_model(now)
            draw_sampling(now)
        if session.turns:
            draw_export(now)
            st.button(
                texts["clear"], key="clear", icon=":material/add_comment:", help=texts["clear"],
                type="tertiary", on_click=actions.clear,
            )  # fmt: skip
    draw_loading(now)


def draw_export(now: Visit) -> None:
    """The conversation as a file, made when it is asked for."""
    texts, session = now.texts, now.session
    with st.popover(
        texts["export"], icon=":material/download:", help=texts["export"], type="tertiary", key="export"
    ):
        st.download_button(
            texts["export_markdown"], lambda: export.markdown(session.turns, texts), "aura.md",
            mime="text/markdown", on_click="ignore", icon=":material/description:",
        )  # fmt: skip
        st.download_button(
            texts["export_json"], lambda: export.as_json(session.turns), "aura.json",
            mime="application/json", on_click="ignore", icon=":material/data_object:",
        )  # fmt: skip


def draw_loading(now: Visit) -> None:
    """Say what is being loaded, or why it could not be."""
    spec = now.session.wanted or now.session.model
    loading = now.session.service.model(spec)
    if not loading.ended.is_set():
        loading_line(now, spec)
    elif loading.error is not None and spec == now.session.model:
        st.error(now.texts.error(loading.error), icon=":material/info:")


@st.fragment(run_every=1.0)
def loading_line(now: Visit, spec: str) -> None:
    """The seconds tick until the model is there; then the page draws itself anew."""
    loading = now.session.service.model(spec)
    if loading.ended.is_set():
        st.rerun()
    name = model_name(now.texts, spec)
    st.caption(
        ":shimmer[" + now.texts.say("model_loading", name=plain(name), seconds=f"{loading.elapsed:.0f}") + "]"
    )
