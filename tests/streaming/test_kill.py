"""Kill -9, again and again, in the middle of a stream: nothing is lost, nothing is said in two ways, nothing forgotten.

A worker process is killed at random moments while ten thousand records are published, its local store kept at some
kills and wiped at others (`KILL_STORE=kept` or `wiped`: at all of them). What it leaves behind must be what the pure
engine says of the same records in sequence.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.streaming.history import Fact, history, products
from tests.streaming.live import Live, WorkerProcess, until
from tests.streaming.verifier import Report

RECORDS = 10_000
CUSTOMERS = 600
PARTITIONS = 8
KILLS = 4
"""In the midst of work; after every second one another hits the restart itself: six in all."""
WIPES = {"kept": (False,) * KILLS, "wiped": (True,) * KILLS, "": (False, True, True, False)}
"""At which of them the store is wiped; by default each kind of kill meets both."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker that can hold all that ten thousand records bring about."""
    with Live(tmp_path, PARTITIONS) as running:
        yield running


class Stream(threading.Thread):
    """Publishes a part of the history at an even pace, whatever becomes of the worker."""

    def __init__(self, broker: Live, facts: list[Fact], seconds: float) -> None:
        super().__init__(daemon=True)
        self._broker, self._facts, self._pace = broker, facts, seconds / len(facts)

    def run(self) -> None:
        """Every record at its turn; the broker stamps it with the moment."""
        began, turn = time.monotonic(), threading.Event()
        for number, fact in enumerate(self._facts):
            ahead = began + number * self._pace - time.monotonic()
            if ahead > 0.01:
                turn.wait(ahead)
            self._broker.publish(fact.topic, fact.value, fact.key, partition=fact.partition)
        self._broker.flush()


def kill_in_stream(broker: Live, facts: list[Fact], draw: Random, wipes: Sequence[bool]) -> tuple[Report, list[float]]:
    """Publish, kill and restart to the end; what the verifier finds, and the seconds to the first new decision."""
    broker.tell(products())
    share = len(facts) // (KILLS + 1)
    worker = _started(broker, draw).ready()
    waits: list[float] = []
    for turn in range(KILLS + 1):
        part = facts[turn * share : (turn + 1) * share]
        # The last fifth comes after the kill: a worker that had answered all before it has something new to decide.
        streams = [
            Stream(broker, part[: share * 4 // 5], seconds=2.5),
            Stream(broker, part[share * 4 // 5 :], seconds=0.5),
        ]
        streams[0].start()
        if turn < KILLS:
            worker = _killed(broker, worker, draw, wipe=wipes[turn], at_work=turn % 2 == 0)
        streams[0].join(60)
        began, known = time.monotonic(), broker.distinct()
        streams[1].start()
        if turn < KILLS:
            until(partial(_has_more, broker, known), 60, "a new decision after a kill")
            waits.append(time.monotonic() - began)
        streams[1].join(60)
    broker.settle()
    assert worker.term() == 0, worker.output
    return broker.verified("w"), waits


def _has_more(broker: Live, known: int) -> bool:
    return broker.distinct() > known


def _killed(broker: Live, worker: WorkerProcess, draw: Random, *, wipe: bool, at_work: bool) -> WorkerProcess:
    """Kill the worker somewhere in its work or, after a restart, somewhere in that; start the next one."""
    assert worker.run_for(draw.uniform(0.2, 1.5)), worker.output
    worker.kill()
    if wipe:
        broker.wipe()
    if not at_work:
        worker = _started(broker, draw)
        assert worker.run_for(draw.uniform(1.0, 4.0)), worker.output
        worker.kill()
        if wipe:
            broker.wipe()
    return _started(broker, draw)


def _started(broker: Live, draw: Random) -> WorkerProcess:
    """A worker that commits seldom, so that much comes again, or often, so that a commit too early would show."""
    return broker.worker(commit_interval_ms=draw.choice((20, 1000)))


def test_kill_at_random_moments(broker: Live) -> None:
    """Every request is answered, one payload an id, every promise kept, and every state is the sequential run's."""
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed} (KILL_SEED={seed} draws the same)")
    began = time.monotonic()
    facts = list(history(seed, RECORDS, CUSTOMERS, PARTITIONS))
    report, waits = kill_in_stream(broker, facts, Random(seed), WIPES[os.environ.get("KILL_STORE", "")])
    print(
        f"records {report.records}, decisions {report.decisions}, dead letters {report.dead_letters},"
        f" promises due {report.due}; kills {KILLS + KILLS // 2},"
        f" raw repeats {report.repeats} ({100 * report.repeats / report.decisions:.1f} %),"
        f" divergent {len(report.divergent)}, lost {len(report.lost)}; first new decision after a kill:"
        f" median {statistics.median(waits):.1f} s, longest {max(waits):.1f} s; {time.monotonic() - began:.0f} s in all"
    )
    assert not report.problems(), "\n".join(report.problems()[:20])
    assert report.applied > 0.9 * RECORDS
    assert report.due > 0
