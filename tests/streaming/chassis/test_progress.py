"""How far a worker is, asked before it starts, and of its stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from decisioning.streaming.chassis.lane import Lane
from decisioning.streaming.chassis.progress import Progress, progress_of
from decisioning.streaming.chassis.store import raw_key
from decisioning.streaming.chassis.transport import App, build
from tests.streaming.chassis.toy_worker import Toy, config


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """An app that is not started."""
    app = build(Toy(), config(bootstrap="127.0.0.1:1", data=tmp_path))
    yield app
    await app.states.data.on_stop()


async def test_before_the_start_nothing_is_assigned_and_nothing_restored(app: App) -> None:
    """A readiness check may ask at any time; asking starts nothing of Faust."""
    assert progress_of(app, restored=False) == app.progress
    assert app.progress == Progress((), False, {}, 0.0, finished=app.slicer.last_finished)
    assert app.tables._recovery is None


async def test_open_lanes_count_their_keys_and_all_stores_their_bytes(app: App) -> None:
    """A standby's keys are another worker's to count, its bytes are on our disk."""
    stores = [app.states.data.store(number) for number in (0, 1)]
    for store in stores:
        batch = store.batch()
        for number in range(50):
            batch.put(raw_key(b"k%d" % number), bytes(100))
        store.write(batch, 50)
    starts = [(0, 3) for _ in app.chassis.topics]
    app.slicer.open([Lane(0, stores[0], Toy(), app.chassis, starts)])
    progress = app.progress
    assert progress.assigned == (0,)
    assert sum(progress.lag.values()) == 3 * len(app.chassis.topics)
    assert progress.keys == stores[0].footprint().keys >= 50
    assert progress.size == sum(store.footprint().bytes for store in stores)
