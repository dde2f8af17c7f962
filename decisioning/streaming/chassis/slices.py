"""Slices: group commit over all lanes of a worker, in the one order that loses nothing.

A slice takes what waits in the lanes until its few milliseconds are used, so it grows by itself under load. Then

    outbox record, then changed states -> changelog -> wait for their acks -> local stores, one write a lane
    -> outputs, in order -> wait for their acks -> its records are finished and may be committed.

So the changelog is the truth and the store its cache, nothing is said before it is remembered, and nothing counts as
done before it is said. Several slices may be on their way at once; each of the three steps takes them in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, Generic, NamedTuple, TypeVar

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Job, Output, Record
from decisioning.streaming.chassis.lane import Lane
from decisioning.streaming.chassis.observer import Observer
from decisioning.streaming.chassis.part import Part
from decisioning.streaming.chassis.steps import Step

__all__ = ["Post", "Read", "Slicer"]

M = TypeVar("M")
S = TypeVar("S")

Post = Callable[[Iterable[Output]], Awaitable["list[asyncio.Future[Any]]"]]
"""Hands records to the producer, in order; the futures are their acknowledgements."""

Read = Callable[[int, int, int], Awaitable[Sequence[Record]]]
"""The changelog's records of a partition from one offset to another, both included."""

_TURN = 64  # records of one lane before the next one has its turn


class _Slice(NamedTuple, Generic[M, S]):
    parts: list[tuple[Lane[M, S], Part[S]]]
    began: float
    worked: float


class _Queue(Generic[M]):
    """A queue with one reader, cheaper than asyncio's for what is here one item a slice."""

    def __init__(self) -> None:
        self._items: deque[M] = deque()
        self._more = asyncio.Event()

    def put(self, item: M) -> None:
        self._items.append(item)
        self._more.set()

    async def get(self) -> M:
        while not self._items:
            self._more.clear()
            await self._more.wait()
        return self._items.popleft()


class Slicer(Generic[M, S]):
    """Runs the job over the lanes. `post` publishes, `read` looks into the changelog; `finished` is told the next
    offset of a topic partition to commit.

    Its three tasks, `work`, `remember` and `finish`, run for ever; whoever starts them ends the process if one raises.
    """

    @staticmethod
    def step(step: Step) -> None:
        """Told of each step that a slice passes. Does nothing; a test's own worker puts an end to the process here."""

    def __init__(
        self,
        job: Job[M, S],
        config: ChassisConfig,
        observer: Observer,
        *,
        post: Post,
        read: Read,
        finished: Callable[[str, int, int], None],
    ) -> None:
        self._job = job
        self._config = config
        self._observer = observer
        self._post = post
        self._read = read
        self._say_finished = finished
        self.lanes: dict[int, Lane[M, S]] = {}
        self._places = {topic: place for place, topic in enumerate(config.topics)}
        self._more = asyncio.Event()
        self._slots = asyncio.Semaphore(config.slices)
        self._to_remember: _Queue[_Slice[M, S]] = _Queue()
        self._to_finish: _Queue[tuple[_Slice[M, S], list[asyncio.Future[Any]]]] = _Queue()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._taking = False
        self._first = 0
        self._scanned = 0.0
        self.commit_wanted = asyncio.Event()
        """Set while an outbox is full: commit, so that the lanes may go on."""
        self.last_finished = perf_counter()
        self.paused = False
        """While set no records are taken and no wakes sent; what was begun is finished (trap T20)."""

    # -- lanes come and go ------------------------------------------------------------------------------------------

    def open(self, lanes: Iterable[Lane[M, S]]) -> None:
        """Begin with these lanes; there are none before."""
        assert not self.lanes, "lanes are opened twice without a drain between"
        self.lanes = {lane.number: lane for lane in lanes}
        for lane in self.lanes.values():
            lane.at_hand.budget = self._config.cached_bytes // len(self.lanes)
        self.last_finished = perf_counter()
        self._taking = True
        self._more.set()

    async def drain(self) -> None:
        """Take nothing more, and return once all that was taken is said, acknowledged and finished."""
        self._taking = False
        self._more.set()
        await self._idle.wait()

    def close(self) -> None:
        """Forget the lanes: overlays, queues, wakes on their way. After `drain` only."""
        assert not self._in_flight, "lanes are closed while a slice of theirs is on its way"
        self._taking = False
        self.lanes = {}

    def put(self, topic: str, partition: int, records: list[Record]) -> None:
        """Fetched records of one topic partition; dropped where its lane is not ours (any more)."""
        lane = self.lanes.get(partition)
        if lane is not None:
            lane.put(self._places[topic], records)
            self._more.set()

    def saw(self, topic: str, partition: int, end: int) -> None:
        """The log of a topic partition is known to end at offset `end`."""
        lane = self.lanes.get(partition)
        if lane is not None:
            lane.saw(self._places[topic], end)

    def full(self, topic: str, partition: int) -> bool:
        """Whether so many records of a topic partition are unfinished that no more should be fetched."""
        lane = self.lanes.get(partition)
        return lane is not None and lane.unfinished[self._places[topic]] >= self._config.unfinished

    def committed(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """These offsets, next to be delivered after a restart, are committed."""
        by_lane: dict[int, dict[int, int]] = {}
        for (topic, partition), offset in offsets.items():
            by_lane.setdefault(partition, {})[self._places[topic]] = offset
        for partition, places in by_lane.items():
            lane = self.lanes.get(partition)
            if lane is not None:
                lane.committed(places)
        self._observer.committed(len(offsets))
        self._observe_outbox()
        self._more.set()

    def _observe_outbox(self) -> None:
        lanes = self.lanes.values()
        self._observer.outbox(sum(len(lane.outbox) for lane in lanes), sum(lane.outbox.size for lane in lanes))

    # -- the three steps --------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """First step: run the job over what waits, hand outbox and states to the changelog."""
        while True:
            await self._slots.acquire()
            began = perf_counter()
            parts = self._take(began) if self._taking else []
            if not parts:
                self._slots.release()
                await self._pause(self._patience(began) if self._taking else None)
                continue
            self._in_flight += 1
            self._idle.clear()
            worked = perf_counter()
            self.step(Step.TAKEN)
            for _, part in parts:
                part.acks = await self._post(part.changelog)
            self.step(Step.SENT)
            self._to_remember.put(_Slice(parts, began, worked))
            await asyncio.sleep(0)

    def _take(self, began: float) -> list[tuple[Lane[M, S], Part[S]]]:
        deadline = began + self._config.slice_ms / 1000
        lanes = list(self.lanes.values())
        idle = False
        if began - self._scanned >= self._config.wake_scan_ms / 1000:
            self._scanned, idle = began, True
            woken = 0 if self.paused else sum(lane.wake(self._job.now()) for lane in lanes)
            if woken:
                self._observer.woken(woken)
        if not self.paused:
            for lane in lanes:
                if lane.sweep.under_way:
                    lane.tell(perf_counter() + self._config.sweep_ms / 1000 / len(lanes))
        self._first += 1
        turns = deque(lanes[self._first % len(lanes) :] + lanes[: self._first % len(lanes)] if lanes else ())
        while turns and not self.paused and perf_counter() < deadline:
            lane = turns.popleft()
            if lane.outbox.full:
                self.commit_wanted.set()
                continue
            if lane.take(_TURN, deadline) == _TURN:
                turns.append(lane)
        parts = [(lane, lane.seal(idle=idle)) for lane in lanes]
        return [(lane, part) for lane, part in parts if part is not None]

    def _patience(self, now: float) -> float:
        """Seconds after which to look again though nothing came."""
        wait = self._config.wake_scan_ms / 1000
        for lane in self.lanes.values():
            if lane.sweep.under_way and not self.paused:
                wait = min(wait, self._config.sweep_ms / 1000)
            if lane.waiting:
                held = lane.hold(now)
                if held > 0:
                    wait = min(wait, held)
        return wait

    async def _pause(self, seconds: float | None) -> None:
        self._more.clear()
        timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._more.set)
        await self._more.wait()
        if timer is not None:
            timer.cancel()

    async def remember(self) -> None:
        """Second step: once the changelog has it, write the local stores, then publish the outputs in order."""
        while True:
            piece = await self._to_remember.get()
            ends = [await self._logged(lane, part) for lane, part in piece.parts]
            self.step(Step.REMEMBERED)
            for (lane, part), end in zip(piece.parts, ends, strict=True):
                lane.written(part, end)
            self.step(Step.WRITTEN)
            self._slots.release()
            outputs = [output for _, part in piece.parts for output in part.outputs]
            self._to_finish.put((piece, await self._post(outputs)))
            self.step(Step.SAID)

    async def _logged(self, lane: Lane[M, S], part: Part[S]) -> int | None:
        """Wait until the changelog has all of `part`; the offset up to which the lane is then true, None: as before.

        Its acknowledgements leave no hole, or another writer's records are in it: raises `Superseded` if it is in the
        right.
        """
        end = None
        for ack in part.acks:
            end = (ack.result() if ack.done() else await ack).offset
            if end != lane.head:
                assert end > lane.head, f"changelog offset {end} was acknowledged after {lane.head - 1}"
                lane.intruded(await self._read(lane.number, lane.head, end - 1), part)
                self._observer.intruded(lane.number, end - lane.head)
            lane.head = end + 1
        return end

    async def finish(self) -> None:
        """Third step: once all outputs are acknowledged, the slice's records are finished."""
        while True:
            piece, said = await self._to_finish.get()
            for ack in said:
                if ack.done():
                    ack.result()
                else:
                    await ack
            self.step(Step.HEARD)
            records = replayed = 0
            for lane, part in piece.parts:
                lane.finished(part)
                records += part.count
                replayed += part.replayed
                for place, offset in part.finished.items():
                    self._say_finished(self._config.topics[place], lane.number, offset + 1)
            self.step(Step.FINISHED)
            now = self.last_finished = perf_counter()
            self._observer.sliced(records, len(said), piece.worked - piece.began, now - piece.worked)
            if replayed:
                self._observer.replayed(replayed)
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    # -- what others may know -----------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether there is work that ought to be finished soon."""
        lanes, taking = list(self.lanes.values()), self._taking and not self.paused
        return self._in_flight > 0 or (taking and any(lane.waiting or lane.current for lane in lanes))

    def at_hand(self) -> str:
        """Where the job is: the record it has in hand, without key or content."""
        for lane in self.lanes.values():
            record = lane.current
            if record is not None:
                return f"{record.topic}[{record.partition}]@{record.offset}"
        return "between records"
