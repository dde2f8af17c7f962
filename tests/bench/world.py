"""The broker, what runs beside it, and the rows that a bench is made of."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka.admin import NewTopic

from tests.bench.engine import Engine, Run, topic
from tests.bench.job import event
from tests.bench.load import Sent, fill
from tests.bench.recorded import before, described, recorded
from tests.bench.worker import FullWorker
from tests.kafka.cluster import RealKafka
from tests.kafka.guard import Guard

BACKLOG: Final = "bench-backlog"


class Size(NamedTuple):
    """How much of everything."""

    events: int = 200_000
    customers: int = 20_000
    rates: tuple[tuple[int, float], ...] = ((200, 6.0), (1000, 6.0), (3000, 4.0))
    """Events a second, and for how many seconds."""
    states: int = 100_000
    versions: int = 4
    """Changelog records of each state that is restored."""
    kept: int = 1_000_000
    """Customers on the worker's disk."""


QUICK: Final = Size(40_000, 4_000, ((200, 2.0), (1000, 3.0), (3000, 2.0)), 10_000, 4, 50_000)


class Row(NamedTuple):
    """What one round of one part said of one engine; `load` is the machine's average of the last minute before it."""

    part: str
    engine: str
    round: int
    load: float
    figures: dict[str, float]


class World:
    """A broker, the sizes, and what was started; everything ends with it."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.size = size
        self.folder = folder
        self.guard = Guard()
        self.kafka = RealKafka(folder / "kafka")
        self._numbers = count(1)
        self._backlog = False
        self._recorded: list[Sent] = []

    def close(self) -> None:
        """End everything."""
        self.guard.close()
        self.kafka.close()

    def run(self, engine: Engine, source: str | None = None) -> Run:
        """A run with names of its own and all its topics; without a source it has one of its own, which is empty."""
        name = f"{engine.name}-{next(self._numbers)}"
        run = Run(self.kafka.address, self.folder, name, source or f"{name}-events")
        self.create([*engine.topics(run), *([] if source else [topic(run.source)])])
        return run

    def forget(self, run: Run) -> None:
        """Remove the run's topics, also those that it made itself."""
        mine = re.compile(rf"(^|__){run.name}-")  # Quix puts `changelog__` before
        there = self.kafka.admin.list_topics(timeout=30).topics
        self.kafka.delete_topics([name for name in there if mine.search(name)])

    def create(self, topics: Sequence[NewTopic]) -> None:
        """Create these topics."""
        for done in self.kafka.admin.create_topics(list(topics)).values():
            done.result(30)

    @property
    def recorded(self) -> list[Sent]:
        """The worker's events, in the order of time."""
        if not self._recorded:
            self._recorded = recorded(self.size.customers)
        return self._recorded

    def backlog(self) -> str:
        """The topic with the backlog of the trivial job, filled once."""
        if not self._backlog:
            self.create([topic(BACKLOG)])
            fill(self.kafka.inside, trivial(BACKLOG, self.size.customers, self.size.events))
            self._backlog = True
        return BACKLOG

    def history(self, engine: FullWorker, run: Run, events: int) -> None:
        """Fill the worker's source topics, made anew, with the catalogue and so many recorded events, and the run's
        changelog with what was before them."""
        self.sources(engine)
        fill(self.kafka.inside, before(engine.changelog(run), self.size.customers))
        fill(self.kafka.inside, self.recorded[:events])

    def sources(self, engine: FullWorker) -> None:
        """Make the worker's source topics anew, with nothing in them but the catalogue."""
        wanted = engine.sources(Run(self.kafka.address, self.folder, "sources", ""))
        names = {one.topic for one in wanted}
        there = names & set(self.kafka.admin.list_topics(timeout=30).topics)
        self.kafka.delete_topics(sorted(there))
        end = time.monotonic() + 30
        while names & set(self.kafka.admin.list_topics(timeout=30).topics):
            assert time.monotonic() < end, "topics are not deleted"
            time.sleep(0.05)
        self.create(wanted)
        fill(self.kafka.inside, described())

    @property
    def broker_cpu(self) -> float:
        """Processor seconds of the broker."""
        return 0.0 if self.kafka.external else self.kafka.cpu(1)


def trivial(source: str, customers: int, events: int | None = None, first: int = 0) -> Iterator[Sent]:
    """Events of the trivial job, each customer in turn: the hardest order for whoever keeps recent states at hand."""
    for number in count(first) if events is None else range(first, first + events):
        key, value = event(number, number % customers)
        yield Sent(source, key, value, b"%d" % number)


def row(part: str, engine: str, round_: int, **figures: Any) -> Row:
    """A row, with the machine's load as it is now."""
    return Row(part, engine, round_, round(os.getloadavg()[0], 2), {name: float(of) for name, of in figures.items()})
