"""Whole workers on the embedded broker: backlogs, restarts, order, wakes, a second worker, an orderly end."""

from __future__ import annotations

import gc
import time

import pytest

from decisioning.streaming.chassis.transport import calm_collector
from tests.streaming.chassis.harness import Cluster, until
from tests.streaming.chassis.toy_worker import CHANGELOG, DEAD, OUT


def fill(cluster: Cluster, start: int, count: int, keys: int = 40) -> None:
    """Events ``e<start>`` and following; a key is always on the same topic, so that its order is known."""
    for i in range(start, start + count):
        cluster.send("ab"[i % keys % 2], f"k{i % keys}", {"id": f"e{i}"})
    cluster.flush()


def verify(cluster: Cluster, count: int) -> int:
    """Check everything against a sequential run; how many outputs were repeated."""
    outputs = cluster.answered(count)
    return len(outputs) - count


def finish(cluster: Cluster) -> None:
    """Compare inputs, outputs, store and changelog of a worker that has ended in good order."""
    cluster.check(cluster.read("a") + cluster.read("b"), cluster.read(OUT))


def test_every_record_is_answered_once(cluster: Cluster) -> None:
    """A worker without faults answers each record exactly once, commits all of them and leaves no outbox behind."""
    worker = cluster.worker().ready()
    fill(cluster, 0, 400)
    assert verify(cluster, 400) == 0
    until(lambda: sum(o for o in cluster.committed("a").values() if o > 0) == 200, what="the commit")
    assert worker.term() == 0, worker.errors
    finish(cluster)


def test_a_first_start_takes_the_whole_backlog(cluster: Cluster) -> None:
    """Without any committed offset a worker begins at the start of the log (T2)."""
    fill(cluster, 0, 3000)
    worker = cluster.worker().ready()
    assert verify(cluster, 3000) == 0
    assert worker.term() == 0, worker.errors
    finish(cluster)


def test_a_restart_with_a_wiped_store_loses_nothing(cluster: Cluster) -> None:
    """With a changelog to restore and a backlog waiting nothing is skipped (T1), and nothing said twice."""
    fill(cluster, 0, 1500)
    assert cluster.worker().ready().term() == 0
    for turn in (1, 2):
        fill(cluster, 1500 * turn, 1500)
        cluster.wipe()
        worker = cluster.worker().ready()
        verify(cluster, 1500 * (turn + 1))
        assert worker.term() == 0, worker.errors
    assert verify(cluster, 4500) == 0
    finish(cluster)


def test_a_restart_with_its_store_goes_on_where_it_stopped(cluster: Cluster) -> None:
    """SIGTERM in the middle of a backlog loses nothing and repeats nothing after the restart."""
    fill(cluster, 0, 4000)
    first = cluster.worker().ready()
    assert first.term() == 0, first.errors
    done = cluster.count(OUT)
    second = cluster.worker().ready()
    assert verify(cluster, 4000) == 0, f"{done} were done at the SIGTERM"
    assert second.term() == 0, second.errors
    finish(cluster)


def test_two_topics_are_handled_in_the_order_of_their_timestamps(cluster: Cluster) -> None:
    """From a backlog, records of one key on two topics are merged by timestamp; at a tie the first topic goes first."""
    base = int(time.time() * 1000) - 3_600_000
    order = []
    for i in range(1200):
        topic = "b" if i % 7 in (0, 3, 4) else "a"
        at = base + i * 10
        order.append((at, topic, f"e{i}"))
        cluster.send(topic, "k", {"id": f"e{i}"}, at=at)
    for topic in ("b", "a"):
        cluster.send(topic, "k", {"id": f"tie-{topic}"}, at=base + 99_999)
    cluster.flush()
    worker = cluster.worker(idle_wait_ms=20_000).ready()  # patience that no busy machine exceeds: order is asked here
    said = [m.said["id"] for m in cluster.answered(1202)]
    assert said == [number for _, _, number in order] + ["tie-a", "tie-b"]
    assert worker.term() == 0, worker.errors


def test_rubbish_reaches_the_job_and_stalls_nothing(cluster: Cluster) -> None:
    """What no decoder would take becomes one dead letter each, with its bytes, between good records that go through."""
    rubbish = [b"", b"\xff\xfe", b"{", b"null", b"[]", b'"text"', None, b"\0" * 900_000, b"[" * 5000]
    worker = cluster.worker().ready()
    for i, value in enumerate(rubbish):
        cluster.send("a", "k", value)
        cluster.send("a", "k", {"id": f"e{i}"})
    cluster.send("a", None, {"id": "no key"})
    cluster.flush()
    cluster.answered(len(rubbish))
    dead = until(lambda: cluster.count(DEAD) == len(rubbish) + 1 and cluster.read(DEAD), what="the dead letters")
    assert sorted(m.value or b"" for m in dead if m.key) == sorted(value or b"" for value in rubbish)
    assert len({m.headers for m in dead}) == len(rubbish) + 1
    assert worker.term() == 0, worker.errors


def test_wakes_fire_once_over_a_restart(cluster: Cluster) -> None:
    """Wakes due while no worker runs fire once each after the restart, also when the store is gone; and none twice."""
    keys = [f"k{i}" for i in range(60)]
    first = cluster.worker().ready()
    for key in keys:
        cluster.send("a", key, {"id": f"sleep-{key}", "wake_in": 2500 if key < "k3" else 50})
    cluster.flush()
    cluster.answered(60)
    assert first.term() == 0, first.errors
    cluster.wipe()
    second = cluster.worker().ready()
    until(lambda: cluster.count(OUT) >= 120, what="all wakes")
    for key in keys:
        cluster.send("a", key, {"id": f"after-{key}"})
    cluster.flush()
    outputs = cluster.answered(120)
    assert second.term() == 0, second.errors
    woken = [m.said["id"] for m in outputs if "woken" in m.said]
    assert len(woken) == len(set(woken)) == 60
    states = [state for _, state in cluster.states().values() if state is not None]
    assert {(state.wakes, state.wake_at) for state in states} == {(1, None)}
    assert len(states) == 60


def test_a_forgotten_key_leaves_nothing_behind(cluster: Cluster) -> None:
    """A key without a state is a tombstone in the changelog and gone from the store, once its record is committed."""
    worker = cluster.worker().ready()
    for i in range(20):
        cluster.send("a", f"k{i}", {"id": f"e{i}"})
        cluster.send("a", f"k{i}", {"id": f"f{i}", "forget": i % 2 == 0})
        cluster.send("a", f"quiet{i}", {"id": f"q{i}", "silent": True})
    cluster.flush()
    cluster.answered(40)

    def last() -> bool:
        ends: dict[bytes, bytes | None] = {m.key or b"": m.value for m in cluster.read(CHANGELOG)}
        return not [
            key
            for key, value in ends.items()
            if value is not None and not key.startswith((b"k", b"\0t", b"\0e", b"\0p"))
        ]

    until(last, what="the tombstones of outbox records and marks")
    assert worker.term() == 0, worker.errors
    states = cluster.states()
    assert sorted(states) == sorted(f"k{i}".encode() for i in range(1, 20, 2))


def test_a_sigterm_while_starting_is_an_orderly_end(cluster: Cluster) -> None:
    """At whatever moment of its start, also before it has joined the group."""
    for seconds in (1.0, 1.2, 1.4):
        worker = cluster.worker()
        worker.pause(seconds)
        assert worker.term() in (0, -15), worker.errors  # -15: before Python has its handler


def test_progress_says_what_is_assigned_restored_and_left(cluster: Cluster) -> None:
    """All lanes, their lag by topic partition, and how old the last commit is: what a readiness check asks."""
    worker = cluster.worker().ready()
    fill(cluster, 0, 100)
    cluster.answered(100)
    found = until(lambda: (p := worker.progress()) and not sum(p.lag.values()) and p, what="no lag")
    assert (found.assigned, found.restored) == ((0, 1), True)
    assert sorted(found.lag) == [(topic, lane) for topic in ("a", "b", "relay") for lane in (0, 1)]
    assert found.commit_age < 5
    assert worker.term() == 0, worker.errors


@pytest.mark.parametrize("standbys", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_second_worker_joins_and_leaves(cluster: Cluster, standbys: int) -> None:
    """Two workers share the lanes while records flow; one leaves, and nothing is lost, torn or out of step.

    With standbys each also keeps the other's stores warm, and goes on from there (T45).
    """
    # The mock broker gives members a second less than their session to join again, then goes on without them.
    first = cluster.worker("w", restarts=30, session_ms=5000, standbys=standbys).ready()
    fill(cluster, 0, 600)
    cluster.answered(600)
    second = cluster.worker("x", restarts=30, session_ms=5000, standbys=standbys).ready(60)
    fill(cluster, 600, 1200)
    cluster.answered(1800)
    second.leave()
    fill(cluster, 1800, 600)
    cluster.answered(2400)
    first.leave()
    finish(cluster)


def test_the_collector_lets_what_stays_in_peace() -> None:
    """What is there when a worker begins is never looked at again, and what is young seldom."""
    before = gc.get_threshold()
    try:
        calm_collector()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
