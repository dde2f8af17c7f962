"""What the tests of the chassis share: a broker with the toy's topics, toy workers as processes, and a verifier."""

from __future__ import annotations

import json
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition
from rocksdict import Cache

from decisioning.streaming.broker import start_broker
from decisioning.streaming.chassis.epoch import epoch_of
from decisioning.streaming.chassis.header import Header, unpack
from decisioning.streaming.chassis.store import Store, user_key
from decisioning.streaming.chassis.transport import Progress
from tests.streaming.chassis.toy_worker import CHANGELOG, OUT, TOPICS, State, Toy

__all__ = ["Cluster", "Message", "Worker", "until"]

_WORKER = Path(__file__).with_name("toy_worker.py")


class Message(NamedTuple):
    """A record as it stands in a topic; satisfies the chassis' `Record`."""

    topic: str
    partition: int
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def said(self) -> Any:
        """Its value as JSON."""
        return json.loads(self.value or b"null")


def until(condition: Callable[[], Any], seconds: float = 20.0, what: str = "it") -> Any:
    """The first true answer of `condition`; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        threading.Event().wait(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Worker:
    """A toy worker as a process; what it prints on stderr is kept.

    With `restarts` it is started again that often when it ends with an error, as a supervisor in production does. Only
    where the mock broker needs it: it answers a SyncGroup that comes after the leader's with an error that no real
    broker sends, and loses the group for that worker.
    """

    def __init__(self, settings: dict[str, Any], restarts: int = 0) -> None:
        self._settings = settings
        self._lines: queue.Queue[str] = queue.Queue()
        self.errors = ""
        self._settled: subprocess.Popen[str] | None = None
        self.process = self._spawn()
        if restarts:
            threading.Thread(target=self._supervise, args=(restarts,), daemon=True).start()

    def _spawn(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, str(_WORKER), json.dumps(self._settings)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        for read in (self._read_out, self._read_errors):
            threading.Thread(target=read, args=(self.process,), daemon=True).start()
        return self.process

    def _supervise(self, restarts: int) -> None:
        for _ in range(restarts):
            if self.process.wait() <= 0:
                return
            self._spawn()

    def _read_out(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "ready\n":
                self._settled = process
            self._lines.put(line.strip())

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.errors += line

    def ready(self, seconds: float = 20.0) -> Worker:
        """Wait until it takes records."""
        try:
            assert self._lines.get(timeout=seconds) == "ready"
        except queue.Empty:
            raise AssertionError(f"not ready after {seconds} s; it said: {self.errors}") from None
        return self

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self.process.wait()

    def pause(self, seconds: float) -> None:
        """Let it run for `seconds` (or until it ends)."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def leave(self, seconds: float = 60.0) -> None:
        """Ask a worker with `restarts` to end until it does so in good order."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            until(lambda: self._settled is self.process, end - time.monotonic(), "a restart")
            if self.term() == 0:
                return
        raise AssertionError(f"it did not end in good order: {self.errors}")

    def progress(self) -> Any:
        """What it says of its progress."""
        self.process.send_signal(signal.SIGUSR1)
        return eval(self._lines.get(timeout=5), {"Progress": Progress})

    def term(self, seconds: float = 15.0) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def exit_code(self, seconds: float = 20.0) -> int:
        """Wait for it to end by itself; its exit code."""
        return self.process.wait(seconds)


class Cluster:
    """A broker with the toy's topics, and all that a test does with them. Ends every process at the end."""

    def __init__(self, folder: Path, partitions: int = 2) -> None:
        self.partitions = partitions
        self.folder = folder
        self._broker = start_broker(TOPICS, partitions)
        self.fail = self._broker.fail
        self.address = self._broker.address
        self._producer = Producer(
            {"bootstrap.servers": self.address, "partitioner": "murmur2_random", "linger.ms": 2, "log_level": 2,
             "message.max.bytes": 4_000_000, "queue.buffering.max.messages": 1_000_000}
        )  # fmt: skip
        self._workers: list[Worker] = []

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.kill()
        self._broker.stop()

    def worker(self, name: str = "w", restarts: int = 0, **settings: Any) -> Worker:
        """Start a toy worker with a data directory of its own by `name`; `restarts` as for `Worker`."""
        given = {
            "bootstrap": self.address, "data": str(self.folder / name), "partitions": self.partitions,
            "session_ms": 1500, "send_ms": 1200, "heartbeat_ms": 200, **settings,
        }  # fmt: skip
        self._workers.append(Worker(given, restarts))
        return self._workers[-1]

    def wipe(self, name: str = "w") -> None:
        """Remove a worker's data directory."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def send(
        self, topic: str, key: str | None, message: Any, *, at: int | None = None, partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:  # fmt: skip
        """Produce one message (JSON unless bytes) without waiting."""
        value = message if isinstance(message, bytes) or message is None else json.dumps(message).encode()
        options: dict[str, Any] = {} if at is None else {"timestamp": at}
        if partition is not None:
            options["partition"] = partition
        if headers:
            options["headers"] = list(headers)
        self._producer.produce(topic, value, None if key is None else key.encode("latin-1"), **options)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until all that was sent is in the log."""
        assert self._producer.flush(20) == 0

    def count(self, topic: str) -> int:
        """Records in `topic`."""
        reader = self._reader()
        try:
            return sum(reader.get_watermark_offsets(tp, timeout=5)[1] for tp in self._tps(topic))
        finally:
            reader.close()

    def read(self, topic: str) -> list[Message]:
        """All records of `topic`, by partition and offset."""
        reader = self._reader()
        try:
            ends = {tp.partition: reader.get_watermark_offsets(tp, timeout=5)[1] for tp in self._tps(topic)}
            left = sum(ends.values())
            reader.assign([TopicPartition(topic, number, 0) for number in ends])
            found: list[Message] = []
            while len(found) < left:
                for m in reader.consume(5000, 0.1):
                    assert m.error() is None, m.error()
                    found.append(Message(topic, m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(),
                                         tuple(m.headers() or ())))  # fmt: skip
            return sorted(found, key=lambda m: (m.partition, m.offset))
        finally:
            reader.close()

    def _reader(self) -> Consumer:
        return Consumer({"bootstrap.servers": self.address, "group.id": "reader", "enable.auto.commit": False,
                         "log_level": 2, "fetch.wait.max.ms": 20, "auto.offset.reset": "earliest"})  # fmt: skip

    def _tps(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.partitions)]

    def committed(self, topic: str) -> dict[int, int]:
        """What the toy's group has committed."""
        reader = Consumer({"bootstrap.servers": self.address, "group.id": "toy", "log_level": 2})
        try:
            return {tp.partition: tp.offset for tp in reader.committed(self._tps(topic), timeout=5)}
        finally:
            reader.close()

    # -- the verifier -------------------------------------------------------------------------------------------------

    def answered(self, count: int) -> list[Message]:
        """Wait until every one of `count` inputs has an output; all outputs."""

        def all_answered() -> list[Message]:
            if self.count(OUT) < count:
                return []
            outputs = self.read(OUT)
            return outputs if len({m.said["origin"] for m in outputs if "origin" in m.said}) >= count else []

        outputs: list[Message] = until(all_answered, 90, f"an answer to all of {count} records")
        return outputs

    def states(self, name: str = "w") -> dict[bytes, tuple[Header, State | None]]:
        """What the local stores of a stopped worker hold."""
        toy = Toy()
        found: dict[bytes, tuple[Header, State | None]] = {}
        for path in sorted((self.folder / name).glob(f"{CHANGELOG}-*")):
            store = Store(path, cache=Cache(1 << 20), memtable_bytes=1 << 20)
            for key, raw in store.states():
                header, body = unpack(raw)
                found[key] = header, None if header.forgotten else toy.load(key, body)
            store.close()
        return found

    def folded(self) -> dict[bytes, State]:
        """What the changelog says: the last record of each key."""
        toy = Toy()
        found: dict[bytes, State] = {}
        epochs: dict[int, int] = defaultdict(int)
        for m in self.read(CHANGELOG):
            assert m.key is not None
            epoch = epoch_of(m, 0)
            if epoch < epochs[m.partition]:
                continue  # of a writer that had been superseded
            epochs[m.partition] = epoch
            key = user_key(m.key)
            if key is None:
                continue
            found.pop(key, None)
            if m.value is not None:
                header, body = unpack(m.value)
                if not header.forgotten:
                    found[key] = toy.load(key, body)
        return found

    def check(self, inputs: Iterable[Message], outputs: Iterable[Message]) -> None:
        """Every input answered, one payload an id, states equal to a sequential run, in store and changelog."""
        payloads: dict[str, set[bytes]] = defaultdict(set)
        for m in outputs:
            payloads[m.said["id"]].add(m.value or b"")
        torn = {number: said for number, said in payloads.items() if len(said) > 1}
        assert not torn, f"ids with more than one payload: {dict(list(torn.items())[:3])}"
        expected, toy = sequential(inputs)
        missing = set(toy) - set(payloads)
        assert not missing, f"{len(missing)} records without an answer, for example {sorted(missing)[:5]}"
        for number, said in toy.items():
            assert payloads[number] == {said}, f"{number}: {payloads[number]} instead of {said!r}"
        assert self.folded() == expected
        kept = {key: state for key, (_, state) in self.states().items() if state is not None}
        assert kept == expected


def sequential(inputs: Iterable[Message]) -> tuple[dict[bytes, State], dict[str, bytes]]:
    """States and outputs by id of the toy over `inputs` in their order, with nothing around it."""
    toy = Toy()
    states: dict[bytes, State] = {}
    said: dict[str, bytes] = {}
    for record in inputs:
        read = toy.read(record)
        if not isinstance(read, tuple):
            continue
        key, message = read
        applied = toy.apply(key, states.get(key), message)
        if applied is None:
            continue
        if applied.state is None:
            states.pop(key, None)
        else:
            states[key] = applied.state
        for output in applied.outputs:
            said[json.loads(output.value or b"")["id"]] = output.value or b""
    return states, said
