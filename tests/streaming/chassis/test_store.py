"""The local store: names that cannot clash, one write at a time, restore, and clear refusals."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rocksdict import Cache

from decisioning.streaming.chassis.damage import StoreDamaged
from decisioning.streaming.chassis.epoch import BASE, HEARTBEAT, TAKEOVER, pack_base, stamp
from decisioning.streaming.chassis.header import FormatError, Header, pack
from decisioning.streaming.chassis.store import META, OUTBOX, Store, StoreError, raw_key, user_key, wake_key
from tests.streaming.chassis.harness import Message


def opened(path: Path) -> Store:
    """The store in `path`."""
    return Store(path, cache=Cache(1 << 20), memtable_bytes=1 << 20)


def logged(offset: int, key: bytes, value: bytes | None, epoch: int | None = None) -> Message:
    """A changelog record; `epoch` is that in its Kafka header."""
    return Message("changelog", 0, offset, 0, key, value, () if epoch is None else stamp(epoch))


def state(epoch: int, body: bytes = b"") -> bytes:
    """A state by the owner of an epoch."""
    return pack(Header(epoch=epoch, forgotten=False), body)


@given(st.binary(max_size=5))
def test_every_key_has_a_name_of_its_own(key: bytes) -> None:
    """Also empty keys and keys that begin like ours are kept and found again, and clash with none of ours."""
    name = raw_key(key)
    assert user_key(name) == key
    assert not name.startswith((OUTBOX, b"\0w", b"\0m", b"\0t"))


@given(st.lists(st.tuples(st.integers(-(1 << 60), 1 << 60), st.binary(max_size=3)), min_size=2))
def test_wakes_sort_by_time(wakes: list[tuple[int, bytes]]) -> None:
    """Index entries sort as their instants do, also before 1970, then by key."""
    assert [wake_key(*wake) for wake in sorted(wakes)] == sorted(wake_key(*wake) for wake in wakes)


def test_offset_and_clock_are_written_with_the_data(tmp_path: Path) -> None:
    """What a batch brought, and how far the store then is, are there after it is opened again."""
    store = opened(tmp_path)
    batch = store.batch()
    batch.put(b"k", b"v")
    store.write(batch, 41, clock=7)
    store.close()
    store = opened(tmp_path)
    assert (store.get(b"k"), store.offset, store.clock) == (b"v", 41, 7)


def test_restore_applies_each_record_once_and_indexes_wakes(tmp_path: Path) -> None:
    """Puts, tombstones, outbox records, wakes and the newest clock; what the store already holds is passed over."""
    store = opened(tmp_path)
    records = [
        logged(0, b"a", pack(Header(wake_at=50, clock=9), b"1")),
        logged(1, b"b", pack(Header(clock=3), b"2")),
        logged(2, b"b", None),
        logged(4, OUTBOX + b"x", b"said"),
    ]
    assert store.restore(records) == 4
    assert store.restore(records) == 0
    assert store.restore([logged(3, b"a", None), logged(4, b"a", None)]) == 0
    assert (store.offset, store.clock) == (4, 9)
    assert [key for key, _ in store.states()] == [b"a"]
    assert [(due, key) for _, due, key in store.wakes(None, 50)] == [(50, b"a")]
    assert list(store.wakes(None, 49)) == []
    assert list(store.scan(OUTBOX)) == [(OUTBOX + b"x", b"said")]


def test_a_superseded_writer_changes_nothing(tmp_path: Path) -> None:
    """After a takeover records of a lower epoch are dropped, tombstones and outbox too, and noted until made good."""
    store = opened(tmp_path)
    store.restore([logged(0, b"k", state(0, b"old")), logged(1, b"gone", state(0))])
    late = [
        logged(3, b"k", state(0, b"stale")), logged(4, b"gone", None, 0), logged(5, OUTBOX + b"x", b"said", 0),
        logged(6, HEARTBEAT, b"", 0),
    ]  # fmt: skip
    assert store.restore([logged(2, TAKEOVER, b"w"), *late]) == 5
    assert (store.epoch, store.offset) == (3, 6)
    assert store.get(b"k") == state(0, b"old")
    assert store.get(b"gone") is not None
    assert list(store.scan(OUTBOX)) == []
    store.close()
    store = opened(tmp_path)
    assert (store.epoch, store.stale) == (3, {b"k", b"gone", OUTBOX + b"x"})
    store.restore([logged(7, b"k", state(3, b"new"))])
    store.close()
    assert opened(tmp_path).stale == {b"gone", OUTBOX + b"x"}


def test_a_takeover_of_ours_begins_an_epoch(tmp_path: Path) -> None:
    """Its place in the log, on top of the base of this cluster; both are kept."""
    store = opened(tmp_path)
    store.restore([logged(0, BASE, pack_base(1000), 1000)])
    store.take_over(5)
    assert (store.epoch, store.offset) == (1006, 5)
    store.close()
    store = opened(tmp_path)
    assert (store.epoch, store.base, store.offset) == (1006, 1000, 5)


def test_a_store_from_before_epochs_is_read(tmp_path: Path) -> None:
    """Format 1 had no epoch: it is 0."""
    store = opened(tmp_path)
    batch = store.batch()
    batch.put(b"k", b"v")
    store.write(batch, 7, 9)
    store._db.put(META, struct.pack(">Bqq", 1, 7, 9))
    store.close()
    store = opened(tmp_path)
    assert (store.offset, store.clock, store.epoch, store.stale) == (7, 9, 0, set())
    store._db.put(META, b"\x03rest")
    store.close()
    with pytest.raises(StoreError, match="format 3"):
        opened(tmp_path)


def test_a_newer_format_stops_a_restore(tmp_path: Path) -> None:
    """A record of a later program is not passed over."""
    newer = b"\x09" + pack(Header(), b"")[1:]
    with pytest.raises(FormatError, match="format 9"):
        opened(tmp_path).restore([logged(0, b"a", newer)])


def test_a_store_in_use_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """A second opening says that another has it; after a close it works (T23)."""
    store = opened(tmp_path)
    with pytest.raises(StoreError, match="give each worker a data directory of its own"):
        opened(tmp_path)
    store.close()
    opened(tmp_path).close()


def test_a_damaged_store_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Damaged files are named, and that the changelog can restore them (T19)."""
    opened(tmp_path).close()
    (tmp_path / "CURRENT").write_bytes(b"nonsense\n")
    with pytest.raises(StoreDamaged, match="set aside at the next start and restored from its changelog"):
        opened(tmp_path)


def test_many_stores_need_little(tmp_path: Path) -> None:
    """A store takes few file descriptors, so that many partitions fit in one worker (T22)."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    stores = [opened(tmp_path / str(number)) for number in range(16)]
    used = len(list(Path("/proc/self/fd").iterdir())) - before
    for store in stores:
        store.close()
    assert used <= 16 * 8


def test_a_damaged_record_is_restored_as_it_is(tmp_path: Path) -> None:
    """It must not look as if there had never been anything under its key; the others come as always."""
    store = opened(tmp_path)
    good = pack(Header(epoch=1), b"1")
    assert store.restore([logged(0, TAKEOVER, b""), logged(1, b"torn", b"\x01"), logged(2, b"well", good)]) == 3
    assert dict(store.states()) == {b"torn": b"\x01", b"well": good}
    assert store.stale == set()


def test_damage_in_the_middle_is_no_end(tmp_path: Path) -> None:
    """RocksDB's iterator stops at damage as if there were no more: who goes over the states must be told (T19)."""
    store = opened(tmp_path / "s")
    store.restore(logged(n, b"k%06d" % n, pack(Header(), Random(n).randbytes(200))) for n in range(2000))
    store.close()
    (table,) = (tmp_path / "s").glob("*.sst")
    raw = bytearray(table.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 64] = bytes(64)
    table.write_bytes(raw)
    store = opened(tmp_path / "s")
    with pytest.raises(StoreDamaged, match="set aside at the next start"):
        list(store.states())
    with pytest.raises(StoreDamaged):
        list(store.scan(b"k"))
    assert (tmp_path / "s" / "DAMAGED").exists()


def test_a_store_knows_how_much_it_holds(tmp_path: Path) -> None:
    """Without a look at every key: what was written counts, in memory as on the disk."""
    store = opened(tmp_path)
    empty = store.footprint()
    batch = store.batch()
    for number in range(100):
        batch.put(raw_key(b"k%d" % number), bytes(1000))
    store.write(batch, 100)
    full = store.footprint()
    assert full.keys - empty.keys in (100, 101)
    assert full.bytes - empty.bytes > 100 * 1000
    store.close()
