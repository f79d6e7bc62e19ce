"""The browser's files: read, typed and versioned, for the route that serves them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "assets"
ROUTE = "aura/static"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@dataclass(frozen=True)
class Asset:
    """One file ready to be sent.

    Attributes:
        body: Its bytes.
        content_type: Its media type.
        cache_control: Long for a versioned address, none for a plain one.
    """

    body: bytes
    content_type: str
    cache_control: str


@cache
def version() -> str:
    """A short fingerprint of all files, part of their address so that caches never mix versions."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:10]


def address(name: str) -> str:
    """Address of a file relative to the page's root, e.g. "aura/static/v-1a2b3c4d5e/reply.js"."""
    return f"{ROUTE}/v-{version()}/{name}"


def read(path: str) -> Asset | None:
    """The file behind `/aura/static/<path>`, or None.

    Args:
        path: "<file>" or "v-<version>/<file>"; anything else, such as a folder, is no file of ours.
    """
    folder, _, name = path.rpartition("/")
    known = {item.name for item in FOLDER.iterdir() if item.suffix in _TYPES}
    if name not in known or not (folder == "" or folder.startswith("v-") and "/" not in folder):
        return None
    fresh = folder == f"v-{version()}"
    cache_control = "public, max-age=31536000, immutable" if fresh else "no-cache"
    target = FOLDER / name
    return Asset(target.read_bytes(), _TYPES[target.suffix], cache_control)
