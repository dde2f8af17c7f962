"""The table's store: opened when asked for, closed when taken away, restored in whole batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.observer import Silent
from decisioning.streaming.chassis.store import StoreError
from decisioning.streaming.chassis.table import BatchSchema, Partitions
from decisioning.streaming.chassis.transport import App, build
from tests.streaming.chassis.harness import Message
from tests.streaming.chassis.toy_worker import CHANGELOG, Toy, config


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """An app that is not started."""
    app = build(Toy(), config(bootstrap="127.0.0.1:1", data=tmp_path))
    yield app
    await app.states.data.on_stop()


def batch(partition: int, *offsets: int) -> Any:
    """A fetched batch of changelog records as Faust's recovery hands it on."""
    records = [Message(CHANGELOG, partition, n, key=b"k%d" % n, value=pack(Header(), b"{}")) for n in offsets]
    return SimpleNamespace(message=SimpleNamespace(partition=partition, value=records))


async def test_a_batch_is_restored_at_once(app: App) -> None:
    """All records of a batch, their offset with them; the app counts them for its watchdog."""
    store: Partitions = app.states.data
    assert store.persisted_offset(TP(CHANGELOG, 0)) is None
    app.states.apply_changelog_batch([batch(0, 3, 4), batch(1, 0)])
    assert store.persisted_offset(TP(CHANGELOG, 0)) == 4
    assert store.persisted_offset(TP(CHANGELOG, 1)) == 0
    assert app.restored_records == 3


async def test_a_store_in_its_lanes_hands_takes_nothing_from_the_changelog(app: App) -> None:
    """What is still on its way when the lanes open would bring back older states."""
    store: Partitions = app.states.data
    store.hand_over([0])
    app.states.apply_changelog_batch([batch(0, 3), batch(1, 0)])
    assert store.persisted_offset(TP(CHANGELOG, 0)) is None
    assert store.persisted_offset(TP(CHANGELOG, 1)) == 0


async def test_a_store_that_is_taken_away_is_closed(app: App, tmp_path: Path) -> None:
    """Another worker may open it at once (T23); those that stay stay open."""
    store: Partitions = app.states.data
    first, second = store.store(0), store.store(1)
    await store.on_rebalance({TP(CHANGELOG, 1), TP("a", 0)}, set(), set())
    assert store.store(1) is second
    assert store.store(0) is not first


async def test_the_changelog_bears_the_given_name_and_is_not_decoded(app: App) -> None:
    """Faust would name it after app and table, and decode what is a list of records."""
    assert app.states.changelog_topic_name == CHANGELOG
    message = SimpleNamespace(key=None, value=[1], headers=[])
    event = await BatchSchema().compile(app)(message)
    assert event.value == [1]


async def test_backups_are_refused(app: App) -> None:
    """Faust's hooks for backups say what serves in their place."""
    store: Partitions = app.states.data
    with pytest.raises(StoreError, match="changelog"):
        await store.backup_partition(0)
    with pytest.raises(StoreError, match="changelog"):
        store.restore_backup(0)


async def test_a_damaged_store_is_begun_anew_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, one count, and the partition is restored from nothing (T19)."""
    watch = Watch()
    app = build(Toy(), config(bootstrap="127.0.0.1:1", data=tmp_path), watch)
    app.states.apply_changelog_batch([batch(3, 7)])
    await app.states.data.on_stop()
    (tmp_path / f"{CHANGELOG}-3" / "CURRENT").write_bytes(b"nonsense\n")
    assert app.states.data.persisted_offset(TP(CHANGELOG, 3)) is None
    assert watch.partitions == [3]
    assert f"{CHANGELOG}-3 was damaged" in capsys.readouterr().err
    await app.states.data.on_stop()


class Watch(Silent):
    """Notes which stores were set aside."""

    def __init__(self) -> None:
        self.partitions: list[int] = []

    def set_aside(self, partition: int) -> None:
        """Note it."""
        self.partitions.append(partition)
