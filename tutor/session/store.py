"""Sessions by their unguessable key, so that a reloaded page finds its conversation again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Keyed(Protocol):
    """What can be kept: it has a key of its own."""

    key: str


T = TypeVar("T", bound=Keyed)


class SessionStore(Generic[T]):
    """Keeps the sessions seen last.

    Args:
        on_drop: Called with the key of a session that is let go.
        most: Sessions kept.
        idle: Seconds after which a session that nobody looked at is let go.
    """

    def __init__(self, on_drop: Callable[[str], None], most: int = 200, idle: float = 7200.0) -> None:
        self._on_drop, self._most, self._idle = on_drop, most, idle
        self._items: OrderedDict[str, tuple[float, T]] = OrderedDict()  # seen longest ago first
        self._lock = threading.Lock()

    def keep(self, session: T) -> None:
        """Note that a session has been looked at just now; let go of those that nobody needs."""
        now = time.monotonic()
        with self._lock:
            self._items.pop(session.key, None)
            self._items[session.key] = (now, session)
            old = [key for key, (seen, _) in self._items.items() if now - seen > self._idle]
            old += list(self._items)[: max(0, len(self._items) - len(old) - self._most)]
            gone = list(dict.fromkeys(old))
            for key in gone:
                del self._items[key]
        for key in gone:
            self._on_drop(key)

    def get(self, key: str) -> T | None:
        """The session of that key, if it is still kept."""
        with self._lock:
            item = self._items.get(key)
        return None if item is None else item[1]
