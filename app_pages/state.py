"""What a visit keeps in Streamlit's session: the student's Session, the settings, one message."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import streamlit as st

from tutor.config import SamplingConfig
from tutor.content.loader import LANGS
from tutor.errors import TutorError
from tutor.session.conversation import Session
from tutor.session.service import get_service
from tutor.session.texts import Texts, load_texts

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_k": (0, 100),
    "top_p": (0.05, 1.0),
    "repetition_penalty": (1.0, 2.0),
    "seed": (0, 2**53 - 1),
    "max_new_tokens": (8, 400),
}
DEFAULTS: dict[str, float] = {
    name: 0 if value is None else value for name, value in asdict(SamplingConfig()).items()
}  # top_k None, which keeps all, is 0 on the page


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
        start: Settings that the page began with: defaults, the link's, or those before a reload.
        round: Grows when the settings are put back; part of their widgets' names, so that these begin anew.
    """

    session: Session
    flash: TutorError | None = None
    reloads: int = 0
    pending: tuple[str, ...] = ()
    known: int = 0
    start: dict[str, float] = field(default_factory=lambda: dict(DEFAULTS))
    round: int = 0

    def begin_run(self) -> None:
        """Take over what has happened since the last run, and note where things stand."""
        self.pending = tuple(job.token for job in self.session.pending)
        self.known = self.session.known
        self.session.commit()
        failed = self.session.settle_model()
        if failed is not None:
            self.flash = failed
            self.put_back(settings())  # the list shows the model that is in use again

    @property
    def texts(self) -> Texts:
        """The page's sentences in the student's language."""
        return load_texts()[self.session.lang]

    def put_back(self, settings: dict[str, float] | None = None) -> None:
        """Let the settings begin anew, from the defaults or from these."""
        self.start = DEFAULTS | (settings or {})
        self.round += 1

    def name(self, setting: str) -> str:
        """Name of a setting's widget."""
        return f"{setting}-{self.round}"


def visit() -> Visit:
    """The visit of the browser tab that is being served; made at its first run."""
    if "visit" not in st.session_state:
        st.session_state["visit"] = Visit(Session(get_service(), first_language()), start=link_settings())
    now: Visit = st.session_state["visit"]
    get_service().sessions.keep(now.session)
    return now


def first_language() -> str:
    """The language of the link, else of the browser, else English."""
    asked = st.query_params.get("lang")
    if asked in LANGS:
        return str(asked)
    return "ja" if (st.context.locale or "").lower().startswith("ja") else "en"


def link_settings() -> dict[str, float]:
    """Settings that came with the link; what makes no sense there is left at its default."""
    found = dict(DEFAULTS)
    for name, default in DEFAULTS.items():
        try:
            value = type(default)(st.query_params.get(name, default))
        except (ValueError, OverflowError):
            continue
        low, high = RANGES[name]
        if low <= value <= high:
            found[name] = value
    return found


def settings() -> dict[str, float]:
    """The settings as they stand in the page."""
    now = visit()
    return {name: st.session_state.get(now.name(name), value) for name, value in now.start.items()}


def sampling() -> SamplingConfig:
    """The settings for the next reply; kept, so that a reloaded page has them again.

    Raises:
        SamplingError: A setting is outside its range.
    """
    values = settings()
    visit().session.settings = values
    return SamplingConfig(
        temperature=float(values["temperature"]),
        top_k=int(values["top_k"]) or None,
        top_p=float(values["top_p"]),
        repetition_penalty=float(values["repetition_penalty"]),
        seed=int(values["seed"]),
        max_new_tokens=int(values["max_new_tokens"]),
    )
