"""Sessions that a reloaded page finds again, within bounds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tutor.session.store import SessionStore


@dataclass
class Student:
    key: str


def test_a_session_is_found_by_its_key_only() -> None:
    store: SessionStore[Student] = SessionStore(lambda key: None)
    ann, bob = Student("a" * 32), Student("b" * 32)
    store.keep(ann)
    store.keep(bob)
    assert store.get(ann.key) is ann and store.get(bob.key) is bob
    for guess in ("", "a", "A" * 32, "None"):
        assert store.get(guess) is None


def test_the_one_seen_longest_ago_is_let_go_first() -> None:
    """Guards the server's memory against every tab that was ever open."""
    gone: list[str] = []
    store: SessionStore[Student] = SessionStore(gone.append, most=2)
    for key in ("a", "b"):
        store.keep(Student(key))
    store.keep(Student("a"))
    store.keep(Student("c"))
    assert gone == ["b"] and store.get("a") and store.get("c")


def test_idle_sessions_are_let_go_and_looking_keeps_them() -> None:
    gone: list[str] = []
    store: SessionStore[Student] = SessionStore(gone.append, idle=0.2)
    stays, leaves = Student("stays"), Student("leaves")
    store.keep(stays)
    store.keep(leaves)
    time.sleep(0.12)
    store.keep(stays)
    time.sleep(0.12)
    store.keep(stays)
    assert gone == ["leaves"] and store.get("stays") is stays
