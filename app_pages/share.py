"""A link that asks the same question with the same settings and seed."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from app_pages.state import Visit
from tutor.config import SamplingConfig
from tutor.session.conversation import Turn


def draw_share(now: Visit, turn: Turn) -> None:
    """Show the link with a button that copies it."""
    texts = now.texts
    label = texts["share"]
    with st.popover(label, icon=":material/link:", type="tertiary", key=f"share-{turn.key}"):
        job = turn.current.jobs[0]
        st.caption(texts["share_hint"])
        st.code(make_link(st.context.url or "", turn.question, job.sampling, now.session.lang), language=None)


def make_link(page: str, question: str, sampling: SamplingConfig, lang: str) -> str:
    """The page's address with question, settings and language as its query.

    >>> make_link("http://host/aura?x=1", "What?", SamplingConfig(seed=7), "en")
    'http://host/aura?q=What%3F&lang=en&seed=7'
    """
    plain = asdict(SamplingConfig())
    changed = {name: value for name, value in asdict(sampling).items() if value != plain[name]}
    query = urlencode({"q": question, "lang": lang, **changed})
    return urlunsplit(urlsplit(page)._replace(query=query, fragment=""))
