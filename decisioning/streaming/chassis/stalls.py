"""A consumer that looks alive and is given nothing: records are in the log, and they are not fetched (traps T28, T29).

What the other watchdogs look at is work that has arrived. Here is asked, now and then and apart from the fetches, where
the logs end: a partition that ought to be read, has more, and whose position has not moved for the limit is stuck, and
a restart is what helps. Faust's own detector of this never fires: it compares two clocks of different origin.

A broker that does not answer is no stall of ours: nothing is known then, and readiness says that it is silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Reach", "Stalls"]

P = TypeVar("P")


class Reach(NamedTuple):
    """How far a partition is read, and where its log ends: the next offset of each."""

    position: int
    end: int


class Stalls(Generic[P]):
    """Notices partitions of which there is more and nothing comes for `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._since: dict[P, tuple[int, float]] = {}

    def look(self, now: float, reached: Mapping[P, Reach]) -> list[P]:
        """Those of `reached`, all that ought to be read at `now` (monotonic), that are stuck."""
        waiting = {
            partition: self._since[partition]
            if self._since.get(partition, (-1, 0.0))[0] == reach.position
            else (reach.position, now)
            for partition, reach in reached.items()
            if reach.position < reach.end
        }
        self._since = waiting
        return [partition for partition, (_, since) in waiting.items() if now - since > self._limit]
