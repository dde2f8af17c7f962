"""Answers that have left the journal's window, looked for on the customer's own partition of `decisions`.

A look reads from the instant that the caller names on (Kafka's index by time, with room for clocks that differ), else
the newest records before the window, up to the window, without a consumer group. It ends at the first of `RECORDS`,
`BYTES` and `SECONDS`, and one look at a time is under way on a worker: what it costs is bounded however many ask.

Nothing older than an erasure is shown, as in the journal. The `hold` that says so comes later on the topic, so a look
may end at the answer only where the customer's own state, which this worker must have, knows of no erasure; else it
counts only if it read on up to the window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from decisioning.errors import EventRejected
from decisioning.streaming.api.journal import ANSWERS, Entry, Journal, entry_of, erases
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.views import SILENT_SECONDS
from decisioning.streaming.chassis.job import Record
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.topics import name_of, partition_of

RECORDS: Final = 20_000
"""So many records of the partition are read at most: some 14 MB."""
BYTES: Final = 32 * 1024 * 1024
"""So much of them; the last fetch may be over it."""
SECONDS: Final = 3.0
"""So long a look takes at most."""
_EARLIER_MS: Final = 600_000  # an event may be dated ahead of our clock, and Kafka's clocks differ from it
_AT_ONCE: Final = 500
_WAIT_MS: Final = 200
_WHOLE: Final = 17 * 1024 * 1024  # the largest decision

Says = Literal["none", "unknown", "not_looked"]


class Sought(NamedTuple):
    """What is looked for: the decisions about `subject` that bear `request_id`; with `trigger` (source and id) only
    the answers to that event. `since` (us): they were published then or later. `enough` of them end the look."""

    subject: str
    request_id: str
    trigger: tuple[str, str] | None
    since: int | None
    enough: int

    def takes(self, one: Entry) -> bool:
        """Whether this is one of them."""
        if (one.subject, one.request_id) != (self.subject, self.request_id):
            return False
        return self.trigger is None or (one.trigger == self.trigger and one.outcome in ANSWERS)


class Looked(NamedTuple):
    """What a look found, in the order of the topic; `whole`: all was read in which it could be, so there is no more."""

    entries: list[Entry]
    whole: bool

    @property
    def says(self) -> Says:
        """What is known where nothing was found."""
        return "none" if self.whole else "unknown"


_NOTHING: Final = Looked([], whole=False)


class Older:
    """Looks beyond the window of one worker's journal."""

    def __init__(
        self, settings: Settings, journal: Journal, perhaps_erased: Callable[[str], bool], *, records: int = RECORDS,
        size: int = BYTES,
    ) -> None:  # fmt: skip
        """`perhaps_erased`: whether a customer was ever erased, or this worker cannot say."""
        self._settings, self._journal, self._perhaps_erased = settings, journal, perhaps_erased
        self._topic, self._records, self._size = name_of(settings, "decisions"), records, size
        self._looking = asyncio.Semaphore(1)

    async def look(self, sought: Sought) -> Looked:
        """What stands on the topic before the window. Problem `busy` while another look is under way."""
        lane = partition_of(sought.subject.encode(), self._settings.partitions)
        window = self._journal.begins(lane)
        if window is None:
            return Looked([], self._journal.ready.is_set())
        if sought.since is not None and window.timestamp is not None and _ms(sought.since) > window.timestamp:
            return Looked([], whole=True)  # who asks for what was asked just now costs nothing
        if self._journal.erased(sought.subject):
            return Looked([], whole=True)
        if self._journal.silent_for > SILENT_SECONDS:
            return _NOTHING
        if self._looking.locked():
            raise Problem("busy", "another older answer is being looked for; ask again", {"Retry-After": "1"})
        async with self._looking:
            try:
                async with asyncio.timeout(SECONDS):
                    found = await self._read(sought, TopicPartition(self._topic, lane), window.offset)
            except (KafkaError, OSError):  # TimeoutError is an OSError
                return _NOTHING
        return found if not self._journal.erased(sought.subject) else Looked([], whole=True)

    async def _read(self, sought: Sought, place: TopicPartition, window: int) -> Looked:
        consumer = AIOKafkaConsumer(
            **kafka_options(self._settings), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            max_partition_fetch_bytes=_WHOLE, fetch_max_wait_ms=_WAIT_MS, request_timeout_ms=int(SECONDS * 1000),
        )  # fmt: skip
        try:
            await consumer.start()
            consumer.assign([place])
            to_the_end = self._perhaps_erased(sought.subject)
            begin, all_of_it = await self._begin(consumer, place, sought, window, to_the_end=to_the_end)
            consumer.seek(place, begin)
            found, reached = await self._through(consumer, place, sought, window, to_the_end=to_the_end)
        finally:
            await consumer.stop()
        if to_the_end and not reached:
            return _NOTHING
        return Looked(found, reached and all_of_it)

    async def _begin(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, sought: Sought, window: int, *, to_the_end: bool
    ) -> tuple[int, bool]:
        """The offset to read from, and whether nothing that is sought can lie before it."""
        first = (await consumer.beginning_offsets([place]))[place]
        newest = max(first, window - self._records)
        if sought.since is None:
            return newest, newest == first
        told = (await consumer.offsets_for_times({place: _ms(sought.since)}))[place]
        if told is None:  # there is nothing so new, or (the embedded broker) no index by time
            return newest, newest == first
        begin = max(first, told.offset)
        return (max(begin, newest), begin >= newest) if to_the_end else (begin, True)

    async def _through(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, sought: Sought, window: int, *, to_the_end: bool
    ) -> tuple[list[Entry], bool]:
        """What is found up to the window, and whether that was reached; or the first that are enough."""
        found: dict[str, Entry] = {}
        count = size = 0
        key = sought.subject.encode()
        while await consumer.position(place) < window:
            if count >= self._records or size >= self._size:
                return list(found.values()), False
            records = (await consumer.getmany(place, timeout_ms=_WAIT_MS, max_records=_AT_ONCE)).get(place, ())
            for record in records:
                count, size = count + 1, size + len(record.value or b"")
                if record.key == key and record.offset < window:
                    _take(found, sought, record)
            if len(found) >= sought.enough and not to_the_end:
                break
            await asyncio.sleep(0)  # `getmany` does not give way while it has something
        return list(found.values()), True


def _ms(since: int) -> int:
    """Kafka's time (ms) from which on it may have been published."""
    return max(0, since // 1000 - _EARLIER_MS)


def _take(found: dict[str, Entry], sought: Sought, record: Record) -> None:
    """Add what is sought; forget all of it at an erasure."""
    try:
        entry = entry_of(record)
    except EventRejected:
        return
    if erases(entry):
        found.clear()
    if sought.takes(entry):
        found.setdefault(entry.id, entry)
