"""What a worker looks after while it runs, each in a task of its own; whatever they raise ends the process.

The consumer group (T28: aiokafka gives up in silence), the event loops, what ought to be read and is not (T28, T29),
and the disk (T20). What stands still altogether is the watchdogs' business (`watchdog.Watchdog`): they are threads.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, NoReturn

from aiokafka.errors import KafkaError
from faust.types import TP

from decisioning.streaming.chassis.stalls import Stalls
from decisioning.streaming.chassis.watchdog import STALL, crash

__all__ = ["check_disk", "check_group", "check_reading"]

_GROUP_SECONDS: Final = 0.5
_DISK_SECONDS: Final = 1.0
_READING_SECONDS: Final = 5.0


async def check_group(app: Any) -> NoReturn:
    """Raise what has become of the group; note that both event loops answer."""
    while True:
        await asyncio.sleep(_GROUP_SECONDS)
        if not app.should_stop:
            await app.consumer._thread.check_group()
            app.checked_at = time.monotonic()


async def check_disk(app: Any) -> NoReturn:
    """Let the slices pause while there is too little room."""
    while True:
        app.disk.look()
        app.slicer.paused = app.disk.closed
        await asyncio.sleep(_DISK_SECONDS)


async def check_reading(app: Any) -> NoReturn:
    """End the process where records wait in the log and are not fetched; a broker that does not answer is no reason."""
    limit: float = app.chassis.stall_seconds
    stalls = Stalls[TP](limit)
    while True:
        await asyncio.sleep(min(_READING_SECONDS, limit / 4))
        reads = app.progress.restored and app.consumer.flow_active and not app.should_stop
        wanted: set[TP] = app.consumer._wanted() if reads else set()
        try:
            reached = await app.consumer._thread.reach(wanted) if wanted else {}
        except (KafkaError, TimeoutError):
            continue  # nothing is known
        stuck = stalls.look(time.monotonic(), reached)
        if stuck:
            tp = stuck[0]
            crash(STALL, f"{tp.topic}[{tp.partition}] has records from offset {reached[tp].position} on, but for"
                  f" {limit:g} s nothing of it was fetched; a restart fetches them")  # fmt: skip
