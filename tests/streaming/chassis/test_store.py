"""The local store: names that cannot clash, one write at a time, restore, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rocksdict import Cache

from decisioning.streaming.chassis.header import FormatError, Header, pack
from decisioning.streaming.chassis.store import OUTBOX, Store, StoreError, raw_key, user_key, wake_key
from tests.streaming.chassis.harness import Message


def opened(path: Path) -> Store:
    """The store in `path`."""
    return Store(path, cache=Cache(1 << 20), memtable_bytes=1 << 20)


def logged(offset: int, key: bytes, value: bytes | None) -> Message:
    """A changelog record."""
    return Message("changelog", 0, offset, key=key, value=value)


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
    with pytest.raises(StoreError, match="remove this directory, and it is restored from the changelog"):
        opened(tmp_path)


def test_many_stores_need_little(tmp_path: Path) -> None:
    """A store takes few file descriptors, so that many partitions fit in one worker (T22)."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    stores = [opened(tmp_path / str(number)) for number in range(16)]
    used = len(list(Path("/proc/self/fd").iterdir())) - before
    for store in stores:
        store.close()
    assert used <= 16 * 8
