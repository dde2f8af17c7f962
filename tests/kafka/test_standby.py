"""Warm workers and named ones, on a real Kafka: a takeover reads next to nothing, a restart moves nothing."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from decisioning.streaming.chassis.epoch import TAKEOVER
from tests.kafka.cluster import RealKafka
from tests.streaming.history import history, products
from tests.streaming.live import Live, WorkerProcess, until

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SESSION_MS = 6000


def lanes(worker: WorkerProcess) -> float:
    """How many lanes a worker has."""
    return worker.metric("decisioning_lanes")


def restored(worker: WorkerProcess) -> float:
    """Changelog records that a worker has applied to its local stores."""
    return worker.metric("decisioning_restored_records_total")


def test_a_warm_worker_takes_over_without_reading_the_changelog_anew(tmp_path: Path) -> None:
    """kill -9: within the session timeout plus 5 s the other has all lanes, and has read only what it lacked (T45)."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        facts = list(history(21, 900, 150, live.partitions))
        live.tell(products())
        first = live.worker("w", session_timeout_ms=SESSION_MS, standbys=1).ready()
        second = live.worker("x", session_timeout_ms=SESSION_MS, standbys=1).ready()
        until(lambda: lanes(first) == lanes(second) == live.partitions / 2, what="an even share")
        live.tell(facts[:600])
        live.settle()
        theirs = len([m for m in live.read("state-changelog") if m.key is not None])
        # Its own lanes' records it wrote itself; the others' it has read as they came.
        until(lambda: restored(second) > theirs / 4, what="the warm copies")
        before = restored(second)
        first.kill()
        killed = time.monotonic()
        until(lambda: lanes(second) == live.partitions, SESSION_MS / 1000 + 20, "the takeover")
        took = time.monotonic() - killed
        live.tell(facts[600:])
        live.settle()
        print(f"{theirs} changelog records; taken over {took:.1f} s after the kill, {restored(second) - before:g} read")
        assert took < SESSION_MS / 1000 + 5
        assert restored(second) - before < theirs / 10
        assert second.term() == 0, second.output
        report = live.verified("x")
        assert not report.problems(), report.problems()


def has_its_own(worker: WorkerProcess, live: Live) -> None:
    """Wait until a worker has half of the lanes again."""
    until(lambda: lanes(worker) == live.partitions / 2, what="its lanes again")


def takeovers(live: Live) -> Counter[int]:
    """How often each lane got an owner."""
    return Counter(m.partition for m in live.read("state-changelog") if m.key == TAKEOVER)


def test_a_rolling_restart_of_named_workers_moves_nothing(tmp_path: Path) -> None:
    """Only the restarted one's own lanes are opened anew, and nothing is restored from the beginning."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        facts = list(history(22, 600, 100, live.partitions))
        live.tell(products())
        running = {
            name: live.worker(name, instance=name, session_timeout_ms=SESSION_MS, standbys=1).ready()
            for name in ("w", "x")
        }
        until(lambda: {lanes(worker) for worker in running.values()} == {live.partitions / 2}, what="an even share")
        live.tell(facts[:300])
        live.settle()
        owned = takeovers(live)
        for turn, name in enumerate(running, 1):
            other = next(worker for key, worker in running.items() if key != name)
            assert running[name].term() == 0, running[name].output
            running[name] = live.worker(name, instance=name, session_timeout_ms=SESSION_MS, standbys=1).ready()
            has_its_own(running[name], live)
            assert lanes(other) == live.partitions / 2
            assert takeovers(live).total() == owned.total() + turn * live.partitions // 2
        live.tell(facts[300:])
        live.settle()
        moved = takeovers(live) - owned
        assert set(moved.values()) == {1}, "each lane was opened again once, by its own worker"
        assert [worker.term() for worker in running.values()] == [0, 0]
