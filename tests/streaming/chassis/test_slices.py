"""Group commit over lanes: nothing is said before it is remembered, nothing is finished before it is said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rocksdict import Cache

from decisioning.streaming.chassis.epoch import HEARTBEAT, TAKEOVER, Superseded, epoch_of, stamp
from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.lane import Lane
from decisioning.streaming.chassis.observer import Silent
from decisioning.streaming.chassis.slices import Slicer
from decisioning.streaming.chassis.store import Store
from tests.streaming.chassis.harness import Message
from tests.streaming.chassis.test_lane import event
from tests.streaming.chassis.toy_worker import CHANGELOG, OUT, Toy, config


class Meta(NamedTuple):
    """What Kafka acknowledges with."""

    offset: int


class Kafka:
    """Takes records into its logs and acknowledges them when it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[Output, asyncio.Future[Meta]]] = []
        self.logs: dict[tuple[str, int | None], list[Message]] = {}
        self._offsets: list[int] = []

    def append(self, output: Output) -> int:
        """A record at the end of its log, whoever wrote it; its offset."""
        log = self.logs.setdefault((output.topic, output.partition), [])
        log.append(Message(output.topic, output.partition or 0, len(log), 0, output.key, output.value, output.headers))
        return len(log) - 1

    async def post(self, outputs: Iterable[Output]) -> list[asyncio.Future[Any]]:
        """Take `outputs`; their futures stay open."""
        taken = [(output, asyncio.get_running_loop().create_future()) for output in outputs]
        self.sent += taken
        self._offsets += [self.append(output) for output, _ in taken]
        return [future for _, future in taken]

    async def read(self, partition: int, first: int, last: int) -> list[Message]:
        """What the changelog says from one offset to another."""
        return self.logs[CHANGELOG, partition][first : last + 1]

    def acknowledge(self, topic: str) -> None:
        """Acknowledge all that was sent to `topic` so far."""
        for offset, (output, future) in zip(self._offsets, self.sent, strict=True):
            if output.topic == topic and not future.done():
                future.set_result(Meta(offset))

    def topics(self) -> list[str]:
        """Topics that were sent to, in order."""
        return [output.topic for output, _ in self.sent]


class Bench:
    """A slicer with one lane or more over stores in `path`, its steps running."""

    def __init__(self, path: Path, lanes: int = 1, **given: Any) -> None:
        self.kafka = Kafka()
        self.done: list[tuple[str, int, int]] = []
        settings = config(bootstrap="h:1", data=path, **given)
        self.slicer: Slicer[Any, Any] = Slicer(
            Toy(), settings, Silent(), post=self.kafka.post, read=self.kafka.read,
            finished=lambda *said: self.done.append(said),
        )  # fmt: skip
        self.lanes = [
            Lane(n, Store(path / str(n), cache=Cache(1 << 20), memtable_bytes=1 << 20), Toy(), settings, [(0, 0)] * 3)
            for n in range(lanes)
        ]
        self.tasks = [asyncio.create_task(s()) for s in (self.slicer.work, self.slicer.remember, self.slicer.finish)]
        self.slicer.open(self.lanes)

    def reopen(self) -> None:
        """The lanes anew, over the same stores."""
        self.slicer.close()
        self.slicer.open(Lane(lane.number, lane.store, Toy(), self.slicer._config, [(0, 0)] * 3) for lane in self.lanes)

    async def finish(self) -> None:
        """Let all that waits be acknowledged."""
        await self.settle()
        for topic in (CHANGELOG, OUT):
            self.kafka.acknowledge(topic)
            await self.settle()

    async def settle(self) -> None:
        """Let all steps do what they can."""
        for _ in range(30):
            await asyncio.sleep(0)


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    """One lane."""
    return Bench(tmp_path)


async def test_nothing_is_said_before_it_is_remembered(bench: Bench) -> None:
    """Changelog, then store, then outputs, then finished: each waits for the one before."""
    bench.slicer.put("a", 0, [event("a", 0)])
    await bench.settle()
    assert set(bench.kafka.topics()) == {CHANGELOG}
    assert bench.lanes[0].store.get(b"k") is None, "not in the store before the changelog has it"
    bench.kafka.acknowledge(CHANGELOG)
    await bench.settle()
    assert bench.lanes[0].store.get(b"k") is not None
    assert bench.lanes[0].store.offset == 3
    assert bench.kafka.topics()[-1] == OUT
    assert bench.done == [], "not finished before the output is acknowledged"
    bench.kafka.acknowledge(OUT)
    await bench.settle()
    assert bench.done == [("a", 0, 1)]


async def test_slices_are_remembered_and_said_in_order(bench: Bench) -> None:
    """A later slice that is acknowledged first waits for the earlier one, and at most so many are on their way."""
    for offset in range(5):
        bench.slicer.put("a", 0, [event("a", offset)])
        await bench.settle()
    open_slices = [future for output, future in bench.kafka.sent if output.key == b"k"]
    assert len(open_slices) == 3, "three slices await the changelog, the rest wait in the lane"
    for offset, (_, future) in enumerate(bench.kafka.sent):
        if offset > 2:
            future.set_result(Meta(offset))
    await bench.settle()
    assert OUT not in bench.kafka.topics()
    for _ in range(5):
        bench.kafka.acknowledge(CHANGELOG)
        await bench.settle()
    said = [output.value for output, _ in bench.kafka.sent if output.topic == OUT]
    assert [b'"a%d"' % n in (value or b"") for n, value in enumerate(said)] == [True] * 5
    bench.kafka.acknowledge(OUT)
    await bench.settle()
    assert bench.done[-1] == ("a", 0, 5)


async def test_all_lanes_share_a_slice(tmp_path: Path) -> None:
    """Records that wait in two lanes go to the changelog together, each to its partition."""
    bench = Bench(tmp_path, lanes=2, slice_ms=10_000)
    bench.slicer.lanes[0].put(0, [event("a", 0)])
    bench.slicer.put("a", 1, [event("a", 0)])
    await bench.settle()
    assert {output.partition for output, _ in bench.kafka.sent} == {0, 1}
    assert bench.slicer._in_flight == 1


async def test_lanes_share_the_memory_for_states_at_hand(tmp_path: Path) -> None:
    """The budget is the worker's, however many lanes it has at the time."""
    bench = Bench(tmp_path, lanes=4, cached_bytes=1000)
    assert [lane.at_hand.budget for lane in bench.lanes] == [250] * 4


async def test_a_drain_finishes_what_was_taken_and_takes_no_more(bench: Bench) -> None:
    """It returns when the slices on their way are acknowledged; what waited stays untouched, and closing forgets it."""
    bench.slicer.put("a", 0, [event("a", 0)])
    await bench.settle()
    drain = asyncio.create_task(bench.slicer.drain())
    bench.slicer.put("a", 0, [event("a", 1)])
    await bench.settle()
    assert not drain.done()
    for topic in (CHANGELOG, OUT):
        bench.kafka.acknowledge(topic)
        await bench.settle()
    assert drain.done()
    assert bench.done == [("a", 0, 1)]
    bench.slicer.close()
    bench.slicer.put("a", 0, [event("a", 2)])
    assert not bench.slicer.busy


async def test_a_full_outbox_asks_for_a_commit(tmp_path: Path) -> None:
    """With more said than may be uncommitted the lane stops and a commit is wanted; after it the lane goes on."""
    bench = Bench(tmp_path, outbox_bytes=10)
    for offset in range(2):
        bench.slicer.put("a", 0, [event("a", offset)])
        await bench.settle()
        for topic in (CHANGELOG, OUT):
            bench.kafka.acknowledge(topic)
            await bench.settle()
    assert bench.done == [("a", 0, 1)]
    assert bench.slicer.commit_wanted.is_set()
    bench.slicer.committed({("a", 0): 1})
    await bench.settle()
    bench.kafka.acknowledge(CHANGELOG)
    await bench.settle()
    bench.kafka.acknowledge(OUT)
    await bench.settle()
    assert bench.done == [("a", 0, 1), ("a", 0, 2)]


async def test_too_many_unfinished_records_are_not_fetched(tmp_path: Path) -> None:
    """A topic partition counts as full from the bound on, and no more once its records are finished."""
    bench = Bench(tmp_path, unfinished=2)
    bench.slicer.put("a", 0, [event("a", 0), event("a", 1)])
    assert bench.slicer.full("a", 0)
    assert not bench.slicer.full("b", 0)
    await bench.settle()
    for topic in (CHANGELOG, OUT):
        bench.kafka.acknowledge(topic)
        await bench.settle()
    assert not bench.slicer.full("a", 0)


def _write(kafka: Kafka, key: bytes, value: bytes | None, epoch: int | None = None) -> None:
    """Another worker appends a record to our changelog."""
    kafka.append(Output(CHANGELOG, key, value, () if epoch is None else stamp(epoch), 0))


async def test_a_successors_record_stops_us_before_anything_is_known(bench: Bench) -> None:
    """A hole in our acknowledgements that holds a takeover: neither the local store nor an output follows (T15)."""
    _write(bench.kafka, TAKEOVER, b"other")
    bench.slicer.put("a", 0, [event("a", 0)])
    await bench.settle()
    bench.kafka.acknowledge(CHANGELOG)
    await bench.settle()
    assert isinstance(bench.tasks[1].exception(), Superseded)
    assert bench.lanes[0].store.get(b"k") is None
    assert OUT not in bench.kafka.topics()


async def test_what_a_stale_writer_wrote_is_written_again(tmp_path: Path) -> None:
    """Between our own: a state, a tombstone, a name we never had. Ours come after them, once, and all goes on."""
    bench = Bench(tmp_path, wake_scan_ms=1_000_000)
    lane = bench.lanes[0]
    lane.store.take_over(bench.kafka.append(Output(CHANGELOG, TAKEOVER, b"us", (), 0)))
    bench.reopen()
    lane = bench.slicer.lanes[0]
    for key in (b"k", b"gone"):
        bench.slicer.put("a", 0, [event("a", int(key == b"gone"), key=key)])
        await bench.finish()
    for key, value in ((b"k", pack(Header(forgotten=False), b"stale")), (b"gone", None), (b"\0oghost", b"said")):
        _write(bench.kafka, key, value, None if key == b"k" else 0)
    bench.slicer.put("a", 0, [event("a", 2, key=b"other")])
    await bench.finish()
    assert lane.store.stale == {b"k", b"gone", b"\0oghost"}, "owed, also after a crash"
    bench.slicer.put("a", 0, [event("a", 3, key=b"other")])
    await bench.finish()
    last = {one.key: one for one in bench.kafka.logs[CHANGELOG, 0]}
    for key in (b"k", b"gone"):
        assert last[key].value == lane.store.get(key)
        assert epoch_of(last[key], 0) == lane.epoch
    assert last[b"\0oghost"].value is None
    assert lane.store.stale == set()
    assert [at for _, _, at in bench.done] == [1, 2, 3, 4]


async def test_a_quiet_lane_writes_heartbeats(tmp_path: Path) -> None:
    """With nothing to do for so long it still asks whether it is the owner."""
    bench = Bench(tmp_path, wake_scan_ms=1, beat_ms=1)
    while not any(output.key == HEARTBEAT for output, _ in bench.kafka.sent):
        await asyncio.sleep(0.001)
    _write(bench.kafka, TAKEOVER, b"other")
    while not bench.tasks[1].done():
        bench.kafka.acknowledge(CHANGELOG)
        await asyncio.sleep(0.001)
    assert isinstance(bench.tasks[1].exception(), Superseded)


async def test_a_refused_record_raises(bench: Bench) -> None:
    """An error of Kafka escapes from the step that waits for it, to whoever supervises it."""
    bench.slicer.put("a", 0, [event("a", 0)])
    await bench.settle()
    bench.kafka.sent[0][1].set_exception(OSError("refused"))
    await bench.settle()
    assert isinstance(bench.tasks[1].exception(), OSError)
