"""Takes states over to topics whose offsets begin anew: re-created sources, or another cluster.

A key's watermarks are offsets of the old topics; in new ones they would pass fresh records off as replays, and nothing
would ever be lost so silently. And epochs are offsets of the old changelog; in a copy of it they begin too low, and
every write would be dropped as stale. So, for each partition, with no worker running:

- the changelog's states are read; from the changelog itself where it was kept or copied, else from local stores that
  stopped workers left behind, and then they are written to it;
- the base of epochs is raised above every epoch that was ever seen (`epoch.BASE`);
- the table of topic names is retired: every topic gets a new number in the marks, so that old marks concern nothing
  any more. That is the *watermark epoch*.

Outputs that were said and not committed are void from then on: their records cannot come again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
from rocksdict import Cache

from decisioning.streaming.chassis.assignment import POSITIONS
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.epoch import BASE, TAKEOVER, beginning, pack_base, stamp
from decisioning.streaming.chassis.header import pack, read
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.reader import stretch
from decisioning.streaming.chassis.store import OUTBOX, RETIRED, TOPICS, Store, StoreError, path_of, raw_key

__all__ = ["Adopted", "Send", "adopt"]

Send = Callable[[Output], Awaitable[int]]
"""Publishes a record; its offset once all replicas have it."""


class Adopted(NamedTuple):
    """What became of one partition."""

    partition: int
    states: int
    """Keys that have a record."""
    copied: bool
    """Whether they were written from a local store, because the changelog held none."""


async def adopt(config: ChassisConfig, partition: int, send: Send, left_behind: Sequence[Path] = ()) -> Adopted:
    """Carry one partition over; `left_behind` are data directories of stopped workers, the newest of which counts.

    Raises `StoreError` where the changelog is empty and none of those named holds the partition.
    """
    with TemporaryDirectory() as folder, closing(_store(config, Path(folder))) as kept:
        offset = await send(Output(config.changelog, TAKEOVER, b"topics adopt", (), partition))
        if offset:
            async for records in stretch(config, partition, 0, offset):
                kept.restore(records)
        if left_behind and next(kept.states(), None) is None:
            with closing(_newest(config, partition, left_behind)) as source:
                return Adopted(partition, await _carry(config, partition, send, source, offset, True), True)
        return Adopted(partition, await _carry(config, partition, send, kept, offset, False), False)


async def _carry(
    config: ChassisConfig, partition: int, send: Send, source: Store, offset: int, copied: bool
) -> int:  # fmt: skip
    """Write what has to be written; how many states there are."""
    base = max(source.base, source.epoch)
    epoch = beginning(offset, base)

    async def write(name: bytes, value: bytes | None) -> None:
        await send(Output(config.changelog, name, value, stamp(epoch), partition))

    await write(BASE, pack_base(base))
    raw = source.get(TOPICS)
    names = [] if raw is None else msgspec.msgpack.decode(raw, type=list[str])
    await write(TOPICS, msgspec.msgpack.encode([RETIRED for _ in names]))
    await write(POSITIONS, None)
    count = 0
    for key, record in source.states():
        count += 1
        if copied:
            await send(Output(config.changelog, raw_key(key), _of(epoch, record), (), partition))
    if not copied:
        for name, _ in list(source.scan(OUTBOX)):
            await write(name, None)
    return count


def _of(epoch: int, record: bytes) -> bytes:
    """A state's record in an epoch; one that is damaged as it is, so that its key is still known to be."""
    header, body = read(record)
    header.epoch = epoch
    return record if body is None else pack(header, body)


def _newest(config: ChassisConfig, partition: int, left_behind: Sequence[Path]) -> Store:
    """The local store that has seen most of the changelog."""
    paths = [path_of(data, config.changelog, partition) for data in left_behind]
    found = [_store(config, path) for path in paths if path.is_dir()]
    if not found:
        raise StoreError(
            f"changelog {config.changelog}[{partition}] is empty and no directory named holds its states:"
            " name the data directories of all stopped workers"
        )
    best = max(found, key=lambda store: (store.epoch, -1 if store.offset is None else store.offset))
    for store in found:
        if store is not best:
            store.close()
    return best


def _store(config: ChassisConfig, path: Path) -> Store:
    return Store(path, cache=Cache(1 << 23), memtable_bytes=config.memtable_bytes)
