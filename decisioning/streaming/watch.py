"""The chassis' observer: what it did becomes metrics."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from decisioning.streaming.metrics import Metrics


class Watch:
    """Counts for operators. Records are read and finished in the same order, so their Kafka timestamps queue here."""

    def __init__(self, metrics: Metrics, clock_ms: Callable[[], float] = lambda: time.time() * 1000) -> None:
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._published: deque[int] = deque()

    def read(self, timestamp: int) -> None:
        """A record of this Kafka timestamp (ms) was taken into a slice."""
        self._published.append(timestamp)

    def sliced(self, records: int, outputs: int, seconds: float, waited: float) -> None:
        """A slice is durable: its records' way from the broker to their last decision ends here."""
        metrics = self._metrics
        now = self._clock_ms()
        for _ in range(min(records, len(self._published))):
            metrics.event_seconds.observe(max(0.0, now - self._published.popleft()) / 1000)
        if records:
            metrics.slice_records.observe(records)
        metrics.slice_seconds.observe(seconds)
        metrics.slice_wait_seconds.observe(waited)
        metrics.outputs.inc(by=outputs)

    def replayed(self, records: int) -> None:
        """Redelivered records had been handled before; what they said was repeated at the start."""
        self._metrics.replayed.inc(by=records)

    def restored(self, partition: int, records: int) -> None:
        """Changelog records rebuilt local state."""
        self._metrics.restored.inc(by=records)

    def committed(self, partitions: int) -> None:
        """Source offsets of so many partitions were committed."""
        self._metrics.commits.inc(by=partitions)

    def outbox(self, records: int, size: int) -> None:
        """Outputs that await their commit."""
        self._metrics.outbox_bytes.set(size)
        self._metrics.outbox_records.set(records)

    def woken(self, wakes: int) -> None:
        """Due wakes went to the relay; what becomes of them is counted when they come back."""
        self._metrics.wakes_due.inc(by=wakes)

    def intruded(self, partition: int, records: int) -> None:
        """A stale writer's changelog records came after ours, and what they say is written again as it was."""
        self._metrics.intruded.inc(by=records)

    def set_aside(self, partition: int) -> None:
        """A damaged local store made room for a new one."""
        self._metrics.stores_set_aside.inc()
