"""Many wakes due at once: each fires once, and events do not wait for all of them.

The slicer runs as in a worker, over a broker that acknowledges at once and gives back what goes to the relay.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rocksdict import Cache

from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.lane import Lane
from decisioning.streaming.chassis.observer import Silent
from decisioning.streaming.chassis.slices import Slicer
from decisioning.streaming.chassis.store import Store, wake_key
from tests.streaming.chassis.harness import Message
from tests.streaming.chassis.test_slices import Meta
from tests.streaming.chassis.toy_worker import OUT, RELAY, State, Toy, config

WAKES = 100_000
AT_ONCE = 256
"""Wakes that all lanes together have under way at once, as in a worker (`app.WAKES_AT_ONCE`)."""
LANES = 4
DUE = 1_000_000


class Mirror:
    """Acknowledges at once; what is published to the relay is fetched again; `said` holds the outputs in order."""

    def __init__(self) -> None:
        self.slicer: Slicer[Any, Any] | None = None
        self.said: list[str] = []
        self._ends: Counter[tuple[str, int]] = Counter()

    async def post(self, outputs: Iterable[Output]) -> list[asyncio.Future[Any]]:
        """Take `outputs` as a broker that is never busy."""
        acks = []
        for output in outputs:
            place = output.topic, output.partition or 0
            offset, self._ends[place] = self._ends[place], self._ends[place] + 1
            ack = asyncio.get_running_loop().create_future()
            ack.set_result(Meta(offset))
            acks.append(ack)
            if output.topic == OUT:
                self.said.append(json.loads(output.value or b"")["id"])
            elif output.topic == RELAY and self.slicer is not None and output.partition is not None:
                record = Message(RELAY, output.partition, offset, _now_ms(), output.key, output.value)
                self.slicer.put(RELAY, output.partition, [record])
        return acks

    async def read(self, partition: int, first: int, last: int) -> list[Message]:
        """Nobody else writes to the changelog."""
        raise AssertionError("a foreign record in the changelog")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Mirror, Slicer[Any, Any]]]:
    """A slicer over four lanes that hold a hundred thousand wakes, all due since long."""
    share = AT_ONCE // LANES
    settings = config(bootstrap="h:1", data=tmp_path, wake_share=share, wakes_in_flight=share, wake_scan_ms=1)
    lanes = [Lane(n, _filled(tmp_path / str(n), n), Toy(), settings, [(0, 0)] * 3) for n in range(LANES)]
    mirror = Mirror()
    slicer: Slicer[Any, Any] = Slicer(
        Toy(), settings, Silent(), post=mirror.post, read=mirror.read, finished=lambda topic, lane, offset: None
    )
    mirror.slicer = slicer
    tasks = [asyncio.create_task(step()) for step in (slicer.work, slicer.remember, slicer.finish)]
    slicer.open(lanes)
    yield mirror, slicer
    for task in tasks:
        task.cancel()
    for lane in lanes:
        lane.store.close()


def _filled(path: Path, lane: int) -> Store:
    """The store of a lane whose keys all wait for the same instant."""
    store = Store(path, cache=Cache(1 << 20), memtable_bytes=1 << 22)
    batch = store.batch()
    for number in range(lane, WAKES, LANES):
        key = b"k%d" % number
        body = msgspec.json.encode(State(count=1, wake_at=DUE))
        batch.put(key, pack(Header(wake_at=DUE, forgotten=False, sequence=1), body))
        batch.put(wake_key(DUE, key), b"")
    store.write(batch, None)
    return store


async def events(mirror: Mirror, slicer: Slicer[Any, Any], until: int) -> list[int]:
    """Fresh events, one after the other over all lanes until so much is said: wakes said while each had to wait."""
    waited: list[int] = []
    offsets = Counter[int]()
    while len(mirror.said) < until:
        lane = len(waited) % LANES
        id_ = f"e{lane}-{offsets[lane]}"
        before = len(mirror.said)
        value = json.dumps({"id": id_}).encode()
        slicer.put("a", lane, [Message("a", lane, offsets[lane], _now_ms(), b"fresh%d" % lane, value)])
        offsets[lane] += 1
        while id_ not in mirror.said[before:]:
            await asyncio.sleep(0)
        waited.append(mirror.said.index(id_, before) - before)
        while len(mirror.said) < min(until, before + 500):
            await asyncio.sleep(0)
    return waited


def _woken(said: Sequence[str]) -> Counter[str]:
    return Counter(id_ for id_ in said if id_.startswith("wake-"))


async def test_a_hundred_thousand_wakes_fire_once_and_let_events_pass(
    running: tuple[Mirror, Slicer[Any, Any]],
) -> None:
    """No event waits for more wakes than may be under way at once in all lanes; at the end each has fired once."""
    mirror, slicer = running
    began = time.perf_counter()
    waited = await asyncio.wait_for(events(mirror, slicer, WAKES), 100)
    print(f"{len(waited)} events among {WAKES} wakes in {time.perf_counter() - began:.1f} s;"
          f" wakes that one waited for: mean {sum(waited) / len(waited):.0f}, most {max(waited)}")  # fmt: skip
    assert len(waited) > 50
    # Those under way when it came, and those of the slices before its own that were decided and not yet said.
    assert max(waited) <= AT_ONCE * (2 + slicer._config.slices)
    while len(_woken(mirror.said)) < WAKES:
        await asyncio.sleep(0)
    assert set(_woken(mirror.said).values()) == {1}
