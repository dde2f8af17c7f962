"""The consumer: what was fetched of one partition is one Faust message, and a commit says only what is finished.

Replaced in Faust 0.15.3, `faust.transport.consumer.Consumer` and `faust.transport.drivers.aiokafka`:

- `_drain_messages` (single messages at a time are ten times slower than batches; Faust's pressure callbacks stall
  `getmany` for 1 s, as does its wait while all is paused; test_transport.py::test_every_record_is_answered_once). A
  partition with too many unfinished records is not fetched until some are finished.
- `perform_seek` (T2: without a committed offset, or at offset 0, it does not rewind;
  test_transport.py::test_a_first_start_takes_the_whole_backlog) and `seek_wait` (what was fetched before a seek must
  not be delivered after it).
- `commit`, `ack`, `wait_empty` (T4, T11: offsets are committed per finished record here, never per message).
- `on_partitions_revoked` (T11: it forgets what to commit before it commits;
  test_consumer.py::test_what_is_finished_is_committed_before_the_partitions_go).
- `AIOKafkaConsumerThread._create_worker_consumer` (T40: a fetch wait of 1.5 s and other numbers unfit for real
  time), `AIOKafkaConsumerThread._commit` (T32: a commit that fails ends the process, but for a rebalance).
- `mode.threads.ServiceThread.start`, `QueueServiceThread.call_thread`, `ServiceThread._gather_remaining_tasks`: the
  consumer has no thread of its own. Two threads that both compute wait for each other's turn at the interpreter, and
  each fetch crossed over twice: at 1,000 events/s a decision took 5 ms in the median and 20 at the 99th percentile
  instead of 14 and 50. Heartbeats stop while the loop stands still, which is right: so does the work
  (test_consumer.py::test_the_consumer_lives_in_the_loop_of_all_else).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.futures import maybe_async

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.stalls import Reach
from decisioning.streaming.chassis.steps import Step
from decisioning.streaming.chassis.watchdog import GROUP, TOPICS, crash

__all__ = ["Consumer", "ConsumerThread"]

_FETCH_SECONDS = 0.1  # how long a seek may have to wait for a fetch that finds nothing
_ASK_SECONDS = 5.0
_MOST = 10_000  # records a fetch may return: all that aiokafka has, so that its own buffer never holds others up


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust is untyped here
    """aiokafka's consumer, in the event loop of all else instead of a thread and a loop of its own."""

    def __init__(self, consumer: Any, *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, **kwargs)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect to Kafka and serve until `stop`."""
        assert not self._thread_started.is_set(), "the consumer is started twice"
        self._thread_started.set()
        running = self._thread_running = self.parent_loop.create_future()
        self._serving = asyncio.ensure_future(self._serve())
        self._serving.add_done_callback(lambda done: done.cancelled() or done.exception())  # `running` has it, too
        try:
            await running
        finally:
            self._thread_running = None

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Call it: there is no thread to hand it to."""
        return await maybe_async(fun(*args, **kwargs))

    async def _gather_remaining_tasks(self) -> None:
        """Nothing: the tasks that remain in the loop are everybody's."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        config: ChassisConfig = self.app.chassis
        self._joining_since: float | None = None
        self._patience = 2 * config.session_ms / 1000 + config.rebalance_ms / 1000 + config.stall_seconds
        self._assignor = self.app.assignor
        return aiokafka.AIOKafkaConsumer(
            client_id=config.client,
            group_id=config.group,
            group_instance_id=config.instance,
            bootstrap_servers=config.bootstrap,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=_MOST,
            # Our own watchdog ends a worker that stands still; this one would take its partitions while it works.
            max_poll_interval_ms=24 * 3600 * 1000,
            max_partition_fetch_bytes=config.fetch_bytes,
            fetch_max_wait_ms=config.fetch_wait_ms,
            request_timeout_ms=config.request_ms,
            session_timeout_ms=config.session_ms,
            rebalance_timeout_ms=config.rebalance_ms,
            heartbeat_interval_ms=config.heartbeat_ms,
            metadata_max_age_ms=60_000,
            check_crcs=True,
            **config.security,
        )

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False where the group rebalances meanwhile: then the successor gets the records again."""
        wanted = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        try:
            await self._ensure_consumer().commit(wanted)
        except CommitFailedError:
            return False
        return True

    async def fetch(self, wanted: set[TP], seconds: float) -> tuple[Mapping[TP, list[Any]], dict[TP, int]]:
        """What was fetched of `wanted`, waiting up to `seconds`, and where the logs of `wanted` end.

        Both of one moment: an end that is known later would make a lane wait for records that are on their way anyway.
        """

        async def look() -> tuple[Mapping[TP, list[Any]], dict[TP, int]]:
            consumer = self._ensure_consumer()
            records = await self._fetch_records(consumer, wanted, timeout=seconds, max_records=_MOST)
            subscription = consumer._subscription.subscription
            assignment = None if subscription is None else subscription.assignment
            states = {} if assignment is None else assignment._tp_state
            ends = {tp: states[tp].highwater for tp in wanted if tp in states and states[tp].highwater is not None}
            return records or {}, ends

        found: tuple[Mapping[TP, list[Any]], dict[TP, int]] = await self.call_thread(look)
        return found

    async def reach(self, wanted: set[TP]) -> dict[TP, Reach]:
        """How far each of `wanted` is read, and where its log ends, asked apart from the fetches.

        Raises aiokafka's errors, and `TimeoutError`.
        """

        async def ask() -> dict[TP, Reach]:
            consumer = self._ensure_consumer()
            subscription = consumer._subscription.subscription
            assignment = None if subscription is None else subscription.assignment
            states = {} if assignment is None else assignment._tp_state
            positions = {tp: states[tp].position for tp in wanted if tp in states and states[tp].has_valid_position}
            ends = await asyncio.wait_for(consumer.end_offsets(list(positions)), _ASK_SECONDS)
            return {tp: Reach(position, ends[tp]) for tp, position in positions.items()}

        found: dict[TP, Reach] = await self.call_thread(ask)
        return found

    async def check_group(self) -> None:
        """Raises where aiokafka has given up the consumer group, which it only says when asked, or waits to join it
        again for longer than any rebalance may take (T28)."""

        async def check() -> None:
            coordinator = self._ensure_consumer()._coordinator
            coordinator.check_errors()
            if not coordinator._rejoin_needed_fut.done():
                self._joining_since = None
            elif self._joining_since is None:
                self._joining_since = time.monotonic()
            elif time.monotonic() - self._joining_since > self._patience:
                raise TimeoutError(f"it has to be joined again, and has not been for {self._patience:g} s")

        if self._consumer is not None and self._consumer._coordinator is not None:
            await self.call_thread(check)


class Consumer(driver.Consumer):  # type: ignore[misc]  # Faust is untyped here
    """Faust's consumer, with batches for messages and its own account of what is finished."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._finished: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._commit_lock = asyncio.Lock()
        self._fetch_lock = asyncio.Lock()
        self._room = asyncio.Event()
        self._seeks: dict[TP, int] = {}
        self.known: dict[TP, tuple[int | None, int]] = {}
        """The group's commit for each source partition, as `starts` found it, and where its log begins."""
        self.committed_at = time.monotonic()
        """When the last commit succeeded, or nothing was to be committed (monotonic)."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching -----------------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(self.can_resume_flow, timeout=_FETCH_SECONDS)
                continue
            wanted = self._wanted()
            if not wanted:
                self._room.clear()
                await self.wait(self._room, timeout=_FETCH_SECONDS)
                continue
            async with self._fetch_lock:
                generation, seeks = self.app.consumer_generation_id, dict(self._seeks)
                records, ends = await self._thread.fetch(wanted, _FETCH_SECONDS)
            for tp, end in ends.items():
                self.app.slicer.saw(tp.topic, tp.partition, end)
            for tp, batch in records.items():
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    break  # a seek follows, which brings them back
                if self._seeks.get(tp) == seeks.get(tp):
                    await self._deliver(tp, batch, generation)
            await asyncio.sleep(0)

    def _wanted(self) -> set[TP]:
        """A copy, because the thread would see the original change under its fetch."""
        full = self.app.slicer.full
        return {tp for tp in self._get_active_partitions() if not full(tp.topic, tp.partition)}

    async def _deliver(self, tp: TP, batch: list[Any], generation: int) -> None:
        last = batch[-1]
        message = ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, last.timestamp_type, [], None, batch, None,
            tp=tp, time_in=time.monotonic(), generation_id=generation,
        )  # fmt: skip
        app = self.app
        if app.flow_control.is_active() and not app.topics._tp_to_callback_lock.locked():
            await self.callback(message)  # has nothing to wait for
        else:
            # Where flow is suspended the callback would wait for the next generation and deliver then what is stale.
            await self.wait_first(self.callback(message), self.suspend_flow.wait())

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Fetch from `tps` again."""
        super().resume_partitions(tps)
        self._room.set()

    # -- positions ----------------------------------------------------------------------------------------------------

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Set positions once no fetch is under way, so that nothing fetched before is delivered after."""
        async with self._fetch_lock:
            for tp in partitions:
                self._seeks[tp] = self._seeks.get(tp, 0) + 1
            if partitions:
                await super().seek_wait(partitions)

    async def perform_seek(self) -> None:
        """Set all source partitions to their committed offset, or to the start of the log where none is."""
        tps = self.sources()
        if tps:
            await self.seek_wait(await self.starts(tps))

    def sources(self) -> set[TP]:
        """The source partitions that this worker is assigned."""
        wanted = self.app.chassis.topics
        return {tp for tp in self.assignment() if tp.topic in wanted}

    def partition_count(self, topic: str) -> int:
        """Partitions of `topic` on the broker; Faust's own answer is none on all workers but the group's leader."""
        return len(self._thread._ensure_consumer().partitions_for_topic(topic) or ())

    async def starts(self, tps: set[TP]) -> dict[TP, int]:
        """The next offset to read of each: what is committed, else the start of the log."""
        consumer = self._thread._ensure_consumer()

        async def committed() -> list[int | None]:
            return list(await asyncio.gather(*(consumer.committed(TopicPartition(*tp)) for tp in ordered)))

        ordered = sorted(tps)
        known: list[int | None] = await self._thread.call_thread(committed)
        first = await self.earliest_offsets(*ordered)
        starts = {}
        for tp, offset in zip(ordered, known, strict=True):
            if offset and offset < first[tp] and tp.topic not in self.app.chassis.sparse:
                crash(TOPICS, f"{tp.topic}[{tp.partition}]: committed up to {offset}, but retention has removed all"
                      f" before {first[tp]}: those records are lost; to go on without them, commit {first[tp]} for"
                      f" group {self.app.chassis.group}")  # fmt: skip
            starts[tp] = offset or first[tp]
        self.known = {tp: (offset, first[tp]) for tp, offset in zip(ordered, known, strict=True)}
        self._finished = dict(starts)
        self._committed = {tp: offset for tp, offset in zip(ordered, known, strict=True) if offset}
        return starts

    # -- what is finished ---------------------------------------------------------------------------------------------

    def finished(self, topic: str, partition: int, offset: int) -> None:
        """All records of a topic partition before `offset` are finished."""
        self._finished[TP(topic, partition)] = offset
        self._room.set()

    def ack(self, message: Any) -> bool:
        """Nothing: that Faust is done with a message says nothing about its records."""
        return True

    @property
    def uncommitted(self) -> bool:
        """Whether anything is finished and not committed; a watchdog's thread asks."""
        return any(offset > self._committed.get(tp, 0) for tp, offset in list(self._finished.items()))

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit all that is finished; whether anything was committed."""
        async with self._commit_lock:
            offsets = {tp: offset for tp, offset in self._finished.items() if offset > self._committed.get(tp, 0)}
            if offsets:
                try:
                    done = await self._commit(offsets)
                except KafkaError as error:
                    kind = type(error).__name__
                    crash(GROUP, f"Kafka refused a commit ({kind}: {error}); a restart goes on from the last one")
                if not done:
                    return False
                self._committed.update(offsets)
                self.app.slicer.step(Step.COMMITTED)
                self.app.slicer.committed(offsets)
            self.committed_at = time.monotonic()
            return bool(offsets)

    async def wait_empty(self) -> None:
        """Finish what was begun, and commit it."""
        await self.app.slicer.drain()
        await self.commit()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop, finish what was begun, commit it and let go of the lanes, before Faust forgets what to commit."""
        self.stop_flow()
        await self.wait_empty()
        self.app.slicer.close()
        self._finished.clear()
        self._committed.clear()
        await super().on_partitions_revoked(revoked)
