"""Topics that every worker reads whole: the catalogue and the rulebooks.

Plain aiokafka without a group: all partitions, from the beginning to the end seen at the start (then `ready`), and on
from there. Faust's GlobalTable is not used: its own docstring warns of an endless recovery loop with several workers
(T34). What cannot be read is refused, one record at a time; what is not understood ends the process, and the restart
reads everything anew. So do a log that was cut or made anew under us, and new partitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from decisioning.errors import EventRejected
from decisioning.streaming.chassis.job import Record
from decisioning.streaming.chassis.watchdog import TOPICS, UNKNOWN, crash, dismiss, supervise
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.topics import TopicsError, partition_counts

_AT_ONCE: Final = 500  # records handed over before events and probes have their turn
_IDLE_ROUNDS: Final = 3
_SILENT_SECONDS: Final = 30.0  # of a reader that somebody waits for
_LONGEST_WAIT_MS: Final = 1000  # a silent broker is noticed within it, whatever the fetch wait


class Broadcast:
    """A reader of whole topics. `apply` gets each record in the order of its partition, tombstones included.

    An `EventRejected` from `apply` is handed to `refuse` with its record; any other exception ends the process.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[str],
        *,
        apply: Callable[[Record], None],
        refuse: Callable[[Record, EventRejected], None],
    ) -> None:
        self._settings, self._topics = settings, tuple(topics)
        self._apply, self._refuse = apply, refuse
        self._remaining: dict[str, int | None] = dict.fromkeys(topics)
        self._task: asyncio.Task[None] | None = None
        self._answered: int | None = None
        self._heard_at = monotonic()
        self.ready = asyncio.Event()
        """Set when every topic has been read to the end that it had at the start; never cleared."""

    @property
    def remaining(self) -> dict[str, int | None]:
        """What `ready` waits for: records to read, by topic; None where that is not known yet. Empty when ready."""
        return {topic: count for topic, count in self._remaining.items() if count != 0}

    @property
    def silent_for(self) -> float:
        """Seconds since a broker last answered a fetch, with records or without; before the first, since we began."""
        return monotonic() - self._heard_at

    def start(self) -> None:
        """Begins to read, in a task of its own."""
        self._heard_at = monotonic()
        self._task = supervise(self._run(), lambda: f"the reader of {', '.join(self._topics)}")

    async def stop(self) -> None:
        """Ends reading. Stopping twice is stopping once."""
        task, self._task = self._task, None
        await dismiss(task)

    async def read_once(self) -> None:
        """Reads all topics to the end that they have now, and returns; TopicsError where Kafka does not let us."""
        try:
            reading = asyncio.create_task(self._read(follow=False))
            while not (await asyncio.wait([reading], timeout=1))[0]:
                if self.silent_for > _SILENT_SECONDS:
                    reading.cancel()
                    raise TopicsError(f"{', '.join(self._topics)}: no broker answers any more; look at its log")
            reading.result()
        except KafkaError as error:
            raise TopicsError(f"{', '.join(self._topics)} cannot be read ({type(error).__name__})") from error

    async def _run(self) -> None:
        try:
            await self._read()
        except TopicsError as error:
            crash(TOPICS, str(error))
        except KafkaError as error:
            kind = type(error).__name__
            names, text = ", ".join(self._topics), " ".join(map(str, error.args))
            crash(UNKNOWN, f"{names} cannot be read on ({kind}: {text}); a restart reads it from the beginning")

    async def _read(self, *, follow: bool = True) -> None:
        counts = await partition_counts(self._settings, self._topics)
        consumer = AIOKafkaConsumer(
            **kafka_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a position that no longer exists means that we hold what is no longer true
            fetch_max_wait_ms=self._settings.fetch_wait_ms,
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, n) for topic, count in counts.items() for n in range(count)]
            consumer.assign(partitions)
            for partition, offset in (await consumer.beginning_offsets(partitions)).items():
                consumer.seek(partition, offset)
            await self._catch_up(consumer, await consumer.end_offsets(partitions))
            self.ready.set()
            while follow:
                await self._take(consumer)
                self._check_partitions(consumer, counts)
        except asyncio.CancelledError:  # an error ends the process at once: over TLS a goodbye may take half a minute
            await consumer.stop()
            raise
        if not follow:
            await consumer.stop()

    async def _catch_up(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        """Reads up to `ends`, or as far as there is anything.

        Compaction may have removed the last records below an end, and the offset alone would be waited for in vain: the
        end is also reached when the broker has answered several fetches there with nothing.
        """
        asked: dict[TopicPartition, int | None] = {}
        idle = 0
        while True:
            left = {tp: end - await consumer.position(tp) for tp, end in ends.items()}
            for topic in self._topics:
                self._remaining[topic] = sum(max(count, 0) for tp, count in left.items() if tp.topic == topic)
            behind = [tp for tp, count in left.items() if count > 0]
            if not behind or idle >= _IDLE_ROUNDS:
                break
            if await self._take(consumer):
                idle = 0
                continue
            answered = {tp: consumer.last_poll_timestamp(tp) for tp in behind}
            if all(at is not None and at != asked.get(tp) for tp, at in answered.items()):
                idle += 1
                asked = answered
        self._remaining = dict.fromkeys(self._topics, 0)

    async def _take(self, consumer: AIOKafkaConsumer) -> int:
        """Hands over what waits, or comes within a few fetches; returns how many records that were."""
        wait_ms = min(4 * self._settings.fetch_wait_ms, _LONGEST_WAIT_MS)
        fetched = await consumer.getmany(timeout_ms=wait_ms, max_records=_AT_ONCE)
        self._listen(consumer)
        for records in fetched.values():
            for record in records:
                try:
                    self._apply(record)
                except EventRejected as error:
                    self._refuse(record, error)
        if fetched:
            await asyncio.sleep(0)  # `getmany` does not give way while it has something
        return sum(map(len, fetched.values()))

    def _listen(self, consumer: AIOKafkaConsumer) -> None:
        """Notes whether any partition was answered since the last time; aiokafka's own times follow the wall clock."""
        answered = max((consumer.last_poll_timestamp(tp) or 0 for tp in consumer.assignment()), default=0)
        if answered and answered != self._answered:
            self._answered, self._heard_at = answered, monotonic()

    def _check_partitions(self, consumer: AIOKafkaConsumer, counts: dict[str, int]) -> None:
        for topic, count in counts.items():
            now = consumer.partitions_for_topic(topic)
            if now is not None and len(now) != count:
                raise TopicsError(f"topic {topic} went from {count} to {len(now)} partitions; a restart reads them all")
