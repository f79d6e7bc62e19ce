"""Loading models: once for all, in the background, with errors that stay readable."""

from __future__ import annotations

import threading
import time

import pytest

from tutor.errors import ModelNotFound, OutOfMemory, TutorError
from tutor.session.shelf import ModelShelf


def test_many_students_load_a_model_once() -> None:
    """Guards against a load per student, which is how such pages run out of memory."""
    loads: list[str] = []
    go = threading.Event()

    def load(spec: str) -> str:
        loads.append(spec)
        assert go.wait(5)
        return spec.upper()

    shelf = ModelShelf(load)
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(shelf.get("embedded"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert shelf.peek("embedded") is None
    go.set()
    for thread in threads:
        thread.join(5)
    assert loads == ["embedded"] and found == ["EMBEDDED"] * 8
    assert shelf.peek("embedded") == "EMBEDDED"


def test_asking_returns_at_once() -> None:
    go = threading.Event()
    shelf = ModelShelf(lambda spec: go.wait(5))
    started = time.monotonic()
    loading = shelf.ask("slow")
    assert time.monotonic() - started < 1 and not loading.ended.is_set()
    assert loading.elapsed >= 0
    go.set()
    assert loading.ended.wait(5) and loading.seconds is not None


def test_a_failure_is_remembered_and_tried_again_only_on_request() -> None:
    """Guards against a page that retries a missing model at every rerun."""
    tries: list[str] = []

    def load(spec: str) -> str:
        tries.append(spec)
        raise ModelNotFound("not there", model=spec)

    shelf = ModelShelf(load)
    for _ in range(3):
        with pytest.raises(ModelNotFound):
            shelf.get("gone")
    assert tries == ["gone"]
    assert shelf.ask("gone", retry=True).ended.wait(5)
    assert tries == ["gone", "gone"]


@pytest.mark.parametrize(("error", "kind"), [(RuntimeError("?"), TutorError), (MemoryError(), OutOfMemory)])
def test_unknown_errors_become_errors_for_people(error: BaseException, kind: type[TutorError]) -> None:
    def load(spec: str) -> str:
        raise error

    with pytest.raises(kind):
        ModelShelf(load).get("x")


def test_waiting_ends_when_the_reply_is_stopped() -> None:
    go, stop = threading.Event(), threading.Event()
    shelf = ModelShelf(lambda spec: go.wait(5))
    stop.set()
    assert shelf.get("slow", stop) is None
    go.set()


def test_the_shipped_model_stays_and_others_make_room() -> None:
    """Guards the machine's memory when students try one model after another."""
    shelf = ModelShelf(str.upper, keep=1, pinned="embedded")
    for spec in ("embedded", "a", "b", "c"):
        assert shelf.get(spec) == spec.upper()
    shelf.ask("embedded")
    assert shelf.peek("embedded") == "EMBEDDED" and shelf.peek("c") == "C"
    assert shelf.peek("a") is None and shelf.peek("b") is None
