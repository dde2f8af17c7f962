"""No stale writer wins (T15): workers that are paused, or cut off one way, and replaced meanwhile, on a real Kafka.

Compaction is the judge that cannot be asked twice: what it keeps of a customer must be the rightful owner's.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from decisioning.streaming.chassis.epoch import epoch_of
from decisioning.streaming.chassis.store import user_key
from decisioning.streaming.chassis.watchdog import FENCED, GROUP, SEND, STALL
from tests.kafka.cluster import RealKafka
from tests.streaming.history import Fact, history, products
from tests.streaming.live import Live, WorkerProcess, until

pytestmark = [pytest.mark.kafka, pytest.mark.long]

_ROUNDS = 6
_SHARE = 500
_GIVES_UP = {FENCED, GROUP, SEND, STALL}
"""How a worker ends that lost its lanes: superseded, out of the group, unheard, or standing still."""


def telling(live: Live, facts: Sequence[Fact]) -> threading.Thread:
    """Publish a history bit by bit, so that a worker is always in the midst of it."""

    pause = threading.Event()

    def tell() -> None:
        for start in range(0, len(facts), 20):
            live.tell(facts[start : start + 20])
            pause.wait(0.02)

    thread = threading.Thread(target=tell)
    thread.start()
    return thread


def takes_over(live: Live, worker: WorkerProcess) -> None:
    """Wait until one worker owns everything."""
    until(lambda: worker.metric("decisioning_lanes") == live.partitions, what="all lanes at the successor")


def seeded() -> random.Random:
    """Chance, and the seed said aloud."""
    seed = int(os.environ.get("FENCE_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed} (FENCE_SEED={seed} draws the same)")
    return random.Random(seed)


def test_a_paused_worker_that_comes_back_changes_nothing(tmp_path: Path) -> None:
    """SIGSTOP in the midst of work, for longer than the session; a successor; SIGCONT: no stale state wins."""
    chance = seeded()
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        live.tell(products())
        facts = list(history(chance.randrange(1000), _ROUNDS * _SHARE, 200, live.partitions))
        paused, ends = live.worker("w").ready(), []
        for turn in range(_ROUNDS):
            part = facts[turn * _SHARE : (turn + 1) * _SHARE]
            told = telling(live, part)
            paused.run_for(chance.uniform(0.1, 0.5))
            paused.process.send_signal(signal.SIGSTOP)
            successor = live.worker("wx"[(turn + 1) % 2]).ready()
            takes_over(live, successor)
            told.join()
            paused.process.send_signal(signal.SIGCONT)
            # It ends, or it has nothing on its way and joins again as a newcomer: then it is asked to go.
            ends.append(paused.term(30) if paused.run_for(3) else paused.process.returncode)
            paused = successor
        live.settle()
        assert set(ends) <= {0, *_GIVES_UP}, ends
        assert paused.term() == 0, paused.output
        report = live.verified("wx"[_ROUNDS % 2])
        print(f"{_ROUNDS} pauses, ends {ends}, {report.intruders} stale records, {report.repeats} repeats")
        assert not report.problems(), "\n".join(report.problems()[:20])


def test_what_a_cut_off_worker_sent_late_is_written_over_before_compaction(tmp_path: Path) -> None:
    """Its requests are held up on their way and land after its successor's: dropped, written over, compacted right."""
    chance = seeded()
    with RealKafka(tmp_path / "kafka", routes=("a", "b")) as kafka, Live(tmp_path, on=kafka) as live:
        live.tell(products())
        facts = list(history(chance.randrange(1000), _ROUNDS * _SHARE, 200, live.partitions))
        route, name, ends = kafka.routes["a"], "w", []
        cut = live.worker(name, kafka=route.address).ready()
        for turn in range(_ROUNDS):
            told = telling(live, facts[turn * _SHARE : (turn + 1) * _SHARE])
            cut.run_for(chance.uniform(0.1, 0.5))
            route.cut("requests")
            other, successors_route = "wx"[(turn + 1) % 2], kafka.routes["ab"[(turn + 1) % 2]]
            successor = live.worker(other, kafka=successors_route.address).ready()
            takes_over(live, successor)
            told.join()
            route.heal()
            ends.append(cut.term(30) if cut.run_for(5) else cut.process.returncode)
            cut, route, name = successor, successors_route, other
        live.settle()
        until(lambda: not owed(live), 30, "our own record after each stale one")
        assert set(ends) <= {0, *_GIVES_UP}, ends
        assert cut.term() == 0, cut.output
        report = live.verified(name)
        print(f"{_ROUNDS} cuts, ends {ends}, {report.intruders} stale records, {report.repeats} repeats")
        assert not report.problems(), "\n".join(report.problems()[:20])
        assert report.intruders > 0, "nothing of what was cut off arrived late: the test has shown nothing"
        compacted_right(kafka, live, name)


def owed(live: Live) -> set[bytes]:
    """Names whose last changelog record is a stale writer's."""
    last: dict[tuple[int, bytes], bool] = {}
    epochs: dict[int, int] = {}
    for record in live.read("state-changelog"):
        epoch = epoch_of(record, 0)
        newest = epochs[record.partition] = max(epoch, epochs.get(record.partition, 0))
        if user_key(record.key or b"") is not None:
            last[record.partition, record.key or b""] = epoch < newest
    return {name for (_, name), stale in last.items() if stale}


def compacted_right(kafka: RealKafka, live: Live, name: str) -> None:
    """Have the changelog compacted, and a worker rebuilt from it that holds what the last one held."""
    before = live.stored(name)
    kafka.alter_topic(
        "state-changelog", segment_ms=100, min_compaction_lag_ms=0, max_compaction_lag_ms=100,
        min_cleanable_dirty_ratio=0.001,
    )  # fmt: skip
    whole = len(live.read("state-changelog"))

    def compacted() -> bool:
        kept = remaining(live)
        return len(kept) < whole / 2 and not stale_among(kept)

    rolling = live.worker("roll").ready()  # its takeover begins a new segment, and so frees the one before
    until(compacted, 60, "compaction")
    assert rolling.term() == 0, rolling.output
    rebuilt = live.worker("rebuilt").ready()
    assert rebuilt.term() == 0, rebuilt.output
    after = live.stored("rebuilt")
    assert {n: set(states) for n, states in after.items()} == {n: set(states) for n, states in before.items()}
    assert after == before


def remaining(live: Live) -> list[tuple[int, int, bytes, int]]:
    """What the changelog holds now, read anew: lane, offset, name, epoch."""
    return [(r.partition, r.offset, r.key or b"", epoch_of(r, 0)) for r in live.reread("state-changelog")]


def stale_among(records: Sequence[tuple[int, int, bytes, int]]) -> list[bytes]:
    """Names of states that were written by a superseded worker."""
    newest: dict[int, int] = {}
    stale = []
    for lane, _, name, epoch in records:
        newest[lane] = max(epoch, newest.get(lane, 0))
        if epoch < newest[lane] and user_key(name) is not None:
            stale.append(name)
    return stale
