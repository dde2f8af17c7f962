"""Stock Faust and decisioning under the same faults, the same events and the same seeds, side by side.

Counted are, of the readable events: those without a decision when nothing moves any more; decisions that were published
more than once; ids with more than one payload; and records that the group has not committed though nothing moves.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from tests.faults.judge import kafka_for, played
from tests.faults.play import Play
from tests.faults.scenario import SCENARIOS, Scenario
from tests.faults.stock import APP, CHANGELOG, DECISIONS, SOURCES
from tests.faults.stream import is_event
from tests.faults.world import PARTITIONS, Kafka, Ours
from tests.streaming.invariants import Moment
from tests.streaming.live import Live, WorkerProcess
from tests.streaming.records import Rec

COMPARED: Final = ("F1", "F2", "F3", "F4", "F6", "F10", "F14", "F15")
FURTHER: Final = (DECISIONS, CHANGELOG)
_SESSION: Final = 1.5


class Counts(NamedTuple):
    """What became of one run, for either program."""

    events: int
    lost: int
    twice: int
    divergent: int
    stuck: int
    wrong: int
    """Customers whose state is not that of their events in sequence."""
    exits: int
    seconds: float


class Stock:
    """Stock Faust, in the place of our worker."""

    name = "stock Faust"
    called: Mapping[str, str] = {"state-changelog": CHANGELOG, "decisions": DECISIONS}
    calm = 14.0  # each poisonous record stalls it for five seconds (T17)
    topics = [*Ours.topics, *FURTHER]  # noqa: RUF012 - a constant of the class
    group = APP

    def __init__(self, folder: Path, kafka: Kafka) -> None:
        self.kafka = kafka
        self.live = Live(folder, PARTITIONS, on=kafka)
        self._folder = folder
        self._asking = Consumer({"bootstrap.servers": kafka.inside, "group.id": APP, "log_level": 2})
        self._workers: list[WorkerProcess] = []

    def start(self, name: str) -> WorkerProcess:
        """A Faust worker, on the store that it left."""
        environment = os.environ | {
            "STOCK_KAFKA": self.kafka.address_for(name), "STOCK_DATA": str(self._folder / f"{name}-stock"),
            "STOCK_PARTITIONS": str(PARTITIONS), "STOCK_SESSION": str(_SESSION),
        }  # fmt: skip
        command = ("-m", "faust", "-A", "tests.faults.stock", "worker", "--without-web", "-l", "info")
        self._workers.append(WorkerProcess(environment, self._folder / f"{name}-stock.log", command))
        return self._workers[-1]

    def close(self) -> None:
        """End what still runs."""
        self._asking.close()
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.kill()

    def wipe(self, name: str) -> None:
        """Remove what a worker stored."""
        shutil.rmtree(self._folder / f"{name}-stock", ignore_errors=True)

    def damage(self, name: str, what: str, draw: Random) -> None:
        """Not compared."""
        raise NotImplementedError

    def write_rules(self, name: str, how: str) -> None:
        """It has none."""
        raise NotImplementedError

    def ready(self, worker: WorkerProcess) -> bool:
        """Faust says so in its log."""
        return "Worker ready" in worker.output

    def heard(self) -> int:
        """How many different decisions there are."""
        return self.live.distinct(DECISIONS)

    def done(self) -> object:
        """What moves while it works."""
        return len(self.live.read(DECISIONS)), tuple(sorted(self.commits().items()))

    def moment(self) -> Moment | None:
        """Nobody asks."""
        return None

    def pages(self, worker: WorkerProcess) -> dict[str, bytes]:
        """Its web server is off."""
        return {}

    def commits(self) -> dict[tuple[str, int], int]:
        """What its group has committed."""
        asked = [TopicPartition(topic, n) for topic in SOURCES for n in range(PARTITIONS)]
        return {(tp.topic, tp.partition): max(0, tp.offset) for tp in self._asking.committed(asked, timeout=10)}

    def count(self, exits: int, seconds: float) -> Counts:
        """What became of the events, told by its topics."""
        readable = {
            _place(record): name for topic in SOURCES for record in self.live.read(topic) if (name := subject(record))
        }
        said: dict[str, list[bytes]] = defaultdict(list)
        for record in self.live.read(DECISIONS):
            said[json.loads(record.value or b"")["id"]].append(record.value or b"")
        if not said:
            raise RuntimeError(f"stock Faust decided nothing: {self._workers[-1].output[-3000:]}")
        told: dict[bytes, int] = {}
        for record in self.live.read(CHANGELOG):
            told[record.key or b""] = json.loads(record.value or b"0")
        counted = Counter(readable.values())
        commits = self.commits()
        ends: Counter[tuple[str, int]] = Counter()
        for topic in SOURCES:
            for record in self.live.read(topic):
                ends[topic, record.partition] = max(ends[topic, record.partition], record.offset + 1)
        return Counts(
            events=len(readable),
            lost=sum(place not in said for place in readable),
            twice=sum(len(values) - 1 for values in said.values()),
            divergent=sum(len(set(values)) > 1 for values in said.values()),
            stuck=sum(max(0, end - commits.get(place, 0) - 1) for place, end in ends.items()),
            wrong=sum(told.get(json.dumps(name).encode()) != number for name, number in counted.items()),
            exits=exits,
            seconds=seconds,
        )


def _place(record: Rec) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"


def subject(record: Rec) -> str | None:
    """The customer of a readable event: JSON with a subject, all that the stock job needs."""
    return str(json.loads(record.value or b"")["subject"]) if is_event(record.value) else None


def stock(scenario: Scenario, seed: int, tier: str, say: Callable[[str], None]) -> Counts:
    """Stock Faust under a scenario."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stock-") as folder:
        kafka = kafka_for(scenario, tier, Path(folder) / "kafka", FURTHER)
        world = Stock(Path(folder), kafka)
        with closing(kafka), world.live:
            try:
                run = Play(scenario, seed, world, say)
                run.run()
                return world.count(len(run.exits), time.monotonic() - began)
            finally:
                world.close()


def ours(scenario: Scenario, seed: int, tier: str, say: Callable[[str], None]) -> Counts:
    """Decisioning under the same."""
    began = time.monotonic()
    with played(scenario, seed, tier, say) as (run, report):
        live = run.world.live
        stuck = sum(len(live.read(topic)) - live.committed(topic) for topic in SOURCES)
    return Counts(
        report.records, len(report.lost) + len(report.unanswered), report.repeats, len(report.divergent), stuck,
        len(report.stale), len(run.exits), time.monotonic() - began,
    )  # fmt: skip


def compare(names: Sequence[str], seeds: Sequence[int], tier: str, say: Callable[[str], None]) -> list[tuple[str, ...]]:
    """The table: a line a scenario, columns for either program, summed over the seeds."""
    rows: list[tuple[str, ...]] = [
        ("scenario", "seeds", "program", "events", "undecided", "decided twice", "divergent", "uncommitted",
         "wrong states", "exits"),
    ]  # fmt: skip
    for scenario in SCENARIOS:
        if scenario.name not in names:
            continue
        if not (scenario.stream.poison or scenario.stream.keyless):
            scenario = scenario._replace(stream=scenario.stream._replace(clean=True))
        for program, run in (("stock Faust", stock), ("decisioning", ours)):
            found = [run(scenario, seed, tier, say) for seed in seeds]
            sums = [sum(getattr(one, field) for one in found) for field in Counts._fields[:-1]]
            rows.append((scenario.name, str(len(seeds)), program, *map(str, sums)))
            say("  ".join(rows[-1]))
    return rows
