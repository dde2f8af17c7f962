"""One lane: order, guard, overlay, replays, wakes, and what is tidied away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from rocksdict import Cache

from decisioning.streaming.chassis.assignment import POSITIONS
from decisioning.streaming.chassis.header import FormatError, unpack
from decisioning.streaming.chassis.lane import GapError, Lane
from decisioning.streaming.chassis.part import Part
from decisioning.streaming.chassis.store import OUTBOX, Store, raw_key
from tests.streaming.chassis.harness import Message
from tests.streaming.chassis.toy_worker import RELAY, State, Toy, config

Opened = Callable[..., Lane[dict[str, Any], State]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens lane 0 over the same store again and again; keyword arguments go to the configuration."""
    store = Store(tmp_path / "store", cache=Cache(1 << 20), memtable_bytes=1 << 20)

    def opens(starts: tuple[int, ...] = (0, 0, 0), ends: tuple[int, ...] = (0, 0, 0), **given: Any) -> Any:
        settings = config(bootstrap="h:1", data=tmp_path, **given)
        return Lane(0, store, Toy(), settings, list(zip(starts, ends, strict=True)))

    return opens


def event(topic: str, offset: int, at: int = 0, key: bytes = b"k", **said: Any) -> Message:
    """A record of a message for the toy."""
    return Message(topic, 0, offset, at, key, json.dumps({"id": f"{topic}{offset}", **said}).encode())


def sliced(lane: Lane[dict[str, Any], State], offset: int = 0) -> Part[State]:
    """Handle all that waits, and write it."""
    lane.take(1000, perf_counter() + 10)
    part = lane.seal()
    assert part is not None
    lane.written(part, offset)
    lane.finished(part)
    return part


def ids(part: Part[State]) -> list[str]:
    """Ids of what was said."""
    return [json.loads(output.value or b"")["id"] for output in part.outputs]


def test_records_come_in_the_order_of_their_timestamps(opened: Opened) -> None:
    """Smallest timestamp first over the topics; at a tie the topic that is named first; within a topic by offset."""
    lane = opened()
    lane.put(1, [event("b", 0, 10), event("b", 1, 20), event("b", 2, 20), event("b", 3, 5)])
    lane.put(0, [event("a", 0, 5), event("a", 1, 20), event("a", 2, 30)])
    assert ids(sliced(lane)) == ["a0", "b0", "a1", "b1", "b2", "b3", "a2"]


def test_a_lane_waits_for_a_topic_that_lags(opened: Opened) -> None:
    """Where more of a topic is known to be in the log it waits, not for ever; for one that is caught up not at all."""
    lane = opened(ends=(1, 3, 0), idle_wait_ms=50)
    lane.put(0, [event("a", 0, 10)])
    assert lane.take(10, perf_counter() + 1) == 0
    assert 0 < lane.hold(perf_counter()) <= 0.05
    assert lane.hold(perf_counter() + 0.06) <= 0
    lane.put(1, [event("b", 0, 1), event("b", 1, 2), event("b", 2, 30)])
    assert ids(sliced(lane)) == ["b0", "b1", "a0", "b2"]


def test_a_jump_in_offsets_is_an_error(opened: Opened) -> None:
    """Missing records before or in a batch raise GapError and say which; records seen before are passed over (T3)."""
    lane = opened(starts=(5, 0, 0))
    lane.put(0, [event("a", 3), event("a", 4), event("a", 5)])
    assert ids(sliced(lane)) == ["a5"]
    with pytest.raises(GapError, match=r"a\[0\]: offsets 6 to 7 are missing"):
        lane.put(0, [event("a", 8)])
    with pytest.raises(GapError, match="offsets 7 to 8 are missing"):
        lane.put(0, [event("a", 6), event("a", 9)])


def test_a_sparse_topic_may_jump(opened: Opened) -> None:
    """Declared sparse, holes are no loss."""
    lane = opened(sparse=["a"])
    lane.put(0, [event("a", 8), event("a", 11)])
    assert ids(sliced(lane)) == ["a8", "a11"]


def test_a_slice_writes_the_outbox_before_the_states(opened: Opened) -> None:
    """The changelog gets topic names, then the outbox record with every record handled, then each state once."""
    lane = opened()
    lane.put(0, [event("a", 0, key=b"x"), event("a", 1, key=b"y"), event("a", 2, key=b"x")])
    names = [output.key for output in sliced(lane).changelog]
    assert names == [b"\0t", POSITIONS, OUTBOX + bytes(16), b"x", b"y"]
    header, body = unpack(lane.store.get(b"x") or b"")
    assert (header.marks, header.sequence, json.loads(body)["count"]) == ({0: 2}, 2, 2)


def test_a_restart_says_again_what_was_not_committed_and_a_replay_nothing(opened: Opened) -> None:
    """First of all, byte for byte and in the order in which it was said, whatever order the records come again in."""
    first = opened()
    first.put(1, [event("b", 0, 90)])
    said = sliced(first).outputs
    first.put(0, [event("a", 0, 10), event("a", 1, 20)])
    said += sliced(first).outputs
    state = first.store.get(b"k")
    second = opened()
    second.put(0, [event("a", 0, 10), event("a", 1, 20)])
    second.put(1, [event("b", 0, 90)])
    part = sliced(second)
    assert (part.outputs, part.replayed, part.changelog) == (said, 3, [])
    assert second.store.get(b"k") == state
    second.put(0, [event("a", 2)])
    part = sliced(second)
    assert (ids(part), part.replayed) == (["a2"], 0)
    third = opened(starts=(2, 1, 0))
    assert third.seal() is not None, "a2 is not committed"
    assert opened(starts=(3, 1, 0)).seal() is None, "nothing is left to say"


def test_what_was_never_remembered_is_not_said_again(opened: Opened) -> None:
    """An outbox record whose states did not follow is void: its records are handled anew."""
    lane = opened()
    lane.put(0, [event("a", 0)])
    lane.take(10, perf_counter() + 1)
    part = lane.seal()
    assert part is not None
    batch = lane.store.batch()
    for output in part.changelog:
        if (output.key or b"").startswith(b"\0"):
            batch.put(output.key, output.value)
    lane.store.write(batch, 1)
    again = opened()
    assert again.seal() is None
    again.put(0, [event("a", 0)])
    assert ids(sliced(again)) == ["a0"]


def test_states_newer_than_the_store_are_seen_by_the_next_slice(opened: Opened) -> None:
    """Slices that are on their way to the store stack up in the overlay, until the last of them is written."""
    lane = opened(cached_bytes=0)
    parts: list[Part[State]] = []
    for offset in range(4):
        lane.put(0, [event("a", offset)])
        lane.take(10, perf_counter() + 1)
        part = lane.seal()
        assert part is not None
        parts.append(part)
        if offset == 2:
            lane.written(parts.pop(0), 0)  # the store is then two slices behind
    for part in parts:
        lane.written(part, 0)
    assert json.loads(unpack(lane.store.get(b"k") or b"")[1])["count"] == 4
    assert lane._overlay == {}


def test_the_cache_is_bounded_and_the_same_as_the_store(opened: Opened) -> None:
    """More keys than the cache holds, and none at all: the states are those of a lane with a large cache."""
    found = []
    for cached in (2, 0, 1000):
        lane = opened(cached_bytes=cached * 2048)  # a state of the toy counts for a little more than half of that
        for turn in range(3):
            for key in range(5):
                lane.put(0, [event("a", 5 * turn + key, key=b"%d-%d" % (cached, key), id=f"{turn}")])
                sliced(lane)
        found.append([unpack(lane.store.get(b"%d-%d" % (cached, key)) or b"")[1] for key in range(5)])
        assert lane.at_hand.taken <= cached * 2048
    assert found[0] == found[1] == found[2]


def test_a_forgotten_key_keeps_its_marks_until_the_commit(opened: Opened) -> None:
    """Until its record can no longer come again, a key without a state is remembered as such; then nothing remains."""
    lane = opened()
    lane.put(0, [event("a", 0), event("a", 1, forget=True), event("a", 2, key=b"quiet", silent=True)])
    sliced(lane)
    assert unpack(lane.store.get(b"k") or b"")[0].forgotten
    again = opened()
    again.put(0, [event("a", 0), event("a", 1, forget=True), event("a", 2, key=b"quiet", silent=True)])
    assert sliced(again).replayed == 3
    assert again.seal(idle=True) is None, "nothing is committed, nothing to tidy"
    again.committed({0: 3})
    part = again.seal(idle=True)
    assert part is not None
    assert sorted((output.key, output.value) for output in part.changelog if output.key != POSITIONS) == [
        (OUTBOX + bytes(16), None), (b"k", None), (b"quiet", None),
    ]  # fmt: skip
    again.written(part, 9)
    assert list(again.store.states()) == []
    assert list(again.store.scan(OUTBOX)) == []


def test_a_key_that_comes_back_is_not_tidied_away(opened: Opened) -> None:
    """A tombstone is not written for a key that has a state again by the time of the commit."""
    lane = opened()
    lane.put(0, [event("a", 0), event("a", 1, forget=True)])
    sliced(lane)
    lane.put(0, [event("a", 2)])
    sliced(lane)
    lane.committed({0: 2})
    part = lane.seal(idle=True)
    assert part is not None
    assert [output.key for output in part.changelog if output.value is None] == [OUTBOX + bytes(16)]


def test_a_due_wake_becomes_one_relay_record(opened: Opened) -> None:
    """It is published once while it is on its way, and again only for another instant; after a restart once more."""
    lane = opened()
    lane.put(0, [event("a", 0, wake_in=0)])
    sliced(lane)
    header = unpack(lane.store.get(b"k") or b"")[0]
    assert header.wake_at is not None
    assert lane.wake(header.wake_at - 1) == 0
    assert lane.wake(header.wake_at) == 1
    assert lane.wake(header.wake_at) == 0
    part = lane.seal()
    assert part is not None
    assert [(o.topic, o.key, o.partition) for o in part.outputs] == [(RELAY, b"k", 0)]
    again = opened(starts=(1, 0, 0))
    assert again.wake(header.wake_at) == 1
    assert again.seal() is not None
    again.put(2, [Message(RELAY, 0, 0, 0, b"k", part.outputs[0].value)])
    assert ids(sliced(again)) == [f"wake-k-{header.wake_at}"]
    assert again.wake(header.wake_at + 1) == 0
    assert list(again.store.wakes(None, 1 << 60)) == []


def test_an_earlier_wake_that_comes_later_is_found_alone(opened: Opened) -> None:
    """A wake before those on their way is published, and they are not published again."""
    lane = opened()
    lane.put(0, [event("a", 0, key=b"late", wake_in=5000)])
    sliced(lane)
    assert lane.wake(1 << 60) == 1
    lane.put(0, [event("a", 1, key=b"soon", wake_in=1000)])
    sliced(lane)
    assert lane.wake(1 << 60) == 1
    part = lane.seal()
    assert part is not None
    assert [output.key for output in part.outputs] == [b"soon"]


def test_a_stale_wake_of_a_restore_is_dropped(opened: Opened) -> None:
    """An index entry that the key's header does not know is never published, and removed."""
    first = opened()
    batch = first.store.batch()
    batch.put(b"\0w" + (1 << 63).to_bytes(8, "big") + b"ghost", b"")
    first.store.write(batch, 0)
    lane = opened()
    assert lane.wake(1 << 60) == 0
    lane.put(0, [event("a", 0)])
    sliced(lane)
    assert list(lane.store.wakes(None, 1 << 60)) == []


def test_topics_keep_their_index_when_others_come(opened: Opened, tmp_path: Path) -> None:
    """A topic that is added, or an order that changes, does not change what marks mean."""
    first = opened()
    first.put(1, [event("b", 0)])
    sliced(first)
    other = opened(starts=(0, 0, 0, 0), ends=(0, 0, 0, 0), topics=("new", "b", "a", RELAY))
    other.put(1, [event("b", 0)])
    assert sliced(other).replayed == 1
    other.put(0, [event("new", 0)])
    sliced(other)
    assert unpack(other.store.get(raw_key(b"k")) or b"")[0].marks == {1: 0, 3: 0}


def test_lag_counts_what_is_in_the_log_and_not_finished(opened: Opened) -> None:
    """From the end of the log back to what is finished."""
    lane = opened(starts=(2, 0, 0), ends=(9, 0, 0))
    lane.put(0, [event("a", 2), event("a", 3)])
    assert lane.lag() == [7, 0, 0]
    lane.saw(0, 4)
    sliced(lane)
    assert lane.lag() == [0, 0, 0]


def test_a_damaged_record_costs_its_key_and_no_other(opened: Opened) -> None:
    """The job learns that there was something; its next record is written well, and the lane goes on."""
    lane = opened()
    batch = lane.store.batch()
    batch.put(raw_key(b"torn"), b"\x01\x00")
    batch.put(raw_key(b"zero"), bytes(60))
    lane.store.write(batch, 0)
    lane.put(0, [event("a", 0, key=b"torn"), event("a", 1, key=b"well"), event("a", 2, key=b"zero", silent=True)])
    assert lane.wake(1 << 60) == 0
    assert ids(sliced(lane)) == ["a0", "a1"]
    header, body = unpack(lane.store.get(raw_key(b"torn")) or b"")
    assert header.marks == {0: 0}
    assert json.loads(body)["chain"] != json.loads(unpack(lane.store.get(b"well") or b"")[1])["chain"]
    assert json.loads(unpack(lane.store.get(raw_key(b"zero")) or b"")[1])["chain"] == "damaged"


def test_a_newer_record_is_no_damage(opened: Opened) -> None:
    """To go on would destroy what the newer program knows."""
    lane = opened()
    batch = lane.store.batch()
    batch.put(b"k", b"\x09" + bytes(60))
    lane.store.write(batch, 0)
    lane.put(0, [event("a", 0)])
    with pytest.raises(FormatError, match="start the newer program again"):
        lane.take(10, perf_counter() + 10)
