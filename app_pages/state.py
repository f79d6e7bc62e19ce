"""What a visit keeps in Streamlit's session: the student's Session, the settings, one message."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from tutor.config import SamplingConfig
from tutor.content.loader import LANGS
from tutor.errors import SamplingError, TutorError
from tutor.session.conversation import Session
from tutor.session.service import get_service
from tutor.session.texts import Texts, load_texts

DEFAULTS: dict[str, float] = {
    "temperature": 0.0,
    "top_k": 0,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
    "seed": 0,
    "max_new_tokens": 160,
}


@dataclass
class Visit:
    """One student's visit.

    Attributes:
        session: The conversation and its rules.
        flash: An error to show above the input until the next thing happens.
        reloads: How often a reloaded page asked for its conversation.
        pending: Tokens of the jobs under way when this run began; what ends while the page is being
            drawn is still news to the browser.
        known: Replies whose topic was known when this run began.
    """

    session: Session
    flash: TutorError | None = None
    reloads: int = 0
    pending: tuple[str, ...] = ()
    known: int = 0

    def begin_run(self) -> None:
        """Take over what has happened since the last run, and note where things stand."""
        self.pending = tuple(job.token for job in self.session.pending)
        self.known = self.session.known
        self.session.commit()
        self.flash = self.session.settle_model() or self.flash

    @property
    def texts(self) -> Texts:
        """The page's sentences in the student's language."""
        return load_texts()[self.session.lang]


def visit() -> Visit:
    """The visit of the browser tab that is being served; made at its first run."""
    if "visit" not in st.session_state:
        st.session_state["visit"] = Visit(Session(get_service(), first_language()))
        read_link()
    now: Visit = st.session_state["visit"]
    get_service().sessions.keep(now.session)
    return now


def first_language() -> str:
    """The language of the link, else of the browser, else English."""
    asked = st.query_params.get("lang")
    if asked in LANGS:
        return str(asked)
    return "ja" if (st.context.locale or "").lower().startswith("ja") else "en"


def read_link() -> None:
    """Take over settings that came with the link; what makes no sense there is left out."""
    for name, default in DEFAULTS.items():
        text = st.query_params.get(name)
        try:
            value = default if text is None else type(default)(text)
            _config(DEFAULTS | {name: value})
        except (ValueError, OverflowError, SamplingError):
            value = default
        st.session_state[name] = value


def sampling() -> SamplingConfig:
    """The settings as they stand in the page.

    Raises:
        SamplingError: A setting is outside its range.
    """
    return _config({name: st.session_state.get(name, default) for name, default in DEFAULTS.items()})


def _config(values: dict[str, float]) -> SamplingConfig:
    top_k = int(values["top_k"])
    return SamplingConfig(
        temperature=float(values["temperature"]),
        top_k=top_k or None,
        top_p=float(values["top_p"]),
        repetition_penalty=float(values["repetition_penalty"]),
        seed=int(values["seed"]),
        max_new_tokens=int(values["max_new_tokens"]),
    )
