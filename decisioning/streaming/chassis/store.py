"""One RocksDB a partition: the cache of what the changelog knows.

Keys: a state stands under its own key; everything of the chassis' own begins with a NUL byte, and so a key that
itself is empty or begins with NUL is written behind ``NUL k``. The same names are used in the changelog.

    NUL o + epoch + number   an outbox record          (also in the changelog)
    NUL t                    topic names by index      (also in the changelog)
    NUL b                    what is added to epochs   (also in the changelog)
    NUL p                    how far topics were read  (also in the changelog)
    NUL i                    the changelog's id        (only here)
    NUL s + name             a name that a stale writer wrote, to be written again (only here)
    NUL w + due + key        the index of wakes        (only here: follows from the headers)
    NUL m                    changelog offset up to which this store is true, newest clock, epoch (only here)

Everything that belongs together is written in one `WriteBatch`, the changelog offset with it, so after any crash the
store is the changelog up to some offset, never something between. No fsync: what a power cut takes, the changelog
gives back.

Against Faust's own RocksDB store (trap T22): small memtables, one block cache for all partitions, few open files; an
explicit close and no waiting for a lock (T23).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
)

from decisioning.streaming.chassis import damage, header
from decisioning.streaming.chassis.damage import StoreDamaged, StoreError
from decisioning.streaming.chassis.epoch import BASE, HEARTBEAT, TAKEOVER, beginning, epoch_of, read_base
from decisioning.streaming.chassis.job import Record

__all__ = [
    "ESCAPED", "META", "OUTBOX", "RETIRED", "STALE", "TOPICS", "WAKE", "Batch", "Footprint", "Store", "StoreError",
    "path_of",
    "raw_key", "user_key", "wake_key",
]  # fmt: skip

OUTBOX = b"\0o"
TOPICS = b"\0t"
WAKE = b"\0w"
META = b"\0m"
STALE = b"\0s"
RETIRED = ""
"""Stands in the table of topic names for a topic whose offsets mean nothing any more (`adoption`)."""
ESCAPED = b"\0k"
"""Before a key that is empty or begins with NUL."""
_META = struct.Struct(">BqqQ")
_META_OF_1 = struct.Struct(">Bqq")  # before there were epochs
_DUE = struct.Struct(">Q")
_MEASURES = ("estimate-num-keys", "live-sst-files-size", "cur-size-all-mem-tables")
_SIGN = 1 << 63  # instants before 1970 must sort before later ones

Batch = WriteBatch
"""A RocksDB write batch in raw mode; make it with `Store.batch`."""


def path_of(data: Path, changelog: str, partition: int) -> Path:
    """Where a worker keeps the local store of a partition below its data directory."""
    return data / f"{changelog}-{partition}"


def raw_key(key: bytes) -> bytes:
    """The name under which the state of `key` is kept."""
    return key if key and key[0] else ESCAPED + key


def user_key(raw: bytes) -> bytes | None:
    """The key whose state is kept under `raw`; None for a record of the chassis' own."""
    if raw and raw[0]:
        return raw
    return raw[2:] if raw[:2] == ESCAPED else None


def wake_key(due: int, key: bytes) -> bytes:
    """The index entry of a wake of `key` at instant `due` (us); entries sort by time."""
    return WAKE + _DUE.pack(due + _SIGN) + key


class Footprint(NamedTuple):
    """What a store takes up. Keys are an estimate: one that was written again counts twice until it is compacted."""

    keys: int
    bytes: int


class Store:
    """The local store of one partition. Any method raises `StoreError` where its files cannot be used.

    After a `StoreDamaged` the next `damage.opened` sets it aside.
    """

    def __init__(self, path: Path, *, cache: Cache, memtable_bytes: int) -> None:
        self.path = path
        self._first_failure: StoreError | None = None
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db: Any = Rdict(str(path), _options(cache, memtable_bytes))
        except Exception as error:
            raise damage.cause(path, error) from error
        try:
            self._read_meta(self.get(META))
            self.base = read_base(self.get(BASE))
            """What is added to a takeover's offset to give its epoch."""
            self.stale = {name[len(STALE) :] for name, _ in self.scan(STALE)}
            """Names whose last record in the changelog is a stale writer's: their owner has to write them again."""
        except StoreError:
            self._db = None
            raise

    def _read_meta(self, meta: bytes | None) -> None:
        self.offset: int | None = None
        """Last changelog offset that is in this store; None: nothing yet."""
        self.clock = 0
        """Newest clock of any header that was ever written here (us)."""
        self.epoch = 0
        """Highest epoch of any record that was applied: what is below it is stale."""
        if meta and meta[0] > 2:
            raise StoreError(f"{self.path} was written in format {meta[0]}, this program knows 2: start the newer one")
        try:
            if meta is not None and meta[:1] == b"\1":
                _, self.offset, self.clock = _META_OF_1.unpack(meta)
            elif meta is not None:
                _, self.offset, self.clock, self.epoch = _META.unpack(meta)
        except struct.error as error:
            raise StoreDamaged(f"{self.path} is damaged: it does not say how far it is") from error

    def _failed(self, error: Exception) -> StoreError:
        """What `error` means; after the first one RocksDB only repeats that there was one."""
        found = self._first_failure = self._first_failure or damage.cause(self.path, error)
        if isinstance(found, StoreDamaged):
            damage.mark(self.path)
        # A copy: what is raised refers to us by its traceback, and an iterator in there keeps RocksDB's lock.
        return type(found)(*found.args)

    @staticmethod
    def batch() -> WriteBatch:
        """An empty write batch."""
        return WriteBatch(raw_mode=True)

    def get(self, raw: bytes) -> bytes | None:
        """What stands under `raw`."""
        try:
            value: bytes | None = self._db.get(raw)
        except Exception as error:
            raise self._failed(error) from error
        return value

    def write(self, batch: WriteBatch, offset: int | None, clock: int = 0) -> None:
        """Write `batch` at once, and with it that the store now holds the changelog up to `offset`, and `clock`."""
        if offset is not None:
            self.offset = offset
        if clock > self.clock:
            self.clock = clock
        if self.offset is not None:
            batch.put(META, _META.pack(2, self.offset, self.clock, self.epoch))
        try:
            self._db.write(batch)
        except Exception as error:
            raise self._failed(error) from error

    def restore(self, records: Iterable[Record]) -> int:
        """Apply changelog `records` newer than this store, in one write; how many. Raises `header.FormatError`.

        One that is damaged is kept as it is; the lane tells the job when it comes to that key. Those of a writer that
        had been superseded are dropped, and noted as `stale`.
        """
        batch, clock, count, last = self.batch(), 0, 0, -1 if self.offset is None else self.offset
        for record in records:
            if record.offset <= last:
                continue
            key = record.key
            assert key is not None, f"changelog record {record.offset} has no key"
            last = record.offset
            count += 1
            try:
                epoch = epoch_of(record, self.base)
            except header.DamagedError:
                epoch = self.epoch  # it is kept: who asks for this key must learn that there was something
            if epoch < self.epoch:
                if key not in (TAKEOVER, HEARTBEAT):
                    self.owe(key, batch)
                continue
            self.epoch = epoch
            if key in self.stale:
                self.settle(key, batch)
            clock = max(clock, self._apply(batch, key, record.value))
        if count:
            self.write(batch, last, clock)
        return count

    def _apply(self, batch: WriteBatch, key: bytes, value: bytes | None) -> int:
        """Put one record of the rightful owner into `batch`; the newest clock that it knows."""
        if key in (TAKEOVER, HEARTBEAT):
            return 0
        if value is None:
            batch.delete(key)
            return 0
        batch.put(key, value)
        if key == BASE:
            self.base = read_base(value)
        owner = user_key(key)
        if owner is None:
            return 0
        try:
            wake_at, clock, _ = header.peek(value)
        except header.DamagedError:
            return 0
        if wake_at is not None:
            # The entry of an older wake stays: a scan checks each against the header.
            batch.put(wake_key(wake_at, owner), b"")
        return clock

    def take_over(self, offset: int) -> None:
        """From now on this store is ours to write: our takeover stands at changelog `offset`, the next to apply."""
        self.epoch = beginning(offset, self.base)
        self.write(self.batch(), offset)

    def note(self, name: bytes, value: bytes) -> None:
        """Keep something under `name` here that the changelog does not know."""
        batch = self.batch()
        batch.put(name, value)
        self.write(batch, None)

    def owe(self, name: bytes, batch: WriteBatch) -> None:
        """Note with `batch` that a stale writer's record is the last one of `name` in the changelog."""
        self.stale.add(name)
        batch.put(STALE + name, b"")

    def settle(self, name: bytes, batch: WriteBatch) -> None:
        """Note with `batch` that `name` has been written again by its owner."""
        self.stale.discard(name)
        batch.delete(STALE + name)

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values from `start` (else `prefix`) on, while keys begin with `prefix`."""
        entries = self._db.iter()
        entries.seek(start or prefix)
        while entries.valid():
            key: bytes = entries.key()
            if not key.startswith(prefix):
                return
            yield key, entries.value()
            entries.next()
        self._check(entries)

    def _check(self, entries: Any) -> None:
        """An iterator that met damage looks as if it were at its end."""
        try:
            entries.status()
        except Exception as error:
            raise self._failed(error) from error

    def wakes(self, start: bytes | None, until: int) -> Iterator[tuple[bytes, int, bytes]]:
        """Index entries due at or before `until` (us) from entry `start` on: entry, due, key."""
        for entry, _ in self.scan(WAKE, start):
            due = _DUE.unpack_from(entry, 2)[0] - _SIGN
            if due > until:
                return
            yield entry, due, entry[10:]

    def states(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Every key that has a record, from name `start` on, and the record (header and body)."""
        entries = self._db.iter()
        entries.seek(start)
        while entries.valid():
            key = user_key(entries.key())
            if key is not None:
                yield key, entries.value()
            entries.next()
        self._check(entries)

    def footprint(self) -> Footprint:
        """How much is in here, as RocksDB knows it without looking."""
        measures = (self._db.property_int_value(f"rocksdb.{name}") or 0 for name in _MEASURES)
        keys, files, memory = measures
        return Footprint(keys, files + memory)

    def close(self) -> None:
        """Release the directory at once; Faust leaves that to the garbage collector (T23)."""
        try:
            self._db.close()
        except Exception as error:
            raise self._failed(error) from error
        finally:
            self._db = None  # where closing fails, as over a damaged file, only this gives up the lock


def _options(cache: Cache, memtable_bytes: int) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(memtable_bytes)
    options.set_max_write_buffer_number(3)
    options.set_max_open_files(64)
    options.set_max_background_jobs(2)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_max_total_wal_size(8 * memtable_bytes)
    options.set_keep_log_file_num(2)
    options.set_stats_dump_period_sec(0)
    options.set_is_fd_close_on_exec(True)
    table = BlockBasedOptions()
    table.set_block_cache(cache)
    table.set_bloom_filter(10.0, False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options.set_block_based_table_factory(table)
    return options
