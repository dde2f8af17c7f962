"""Dead letters for the topics that every worker reads whole: exactly one for each record that cannot be read.

Every worker meets such a record, and meets it again at every restart, so each remembers what it refused; the owner of
lane 0 publishes it through the chassis' producer, and then commits its offset in a consumer group of its own,
`<group_id>-broadcast`, by manual assignment and without joining (T34: nothing here may rebalance). What lies below that
commit has its letter and is forgotten by all. A crash between letter and commit repeats the letter byte for byte, and
so may a lane that changes hands in that moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from time import monotonic
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ProducerClosed

from decisioning.errors import EventRejected
from decisioning.streaming.chassis.job import Output, Record
from decisioning.streaming.chassis.watchdog import dismiss, supervise
from decisioning.streaming.dead_letter import Stage, dead_letter
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.topics import name_of

KEPT_LETTERS: Final = 10_000
"""How many letters wait at most; beyond that the oldest are dropped."""
KEPT_BYTES: Final = 64 * 1024 * 1024
"""How many bytes of keys, values and headers they have together at most, the newest letter aside."""

_AT_ONCE: Final = 500  # letters posted before events and probes have their turn
_LOOK_SECONDS: Final = 1.0  # nobody announces that lane 0 has changed hands
_RENEW_SECONDS: Final = 24 * 3600.0  # Kafka forgets the commit of a group without members after 7 days

_log: Final = logging.getLogger(__name__)

Post = Callable[[Sequence[Output]], Awaitable[Sequence[asyncio.Future[Any]]]]
"""Hands records to a producer, in order; the futures are Kafka's acknowledgements."""


class _Waiting(NamedTuple):
    place: TopicPartition
    offset: int
    letter: Output
    size: int


def group_of(settings: Settings) -> str:
    """The consumer group whose committed offsets say which records have their letter."""
    return f"{settings.group_id}-broadcast"


class Letters:
    """What the reader of whole topics refused, on its way to the dead letters.

    `post` publishes, `owner` says whether this worker is the one to do it, `bound` is the size in bytes up to which a
    letter keeps its record's value. Errors that nobody expected end the process.
    """

    def __init__(self, settings: Settings, post: Post, owner: Callable[[], bool], bound: int) -> None:
        self.group = group_of(settings)
        self._settings, self._post, self._owner, self._bound = settings, post, owner, bound
        self._topic = name_of(settings, "dead-letters")
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._full = False
        self._renewed: float | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many refused records are not known to have their letter."""
        return len(self._waiting)

    def refused(self, record: Record, error: EventRejected) -> None:
        """Remember a record that could not be read; of one place, records come in the order of their offsets."""
        letter = dead_letter(record, error, topic=self._topic, bound=self._bound, stage=Stage.BROADCAST)
        size = len(letter.key or b"") + len(letter.value or b"")
        size += sum(len(name) + len(content or b"") for name, content in letter.headers)
        self._waiting.append(_Waiting(TopicPartition(record.topic, record.partition), record.offset, letter, size))
        self._bytes += size
        while len(self._waiting) > KEPT_LETTERS or (self._bytes > KEPT_BYTES and len(self._waiting) > 1):
            self._bytes -= self._waiting.popleft().size
            if not self._full:
                self._full = True
                _log.warning("%s: too many records cannot be read; the oldest dead letters are dropped", record.topic)
        self._news.set()

    def start(self) -> None:
        """Begins to publish, in a task of its own."""
        self._task = supervise(self._run(), lambda: "the dead letters of the topics read whole")

    async def stop(self) -> None:
        """Ends publishing; what waits is found again by the next start. Stopping twice is stopping once."""
        task, self._task = self._task, None
        await dismiss(task)

    async def _run(self) -> None:
        await self._news.wait()  # most workers never need the connection
        consumer = AIOKafkaConsumer(**kafka_options(self._settings), group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        try:
            while True:
                self._news.clear()
                await self._round(consumer)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _LOOK_SECONDS)
        except ProducerClosed:
            return  # the worker is stopping: its next start finds the rest
        finally:
            await consumer.stop()

    async def _round(self, consumer: AIOKafkaConsumer) -> None:
        """Forgets what has its letter; the owner gives the rest theirs.

        What is refused from a new place while this runs waits for the next round: its commits are not known yet.
        """
        known = {waiting.place for waiting in self._waiting} | consumer.assignment()
        if known != consumer.assignment():
            consumer.assign(known)
            consumer.pause(*known)  # only commits are wanted, not records
        if self._waiting:
            self._forget(await self._committed(consumer))
        while self._owner() and (batch := self._next(known)):
            await self._publish(consumer, batch)
        if self._owner() and (self._renewed is None or monotonic() - self._renewed > _RENEW_SECONDS):
            await consumer.commit(await self._committed(consumer))
            self._renewed = monotonic()

    def _next(self, known: Collection[TopicPartition]) -> list[_Waiting]:
        return list(islice((waiting for waiting in self._waiting if waiting.place in known), _AT_ONCE))

    async def _publish(self, consumer: AIOKafkaConsumer, batch: Sequence[_Waiting]) -> None:
        """Publishes letters and commits once they are acknowledged, never before."""
        await asyncio.gather(*await self._post([waiting.letter for waiting in batch]))
        done = {waiting.place: waiting.offset + 1 for waiting in batch}
        await consumer.commit(done)
        self._forget(done)

    async def _committed(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Offsets up to which records have their letter; a place without a commit is left out."""
        found = {place: await consumer.committed(place) for place in consumer.assignment()}
        return {place: offset for place, offset in found.items() if offset is not None}

    def _forget(self, done: Mapping[TopicPartition, int]) -> None:
        self._waiting = deque(one for one in self._waiting if one.offset >= done.get(one.place, 0))
        self._bytes = sum(one.size for one in self._waiting)
