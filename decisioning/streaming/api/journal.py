"""The newest decisions, read back from their topic: by id, by customer, by what they answer, and as they come.

The topic is the truth, this is a window on its end: every partition, from some thousands of records before the end on,
as many as fit into a bound of bytes. All of it and not only the lanes of this worker, so that an answer is found
wherever the request came in, also when its customer moves meanwhile, and an id needs no owner. It costs a read of the
topic a worker that serves the API, and none to the others.

A Kafka that is away is waited for; who asks meanwhile learns from `silent_for` that nothing newer is known.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from decisioning.decision import SOURCE, TYPE_PREFIX
from decisioning.errors import EventRejected
from decisioning.inbox import Received, read
from decisioning.instant import format_instant
from decisioning.streaming.chassis.job import Record
from decisioning.streaming.chassis.watchdog import dismiss, say, supervise
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.topics import name_of

BYTES: Final = 64 * 1024 * 1024
"""How much of the topic is kept: some 25,000 decisions."""
BEFORE: Final = 25_000
"""So many records are read at the start, over all partitions."""
_AT_ONCE: Final = 500
_AGAIN_SECONDS: Final = 1.0
_BEHIND: Final = 1000  # decisions that a listener may be behind before it misses some
_OVERHEAD: Final = 2000  # bytes of Python's own that an entry costs: tracemalloc said 1,550, and a customer has a list
ERASED: Final = "dnc.erased"
"""The reason of the hold after which nothing older about its customer is kept."""
ANSWERS: Final = frozenset({"act", "suppress", "defer"})
"""The outcomes that answer a request."""

_K = TypeVar("_K")


class Entry(NamedTuple):
    """One decision as it was read: its id, the customer, what it answers, the whole CloudEvent as JSON, its place."""

    id: str
    subject: str
    outcome: str
    reason: str
    trigger: tuple[str, str]
    request_id: str | None
    value: bytes
    partition: int
    offset: int
    timestamp: int

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent, decoded anew at each call: decoded it would weigh five times as much."""
        found: dict[str, Any] = orjson.loads(self.value)
        return found

    @property
    def size(self) -> int:
        """What it weighs here (bytes)."""
        return len(self.value) + _OVERHEAD


class Begin(NamedTuple):
    """Where the window begins on a partition: an offset, and Kafka's time (ms) of the one before it, where known."""

    offset: int
    timestamp: int | None


class Journal:
    """The window; `start` it, and ask."""

    def __init__(self, settings: Settings, *, most: int = BYTES, before: int = BEFORE) -> None:
        """At most `most` bytes, and so many records of all partitions from before the start."""
        self._settings, self._most, self._before = settings, most, before
        self._topic = name_of(settings, "decisions")
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._by_customer: dict[str, deque[str]] = {}
        self._by_trigger: dict[tuple[str, str], deque[str]] = {}
        self._size = 0
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}
        self._listeners: set[asyncio.Queue[Entry]] = set()
        self._next: dict[int, int] = {}
        self._begins: dict[int, Begin] = {}
        self._heard_at = monotonic()
        self._answered: int | None = None
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        """Set when it has read up to the end that the topic had at the start."""

    # -- what it knows ------------------------------------------------------------------------------------------------

    def get(self, id_: str) -> Entry | None:
        """The decision of this id; None: it is not, or no longer, in the window."""
        return self._entries.get(id_)

    def of_customer(self, subject: str, *, request_id: str | None = None, most: int = 50) -> list[Entry]:
        """The newest decisions about a customer, the newest first; with `request_id` those that answer it."""
        found = (self._entries[id_] for id_ in reversed(self._by_customer.get(subject, ())))
        kept = [one for one in found if request_id is None or one.request_id == request_id]
        return kept[:most]

    def answers(self, source: str, id_: str) -> list[Entry]:
        """What answers the event of this source and id, in order; not what came of it at a later wake."""
        found = (self._entries[one] for one in self._by_trigger.get((source, id_), ()))
        return [one for one in found if one.outcome in ANSWERS]

    async def wait(self, source: str, id_: str, count: int, seconds: float) -> list[Entry]:
        """The answers to an event as soon as there are `count`, at the latest after so many seconds what there are."""
        told, trigger = asyncio.Event(), (source, id_)
        self._waiting.setdefault(trigger, set()).add(told)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while len(self.answers(source, id_)) < count:
                        told.clear()
                        await told.wait()
        finally:
            waiting = self._waiting[trigger]
            waiting.discard(told)
            if not waiting:
                del self._waiting[trigger]
        return self.answers(source, id_)

    async def live(self) -> AsyncIterator[Entry]:
        """Decisions as they come, until the caller stops asking; one that falls far behind misses the oldest."""
        queue: asyncio.Queue[Entry] = asyncio.Queue(_BEHIND)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    def newest(self, most: int) -> list[Entry]:
        """The newest decisions of all customers, the newest first."""
        found = reversed(self._entries.values())
        return [one for one, _ in zip(found, range(most), strict=False)]

    @property
    def reach(self) -> tuple[int, str | None]:
        """How many decisions are in the window, and the time of the one that was read first; None: there are none."""
        first = next(iter(self._entries.values()), None)
        return len(self._entries), None if first is None else str(first.event["time"])

    def begins(self, partition: int) -> Begin | None:
        """Before what there may be decisions that are not in the window; None: there are none such, or it has not
        begun to read."""
        return self._begins.get(partition)

    def erased(self, subject: str) -> bool:
        """Whether the window tells of this customer's erasure: nothing older about them is to be shown."""
        return any(erases(self._entries[id_]) for id_ in self._by_customer.get(subject, ()))

    @property
    def silent_for(self) -> float:
        """Seconds since a broker last answered."""
        return monotonic() - self._heard_at

    # -- how it learns it ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the topic, in a task of its own."""
        self._heard_at = monotonic()
        self._task = supervise(self._run(), lambda: f"the reader of {self._topic}")

    async def stop(self) -> None:
        """Follow no more. Stopping twice is stopping once."""
        task, self._task = self._task, None
        await dismiss(task)

    def take(self, records: Iterable[Record]) -> None:
        """Take in records of the topic; what is no decision is passed over, for this is only a window."""
        for record in records:
            try:
                entry = entry_of(record)
            except EventRejected:
                continue
            if entry.id not in self._entries:  # a repeat has the same bytes
                self._add(entry)
            elif erases(entry):  # repeated after a crash, as may be what came before it
                self._forget_all_but(entry)

    def _add(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        self._by_customer.setdefault(entry.subject, deque()).append(entry.id)
        self._by_trigger.setdefault(entry.trigger, deque()).append(entry.id)
        self._size += entry.size
        if erases(entry):
            self._forget_all_but(entry)
        while self._size > self._most:
            oldest = next(iter(self._entries.values()))
            self._begins[oldest.partition] = Begin(oldest.offset + 1, oldest.timestamp)
            self._forget(oldest.id)
        for told in self._waiting.get(entry.trigger, ()):
            told.set()
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(entry)

    def _forget_all_but(self, hold: Entry) -> None:
        for id_ in [one for one in self._by_customer[hold.subject] if one != hold.id]:
            self._forget(id_)

    def _forget(self, id_: str) -> None:
        gone = self._entries.pop(id_)
        self._size -= gone.size
        _unlist(self._by_customer, gone.subject, id_)
        _unlist(self._by_trigger, gone.trigger, id_)

    async def _run(self) -> None:
        said = False
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                if not said:
                    say(f"{self._topic} cannot be read for the API ({type(error).__name__}); it is tried again")
                said = True
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **kafka_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._settings.fetch_wait_ms,
        )
        await consumer.start()
        try:
            places = [TopicPartition(self._topic, number) for number in range(self._settings.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            starts = await consumer.beginning_offsets(places)
            for place, end in ends.items():
                first = max(starts[place], end - self._before // len(places))
                if place.partition not in self._next and first > starts[place]:
                    self._begins[place.partition] = Begin(first, None)
                consumer.seek(place, self._next.get(place.partition, first))
            while True:
                await self._go_on(consumer)
                if not self.ready.is_set() and all([await consumer.position(tp) >= end for tp, end in ends.items()]):
                    self.ready.set()
        finally:
            await consumer.stop()

    async def _go_on(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=_AT_ONCE)
        answered = max((consumer.last_poll_timestamp(tp) or 0 for tp in consumer.assignment()), default=0)
        if answered and answered != self._answered:
            self._answered, self._heard_at = answered, monotonic()
        for place, records in fetched.items():
            self.take(records)
            self._next[place.partition] = records[-1].offset + 1
        await asyncio.sleep(0)  # `getmany` does not give way while it has something


def _unlist(index: dict[_K, deque[str]], key: _K, id_: str) -> None:
    ids = index[key]
    ids.remove(id_)
    if not ids:
        del index[key]


def erases(entry: Entry) -> bool:
    """Whether nothing older about its customer is kept or shown."""
    return entry.outcome == "hold" and entry.reason == ERASED


def entry_of(record: Record) -> Entry:
    """A record of the topic as it is kept. EventRejected for what is no decision."""
    found = read(record.value, record.headers)
    trigger = found.data.get("trigger")
    if not isinstance(trigger, dict):
        trigger = {}
    asked = found.data.get("request_id")
    return Entry(
        found.id,
        found.subject,
        found.outcome,
        found.reason,
        (str(trigger.get("source")), str(trigger.get("id"))),
        str(asked) if asked is not None else None,
        _structured(record, found),
        record.partition,
        record.offset,
        record.timestamp,
    )


def _structured(record: Record, found: Received) -> bytes:
    """The decision as a structured CloudEvent, however it was published."""
    if not any(name.startswith("ce_") for name, _ in record.headers):
        return record.value or b""
    attributes = {name[3:]: text.decode() for name, text in record.headers if name.startswith("ce_") and text}
    kept = {"specversion": "1.0", "source": SOURCE, "type": TYPE_PREFIX + found.outcome} | attributes
    return orjson.dumps(kept | {"time": format_instant(found.time), "data": dict(found.data)})
