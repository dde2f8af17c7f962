"""Faust's table, reduced to what it is good for: knowing which changelog partitions are ours and reading them.

A `Partitions` is the store behind the one table: a RocksDB a partition (`store.Store`), opened when its changelog
partition is assigned, closed when it is taken away. States are not read or written through the table: the lanes do
that.

Replaced in Faust 0.15.3: `faust.tables.table.Table._new_store` (our store),
`faust.tables.manager.TableManager.on_start` (it sleeps 1 s before every start) and `.recovery` (our `Recovery`),
`faust.serializers.schemas.Schema.compile` (a batch is not decoded).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import faust
from faust.serializers.schemas import Schema
from faust.stores.base import Store as FaustStore
from faust.tables.manager import TableManager as FaustTableManager
from faust.types import TP
from rocksdict import Cache

from decisioning.streaming.chassis import damage
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.recovery import Recovery
from decisioning.streaming.chassis.store import Store, StoreError, path_of
from decisioning.streaming.chassis.watchdog import crash, explain, say

__all__ = ["BatchSchema", "Partitions", "Table", "TableManager"]


class BatchSchema(Schema):  # type: ignore[misc]  # Faust is untyped here
    """A schema that decodes nothing: the value of a message is the list of its records."""

    def compile(self, app: Any, **options: Any) -> Callable[..., Any]:
        """The function that turns a message into an event as it is."""
        create = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create(message.key, message.value, message.headers, message)

        return decode


class Partitions(FaustStore):  # type: ignore[misc]  # Faust is untyped here
    """The local stores of the partitions that are assigned, active or standby."""

    def __init__(self, url: Any, app: Any, table: Any, **options: Any) -> None:
        super().__init__(url, app, table, **options)
        self._config: ChassisConfig = app.chassis
        self._cache = Cache(self._config.cache_bytes)
        self._open: dict[int, Store] = {}
        self._written: set[int] = set()
        """Partitions whose store a lane writes: the changelog has nothing to tell them."""

    def store(self, partition: int) -> Store:
        """The local store of `partition`, opened if it is not yet; ends the process where it cannot be.

        A damaged one is set aside and begun anew (T19).
        """
        store = self._open.get(partition)
        if store is None:
            path = path_of(self._config.data, self._config.changelog, partition)
            try:
                store = damage.opened(path, self._make, lambda line: self._tell(partition, line))
            except Exception as error:
                crash(*explain(error, f"opening {path}"))
            self._open[partition] = store
        return store

    def _make(self, path: Path) -> Store:
        return Store(path, cache=self._cache, memtable_bytes=self._config.memtable_bytes)

    def _tell(self, partition: int, line: str) -> None:
        say(line)
        self.app.observer.set_aside(partition)

    def keys(self, partitions: Iterable[int]) -> int:
        """Keys in the stores of these partitions, as RocksDB estimates them; none in one that is closed."""
        return sum(self._open[number].footprint().keys for number in partitions if number in self._open)

    def size(self) -> int:
        """Bytes of all local stores that are open, those of standbys too."""
        return sum(store.footprint().bytes for store in self._open.values())

    def persisted_offset(self, tp: TP) -> int | None:
        """Last changelog offset that the local store of `tp` holds."""
        return self.store(tp.partition).offset

    def hand_over(self, partitions: Iterable[int]) -> None:
        """From now on these stores are written by their lanes, all others (standbys) from the changelog."""
        self._written = set(partitions)

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Nothing: a store's offset is written with its data or not at all."""

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """Apply fetched batches of changelog records; an error ends the process (T33: Faust only warns)."""
        try:
            for event in batch:
                message = event.message
                if message.partition in self._written:
                    continue
                count = self.store(message.partition).restore(message.value)
                self.app.restored_records += count
                self.app.observer.restored(message.partition, count)
        except Exception as error:
            crash(*explain(error, "restoring from the changelog"))

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Close the stores of partitions that are no longer ours; until lanes open, the changelog writes the others."""
        self._written.clear()
        ours = {tp.partition for tp in assigned if tp.topic == self._config.changelog}
        for partition in [number for number in self._open if number not in ours]:
            self._open.pop(partition).close()

    async def backup_partition(self, tp: TP | int, *args: Any, **options: Any) -> None:
        """Refused: the changelog is the backup of every store."""
        raise StoreError("local stores are not backed up: their changelog is the backup")

    def restore_backup(self, tp: TP | int, *args: Any, **options: Any) -> None:
        """Refused: a removed store is restored from the changelog."""
        raise StoreError("local stores are not restored from backups: remove the store, its changelog restores it")

    def reset_state(self) -> None:
        """Nothing: a store is reset by removing its directory while no worker runs."""

    async def on_stop(self) -> None:
        """Release all directories."""
        while self._open:
            self._open.popitem()[1].close()


class Table(faust.Table):  # type: ignore[misc]  # Faust is untyped here
    """A table whose store is `Partitions` and whose changelog bears the name that it was given."""

    def _new_store(self) -> Partitions:
        return Partitions("memory://", self.app, self, table_name=self.name, loop=self.loop)

    def _changelog_topic_name(self) -> str:
        name: str = self.app.chassis.changelog
        return name


class TableManager(FaustTableManager):  # type: ignore[misc]  # Faust is untyped here
    """Faust's table manager with our recovery, and without its second of sleep at every start."""

    async def on_start(self) -> None:
        """Register the changelog and begin to recover."""
        await self._update_channels()
        await self.recovery.start()

    _recovery: Recovery | None = None

    @property
    def recovery(self) -> Recovery:
        """The one that knows the right order."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
