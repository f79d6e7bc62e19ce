"""Mounts the two browser components in a Streamlit page; nothing is drawn or computed here.

The script that travels with each component only imports the real module from our own route, found
from the address of the page's own scripts, so it works under any path prefix. Use each with a key:
Streamlit then mounts it once, and every rerun only hands the same instance its newest data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from streamlit.components import v2

from tutor.panels import assets

_LOADER = """
const pageRoot = () => {
  const script = document.querySelector('script[src*="static/js/"]');
  return script ? script.src.slice(0, script.src.lastIndexOf("static/js/")) : document.baseURI;
};

export default function (component) {
  const host = component.parentElement;
  const slot = (host.__aura ??= { instance: null, started: false });
  slot.alive = true;
  slot.latest = component;
  if (slot.instance) {
    slot.instance.update(component);
  } else if (!slot.started) {
    slot.started = true;
    const root = component.data?.root ?? pageRoot();
    import(new URL("@ADDRESS@", root).href)
      .then((module) => module.mount(slot.latest, root))
      .then((instance) => {
        slot.instance = instance;
        instance.update(slot.latest);
        if (!slot.alive) instance.destroy();
      })
      .catch((error) => {
        slot.started = false; // the next run tries again
        console.error(error);
      });
  }
  return () => {
    slot.alive = false;
    setTimeout(() => {
      if (slot.alive || !slot.instance) return;
      slot.instance.destroy();
      delete host.__aura;
    }, 0);
  };
}
"""


@cache
def _component(name: str, html: str) -> Any:
    script = _LOADER.replace("@ADDRESS@", assets.address(f"{name}.js"))
    return v2.component(f"aura_{name}", html=html, js=script)


def _labels(texts: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}


def reply(
    job: str | None,
    texts: Mapping[str, str],
    *,
    key: str,
    lang: str,
    text: str | None = None,
    on_action_change: Callable[[], None] | None = None,
) -> Any:
    """One message of Aura: streams while the job runs, words can be clicked during and after.

    Args:
        job: Token of the job; None shows `text` alone.
        texts: Interface texts of the language; the keys starting with "reply_" are used.
        key: Key of this message, the same in every run.
        lang: "ja" or "en".
        text: What to show if the job's record is gone (the finished reply as plain text).
        on_action_change: Called after the trigger `action` was set in the browser, e.g. to
            {"name": "draft", "draft": 0}.

    Returns:
        The component's state; `.action` holds the trigger of this run or None.
    """
    html = '<div style="min-height:3.5rem"></div>'
    data = {"job": job, "text": text, "lang": lang, "labels": _labels(texts, "reply_")}
    callback = on_action_change or (lambda: None)
    return _component("reply", html)(key=key, data=data, on_action_change=callback)


def instruments(job: str | None, texts: Mapping[str, str], *, key: str, lang: str, play: bool = False) -> Any:
    """The instruments of the page: one per page, showing the job that was selected last.

    Args:
        job: Token of the newest job (or of a recording); None shows the empty state.
        texts: Interface texts of the language; the keys starting with "panel_" are used.
        key: Key, the same in every run.
        lang: "ja" or "en".
        play: Play a finished reply over and over until someone touches the instruments (for a
            recording); not done where the reader prefers less motion.

    Returns:
        The component's state, empty for now.
    """
    html = '<div style="min-height:44rem"></div>'
    data = {"job": job, "lang": lang, "labels": _labels(texts, "panel_"), "play": play}
    return _component("instruments", html)(key=key, data=data)
