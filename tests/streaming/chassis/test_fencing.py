"""No stale writer wins (T15), as far as a broker without sessions can tell; tests/kafka shows pauses and cuts."""

from __future__ import annotations

from decisioning.streaming.chassis.epoch import TAKEOVER, epoch_of
from decisioning.streaming.chassis.header import Header, pack, unpack
from decisioning.streaming.chassis.store import user_key
from decisioning.streaming.chassis.watchdog import FENCED
from tests.streaming.chassis.harness import Cluster, until
from tests.streaming.chassis.toy_worker import CHANGELOG, OUT


def test_a_superseded_worker_stops_before_it_speaks(cluster: Cluster) -> None:
    """Once another has taken over its lanes, its next write ends it, with a line that says why; a restart goes on."""
    worker = cluster.worker().ready()
    for i in range(50):
        cluster.send("a", f"k{i % 5}", {"id": f"e{i}"})
    cluster.flush()
    cluster.answered(50)
    for number in range(cluster.partitions):
        cluster.send(CHANGELOG, TAKEOVER.decode(), b"another worker", partition=number)
    cluster.flush()
    said = cluster.count(OUT)
    for i in range(50, 100):
        cluster.send("a", f"k{i % 5}", {"id": f"e{i}"})
    cluster.flush()
    assert worker.exit_code() == FENCED, worker.errors
    assert "has another owner since changelog offset" in worker.errors
    assert cluster.count(OUT) == said, "not a word after it was superseded"
    worker = cluster.worker().ready()
    outputs = cluster.answered(100)
    assert worker.term() == 0, worker.errors
    cluster.check(cluster.read("a"), outputs)


def test_an_idle_worker_notices_too(cluster: Cluster) -> None:
    """Heartbeats of a lane that has nothing to do find the successor."""
    worker = cluster.worker(beat_ms=100).ready()
    cluster.send(CHANGELOG, TAKEOVER.decode(), b"another worker", partition=1)
    cluster.flush()
    assert worker.exit_code() == FENCED, worker.errors


def test_a_stale_writers_record_is_written_over(cluster: Cluster) -> None:
    """A late record of an earlier owner: the owner goes on, puts its own after it, and a rebuilt store is right."""
    first = cluster.worker().ready()
    for i in range(40):
        cluster.send("a", f"k{i % 4}", {"id": f"e{i}"})
    cluster.flush()
    cluster.answered(40)
    [stale] = [m for m in cluster.read(CHANGELOG) if m.key == b"k1"][:1]
    assert first.term() == 0, first.errors
    second = cluster.worker(beat_ms=200).ready()
    cluster.send(CHANGELOG, "k1", stale.value, partition=stale.partition)
    cluster.send(CHANGELOG, "ghost", pack(Header(epoch=1, forgotten=False), b'{"count":9}'), partition=stale.partition)
    cluster.flush()

    def written_over() -> bool:
        last = {m.key: m for m in cluster.read(CHANGELOG)}
        ours = last[b"k1"].value
        return last[b"ghost"].value is None and ours is not None and unpack(ours)[0].epoch > 1

    until(written_over, what="our own record after the stale one")
    outputs = cluster.answered(40)
    assert second.term() == 0, second.errors
    kept = {m.key: m for m in cluster.read(CHANGELOG) if user_key(m.key or b"") is not None}
    assert {epoch_of(m, 0) for m in kept.values() if m.key == b"k1"} != {epoch_of(stale, 0)}
    cluster.check(cluster.read("a"), outputs)
    cluster.wipe()
    third = cluster.worker().ready()
    assert third.term() == 0, third.errors
    cluster.check(cluster.read("a"), outputs)
