"""Mounting in Streamlit: the data that reaches the browser, and one lasting instance over reruns."""

from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest

from tutor.panels import assets
from tutor.panels.components import _LOADER


def page() -> None:
    """A page as small as can be, run by Streamlit itself."""
    import streamlit as st

    from tutor.panels import components

    texts = {"reply_copy": "Copy", "panel_tab_path": "Path", "app_name": "Aura"}
    st.button("again", key="again")
    components.reply("token-1", texts, key="reply-1", lang="en", text="hello")
    components.instruments("token-1", texts, key="instruments", lang="en", play=True)


def mounted(run: AppTest) -> list[tuple[str, str, dict[str, object]]]:
    """(id, component, data) of every component on the page."""
    found = run.get("bidi_component")
    return [(item.proto.id, item.proto.component_name, json.loads(item.proto.json)) for item in found]


def test_components_get_their_own_texts_and_stay_the_same_over_a_rerun() -> None:
    """Guards against a remount in mid-reply (another id) and against sending every text of the page each time."""
    run = AppTest.from_function(page, default_timeout=60).run()
    assert not run.exception
    first = mounted(run)
    assert [(name, data) for _, name, data in first] == [
        ("aura_reply", {"job": "token-1", "text": "hello", "lang": "en", "labels": {"copy": "Copy"}}),
        ("aura_instruments", {"job": "token-1", "lang": "en", "labels": {"tab_path": "Path"}, "play": True}),
    ]
    run.button(key="again").click().run()
    assert mounted(run) == first


def test_the_loader_asks_for_the_current_version_of_the_files() -> None:
    """Guards against a loader that a server can't answer: its address must lead to a file."""
    assert _LOADER.count("@ADDRESS@") == 1 and _LOADER.count("\n") > 10  # one line would be taken for a path
    for name in ("reply.js", "instruments.js"):
        path = assets.address(name).removeprefix(f"{assets.ROUTE}/")
        found = assets.read(path)
        assert found is not None and b"export async function mount(" in found.body
