"""What the tests end to end share: a broker with every topic, worker processes, and all that was ever published.

Everything here waits on a condition with an end; everything that is started is ended. The broker is the embedded one,
or a real Kafka: that of a test's own (`on`), or one for every test alike (`pytest --broker kafka`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from rocksdict import Cache

from decisioning.catalogue import Catalogue
from decisioning.policy import Policy
from decisioning.rulebook import parse as parse_rulebook
from decisioning.streaming.broker import start_broker
from decisioning.streaming.chassis.store import Store
from decisioning.streaming.settings import PREFIX, Settings
from decisioning.streaming.topics import lane_topics, plan
from tests.builders import RETAIL
from tests.kafka.cluster import RealKafka
from tests.streaming.history import Fact
from tests.streaming.records import Rec
from tests.streaming.verifier import Evidence, Report, verify

_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never behind a proxy
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)/metrics(?:\"|$)", re.M)


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """The first true answer of `condition`; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what} did not happen within {seconds:g} s"
        threading.Event().wait(0.02)


class Given(Protocol):
    """A Kafka that somebody else started and ends."""

    address: str
    """Where workers find it, unless they are told otherwise."""
    inside: str
    """Where the test finds it."""

    def create_topics(self, settings: Settings) -> list[str]:
        """Create what these settings ask for and is not there; the names of the new ones."""

    def delete_topics(self, names: Sequence[str]) -> None:
        """Remove these topics."""


def patiently(ask: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `ask` returns once Kafka answers it: a broker that has just come back has no leader, no coordinator yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > end:
                raise
            threading.Event().wait(0.2)


class WorkerProcess:
    """`decisioning run`, or another command, as a process of its own; what it prints is kept in a file."""

    def __init__(
        self, environment: dict[str, str], log: Path, command: Sequence[str] = ("-m", "decisioning", "run")
    ) -> None:
        self._log = log
        self._began = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def output(self) -> str:
        """Everything that it printed; its predecessors of the same name wrote before it into the same file."""
        return self._log.read_bytes()[self._began :].decode(errors="replace")

    @property
    def whole_output(self) -> bytes:
        """The same with what its predecessors printed."""
        return self._log.read_bytes()

    def is_ready(self) -> bool:
        """Whether it said that it takes records."""
        output = self.output
        return "ready\n" in output or '"message":"ready"}' in output

    def ready(self, seconds: float = 60.0) -> WorkerProcess:
        """Wait until it takes records."""

        def said_so() -> bool:
            assert self.process.poll() is None, (
                f"ended with {self.process.returncode} before it was ready: {self.output}"
            )
            return self.is_ready()

        until(said_so, seconds, "ready")
        return self

    @property
    def port(self) -> int:
        """Where its pages are, once it listens."""
        found: list[str] = until(lambda: _ADDRESS.findall(self.output), what="listening")
        return int(found[-1])

    def page(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages; status 0 while it does not answer."""
        try:
            with _DIRECT.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all series of this metric that have these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in self.page("/metrics")[1].splitlines() if re.match(rf"{name}[{{ ]", line)]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in wanted))

    def run_for(self, seconds: float) -> bool:
        """Let it run so long; whether it still does."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self.process.wait()

    def term(self, seconds: float = 30.0) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)


class Kept(NamedTuple):
    """One local store: whose, of which lane, the changelog offset up to which it is true, and its records by key."""

    worker: str
    lane: int
    offset: int | None
    states: dict[bytes, bytes]


class Live:
    """A broker with every topic of the table, and all that a test does with it.

    The broker is `on`, a Kafka that the caller started and ends, without our topics; else one of its own. Further
    settings are those of the workers; the test's own clients always come in by a plain listener that nobody cuts.
    """

    broker: ClassVar[str] = "mock"
    """What its own broker is: `mock`, the embedded one, or `kafka`."""

    def __init__(
        self, folder: Path, partitions: int = 4, *, without: Sequence[str] = (), on: Given | None = None,
        **settings: Any,
    ) -> None:  # fmt: skip
        self.partitions = partitions
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._given = settings
        self._ended = ExitStack()
        if on is None and self.broker == "kafka":
            on = self._ended.enter_context(RealKafka(folder / "kafka"))
        if on is None:
            names = [row.name for row in plan(Settings()) if row.name not in without]
            self.address = self._inside = self._ended.enter_context(start_broker(names, partitions)).address
        else:
            self.address, self._inside = on.address, on.inside
        chosen: dict[str, Any] = {"kafka": self.address, "partitions": partitions, "rulebook": RETAIL}
        self.settings = Settings(**chosen | settings)
        if on is not None:
            on.create_topics(self.settings)
            on.delete_topics(without)
        # The broker answers a fetch with one batch a partition: without a linger every record is one.
        self._producer = Producer(
            {"bootstrap.servers": self._inside, "partitioner": "murmur2_random", "linger.ms": 25, "log_level": 2,
             "message.max.bytes": 4_000_000, "queue.buffering.max.messages": 1_000_000, "enable.idempotence": True}
        )  # fmt: skip
        # Of the workers' own group, which it never joins: it only asks what is committed.
        self._asking = Consumer({"bootstrap.servers": self._inside, "group.id": self.settings.group_id, "log_level": 2})
        self._workers: list[WorkerProcess] = []
        self._readers: dict[str, _Reader] = {}

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.kill()
        for reader in self._readers.values():
            reader.close()
        self._asking.close()
        self._ended.close()

    def stop_broker(self) -> None:
        """End the broker that is its own: from now on nobody answers."""
        self._ended.close()

    # -- workers ------------------------------------------------------------------------------------------------------

    def environment(self, name: str = "w", **more: object) -> dict[str, str]:
        """The environment of a worker of this name: event clock, its own data directory, any free port."""
        chosen: dict[str, object] = {
            "kafka": self.address, "partitions": self.partitions, "clock": "event", "rulebook": RETAIL,
            "data_dir": self.data(name), "http_port": 0, "fetch_wait_ms": 10, "session_timeout_ms": 1500,
            "idle_wait_ms": 2000, "standbys": 0, "commit_interval_ms": 250, "log_format": "text",
        } | self._given | more  # fmt: skip
        mine = {name: content for name, content in os.environ.items() if not name.startswith(PREFIX)}
        return mine | {PREFIX + name.upper(): str(content) for name, content in chosen.items()}

    def worker(self, name: str = "w", **more: object) -> WorkerProcess:
        """Start a worker with a data directory of its own by `name`."""
        self._workers.append(WorkerProcess(self.environment(name, **more), self._folder / f"{name}.log"))
        return self._workers[-1]

    def data(self, name: str = "w") -> Path:
        """The data directory of a worker."""
        return self._folder / f"{name}-data"

    def wipe(self, name: str = "w") -> None:
        """Remove a worker's local stores."""
        shutil.rmtree(self.data(name), ignore_errors=True)

    def stored(self, *names: str) -> dict[int, dict[bytes, bytes]]:
        """What the local stores of stopped workers hold of each customer, by lane: key to record with its header; of
        several stores of one lane, the one that is the furthest."""
        kept = sorted(self.kept(*names), key=lambda one: -1 if one.offset is None else one.offset)
        return {one.lane: one.states for one in kept}

    def kept(self, *names: str) -> list[Kept]:
        """Every local store of stopped workers."""
        found = []
        for name in names or ("w",):
            for path in sorted(self.data(name).glob("state-changelog-*")):
                lane = path.name.rpartition("-")[2]
                if not lane.isdecimal():
                    continue
                store = Store(path, cache=Cache(1 << 20), memtable_bytes=1 << 20)
                found.append(Kept(name, int(lane), store.offset, dict(store.states())))
                store.close()
        return found

    # -- records ------------------------------------------------------------------------------------------------------

    def publish(
        self, topic: str, value: bytes | None, key: bytes | str | None, *, at: int | None = None,
        partition: int | None = None, headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:  # fmt: skip
        """Hand one record to the producer; `at` is its Kafka timestamp (ms)."""
        options: dict[str, Any] = {} if at is None else {"timestamp": at}
        if partition is not None:
            options["partition"] = partition
        self._producer.produce(topic, value, key, headers=list(headers) or None, **options)
        self._producer.poll(0)

    def tell(self, facts: Iterable[Fact], *, stamped: bool = False) -> None:
        """Publish a history to its end; `stamped`: the records bear the instants of their events."""
        for fact in facts:
            at = fact.at // 1000 if stamped else None
            self.publish(fact.topic, fact.value, fact.key, at=at, partition=fact.partition)
        self.flush()

    def flush(self) -> None:
        """Wait until all that was published is in the log."""
        assert self._producer.flush(30) == 0

    def read(self, topic: str) -> list[Rec]:
        """All records of a topic up to now, by partition and offset; AssertionError if the broker has dropped any."""
        return sorted(self._read(topic).found, key=lambda record: (record.partition, record.offset))

    def forget(self, *topics: str) -> None:
        """These topics were made anew: what was read of them is no more."""
        for topic in topics:
            reader = self._readers.pop(topic, None)
            if reader is not None:
                reader.close()

    def reread(self, topic: str) -> list[Rec]:
        """All records that a topic holds now, read anew: compaction may have taken some."""
        reader = _Reader(self._inside, topic)
        try:
            reader.go_on()
            return sorted(reader.found, key=lambda record: (record.partition, record.offset))
        finally:
            reader.close()

    def distinct(self, topic: str = "decisions") -> int:
        """How many different values a topic has up to now: a repeat has the same bytes."""
        return len(self._read(topic).values)

    def _read(self, topic: str) -> _Reader:
        reader = self._readers.get(topic)
        if reader is None:
            reader = self._readers[topic] = _Reader(self._inside, topic)
        reader.go_on()
        return reader

    def said(self, topic: str = "decisions") -> list[dict[str, Any]]:
        """All records of a topic as JSON."""
        return [json.loads(record.value or b"null") for record in self.read(topic)]

    # -- what became of it --------------------------------------------------------------------------------------------

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until all of every lane topic is committed, wakes in the relay included, and nothing new comes."""

        def quiet() -> bool:
            before = self.done()
            if before is None:
                return False
            threading.Event().wait(0.5)  # longer than the event clock waits for an instant to be over
            return self.done() == before

        until(quiet, seconds, "the end of all work")

    def done(self) -> dict[str, int] | None:
        """How many records each lane topic has, if all of them are committed."""
        ends = {topic: len(self._read(topic).found) for topic in lane_topics(self.settings)}
        return None if any(self.committed(topic) < end for topic, end in ends.items()) else ends

    def verified(self, *workers: str) -> Report:
        """What the verifier finds once the workers have stopped; the stores are those of the named ones."""
        return verify(self.evidence(*workers), policy())

    def evidence(self, *workers: str) -> Evidence:
        """All that was left behind."""
        names = lane_topics(self.settings)
        return Evidence(
            relay=names[-1],
            partitions=self.partitions,
            sources={topic: self.read(topic) for topic in names},
            products=self.read("products"),
            changelog=self.read("state-changelog"),
            decisions=self.read("decisions"),
            dead_letters=self.read("dead-letters"),
            stores=self.stored(*workers),
        )

    def committed(self, topic: str) -> int:
        """How many records of a topic the workers' group has committed."""
        return sum(self.commits(topic).values())

    def commits(self, topic: str) -> dict[int, int]:
        """The offset up to which the workers' group has committed each partition of a topic."""
        asked = [TopicPartition(topic, n) for n in range(self.partitions)]
        found = patiently(lambda: self._asking.committed(asked, timeout=10))
        return {tp.partition: max(0, tp.offset) for tp in found}


class _Reader:
    """Reads one topic whole, and goes on from there at the next call."""

    def __init__(self, address: str, topic: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": address, "group.id": "reader", "enable.auto.commit": False, "log_level": 2,
             "fetch.wait.max.ms": 10, "auto.offset.reset": "error", "fetch.message.max.bytes": 8_000_000}
        )  # fmt: skip
        self._topic = topic
        self._next = dict.fromkeys(self._consumer.list_topics(topic, timeout=10).topics[topic].partitions, 0)
        self.found: list[Rec] = []
        self.values: set[bytes | None] = set()
        self._consumer.assign([TopicPartition(topic, n, 0) for n in self._next])

    def go_on(self) -> None:
        """Read up to the ends that the log has now."""
        ends = {}
        for n in self._next:
            place = TopicPartition(self._topic, n)
            first, ends[n] = patiently(partial(self._consumer.get_watermark_offsets, place, timeout=10))
            assert first == 0, f"the broker dropped {first} records of {self._topic}[{n}]: use more partitions"
        deadline = time.monotonic() + 30
        while any(self._next[n] < end for n, end in ends.items()):
            assert time.monotonic() < deadline, f"{self._topic} could not be read to its end within 30 s"
            for m in self._consumer.consume(2000, 0.1):
                if m.error() is not None:
                    continue  # a broker that is away; one that does not come back is found by the deadline
                headers = tuple(m.headers() or ())
                self.found.append(
                    Rec(self._topic, m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), headers)
                )
                self.values.add(m.value())
                self._next[m.partition()] = m.offset() + 1

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


def policy() -> Policy:
    """The rules of the workers, with nothing in the catalogue yet."""
    return Policy(parse_rulebook(RETAIL.read_bytes(), str(RETAIL)), Catalogue())
