"""One exchange: the question, Aura's reply, what is known about it, and what can be done with it."""

from __future__ import annotations

import html

import streamlit as st

from app_pages import actions
from app_pages.plain import plain
from app_pages.share import draw_share
from app_pages.shell import PORTRAIT
from app_pages.state import Visit
from app_pages.suggestions import draw_suggestions
from tutor.panels import components
from tutor.session.conversation import Try, Turn
from tutor.session.export import finder_line
from tutor.session.jobs import Job


def draw_turn(now: Visit, turn: Turn, last: bool) -> None:
    """Draw one exchange."""
    with st.container(key=f"turn-{turn.key}", gap="small"):
        with st.chat_message("user", avatar=":material/person:"):
            st.text(turn.question if turn.question.strip() else f"({now.texts['kind_empty']})")
        with st.chat_message("assistant", avatar=str(PORTRAIT)):
            draw_reply(now, turn)
            if turn.done:
                draw_actions(now, turn, last)
    topic = turn.current.topic
    if last and topic is not None and topic.follow_ups and not now.session.pending:
        draw_suggestions(now.texts["follow_ups_label"], topic.follow_ups, key=f"more-{turn.key}")


def draw_reply(now: Visit, turn: Turn) -> None:
    """The words, streaming or finished, with what was found and checked around them."""
    shown = turn.current
    draw_finding(now, shown)
    for job in shown.jobs:
        components.reply(
            None if job.dropped else job.token,
            now.texts,
            key=f"reply-{job.token[:12]}",
            lang=now.session.lang,
            text=job.text or None,
        )
    if shown.done:
        draw_checks(now, shown.jobs[-1])
        draw_notes(now, shown)


def draw_finding(now: Visit, shown: Try) -> None:
    """Which topic the finder chose, and that the finder is no part of GPT-2."""
    job = shown.jobs[0]
    line = finder_line(job, now.texts) or "\u00a0"
    st.caption(plain(line))
    if shown.topic is not None and not job.taught:
        st.caption(":material/warning: " + plain(now.texts["untaught"]))


def draw_checks(now: Visit, job: Job) -> None:
    """Where each figure comes from; a clear word if no draft passed."""
    texts, draft = now.texts, job.shown
    if draft is None or not job.taught:
        return
    if not job.verified and job.status().reason not in ("stopped", "error"):
        st.caption(":material/warning: **" + plain(texts["unverified"]) + "**")
    if draft.marks:
        chips = "".join(
            f'<span role="listitem" class="mark {mark.source}"><b>{html.escape(mark.text)}</b>'
            f"{html.escape(texts.get(f'mark_{mark.source}', mark.source))}</span>"
            for mark in dict.fromkeys(draft.marks)
        )
        label, limit = html.escape(texts["marks_label"]), html.escape(texts["marks_limit"])
        head = f'<span class="label" title="{limit}">{label}</span>'
        st.html(f'<div class="marks" role="list" aria-label="{label}">{head}{chips}</div>')


def draw_notes(now: Visit, shown: Try) -> None:
    """The lesson notes, to compare the reply with; never part of it."""
    if shown.topic is None:
        return
    for number, (title, note, source) in enumerate(shown.topic.notes):
        key = f"note-{shown.jobs[0].token[:12]}-{number}"
        label = plain(now.texts.say("note_card", title=title))
        with st.expander(label, icon=":material/menu_book:", type="compact", key=key):
            st.text(note)
            st.caption(plain(now.texts.say("note_source", source=source)))
            st.caption(plain(now.texts["marks_limit"]))


def draw_actions(now: Visit, turn: Turn, last: bool) -> None:
    """Small actions below a finished reply; those that change it only for the last one."""
    texts = now.texts
    idle = last and not now.session.pending
    with st.container(key=f"actions-{turn.key}", horizontal=True, vertical_alignment="center", gap="small"):
        if len(turn.tries) > 1:
            draw_pager(now, turn)
        if idle:
            if turn.current.jobs[-1].status().reason in ("length", "stopped") and turn.current.text:
                _small(texts["go_on"], f"go-on-{turn.key}", ":material/last_page:", actions.go_on)
            _small(texts["again"], f"again-{turn.key}", ":material/refresh:", actions.again)
            draw_edit(now, turn)
        draw_share(now, turn)
        turn.feedback = st.feedback("thumbs", key=f"thumbs-{turn.key}", on_change="ignore")


def draw_pager(now: Visit, turn: Turn) -> None:
    """Go between the versions of an answer."""
    texts, at = now.texts, turn.shown
    pages = (
        (":material/chevron_left:", at - 1, "earlier_try"),
        (":material/chevron_right:", at + 1, "later_try"),
    )
    for icon, target, name in pages:
        if target > at:
            st.caption(texts.say("try_of", n=at + 1, of=len(turn.tries)), width="content")
        st.button(
            texts[name], key=f"{name}-{turn.key}", icon=icon, help=texts[name], type="tertiary",
            disabled=not 0 <= target < len(turn.tries), on_click=actions.show_try, args=(turn, target),
        )  # fmt: skip


def draw_edit(now: Visit, turn: Turn) -> None:
    """Change the last question and send it again."""
    texts, key = now.texts, f"edit-{turn.key}"
    popover = st.popover(texts["edit"], icon=":material/edit:", type="tertiary", key=f"pop-{key}")
    with popover:
        st.text_area(texts["edit_label"], turn.question, key=key, on_change="ignore")
        st.button(texts["edit_send"], key=f"send-{key}", type="primary", on_click=actions.edit, args=(key,))


def _small(label: str, key: str, icon: str, act: object) -> None:
    st.button(label, key=key, icon=icon, type="tertiary", on_click=act)  # pyright: ignore[reportArgumentType]
