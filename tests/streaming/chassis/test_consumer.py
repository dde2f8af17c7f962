"""The consumer's own account: where to start, what is finished, what is committed."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from faust.types import TP

from decisioning.streaming.chassis.transport import App, build
from tests.streaming.chassis.harness import Cluster, until
from tests.streaming.chassis.toy_worker import Toy, config


def app_of(tmp_path: Path) -> App:
    """An app that is not started."""
    return build(Toy(), config(bootstrap="127.0.0.1:1", data=tmp_path))


async def test_only_what_is_finished_is_committed(tmp_path: Path) -> None:
    """Each topic partition up to its highest finished record, once; and lanes are told only what Kafka took."""
    app = app_of(tmp_path)
    consumer: Any = app.consumer
    sent: list[dict[TP, int]] = []
    told: list[dict[TP, int]] = []
    taken = True

    async def commit(offsets: dict[TP, int]) -> bool:
        sent.append(dict(offsets))
        return taken

    consumer._commit = commit
    app.slicer.committed = told.append  # type: ignore[method-assign,assignment]
    assert not await consumer.commit()
    consumer.finished("a", 0, 5)
    consumer.finished("a", 0, 7)
    consumer.finished("b", 1, 2)
    taken = False
    assert not await consumer.commit()
    assert told == []
    taken = True
    assert await consumer.commit()
    assert not await consumer.commit()
    consumer.finished("b", 1, 3)
    assert await consumer.commit()
    first = {TP("a", 0): 7, TP("b", 1): 2}
    assert sent == [first, first, {TP("b", 1): 3}]
    assert told == [first, {TP("b", 1): 3}]


async def test_the_consumer_lives_in_the_loop_of_all_else(tmp_path: Path) -> None:
    """It is called as any other function, and its end cancels nobody else's work."""
    thread: Any = app_of(tmp_path).consumer._thread
    assert thread.thread_loop is thread.parent_loop is asyncio.get_running_loop()
    here = asyncio.current_task()

    async def which() -> Any:
        return asyncio.current_task(), threading.current_thread()

    assert await thread.call_thread(which) == (here, threading.current_thread())
    assert await thread.call_thread(lambda: 7) == 7, "Faust hands it functions that are no coroutines, too"
    other = asyncio.ensure_future(asyncio.sleep(60))
    await thread._gather_remaining_tasks()
    assert not other.done()
    other.cancel()


async def test_an_ack_of_faust_commits_nothing(tmp_path: Path) -> None:
    """That a message went through its stream says nothing about its records."""
    consumer: Any = app_of(tmp_path).consumer
    assert consumer.ack(object())
    assert consumer._finished == {}


async def test_what_is_finished_is_committed_before_the_partitions_go(tmp_path: Path) -> None:
    """At a revoke: finish, commit, close the lanes, and only then Faust's own steps (T11).

    The embedded broker refuses commits while a group rebalances, so whole workers cannot show it there.
    """
    app = app_of(tmp_path)
    consumer: Any = app.consumer
    steps: list[str] = []

    async def drain() -> None:
        steps.append("drain")

    async def commit(offsets: dict[TP, int]) -> bool:
        steps.append(f"commit {offsets[TP('a', 0)]}")
        return True

    async def revoked(partitions: set[TP]) -> None:
        steps.append("faust")

    app.slicer.drain = drain  # type: ignore[method-assign]
    app.slicer.close = lambda: steps.append("close")  # type: ignore[method-assign]
    consumer._commit = commit
    consumer._on_partitions_revoked = revoked
    consumer.finished("a", 0, 9)
    await consumer.on_partitions_revoked({TP("a", 0)})
    assert steps == ["drain", "commit 9", "close", "faust"]
    assert not consumer.flow_active
    assert not consumer.uncommitted


def test_the_start_is_the_commit_or_the_start_of_the_log(cluster: Cluster) -> None:
    """Partitions with a commit go on there, those without begin at the start, in one assignment (T2)."""
    for _ in range(100):
        cluster.send("a", None, b"first", partition=0)
    cluster.flush()
    worker = cluster.worker().ready()
    until(lambda: cluster.committed("a")[0] == 100, what="the commit of the first partition")
    assert worker.term() == 0, worker.errors
    assert cluster.committed("a")[1] < 0, "the other partition had nothing to commit"
    for partition in (0, 1):
        for i in range(50):
            cluster.send("a", None, b"second %d" % i, partition=partition)
    cluster.flush()
    worker = cluster.worker().ready()
    until(lambda: cluster.count("dead") >= 200, what="all dead letters")
    assert worker.term() == 0, worker.errors
    assert cluster.count("dead") == 200
    assert cluster.committed("a") == {0: 150, 1: 50}


def test_a_partition_that_is_full_does_not_starve_the_others(cluster: Cluster) -> None:
    """With room for few unfinished records, long backlogs of several partitions are worked off all the same."""
    for i in range(3000):
        cluster.send("a" if i % 3 else "b", f"k{i % 50}", {"id": f"e{i}"})
    cluster.flush()
    worker = cluster.worker(unfinished=20, slice_ms=1).ready()
    assert len(cluster.answered(3000)) == 3000
    assert worker.term() == 0, worker.errors
