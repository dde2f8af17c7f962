"""How far a worker is: what a readiness check and whoever measures ask, once a second or so."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

__all__ = ["Progress", "progress_of"]


class Progress(NamedTuple):
    """How far a worker is. Nothing here says whether that is far enough."""

    assigned: tuple[int, ...]
    """Lanes that are open."""
    restored: bool
    """Whether the last assignment is restored and its lanes are open (also with none assigned)."""
    lag: dict[tuple[str, int], int]
    """Records in the log and not finished, by topic partition."""
    commit_age: float
    """Seconds since all that was finished was last known to be committed."""
    remaining: int = 0
    """Changelog records that a restore still has to read; 0 where none is under way."""
    rebalances: int = 0
    """How often the group has shared out its partitions since the start."""
    busy: bool = False
    """Whether there is work that ought to be finished soon."""
    finished: float = 0.0
    """Another number whenever a slice was finished."""
    keys: int = 0
    """Keys in the stores of the open lanes, as RocksDB estimates them; what the chassis keeps beside is among them."""
    size: int = 0
    """Bytes of all local stores, those of standbys too."""


def progress_of(app: Any, restored: bool) -> Progress:
    """How far the worker of this `transport.App` is."""
    lanes, topics, consumer = list(app.slicer.lanes.values()), app.chassis.topics, app._consumer
    recovery = app.tables._recovery  # None until it is started
    return Progress(
        assigned=tuple(lane.number for lane in lanes),
        restored=restored,
        lag={(topic, lane.number): n for lane in lanes for topic, n in zip(topics, lane.lag(), strict=True)},
        commit_age=0.0 if consumer is None else time.monotonic() - consumer.committed_at,
        remaining=0 if restored or recovery is None else max(0, recovery.active_remaining_total()),
        rebalances=app.rebalancing_count,
        busy=app.slicer.busy,
        finished=app.slicer.last_finished,
        keys=app.states.data.keys(lane.number for lane in lanes),
        size=app.states.data.size(),
    )
