"""Where a scenario plays: a Kafka that can be made to fail, and the program that must bear it, under a supervisor."""

from __future__ import annotations

import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from decisioning.streaming.broker import Broker, start_broker
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import lane_topics, plan
from tests.builders import RETAIL
from tests.faults.scenario import Do
from tests.streaming.invariants import Moment
from tests.streaming.live import Live, WorkerProcess
from tests.streaming.test_rulebooks import BROKEN

PARTITIONS = 4
_ROOM = 192 * 1024
"""How large a file may grow when the disk is full: more than a log has, less than a store writes in a second."""


class Kafka(Protocol):
    """What a scenario asks of a Kafka beside records. One that cannot do a thing raises NotImplementedError."""

    address: str
    inside: str

    def create_topics(self, settings: Settings) -> list[str]:
        """Create what these settings ask for and is not there; the names of the new ones."""

    def delete_topics(self, names: Sequence[str]) -> None:
        """Remove these topics."""

    def down(self, number: int) -> None:
        """A broker is gone, for all that anyone can tell."""

    def up(self, number: int) -> None:
        """It is back."""

    def crash(self, number: int) -> None:
        """A broker process is killed."""

    def delay(self, milliseconds: int, number: int) -> None:
        """A broker answers late."""

    def coordinate(self, group: str, number: int) -> None:
        """A group's coordinator is another broker."""

    def lead(self, topic: str, partition: int, number: int) -> None:
        """A partition's leader is another broker."""

    def refuse(self, topic: str, partition: int, code: int, count: int) -> None:
        """The next writes to a partition are refused."""

    def recreate(self, topic: str, partitions: int) -> None:
        """A topic is deleted and made anew."""

    def address_for(self, worker: str) -> str:
        """Where this worker finds it: its own way, if it can be cut."""

    def cut(self, worker: str, *, deaf: bool) -> None:
        """Nothing passes between this worker and Kafka any more; `deaf`: only what the worker says."""

    def heal(self, worker: str) -> None:
        """Everything passes again."""

    def close(self) -> None:
        """End it."""


class Mock:
    """The embedded broker: everything but the network and the death of a process."""

    def __init__(self, names: list[str], brokers: int) -> None:
        self._broker: Broker = start_broker(names, PARTITIONS, brokers)
        self.address = self.inside = self._broker.address
        self.down, self.up, self.delay = self._broker.down, self._broker.up, self._broker.delay
        self.coordinate, self.lead, self.refuse = self._broker.coordinate, self._broker.lead, self._broker.refuse
        self.recreate, self.close = self._broker.recreate, self._broker.stop

    def create_topics(self, settings: Settings) -> list[str]:
        """They were named when it started."""
        return []

    def delete_topics(self, names: Sequence[str]) -> None:
        """Nobody asks."""
        assert not names

    def crash(self, number: int) -> None:
        """It has one process for all brokers."""
        raise NotImplementedError("the embedded broker cannot be killed and come back: use tier B")

    def address_for(self, worker: str) -> str:
        """Everybody's."""
        return self.address

    def cut(self, worker: str, *, deaf: bool) -> None:
        """It has no network of its own."""
        raise NotImplementedError("the embedded broker has no network to cut: use tier B")

    def heal(self, worker: str) -> None:
        """It has no network of its own."""
        raise NotImplementedError("the embedded broker has no network to heal: use tier B")


class Exit(NamedTuple):
    """A worker that ended without being told to: its code, its last line, and the seconds since the stream began."""

    worker: str
    code: int
    line: str
    at: float


class Hand:
    """A worker under a supervisor, which starts it again when it ends by itself."""

    def __init__(self, name: str, start: Callable[[str], WorkerProcess]) -> None:
        self.name = name
        self._start = start
        self.process = start(name)
        self.started = time.monotonic()
        self.wanted = True
        self._again: float | None = None
        self._patience = 0.2

    def start(self) -> None:
        """Start it, or let go of it where it was frozen."""
        self.process, self.wanted, self._again = self._start(self.name), True, None
        self.started = time.monotonic()

    def kill(self) -> None:
        """SIGKILL: no goodbye, no supervisor."""
        self.wanted = False
        self.process.kill()

    def stop(self, seconds: float = 30.0) -> int | None:
        """SIGTERM; its exit code. None: it is still there after so long and was killed."""
        self.wanted = False
        if self.process.process.poll() is not None:
            return self.process.process.returncode
        try:
            return self.process.term(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT."""
        if self.process.process.poll() is None:
            self.process.process.send_signal(number)

    def fill(self) -> None:
        """Its files may grow no further: to RocksDB a full disk."""
        if self.process.process.poll() is None:
            resource.prlimit(self.process.process.pid, resource.RLIMIT_FSIZE, (_ROOM, resource.RLIM_INFINITY))

    def look(self, since: float, again: bool) -> Exit | None:
        """What is to be said of it now; starts it again (after a moment, each time a longer one) if `again`."""
        code, now = self.process.process.poll(), time.monotonic()
        if not self.wanted or code is None:
            return None
        if self._again is not None:
            if now >= self._again:
                self.start()
            return None
        if again:
            self._again, self._patience = now + self._patience, min(2.0, self._patience * 2)
        else:
            self.wanted = False
        lines = [line for line in self.process.output.splitlines() if line.strip()]
        return Exit(self.name, code, lines[-1] if lines else "", now - since)


class World(Protocol):
    """A program under test on a Kafka, and how to look at it."""

    kafka: Kafka
    live: Live
    topics: list[str]
    group: str
    called: Mapping[str, str]
    """What a topic of ours is called here, where that is another."""
    calm: float
    """Seconds without anything new after which it has done all that it will do."""

    def start(self, name: str) -> WorkerProcess:
        """A worker of this name, on the store that it left."""

    def wipe(self, name: str) -> None:
        """Remove what a worker stored."""

    def damage(self, name: str, what: str, draw: Random) -> None:
        """Damage files of what a worker stored."""

    def write_rules(self, name: str, how: str) -> None:
        """Put another rulebook in a worker's place."""

    def ready(self, worker: WorkerProcess) -> bool:
        """Whether it said that it takes records."""

    def heard(self) -> int:
        """How many different decisions there are."""

    def done(self) -> object | None:
        """Something that stays the same once all is done; None: not all is done."""

    def moment(self) -> Moment | None:
        """What is committed and written now; None where nobody asks."""

    def pages(self, worker: WorkerProcess) -> dict[str, bytes]:
        """What it shows to whoever asks by HTTP."""


class Ours:
    """`decisioning run`, each worker with a rulebook file and a store of its own."""

    name = "decisioning"
    called: Mapping[str, str] = {}
    calm = 0.6  # longer than the event clock waits for an instant to be over
    topics = [row.name for row in plan(Settings())]  # noqa: RUF012 - a constant of the class

    def __init__(self, folder: Path, kafka: Kafka, settings: dict[str, object]) -> None:
        self.kafka = kafka
        self.live = Live(folder, PARTITIONS, on=kafka)
        self.group = self.live.settings.group_id
        self._folder = folder
        self._settings = settings

    def start(self, name: str) -> WorkerProcess:
        """A worker of this name, on the store that it left."""
        book = self.book(name)
        if not book.exists() and not book.is_symlink():
            book.write_bytes(RETAIL.read_bytes())
        return self.live.worker(name, rulebook=book, kafka=self.kafka.address_for(name), **self._settings)

    def book(self, name: str) -> Path:
        """The rulebook file of a worker."""
        return self._folder / f"{name}.yaml"

    def wipe(self, name: str) -> None:
        """Remove what a worker stored."""
        self.live.wipe(name)

    def damage(self, name: str, what: str, draw: Random) -> None:
        """Overwrite the middle of a file of each store of a worker; a WAL loses its tail."""
        pattern = {"CURRENT": "CURRENT", "MANIFEST": "MANIFEST-*", "SST": "*.sst", "WAL": "*.log"}[what]
        for path in sorted(self.live.data(name).glob(f"state-changelog-*/{pattern}")):
            size = path.stat().st_size
            with path.open("r+b") as file:
                if what == "WAL":
                    file.truncate(max(0, size - draw.randrange(1, 200)))
                    continue
                file.seek(size // 3)
                file.write(draw.randbytes(max(1, min(64, size // 3))))

    def write_rules(self, name: str, how: str) -> None:
        """Put another rulebook in a worker's place, or something that is none."""
        book, good = self.book(name), RETAIL.read_bytes()
        if how == "gone":
            book.unlink(missing_ok=True)
            return
        if how == "linked":
            elsewhere, link = book.with_suffix(".real"), book.with_suffix(".link")
            elsewhere.write_bytes(good)
            link.symlink_to(elsewhere)
            link.replace(book)
            return
        texts = {
            "2": good.replace(b'version: "1"', b'version: "2"', 1), "broken": BROKEN, "half": good + b"\nrespect: {qu",
            "huge": b"#" * 10_000_000, "binary": bytes(range(256)),
        }  # fmt: skip
        book.with_suffix(".new").write_bytes(texts[how])
        book.with_suffix(".new").replace(book)

    def ready(self, worker: WorkerProcess) -> bool:
        """Whether it said that it takes records."""
        return worker.is_ready()

    def heard(self) -> int:
        """How many different decisions there are."""
        return self.live.distinct()

    def done(self) -> object | None:
        """Something that stays the same once all is done; None: not all is done."""
        return self.live.done()

    def moment(self) -> Moment:
        """What is committed and written now. Commits are asked first: logs only grow."""
        names = lane_topics(self.live.settings)
        committed = {topic: self.live.commits(topic) for topic in names}
        ends: dict[str, dict[int, int]] = {}
        for topic in ("state-changelog", "decisions", "dead-letters", names[-1]):
            ends[topic] = {record.partition: record.offset + 1 for record in self.live.read(topic)}
        return Moment(committed, ends)

    def pages(self, worker: WorkerProcess) -> dict[str, bytes]:
        """What it shows to whoever asks by HTTP, pages of errors too."""
        paths = ("/metrics", "/readyz", "/healthz", "/nothing")
        return {path: worker.page(path)[1].encode() for path in paths}


def break_kafka(kafka: Kafka, do: Do, target: str, how: str, group: str, topics: list[str]) -> None:
    """A step that a broker or the network takes."""
    match do:
        case Do.DOWN:
            kafka.down(int(target))
        case Do.CRASH:
            kafka.crash(int(target))
        case Do.UP:
            kafka.up(int(target))
        case Do.DELAY:
            kafka.delay(int(how), int(target))
        case Do.COORDINATE:
            kafka.coordinate(group, int(target))
        case Do.LEAD:
            for topic in topics:
                for partition in range(PARTITIONS):
                    with suppress(RuntimeError):
                        kafka.lead(topic, partition, int(target))
        case Do.REFUSE:
            kafka.refuse(target, int(how) % PARTITIONS, int(how), 1)  # one partition: each refusal is one more crash
        case Do.RECREATE:
            kafka.recreate(target, int(how or PARTITIONS))
        case Do.CUT | Do.DEAFEN:
            kafka.cut(target, deaf=do is Do.DEAFEN)
        case Do.HEAL:
            kafka.heal(target)
        case _:
            raise AssertionError(do)
