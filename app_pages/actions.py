"""What a click does. Each is a callback: it runs before the page is drawn again."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app_pages.state import Visit, sampling, visit
from tutor.errors import TutorError
from tutor.session.conversation import Turn


def _try(act: Callable[[Visit], object]) -> bool:
    """Do something; an error is shown above the input and changes nothing else."""
    now = visit()
    now.flash = None
    try:
        act(now)
    except TutorError as error:
        now.flash = error
        return False
    return True


def ask(question: str) -> bool:
    """Ask a question with the settings as they stand."""
    return _try(lambda now: now.session.ask(question, sampling()))


def submit() -> None:
    """The input was sent; what is refused is put back into it."""
    question = st.session_state.get("chat") or ""
    if not ask(question):
        st.session_state["chat"] = question


def pick(key: str) -> None:
    """A suggested question was chosen."""
    chosen = st.session_state.get(key)
    st.session_state[key] = None
    if chosen is not None:
        ask(chosen)


def stop() -> None:
    """Stop the reply being written."""
    _try(lambda now: now.session.stop())


def again() -> None:
    """Answer the last question once more."""
    _try(lambda now: now.session.again(sampling()))


def go_on() -> None:
    """Continue the last reply."""
    _try(lambda now: now.session.go_on(sampling()))


def edit(key: str) -> None:
    """Send the edited question instead of the last one."""
    question = st.session_state.get(key) or ""
    _try(lambda now: now.session.edit(question, sampling()))


def show_try(turn: Turn, index: int) -> None:
    """Show another version of an answer."""
    _try(lambda now: now.session.show_try(turn, index))


def clear() -> None:
    """Begin a new conversation."""
    _try(lambda now: now.session.clear())
    st.query_params.pop("q", None)


def take_shared(question: str) -> None:
    """Ask the question that came with the link."""
    st.query_params.pop("q", None)
    ask(question)


def language() -> None:
    """The page's language was switched."""
    chosen = st.session_state.get("lang")
    if chosen:
        visit().session.lang = chosen
        visit().flash = None
        st.query_params["lang"] = chosen


def restore() -> None:
    """A reloaded page asks for the conversation that it had; only its own tab knows the key."""
    now = visit()
    now.reloads += 1
    key = (st.session_state.get("keeper") or {}).get("restore")
    found = now.session.service.sessions.get(key) if isinstance(key, str) else None
    if found is not None and not now.session.turns:
        now.session = found
        st.session_state["lang"] = found.lang
        now.put_back(found.settings)


def reset_settings() -> None:
    """Put the settings back to what they were at first."""
    visit().put_back()


def choose_model() -> None:
    """A model of the list was chosen; "other" only opens the field for its name."""
    chosen = st.session_state.get(visit().name("model_choice"))
    if chosen and chosen != "other":
        use_model(chosen)


def load_other() -> None:
    """A folder or Hub id was typed in."""
    spec = (st.session_state.get(visit().name("model_spec")) or "").strip()
    if spec:
        use_model(spec)


def use_model(spec: str) -> None:
    """Use a model from the next question on, once it is loaded."""
    now = visit()
    now.flash = None
    now.session.service.model(spec, retry=True)
    now.session.wanted = spec
