"""The one page: the conversation on the left, the instruments on the right."""

from __future__ import annotations

import streamlit as st

from app_pages import actions
from app_pages.keeper import keeper
from app_pages.masthead import draw_masthead
from app_pages.message import draw_turn
from app_pages.plain import plain
from app_pages.shell import portrait
from app_pages.state import Visit, visit
from app_pages.suggestions import draw_suggestions
from tutor.panels import components

_TURNS_DRAWN = 12  # older ones are folded away: a long conversation stays quick
_WATCH = 2.0  # seconds; the safety net if the browser's word that a reply ended gets lost


def draw_chat() -> None:
    """Draw everything; returns at once, whatever is being written."""
    now = visit()
    now.begin_run()
    left, right = st.columns([5, 7], gap="large")
    with left, st.container(key="left", gap=None):
        draw_masthead(now)
        with st.container(key="conversation", gap="small"):
            draw_conversation(now)
            st.html('<div class="aura-end"></div>')
        with st.container(key="ask", gap="xsmall"):
            draw_input(now)
        draw_unseen(now)
    with right, st.container(key="right", gap="xsmall"):
        draw_instruments(now)


def draw_unseen(now: Visit) -> None:
    """What listens and takes no room: the keeper always, the watch while something is under way."""
    session = now.session
    with st.container(key="unseen", gap=None):
        keeper(now)
        if now.pending or session.wanted or not model_is_there(now):
            watch(now, now.known)


def draw_conversation(now: Visit) -> None:
    """The greeting before the first question; afterwards the turns and what to ask next."""
    turns = now.session.turns
    if not turns:
        draw_greeting(now)
        return
    with st.container(key="turns", gap="medium"):
        older, newer = turns[:-_TURNS_DRAWN], turns[-_TURNS_DRAWN:]
        if older and not st.toggle(now.texts.say("show_earlier", n=len(older)), key="earlier"):
            older = []
        for turn in (*older, *newer):
            draw_turn(now, turn, last=turn is turns[-1])


def draw_greeting(now: Visit) -> None:
    """Who Aura is, and ten questions to begin with."""
    texts = now.texts
    with st.container(key="greeting", gap="small"):
        st.html(portrait(texts["aura_alt"], "6rem"))
        st.header(texts["greeting_title"], anchor=False)
        st.write(texts["greeting_body"])
    shared = (st.query_params.get("q") or "").strip()
    if shared:
        with st.container(key="shared", border=True, gap="small"):
            st.caption(texts["shared_question"])
            st.text(shared[: now.session.service.config.max_question_chars])
            st.button(texts["shared_ask"], type="primary", on_click=actions.take_shared, args=(shared,))
    starters = [texts[f"starter_{n}"] for n in range(1, 11)]
    draw_suggestions(texts["starters_label"], starters, key="starters")


def draw_input(now: Visit) -> None:
    """What went wrong last, if anything; the input; the quiet line below it."""
    texts, pending = now.texts, now.session.pending
    if now.flash is not None:
        st.error(texts.error(now.flash), icon=":material/info:")
    placeholder = texts["input_placeholder" if not pending else "input_waiting"]
    if len(pending) >= 2:
        placeholder = texts["input_full"]
    with st.container(key="inputrow", horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
        st.chat_input(placeholder, key="chat", on_submit=actions.submit, disabled=len(pending) >= 2)
        if pending:
            st.button(
                texts["stop"], key="stop", icon=":material/stop:", shortcut="Esc", on_click=actions.stop
            )
    facts = now.session.service.facts(now.session.model)
    line = plain(texts.say("foot_model", **facts)) + "  \n" if facts else ""
    st.caption(line + plain(texts["foot_note"]))


def draw_instruments(now: Visit) -> None:
    """The panels of the reply that is being written, or of the one selected last."""
    newest, session = now.session.newest, now.session
    shown = newest is not None and not newest.dropped and (newest.drafts or not newest.done)
    job = newest.token if newest is not None and shown else None
    recorded = session.service.recordings.get(session.lang)
    if not session.turns and recorded is not None:
        note = now.texts.say("recording_note", question=recorded.question)
        st.caption(":material/play_circle: " + plain(note))
        job = recorded.token
    components.instruments(job, now.texts, key="instruments", lang=now.session.lang)


def model_is_there(now: Visit) -> bool:
    """Whether the model in use has been loaded, or has failed to be."""
    return now.session.service.model(now.session.model).ended.is_set()


@st.fragment(run_every=_WATCH)
def watch(now: Visit, known: int) -> None:
    """While something is under way: draw again when there is news, even if the browser says nothing.

    Draws nothing itself, so that nothing of it can be left over after a lost connection.
    """
    session = now.session
    settled = session.wanted is None or session.service.model(session.wanted).ended.is_set()
    ended = any(turn.done and not turn.committed for turn in session.turns)
    idle = settled and not session.pending and model_is_there(now)
    if ended or idle or session.known > known:
        st.rerun()
