"""Decoded states at hand: within a budget of memory, the newest of each key, the oldest out first."""

from __future__ import annotations

from decisioning.streaming.chassis.cache import AtHand
from decisioning.streaming.chassis.header import Header
from decisioning.streaming.chassis.part import Held


def held(key: str, size: int, state: str | None = "s") -> Held[str]:
    """A state whose record has so many bytes."""
    return Held(key.encode(), Header(), state, bytes(size))


def test_the_longest_unwritten_goes_first() -> None:
    """As many as fit, by their weight, and a key once."""
    states: AtHand[str] = AtHand(10_000, 10)
    for key in ("a", "b", "c", "a", "d"):
        states.keep(held(key, 100))  # 2,024 bytes each
    assert list(states) == [b"b", b"c", b"a", b"d"]
    states.keep(held("e", 100))
    assert list(states) == [b"c", b"a", b"d", b"e"]
    assert states.taken == 4 * 2024


def test_what_is_too_large_is_not_kept() -> None:
    """It would only drive out the others."""
    states: AtHand[str] = AtHand(10_000, 10)
    states.keep(held("a", 100))
    states.keep(held("b", 2000))
    assert (list(states), states.taken) == ([b"a"], 2024)


def test_a_forgotten_key_is_let_go_of() -> None:
    """Its marks are in the store alone."""
    states: AtHand[str] = AtHand(10_000, 10)
    states.keep(held("a", 100))
    states.keep(held("a", 0, state=None))
    assert (dict(states), states.taken) == ({}, 0)
