"""A sweep over a lane's keys: each is told once, whatever is in flight, and records need not wait for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import pytest
from rocksdict import Cache

from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.lane import Lane
from decisioning.streaming.chassis.part import Part
from decisioning.streaming.chassis.store import Store, raw_key, wake_key
from tests.streaming.chassis.harness import Message
from tests.streaming.chassis.toy_worker import RELAY, State, Toy, config

KEYS = [b"", b"\0odd", b"a", b"b", b"k\0", b"\xff"]
Opened = Callable[..., Lane[dict[str, Any], State]]


@pytest.fixture
def toy() -> Toy:
    """The job, which a test tells to sweep."""
    return Toy()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a record under each of the keys, one that is forgotten, and wakes in the index."""
    made = Store(tmp_path / "store", cache=Cache(1 << 20), memtable_bytes=1 << 20)
    batch = made.batch()
    for key in KEYS:
        batch.put(raw_key(key), pack(Header(forgotten=False, sequence=1), msgspec.json.encode(State(count=1))))
        batch.put(wake_key(5, key), b"")
    batch.put(b"gone", pack(Header(), b""))
    batch.put(b"torn", b"x")
    made.write(batch, 0)
    yield made
    made.close()


def opened(store: Store, toy: Toy, tmp_path: Path, **given: Any) -> Lane[dict[str, Any], State]:
    """Lane 0 over that store."""
    return Lane(0, store, toy, config(bootstrap="h:1", data=tmp_path, **given), [(0, 0)] * 3)


def turn(lane: Lane[dict[str, Any], State]) -> list[bytes]:
    """The keys that one turn tells; the slice is written."""
    lane.tell(perf_counter() + 10)
    part = lane.seal()
    if part is None:
        return []
    written(lane, part)
    return [output.key or b"" for output in part.outputs if output.topic == RELAY]


def written(lane: Lane[dict[str, Any], State], part: Part[State]) -> None:
    """The changelog and the store have it."""
    lane.written(part, 1)
    lane.finished(part)


def arrive(lane: Lane[dict[str, Any], State], keys: list[bytes], start: int = 0) -> list[str]:
    """What was told comes back by the relay; what the job then says."""
    told = [
        Message(RELAY, 0, start + place, 0, key, json.dumps({"sweep": 1}).encode()) for place, key in enumerate(keys)
    ]
    lane.put(2, told)
    lane.take(1000, perf_counter() + 10)
    part = lane.seal()
    assert part is not None
    written(lane, part)
    return [json.loads(output.value or b"")["id"] for output in part.outputs]


def test_every_key_is_told_once(store: Store, toy: Toy, tmp_path: Path) -> None:
    """Whatever its name; none that is forgotten or cannot be read; and nothing without a sweep."""
    lane = opened(store, toy, tmp_path)
    assert turn(lane) == []
    toy.sweep = 1
    assert sorted(turn(lane)) == sorted(KEYS)
    assert turn(lane) == []
    toy.sweep = 2
    assert sorted(turn(lane)) == sorted(KEYS)
    toy.sweep = 0
    assert turn(lane) == []


def test_only_so_many_are_under_way(store: Store, toy: Toy, tmp_path: Path) -> None:
    """The next are told when those before have been handled."""
    lane = opened(store, toy, tmp_path, wakes_in_flight=4, wake_share=2)
    toy.sweep = 1
    first, second = turn(lane), turn(lane)
    assert (len(first), len(second), turn(lane)) == (2, 2, [])
    assert len(arrive(lane, first)) == 2
    third = turn(lane)
    assert len(third) == 2
    assert sorted(first + second + third) == sorted(KEYS)


def test_a_turn_ends_with_its_time(store: Store, toy: Toy, tmp_path: Path) -> None:
    """After some keys, and the next turn goes on from there."""
    batch = store.batch()
    for number in range(100):
        record = pack(Header(forgotten=False, sequence=1), msgspec.json.encode(State(count=1)))
        batch.put(b"n%03d" % number, record)
    store.write(batch, 0)
    lane = opened(store, toy, tmp_path)
    toy.sweep = 1
    told = []
    turns = 0
    while lane.sweep.under_way:
        lane.tell(perf_counter() - 1)
        part = lane.seal()
        assert part is not None
        told += [output.key for output in part.outputs]
        turns += 1
    assert turns > 5
    assert len(told) == len(set(told)) == 100 + len(KEYS)


def test_what_is_on_its_way_to_the_store_is_waited_for(store: Store, toy: Toy, tmp_path: Path) -> None:
    """A state of before the sweep that only the overlay has is looked at once it is written."""
    lane = opened(store, toy, tmp_path)
    lane.put(0, [Message("a", 0, 0, 0, b"new", json.dumps({"id": "a0"}).encode())])
    lane.take(10, perf_counter() + 10)
    part = lane.seal()
    assert part is not None
    toy.sweep = 1
    assert turn(lane) == []
    written(lane, part)
    assert b"new" in turn(lane)


def test_the_next_owner_sweeps_anew(store: Store, toy: Toy, tmp_path: Path) -> None:
    """A lane that opens while a sweep stands begins it, for whoever had it before may have died amid it."""
    toy.sweep = 1
    assert turn(opened(store, toy, tmp_path, wake_share=2)) != []
    assert sorted(turn(opened(store, toy, tmp_path))) == sorted(KEYS)
