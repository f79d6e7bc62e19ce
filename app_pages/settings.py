"""The settings: which model answers, and how the next token is chosen."""

from __future__ import annotations

import streamlit as st

from app_pages import actions
from app_pages.names import model_name
from app_pages.plain import plain
from app_pages.state import RANGES, Visit
from tutor.session.catalogue import HUB_MODELS, offer

_STEPS = {"temperature": 0.05, "top_k": 1, "top_p": 0.05, "repetition_penalty": 0.05, "max_new_tokens": 8}


def draw_sampling(now: Visit) -> None:
    """Settings of the next reply. Moving one runs nothing: it is read when a question is sent."""
    texts = now.texts
    for name, step in _STEPS.items():
        low, high = RANGES[name]
        st.slider(
            texts[name], low, high, now.start[name], step, key=now.name(name), on_change="ignore",
            help=texts.get(f"{name}_help"),
        )  # fmt: skip
    low, high = RANGES["seed"]
    st.number_input(
        texts["seed"], int(low), int(high), int(now.start["seed"]), 1, key=now.name("seed"),
        on_change="ignore", help=texts["seed_help"],
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(texts["settings_when"])
        st.button(texts["settings_reset"], type="tertiary", on_click=actions.reset_settings)


def draw_model(now: Visit) -> None:
    """Which model answers, what is known about it, and how to use another one."""
    texts, session = now.texts, now.session
    hosted = session.service.config.hosted
    offered = ["embedded", *(item.spec for item in HUB_MODELS)]
    in_use = session.wanted or session.model
    options = [*offered, *([] if in_use in offered else [in_use]), *([] if hosted else ["other"])]
    chosen = st.selectbox(
        texts["model_choice"],
        options,
        options.index(in_use),
        key=now.name("model_choice"),
        format_func=lambda spec: model_name(now.texts, spec),
        on_change=actions.choose_model,
    )
    if chosen == "other":
        st.text_input(
            texts["model_spec"], key=now.name("model_spec"), help=texts["model_spec_help"], on_change="ignore"
        )
        st.button(texts["model_load"], on_click=actions.load_other)
    draw_facts(now)


def draw_facts(now: Visit) -> None:
    """Sizes, place and licence of the model in use."""
    texts, session = now.texts, now.session
    facts = session.service.facts(session.model)
    if facts is not None:
        st.caption(plain(texts.say("model_line", **facts)))
    known = offer(session.model)
    if known is not None:
        st.caption(texts.say("model_licence", licence=known.licence, size=known.size))
    elif session.model != "embedded":
        st.caption(texts["model_licence_unknown"])
