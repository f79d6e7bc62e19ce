"""How a model is called on the page."""

from __future__ import annotations

from pathlib import PurePath

from tutor.session.catalogue import offer
from tutor.session.texts import Texts


def model_name(texts: Texts, spec: str) -> str:
    """Name of a model for the student: a folder's last part, a Hub id with what is known about it."""
    if spec == "embedded":
        return texts["model_embedded"]
    if spec == "other":
        return texts["model_other"]
    known = offer(spec)
    return f"{spec}  ({known.languages} · {known.size})" if known else short_name(spec)


def short_name(spec: str) -> str:
    """A Hub id as it is; of a longer path only its last part.

    >>> short_name("/home/me/models/my-gpt2"), short_name("openai-community/gpt2")
    ('my-gpt2', 'openai-community/gpt2')
    """
    return PurePath(spec).name if spec.count("/") > 1 or spec.startswith((".", "/", "~")) else spec
