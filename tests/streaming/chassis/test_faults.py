"""Workers that are killed, refused, lied to or told nonsense: what must hold then."""

from __future__ import annotations

import os
import random
import threading

import pytest

from decisioning.streaming.broker import OFFSET_COMMIT, PRODUCE
from decisioning.streaming.chassis.store import OUTBOX
from tests.streaming.chassis.harness import Cluster, until
from tests.streaming.chassis.toy_worker import CHANGELOG, OUT, RELAY

_SEED = int(os.environ.get("KILL_SEED", random.randrange(1 << 30)))
_KILLS = int(os.environ.get("KILL_TIMES", "6"))
_EVENTS = int(os.environ.get("KILL_EVENTS", "10000"))


@pytest.mark.long
def test_kills_at_random_moments_lose_and_tear_nothing(cluster: Cluster) -> None:
    """kill -9 in a stream of events, store kept and wiped in turn: all answered, one payload an id, exact states."""
    print(f"seed {_SEED}: repeat with KILL_SEED={_SEED}")
    chance = random.Random(_SEED)

    share = _EVENTS // (_KILLS + 1)

    def feed(start: int, end: int) -> None:
        for i in range(start, end):
            event: dict[str, object] = {"id": f"e{i}"}
            if i % 31 == 7:
                event["forget"] = True
            cluster.send("ab"[i % 200 % 2], f"k{i % 200}", event)
            if i % 100 == 0:
                cluster.flush()

    for turn in range(_KILLS):
        worker = cluster.worker(commit_ms=chance.choice([50, 200, 1000]), slice_ms=chance.choice([1, 4])).ready()
        feeder = threading.Thread(target=feed, args=(share * turn, share * (turn + 1)))
        feeder.start()
        worker.pause(chance.uniform(0.02, 0.8))
        assert worker.process.poll() is None, worker.errors
        worker.kill()
        feeder.join()
        print(f"kill {turn}: {cluster.count(OUT)} outputs for {share * (turn + 1)} events")
        if turn % 2:
            cluster.wipe()
    feed(share * _KILLS, _EVENTS)
    cluster.flush()
    worker = cluster.worker().ready()
    outputs = cluster.answered(_EVENTS)
    assert worker.term() == 0, worker.errors
    print(f"{_EVENTS} events, {_KILLS} kills, {len(outputs) - _EVENTS} outputs repeated")
    cluster.check(cluster.read("a") + cluster.read("b"), outputs)


@pytest.mark.long
def test_wakes_survive_kills(cluster: Cluster) -> None:
    """Wakes due around a kill -9 change their key exactly once, and what they say has one payload."""
    for i in range(300):
        cluster.send("a", f"k{i}", {"id": f"e{i}", "wake_in": 5 * i})
    cluster.flush()
    for turn in range(3):
        worker = cluster.worker().ready()
        worker.pause(0.3)
        worker.kill()
        if turn == 1:
            cluster.wipe()
    worker = cluster.worker().ready()
    until(lambda: len({m.said["id"] for m in cluster.read(OUT) if "woken" in m.said}) == 300, what="all wakes")
    assert worker.term() == 0, worker.errors
    assert {state.wakes for _, state in cluster.states().values() if state is not None} == {1}


def test_a_refused_record_ends_the_worker(cluster: Cluster) -> None:
    """A record that the broker refuses ends the worker with code 74 and no commit (T6); a restart mends it."""
    for i in range(200):
        cluster.send("a", f"k{i % 20}", {"id": f"e{i}"})
    cluster.flush()
    cluster.fail(PRODUCE, 10, 1)  # MESSAGE_TOO_LARGE, which no retry mends
    worker = cluster.worker()
    assert worker.exit_code() == 74, worker.errors
    assert worker.errors.startswith("crash 74: Kafka did not take a record (MessageSizeTooLargeError")
    assert not [offset for offset in cluster.committed("a").values() if offset > 0]
    worker = cluster.worker().ready()
    outputs = cluster.answered(200)
    assert worker.term() == 0, worker.errors
    cluster.check(cluster.read("a"), outputs)


def test_an_error_of_the_job_ends_the_worker_before_anything_counts(cluster: Cluster) -> None:
    """An exception of the job ends the process with code 70 and names the record; it is not committed (T5)."""
    worker = cluster.worker().ready()
    cluster.send("a", "k", {"id": "e0", "explode": True})
    cluster.flush()
    assert worker.exit_code() == 70
    assert worker.errors.startswith("crash 70: RuntimeError at toy_worker.py:")
    assert "in a[" in worker.errors, "names the record by topic, partition and offset"
    assert "'k'" not in worker.errors, "names no key"
    assert not [offset for offset in cluster.committed("a").values() if offset > 0]


def test_a_store_in_use_is_said_at_once(cluster: Cluster) -> None:
    """A second worker on the same data directory ends with code 73 and says what to do (T23)."""
    cluster.worker("same", group="one").ready()
    second = cluster.worker("same", group="two")
    assert second.exit_code() == 73
    assert "is in use by another process: give each worker a data directory of its own" in second.errors


def test_a_damaged_store_heals_by_itself(cluster: Cluster) -> None:
    """Damage at the start is mended at once; where it is met later the worker ends, and its restart mends it (T19)."""
    _tell(cluster, "a", 0, 1000)
    worker = cluster.worker().ready()
    cluster.answered(1000)
    until(lambda: not _live_outbox(cluster), what="the end of the outbox, which stands before the states")
    assert worker.term() == 0, worker.errors
    stores = sorted((cluster.folder / "w").glob(f"{CHANGELOG}-*"))
    (stores[0] / "CURRENT").write_bytes(b"nonsense\n")
    for table in stores[1].glob("*.sst"):
        raw = bytearray(table.read_bytes())
        middle = slice(len(raw) // 2, len(raw) * 3 // 4)  # states; what a start reads stands before and after
        raw[middle] = bytes(len(raw[middle]))
        table.write_bytes(raw)
    _tell(cluster, "b", 1000, 2000)
    worker = cluster.worker()
    assert worker.exit_code() == 73, worker.errors
    assert f"{stores[0].name} was damaged (Corruption: CURRENT" in worker.errors
    assert f"{stores[1].name} is damaged (Corruption:" in worker.errors.splitlines()[-1]
    worker = cluster.worker().ready()
    assert f"{stores[1].name} was damaged (an earlier run found it damaged)" in worker.errors
    outputs = cluster.answered(2000)
    assert worker.term() == 0, worker.errors
    cluster.check(cluster.read("a") + cluster.read("b"), outputs)


def _tell(cluster: Cluster, topic: str, start: int, end: int) -> None:
    for i in range(start, end):
        cluster.send(topic, f"k{i % 1000}", {"id": f"e{i}"})
    cluster.flush()


def _live_outbox(cluster: Cluster) -> list[bytes]:
    last = {m.key: m.value for m in cluster.read(CHANGELOG) if m.key is not None and m.key.startswith(OUTBOX)}
    return [name for name, value in last.items() if value is not None]


def test_a_store_ahead_of_its_changelog_is_refused(cluster: Cluster) -> None:
    """A store kept from another cluster is not taken for the truth: the worker ends and says why (T33)."""
    worker = cluster.worker().ready()
    for i in range(50):
        cluster.send("a", f"k{i}", {"id": f"e{i}"})
    cluster.flush()
    cluster.answered(50)
    assert worker.term() == 0
    with Cluster(cluster.folder) as other:
        stranger = other.worker()
        assert stranger.exit_code() == 73
        assert "ahead of the end of its changelog" in stranger.errors


def test_topics_of_other_partition_counts_are_refused(cluster: Cluster) -> None:
    """A worker told the wrong number of partitions ends with code 76 and names the topic (T26)."""
    worker = cluster.worker(partitions=3)
    assert worker.exit_code() == 76
    assert "has 2 partitions instead of 3" in worker.errors


def test_a_full_outbox_forces_a_commit(cluster: Cluster) -> None:
    """With a commit interval of an hour a small outbox commits by itself, and nothing is dropped."""
    for i in range(3000):
        cluster.send("a", f"k{i % 50}", {"id": f"e{i}"})
    cluster.flush()
    worker = cluster.worker(commit_ms=3_600_000, outbox_bytes=20_000, outbox_record_bytes=4_000).ready()
    outputs = cluster.answered(3000)
    until(lambda: sum(max(0, o) for o in cluster.committed("a").values()) > 1000, what="commits")
    assert worker.term() == 0, worker.errors
    assert len(outputs) == 3000
    cluster.check(cluster.read("a"), outputs)


def test_a_job_that_never_returns_is_ended(cluster: Cluster) -> None:
    """The watchdog's thread ends a worker whose event loop stands still (T28), with code 75 and the record at hand."""
    worker = cluster.worker(stall_seconds=1.0).ready()
    cluster.send("a", "k", {"id": "e0", "hang": True})
    cluster.flush()
    assert worker.exit_code() == 75
    assert "nothing was finished for 1 s though work waits; at hand: a[" in worker.errors


def test_commits_that_never_succeed_end_the_worker(cluster: Cluster) -> None:
    """aiokafka repeats a commit for ever while the coordinator is away; the watchdog does not wait so long (T32)."""
    worker = cluster.worker(stall_seconds=1.0).ready()
    cluster.fail(OFFSET_COMMIT, 15, 1000)  # COORDINATOR_NOT_AVAILABLE
    cluster.send("a", "k", {"id": "e0"})
    cluster.flush()
    assert worker.exit_code() == 75, worker.errors
    assert worker.errors.splitlines()[-1].endswith("though work waits; at hand: committing")


def test_an_unreachable_broker_is_said_at_once(cluster: Cluster) -> None:
    """Nobody listens at the address: exit code 3, one line that names what to check."""
    worker = cluster.worker(bootstrap="127.0.0.1:1")
    assert worker.exit_code() == 3
    assert "crash 3: Kafka cannot be reached" in worker.errors


def test_the_relay_is_a_source_like_the_others(cluster: Cluster) -> None:
    """Records on the relay topic are handled like any other source."""
    worker = cluster.worker().ready()
    cluster.send(RELAY, "k", {"due": 5})
    cluster.send("a", "k", {"id": "e0"})
    cluster.flush()
    cluster.answered(1)
    until(lambda: sum(max(0, o) for o in cluster.committed(RELAY).values()) == 1, what="the commit of the relay")
    assert worker.term() == 0, worker.errors
