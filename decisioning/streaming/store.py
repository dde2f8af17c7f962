"""A customer's state from the bytes that the chassis kept, and what to do with bytes that we cannot read.

One record that does not parse degrades one customer (service yes, marketing no) and is counted; one that a newer
version wrote ends the process, because guessing would destroy what that version knows (design.md, section 4).
"""

from __future__ import annotations

from collections.abc import Callable

from decisioning.errors import StateTooNew, StateUnreadable
from decisioning.state import State, loads
from decisioning.streaming.chassis.watchdog import STORE, crash


def load(key: bytes, body: bytes, degraded: Callable[[], None]) -> State:
    """The state under a key; a degraded one, after calling `degraded`, when the bytes do not parse."""
    try:
        return loads(body)
    except StateUnreadable:
        return damaged(key, degraded)
    except StateTooNew as error:
        crash(STORE, str(error))


def damaged(key: bytes, degraded: Callable[[], None]) -> State:
    """A degraded state under a key of whose record nothing can be read, after calling `degraded`."""
    degraded()
    return State(key.decode(errors="replace"), degraded=True)
