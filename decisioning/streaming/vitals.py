"""How a worker is: looked up once a second for the gauges, and whenever `/readyz` asks.

Ready means: an event that comes now is decided now. Not while Kafka is silent, while the catalogue is being read, while
the group shares out its partitions or a store is restored, while the disk is full; not while work waits and nothing
gets finished or committed (the chassis' watchdog ends the process later, here it only loses its traffic); and not after
the process stood still for longer than its session, for then another may have taken over its lanes (T15): not until
something of ours is acknowledged again, or a session has passed in which the group still knew us.

A refused rulebook is trouble, but no reason to take no events: the last good one decides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from decisioning.streaming.chassis.progress import Progress
from decisioning.streaming.metrics import Metrics, Part

SILENT_SECONDS: Final = 10.0
"""So long without an answer of Kafka, or with work that gets nowhere, and a worker is not ready; a fetch that finds
nothing is answered within half of it."""
_LOOK_SECONDS: Final = 1.0
_READY_IN_SPITE_OF: Final = frozenset({Part.RULEBOOK})


class Signs(NamedTuple):
    """What one look finds."""

    progress: Progress
    silent_for: float = 0.0
    """Seconds since Kafka last answered."""
    reading: bool = False
    """Whether products and rulebooks are still being read to their end."""
    full: bool = False
    """Whether the disk has no room."""
    free: int = 0
    """Bytes that the data directory's disk still has."""
    refused: bool = False
    """Whether the newest rulebook was refused."""


class Vitals:
    """What troubles a worker, from one look to the next. All in seconds, instants are monotonic: `session` after which
    the group gives a silent worker up, `commits` from one commit to the next."""

    def __init__(self, session: float, commits: float, began: float) -> None:
        self._session = session
        self._commit_age = max(SILENT_SECONDS, 3 * commits)
        self._looked = began
        self._standing: tuple[float, float] | None = None
        """What was last finished, and since when work has waited without another thing being finished."""
        self._doubt: tuple[float, float] | None = None
        """What was last finished when we stood still, and until when that leaves us in doubt."""

    def look(self, signs: Signs, now: float) -> frozenset[Part]:
        """What troubles the worker at `now`."""
        progress, found = signs.progress, set()
        if signs.silent_for > SILENT_SECONDS:
            found.add(Part.BROKER)
        if signs.reading:
            found.add(Part.CATALOGUE)
        if not progress.restored:
            found.add(Part.LANES)
        if signs.full:
            found.add(Part.DISK)
        if signs.refused:
            found.add(Part.RULEBOOK)
        if self._gets_nowhere(progress, now):
            found.add(Part.PROGRESS)
        if self._in_doubt(progress, now):
            found.add(Part.LEASE)
        self._looked = now
        return frozenset(found)

    def _gets_nowhere(self, progress: Progress, now: float) -> bool:
        if not progress.busy or self._looked + SILENT_SECONDS < now:
            self._standing = None  # a process that stood still is given time to go on
        elif self._standing is None or self._standing[0] != progress.finished:
            self._standing = (progress.finished, now)
        elif now - self._standing[1] > SILENT_SECONDS:
            return True
        return progress.commit_age > self._commit_age and progress.restored

    def _in_doubt(self, progress: Progress, now: float) -> bool:
        if now - self._looked > self._session:
            self._doubt = (progress.finished, now + self._session)
        elif self._doubt is not None and (progress.finished != self._doubt[0] or now >= self._doubt[1]):
            self._doubt = None
        return self._doubt is not None


def ready(trouble: frozenset[Part]) -> bool:
    """Whether a worker with this trouble decides what comes now."""
    return trouble <= _READY_IN_SPITE_OF


async def gauge(metrics: Metrics, signs: Callable[[], Signs], vitals: Vitals, topics: tuple[str, ...]) -> None:
    """What is a level and not a happening, looked up once a second."""
    rebalances = 0
    while True:
        found = signs()
        progress, trouble = found.progress, vitals.look(found, time.monotonic())
        metrics.ready.set(ready(trouble))
        for part in Part:
            metrics.trouble.set(part in trouble, part)
        metrics.disk_free.set(found.free)
        metrics.lanes.set(len(progress.assigned))
        for topic in topics:
            metrics.lag.set(sum(count for (name, _), count in progress.lag.items() if name == topic), topic)
        metrics.commit_age.set(progress.commit_age)
        metrics.restoring.set(progress.remaining)
        metrics.rebalances.inc(by=progress.rebalances - rebalances)
        rebalances = progress.rebalances
        metrics.customers.set(progress.keys)
        metrics.store_bytes.set(progress.size)
        await asyncio.sleep(_LOOK_SECONDS)
