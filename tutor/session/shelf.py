"""Models by name: loaded once in the background, shared by all students, a few kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tutor.errors import OutOfMemory, TutorError

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class Loading(Generic[T]):
    """One model on its way or there.

    Attributes:
        spec: "embedded", a folder, or a Hub id.
        started: Monotonic time when loading began, seconds.
        seconds: How long it took; None while it is being loaded.
        value: The model, when it is there.
        error: Why it could not be loaded, if so.
    """

    spec: str
    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    value: T | None = None
    error: TutorError | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def elapsed(self) -> float:
        """Seconds spent so far, or in all."""
        return time.monotonic() - self.started if self.seconds is None else self.seconds


class ModelShelf(Generic[T]):
    """Keeps the models used last.

    Args:
        load: Loads one model by its spec; slow, may raise TutorError.
        keep: Models kept besides `pinned`.
        pinned: Spec of the model that is never put away.
    """

    def __init__(self, load: Callable[[str], T], keep: int = 1, pinned: str = "embedded") -> None:
        self._load, self._keep, self._pinned = load, keep, pinned
        self._items: dict[str, Loading[T]] = {}
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def ask(self, spec: str, retry: bool = False) -> Loading[T]:
        """Start loading a model unless it is there or on its way; returns at once.

        Args:
            spec: Which model.
            retry: Try again if it failed before.
        """
        with self._lock:
            item = self._items.pop(spec, None)
            fresh = item is None or (retry and item.error is not None)
            if item is None or fresh:
                item = Loading(spec)
            self._items[spec] = item  # newest last
            self._put_away()
        if fresh:
            threading.Thread(target=self._fill, args=(item,), name="aura-loader", daemon=True).start()
        return item

    def get(self, spec: str, stop: threading.Event | None = None) -> T | None:
        """Wait for a model; None if `stop` was set first.

        Raises:
            TutorError: It cannot be loaded.
        """
        item = self.ask(spec)
        while not item.ended.wait(0.1):
            if stop is not None and stop.is_set():
                return None
        if item.error is not None:
            raise item.error
        return item.value

    def peek(self, spec: str) -> T | None:
        """The model if it is there now."""
        with self._lock:
            item = self._items.get(spec)
        return None if item is None else item.value

    def _put_away(self) -> None:
        """Drop the models used longest ago; the lock is held."""
        others = [spec for spec, item in self._items.items() if spec != self._pinned and item.ended.is_set()]
        for spec in others[: max(0, len(others) - self._keep)]:
            del self._items[spec]

    def _fill(self, item: Loading[T]) -> None:
        try:
            with self._one_at_a_time:
                item.value = self._load(item.spec)
        except TutorError as error:
            _log.warning("%s was not loaded: %s", item.spec, error)
            item.error = error
        except MemoryError:
            item.error = OutOfMemory(f"There is no memory for {item.spec}; choose a smaller model.")
        except Exception:
            _log.exception("%s was not loaded for an unknown reason", item.spec)
            item.error = TutorError(f"Loading {item.spec} met an error that nobody foresaw; see the log.")
        finally:
            item.seconds = time.monotonic() - item.started
            item.ended.set()
