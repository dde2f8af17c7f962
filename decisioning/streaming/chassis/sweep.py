"""A sweep: the job looks once at every key of a lane, a bounded time at a turn, while records go on being handled.

Something that concerns many keys has changed beside all records (what the job decides by), and those keys shall be told
by a relay record, as a due wake is. The job counts its sweeps (`Job.sweep`); a lane that opens begins the one that
stands, so that a sweep which a crash cut short is made again by the next owner. What the job tells a key twice changes
nothing the second time.

A sweep reads the local store, and no turn begins before the store has all that was handled when the sweep began; what
is handled later is handled by the changed job. Between turns it keeps a name and no iterator: nothing is pinned, and a
lane can be closed at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from decisioning.streaming.chassis.header import DamagedError, unpack
from decisioning.streaming.chassis.job import Job, Output
from decisioning.streaming.chassis.store import ESCAPED, Store, raw_key, user_key

__all__ = ["Sweep"]

_PLAIN = b"\1"  # most keys; the chassis' own names and the few keys that are written behind one stand before
_LOOK_AT_CLOCK = 15  # keys between two looks at the clock, as a bit mask


class Sweep:
    """The sweeps of one lane, one after the other."""

    def __init__(self, lane: int, store: Store, job: Job[Any, Any]) -> None:
        self._lane, self._store, self._job = lane, store, job
        self._number = 0
        self._cursor: bytes | None = None
        self._after = 0
        self._sealed = self._stored = 0

    @property
    def under_way(self) -> bool:
        """Whether keys are left to look at."""
        return self._cursor is not None or self._number != self._job.sweep

    def sealed(self) -> None:
        """A slice of the lane is closed; all that were closed before are in the store sooner."""
        self._sealed += 1

    def stored(self) -> None:
        """The oldest closed slice is in the store."""
        self._stored += 1

    def turn(self, most: int, deadline: float) -> Iterator[tuple[bytes, Output]]:
        """Up to `most` keys that are to be told something and what, until `deadline` (perf_counter)."""
        if self._number != self._job.sweep:
            self._number, self._after = self._job.sweep, self._sealed
            self._cursor = ESCAPED if self._number else None
        if self._cursor is None or self._stored < self._after or most <= 0:
            return
        told = 0
        for looked, (key, name, raw) in enumerate(self._rest(self._cursor), 1):
            self._cursor = name + b"\0"  # the first name after it
            said = self._ask(key, raw)
            if said is not None:
                yield key, said
                told += 1
            if told >= most or (not looked & _LOOK_AT_CLOCK and perf_counter() > deadline):
                return
        self._cursor = None

    def _rest(self, cursor: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Keys from name `cursor` on, each with its name and record, past the chassis' own, which may be many."""
        if cursor < _PLAIN:
            yield from ((user_key(name) or b"", name, raw) for name, raw in self._store.scan(ESCAPED, cursor))
        yield from ((key, raw_key(key), raw) for key, raw in self._store.states(max(cursor, _PLAIN)))

    def _ask(self, key: bytes, raw: bytes) -> Output | None:
        try:
            header, body = unpack(raw)
        except DamagedError:
            return None
        return None if header.forgotten else self._job.swept(self._lane, key, body)
