"""The Faust app that all this hangs on, and how to start and end it.

    app = build(job, config)         # one consumer group, one table, one stream, our transport
    run(app)                         # until SIGTERM or SIGINT: finish what was begun, commit, return

Replaced in Faust 0.15.3: `faust.app.base.App._new_transport`, `._new_producer_transport` (ours), `.flow_control`
(`recovery.Flow`), `._crash` (crash-only: a service that fails ends the process, T5, T32; test_faults.py), and
`faust.transport.consumer.Fetcher._fetcher` (cancelled while the group rebalances it crashes the app;
test_transport.py::test_a_second_worker_joins_and_leaves). Never used: its web server, router, leader, topic
declaration, transactions, windows, agents with concurrency (T4, T8, T16, T24, T31, T34, T35, T36, T46).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import faust
import uvloop
from aiokafka.errors import ConsumerStoppedError
from faust.transport.consumer import Fetcher as FaustFetcher
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from decisioning.streaming.chassis import guards
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.consumer import Consumer
from decisioning.streaming.chassis.disk import DiskGate
from decisioning.streaming.chassis.epoch import TAKEOVER
from decisioning.streaming.chassis.inquiry import Inquiry
from decisioning.streaming.chassis.job import Job, Output
from decisioning.streaming.chassis.lane import Lane
from decisioning.streaming.chassis.observer import Observer, Silent
from decisioning.streaming.chassis.producer import Producer
from decisioning.streaming.chassis.progress import Progress, progress_of
from decisioning.streaming.chassis.reader import read_stretch
from decisioning.streaming.chassis.recovery import Flow
from decisioning.streaming.chassis.slices import Slicer
from decisioning.streaming.chassis.table import BatchSchema, Partitions, Table, TableManager
from decisioning.streaming.chassis.topology import Assignor
from decisioning.streaming.chassis.watchdog import (
    CONSUMER_GROUP,
    FETCHING,
    TOPICS,
    Watchdog,
    crash,
    explain,
    say,
    supervise,
)

__all__ = ["App", "Progress", "build", "run", "serve"]

M = TypeVar("M")
S = TypeVar("S")

_YOUNG = 50_000  # objects


class Fetcher(FaustFetcher):  # type: ignore[misc]  # Faust is untyped here
    """Faust's fetch loop; an error in it ends the process."""

    @Service.task  # type: ignore[untyped-decorator]
    async def _fetcher(self) -> None:
        try:
            await self.app.consumer._drain_messages(self)
        except ConsumerStoppedError:
            if not self.app.should_stop:
                crash(*explain(ConsumerStoppedError("aiokafka stopped by itself"), FETCHING))
        except Exception as error:
            crash(*explain(error, FETCHING))
        finally:
            self.set_shutdown()


class Transport(driver.Transport):  # type: ignore[misc]  # Faust is untyped here
    """Faust's aiokafka transport with our consumer, producer and fetch loop."""

    Consumer = Consumer
    Producer = Producer
    Fetcher = Fetcher


class App(faust.App):  # type: ignore[misc]  # Faust is untyped here
    """The app of one worker. `chassis` is its configuration, `slicer` what runs the job."""

    chassis: ChassisConfig
    observer: Observer
    slicer: Slicer[Any, Any]
    restored_records: int
    """Changelog records applied to local stores so far; a watchdog's thread reads it."""

    def prepare(self, job: Job[Any, Any], config: ChassisConfig, observer: Observer) -> None:
        """Give the app its job, before anything of Faust is started."""
        self.chassis = config
        self.observer = observer
        self._job = job
        self._restored = asyncio.Event()
        self.restored_records = 0
        self.checked_at = 0.0
        """When the event loops, ours and that of aiokafka's thread, last answered (monotonic); 0: not yet."""
        self._tasks_of_ours: list[asyncio.Task[None]] = []
        self.slicer = Slicer(
            job,
            config,
            observer,
            post=lambda outputs: cast(Producer, self.producer).post(outputs),
            read=partial(read_stretch, config),
            finished=lambda topic, partition, offset: self.consumer.finished(topic, partition, offset),
        )
        self.inquiry = Inquiry(config)
        self.disk = DiskGate(config.data, share=config.free_share, most=config.free_bytes, told=say)
        self._watchdogs = self._new_watchdogs()
        self.states = Table(
            self, name="states", schema=BatchSchema(key_type=bytes, value_type=bytes), key_type=bytes, value_type=bytes,
            partitions=config.partitions,
            # 1 would make Faust fetch the changelog of active partitions for ever.
            recovery_buffer_size=4, standby_buffer_size=1,
        )  # fmt: skip
        self.tables.add(self.states)
        source = self.topic(*config.topics, schema=BatchSchema(key_type=bytes, value_type=bytes), key_type=bytes,
                            value_type=bytes)  # fmt: skip
        self.agent(source, name="lanes")(self._take_in)

    def _new_watchdogs(self) -> list[Watchdog]:
        """Over the slices; over joining and restoring, which may wait for other workers; over the event loops, ours and
        that of aiokafka's thread (T28); over the commits (T32)."""
        config, limit = self.chassis, self.chassis.stall_seconds
        return [
            Watchdog(
                limit,
                busy=lambda: self.slicer.busy,
                progress=lambda: self.slicer.last_finished,
                where=self.slicer.at_hand,
            ),
            Watchdog(
                limit + config.rebalance_ms / 1000,
                busy=lambda: not self._restored.is_set(),
                progress=lambda: (self.rebalancing_count, self.restored_records),
                where=lambda: "joining the group and restoring",
            ),
            Watchdog(
                limit,
                busy=lambda: self.checked_at > 0 and not self.should_stop,
                progress=lambda: self.checked_at,
                where=lambda: "the event loops",
            ),
            Watchdog(
                max(limit, config.commit_ms / 100),
                busy=lambda: self._consumer is not None and self._consumer.uncommitted,
                progress=lambda: self._consumer.committed_at,
                where=lambda: "committing",
            ),
        ]

    async def _take_in(self, stream: Any) -> None:
        """The one agent: hands fetched batches to their lanes. Acks are the slices' business, so none are sent here."""
        async for event in stream.noack().events():
            try:
                message = event.message
                self.slicer.put(message.topic, message.partition, message.value)
            except Exception as error:
                crash(*explain(error, "taking records in"))

    # -- Faust's hooks ------------------------------------------------------------------------------------------------

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    @property
    def flow_control(self) -> Flow:
        """Flow of records into Faust's queues."""
        flow = self.__dict__.get("_flow")
        if flow is None:
            flow = self.__dict__["_flow"] = Flow(loop=self.loop)
        return cast(Flow, flow)

    def _crash(self, reason: BaseException) -> None:
        crash(*explain(reason, "a service of Faust"))

    async def on_start(self) -> None:
        """Start the three steps of the slices, the committer and the watchdog."""
        await super().on_start()
        where = self.slicer.at_hand
        steps = (self.slicer.work(), self.slicer.remember(), self.slicer.finish(), self._commit_when_wanted())
        self._tasks_of_ours = [supervise(step, where) for step in steps]
        self._tasks_of_ours.append(supervise(guards.check_group(self), lambda: CONSUMER_GROUP))
        self._tasks_of_ours.append(supervise(guards.check_reading(self), lambda: FETCHING))
        self._tasks_of_ours.append(supervise(guards.check_disk(self), lambda: "looking at the disk"))
        # Faust binds a table's store to an event loop where it is first looked at: not in a watchdog's thread.
        assert self.states.data.loop is asyncio.get_running_loop()
        for watchdog in self._watchdogs:
            watchdog.start()

    async def on_shutdown(self) -> None:
        """After everything of Faust has stopped: stop what is ours."""
        await super().on_shutdown()
        for watchdog in self._watchdogs:
            watchdog.stop()
        for task in self._tasks_of_ours:
            task.cancel()
        await asyncio.gather(*self._tasks_of_ours, return_exceptions=True)

    def on_rebalance_start(self) -> None:
        """The group rebalances: nothing is ready until it is restored anew."""
        self._restored.clear()
        super().on_rebalance_start()

    async def _commit_when_wanted(self) -> None:
        while True:
            await self.slicer.commit_wanted.wait()
            self.slicer.commit_wanted.clear()
            await self.consumer.commit()

    # -- assignment ---------------------------------------------------------------------------------------------------

    async def open_lanes(self, sources: set[TP]) -> None:
        """Open the lanes of the source partitions that are ours, then seek; nothing is fetched yet."""
        config, consumer = self.chassis, self.consumer
        numbers = sorted({tp.partition for tp in sources})
        self._check_assignment(sources, numbers)
        starts = ends = {}
        if sources:
            starts, ends = await consumer.starts(sources), await consumer.highwaters(*sources)
        stores: Partitions = self.states.data
        if sources:
            self.inquiry.check_lanes(consumer.known, ends, stores.store)
        stores.hand_over(numbers)
        await self._take_over(numbers)
        lanes = []
        for number in numbers:
            tps = [TP(topic, number) for topic in config.topics]
            store = stores.store(number)
            found = [(starts[tp], ends[tp]) for tp in tps]
            lanes.append(Lane(number, store, self._job, config, found, self.inquiry.ids))
            self._job.restored(store.clock)
        await consumer.seek_wait(starts)
        self.slicer.open(lanes)

    async def _take_over(self, numbers: Sequence[int]) -> None:
        """Begin an epoch of ours in each lane, and apply what the one before wrote until then (T15)."""
        config, owner = self.chassis, self.chassis.client.encode()
        producer = cast(Producer, self.producer)
        acks = await producer.post([Output(config.changelog, TAKEOVER, owner, (), number) for number in numbers])
        for number, ack in zip(numbers, acks, strict=True):
            store, offset = self.states.data.store(number), (await ack).offset
            known = -1 if store.offset is None else store.offset
            if offset > known + 1:
                store.restore(await read_stretch(config, number, known + 1, offset))
            store.take_over(offset)

    def _check_assignment(self, sources: set[TP], numbers: list[int]) -> None:
        config = self.chassis
        changelog = {tp.partition for tp in self.assignor.assigned_actives() if tp.topic == config.changelog}
        if changelog != set(numbers) or len(sources) != len(numbers) * len(config.topics):
            crash(TOPICS, f"partitions of {', '.join(config.topics)} and {config.changelog} were not assigned together:"
                  " all need the same number of partitions, and all workers of a group the same topics")  # fmt: skip
        for topic in (*config.topics, config.changelog):
            count = self.consumer.partition_count(topic)
            if count != config.partitions:
                crash(TOPICS, f"topic {topic} has {count} partitions instead of {config.partitions}: create it anew"
                      " with as many as the others")  # fmt: skip

    def on_lanes_open(self) -> None:
        """Recovery is complete and records flow."""
        self._restored.set()

    async def wait_restored(self) -> None:
        """Return once the worker has restored its assignment and takes records."""
        await self._restored.wait()

    @property
    def progress(self) -> Progress:
        """How far this worker is."""
        return progress_of(self, self._restored.is_set())


def build(job: Job[M, S], config: ChassisConfig, observer: Observer | None = None) -> App:
    """The app of one worker that runs `job`; nothing is connected or opened before `run` or `serve`."""
    for name in ("aiokafka", "faust", "mode", __package__):  # what Faust's services say here, they say in our name
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.WARNING or logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)  # below it they build a log record for each of ours: a third of the time
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = App(
        config.group,
        broker=[f"kafka://{address.strip()}" for address in config.bootstrap.split(",")],
        store="memory://",
        datadir=str(config.data / "faust"),
        autodiscover=False,
        processing_guarantee="at_least_once",
        topic_partitions=config.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=config.standbys,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=config.commit_ms / 1000,
        broker_session_timeout=config.session_ms / 1000,
        broker_heartbeat_interval=config.heartbeat_ms / 1000,
        broker_rebalance_timeout=config.rebalance_ms / 1000,
        broker_request_timeout=config.request_ms / 1000,
        producer_request_timeout=config.send_ms / 1000,
        stream_buffer_maxsize=4096,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        recovery_consistency_check=True,
        web_enabled=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        TableManager=TableManager,
        PartitionAssignor=Assignor,
    )
    app.prepare(job, config, Silent() if observer is None else observer)
    return app


def calm_collector() -> None:
    """Spare the garbage collector what stays, and have it look at the rest once in many thousand objects.

    A slice in flight holds thousands of records, states and outputs that are no garbage; looked at every 700 objects,
    as is Python's default, they cost a quarter of the chassis' time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 100)


async def serve(app: App, *, on_ready: Callable[[], None] | None = None) -> None:
    """Run `app` in this event loop until SIGTERM or SIGINT; return when all it began is finished and committed.

    `on_ready` is called once, when it first takes records. Errors do not come back: they end the process.
    """
    calm_collector()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    start = supervise(app.start(), lambda: "starting")
    ready = asyncio.create_task(app.wait_restored())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if ready.done() and on_ready is not None:
        on_ready()
    await stopping
    ready.cancel()
    await app.stop()
    await start


def run(app: App, *, on_ready: Callable[[], None] | None = None) -> None:
    """Run `app` in an event loop of its own (uvloop, also in aiokafka's thread) until SIGTERM or SIGINT."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(app, on_ready=on_ready))
