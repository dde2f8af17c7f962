"""Stored state: read back, degraded when unreadable, refused when newer."""

from __future__ import annotations

import subprocess
import sys

from decisioning.state import VERSION, State, dumps
from decisioning.streaming import store
from decisioning.streaming.chassis.watchdog import STORE


def never() -> None:
    """Called where nothing is degraded: fails the test."""
    raise AssertionError("degraded")


def test_a_state_comes_back_as_it_was() -> None:
    """Dump and load are inverse."""
    state = State("c-1", now=5, seen=((3, 4),))
    assert store.load(b"c-1", dumps(state), never) == state


def test_an_unreadable_state_degrades_one_customer_and_is_counted() -> None:
    """Service goes on, marketing stays silent: the flag that the suppressor reads."""
    counted: list[int] = []
    found = store.load(b"c-1", bytes([VERSION]) + b"{rubbish", lambda: counted.append(1))
    assert (found, counted) == (State("c-1", degraded=True), [1])


def test_a_record_of_which_nothing_is_left_degrades_too() -> None:
    """Not even a body to read: the same flag, counted."""
    counted: list[int] = []
    assert store.damaged(b"c-1", lambda: counted.append(1)) == State("c-1", degraded=True)
    assert counted == [1]


def test_a_newer_format_ends_the_process_with_one_line() -> None:
    """Guessing would destroy what the newer version knows."""
    code = f"from decisioning.streaming import store; store.load(b'c-1', bytes([{VERSION + 1}]) + b'x', print)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == STORE
    assert "run the newer one" in done.stderr
    assert "Traceback" not in done.stderr
