"""A Kafka broker for one machine and a few minutes: librdkafka's mock cluster, in a process of its own.

It speaks the real wire protocol to any client (produce, fetch, groups, commits, idempotence) and needs neither Java
nor Docker. What it is not: durable (everything is gone when it ends), roomy (a partition keeps about 5 MB, older
records vanish), compacting, or able to create topics on request, so the topics are named when it starts. Unlike a real
broker it refuses commits while a group rebalances, waits out a member's session (less a second) when another joins,
and may refuse that member once; the chassis then ends with code 77, and its restart joins.

    python -m decisioning.streaming.broker --topics orders,decisions --partitions 4

prints where it listens (``host:port``, commas between several brokers) on one line and ends when its standard input
closes or at SIGTERM. Lines on its standard input make it fail, which is how the tests see what a worker does when a
broker says no, nothing, or something else than before; it answers each with ``ok``:

    errors API CODE COUNT             the next COUNT requests of that API key fail with that Kafka error code
    refuse TOPIC PARTITION CODE COUNT the next COUNT writes to that partition fail so
    down BROKER, up BROKER            a broker (the first is 1) hangs up and listens no more, and is back with its data
    rtt BROKER MS                     a broker answers so many milliseconds late
    coordinator GROUP BROKER          a consumer group moves to another coordinator
    leader TOPIC PARTITION BROKER     a partition moves to another leader
    topic NAME PARTITIONS             a topic is deleted, with all that it held, and made anew with so many partitions
"""

from __future__ import annotations

import argparse
import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, TracebackType

__all__ = ["Broker", "BrokerError", "main", "start_broker"]

PRODUCE = 0
"""Kafka's API key of a produce request, for `Broker.fail`."""

OFFSET_COMMIT = 8
"""Kafka's API key of an offset commit, for `Broker.fail`."""

_PRODUCER = 0
_START_SECONDS = 20.0


class BrokerError(RuntimeError):
    """The embedded broker could not be started; the message says why and what to install."""


class Broker:
    """One running broker process; also a context manager that ends it.

    `address` is ``host:port`` of its listeners, with commas, for a client's ``bootstrap.servers``. A fault is in force
    when its method returns; `BrokerError` where librdkafka refuses it or the process is gone.
    """

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address

    def fail(self, api: int, code: int, count: int = 1) -> None:
        """Make the next `count` requests of Kafka API key `api` fail with Kafka error `code`."""
        self._tell("errors", api, code, count)

    def refuse(self, topic: str, partition: int, code: int, count: int = 1) -> None:
        """Make the next `count` writes to one partition fail with Kafka error `code`."""
        self._tell("refuse", topic, partition, code, count)

    def down(self, number: int = 1) -> None:
        """A broker hangs up on everybody and listens no more."""
        self._tell("down", number)

    def up(self, number: int = 1) -> None:
        """A broker that was down is back, with all that it held."""
        self._tell("up", number)

    def delay(self, milliseconds: int, number: int = 1) -> None:
        """A broker answers everything so much later; 0: at once again."""
        self._tell("rtt", number, milliseconds)

    def coordinate(self, group: str, number: int) -> None:
        """A consumer group has this broker for its coordinator from now on."""
        self._tell("coordinator", group, number)

    def lead(self, topic: str, partition: int, number: int) -> None:
        """A partition has this broker for its leader from now on."""
        self._tell("leader", topic, partition, number)

    def recreate(self, topic: str, partitions: int) -> None:
        """A topic loses all that it held and is made anew with so many partitions."""
        self._tell("topic", topic, partitions)

    def _tell(self, *words: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise BrokerError(answer or "the embedded broker has ended")

    def stop(self) -> None:
        """End the broker and everything it kept; stopping twice is fine."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_broker(topics: Iterable[str], partitions: int = 4, brokers: int = 1) -> Broker:
    """Start a process of so many brokers that has `topics`, each with `partitions` partitions; wait until it listens.

    Raises `BrokerError` where confluent-kafka is not installed or the process ends before it listens.
    """
    command = [sys.executable, "-m", "decisioning.streaming.broker",
               "--topics", ",".join(topics), "--partitions", str(partitions), "--brokers", str(brokers)]  # fmt: skip
    # A group of its own: Ctrl-C at a terminal goes to the program in front, which ends the broker last.
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    if not address:
        raise BrokerError(f"the embedded broker ended with exit code {process.wait()} before it listened")
    return Broker(process, address)


class _MockCluster:
    """librdkafka's mock cluster through ctypes: the Python binding offers neither partition counts nor errors."""

    def __init__(self, topics: Iterable[str], partitions: int, brokers: int) -> None:
        self._lib = lib = _librdkafka()
        error = ctypes.create_string_buffer(256)
        quiet = lib.rd_kafka_conf_new()
        # Its own client never connects anywhere, and warns about it.
        lib.rd_kafka_conf_set(quiet, b"log_level", b"2", error, len(error))
        self._handle = lib.rd_kafka_new(_PRODUCER, quiet, error, len(error))
        if not self._handle:
            raise BrokerError(f"librdkafka refused to start: {error.value.decode()}")
        self._cluster = lib.rd_kafka_mock_cluster_new(self._handle, brokers)
        if not self._cluster:
            raise BrokerError("librdkafka could not open a listening socket on this machine")
        # Its default is 3 s, which every first join of a worker would wait. Without any it refuses a second worker.
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 300)
        for topic in topics:
            code = lib.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
            if code:
                raise BrokerError(f"topic {topic!r} with {partitions} partitions was refused (librdkafka error {code})")
        self.address: str = lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def fail(self, api: int, code: int, count: int) -> None:
        """Queue `count` error answers `code` for requests of API key `api`."""
        codes = (ctypes.c_int * count)(*([code] * count))
        self._lib.rd_kafka_mock_push_request_errors_array(
            ctypes.c_void_p(self._cluster), ctypes.c_int16(api), ctypes.c_size_t(count), codes
        )

    def refuse(self, topic: str, partition: int, code: int, count: int) -> None:
        """Queue `count` error answers `code` for writes to one partition."""
        codes = [ctypes.c_int(code)] * count  # it takes them one by one, as printf does
        refused = self._lib.rd_kafka_mock_partition_push_request_errors(
            ctypes.c_void_p(self._cluster), topic.encode(), ctypes.c_int32(partition), ctypes.c_int16(PRODUCE),
            ctypes.c_size_t(count), *codes,
        )  # fmt: skip
        self._must("refuse", refused)

    def down(self, number: int) -> None:
        """A broker hangs up and listens no more."""
        self._must("down", self._lib.rd_kafka_mock_broker_set_down(self._cluster, number))

    def up(self, number: int) -> None:
        """A broker listens again."""
        self._must("up", self._lib.rd_kafka_mock_broker_set_up(self._cluster, number))

    def delay(self, number: int, milliseconds: int) -> None:
        """A broker answers later."""
        self._must("rtt", self._lib.rd_kafka_mock_broker_set_rtt(self._cluster, number, milliseconds))

    def coordinate(self, group: str, number: int) -> None:
        """A group's coordinator is another broker."""
        code = self._lib.rd_kafka_mock_coordinator_set(self._cluster, b"group", group.encode(), number)
        self._must("coordinator", code)

    def lead(self, topic: str, partition: int, number: int) -> None:
        """A partition's leader is another broker."""
        code = self._lib.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, number)
        self._must("leader", code)

    def recreate(self, topic: str, partitions: int) -> None:
        """A topic is another one of the same name."""
        self._must("topic", self._lib.rd_kafka_mock_topic_delete(self._cluster, topic.encode()))
        self._must("topic", self._lib.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1))

    def _must(self, what: str, code: int) -> None:
        if code:
            raise BrokerError(f"{what}: librdkafka refused it (error {code})")


def _librdkafka() -> ctypes.CDLL:
    """The shared library inside confluent-kafka's wheel, with the types of what is called."""
    try:
        import confluent_kafka
    except ImportError as error:
        raise BrokerError("the embedded broker needs confluent-kafka: pip install confluent-kafka") from error
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka*"))
    if not found:
        raise BrokerError("this build of confluent-kafka brings no librdkafka of its own; install its wheel from PyPI")
    lib = ctypes.CDLL(str(found[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    lib.rd_kafka_conf_new.restype = pointer
    lib.rd_kafka_conf_set.argtypes = [pointer, text, text, text, ctypes.c_size_t]
    lib.rd_kafka_conf_set.restype = number
    lib.rd_kafka_new.restype = pointer
    lib.rd_kafka_new.argtypes = [number, pointer, text, ctypes.c_size_t]
    lib.rd_kafka_mock_cluster_new.restype = pointer
    lib.rd_kafka_mock_cluster_new.argtypes = [pointer, number]
    lib.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]
    lib.rd_kafka_mock_group_initial_rebalance_delay_ms.restype = None
    lib.rd_kafka_mock_topic_create.argtypes = [pointer, text, number, number]
    lib.rd_kafka_mock_topic_create.restype = number
    lib.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    lib.rd_kafka_mock_cluster_bootstraps.restype = text
    lib.rd_kafka_mock_push_request_errors_array.restype = None
    lib.rd_kafka_mock_broker_set_down.argtypes = [pointer, ctypes.c_int32]
    lib.rd_kafka_mock_broker_set_up.argtypes = [pointer, ctypes.c_int32]
    lib.rd_kafka_mock_broker_set_rtt.argtypes = [pointer, ctypes.c_int32, number]
    lib.rd_kafka_mock_coordinator_set.argtypes = [pointer, text, text, ctypes.c_int32]
    lib.rd_kafka_mock_partition_set_leader.argtypes = [pointer, text, ctypes.c_int32, ctypes.c_int32]
    lib.rd_kafka_mock_topic_delete.argtypes = [pointer, text]
    return lib


def main(arguments: list[str] | None = None) -> None:
    """Run the broker until standard input closes; exit code 3 where it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m decisioning.streaming.broker", description=__doc__.split("\n")[0])
    parser.add_argument("--topics", required=True, help="comma-separated names, for example orders,decisions")
    parser.add_argument("--partitions", type=int, default=4, help="partitions of every topic (default 4)")
    parser.add_argument("--brokers", type=int, default=1, help="brokers of the cluster (default 1)")
    options = parser.parse_args(arguments)
    try:
        cluster = _MockCluster(
            [name for name in options.topics.split(",") if name], options.partitions, options.brokers
        )
    except BrokerError as error:
        print(f"broker: {error}", file=sys.stderr)
        raise SystemExit(3) from None

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    print(cluster.address, flush=True)
    for line in sys.stdin:
        print(_obey(cluster, line), flush=True)


def _obey(cluster: _MockCluster, line: str) -> str:
    """What the broker answers to a line: `ok`, or why not."""
    try:
        match line.split():
            case ["errors", api, code, count]:
                cluster.fail(int(api), int(code), int(count))
            case ["refuse", topic, partition, code, count]:
                cluster.refuse(topic, int(partition), int(code), int(count))
            case ["down", number]:
                cluster.down(int(number))
            case ["up", number]:
                cluster.up(int(number))
            case ["rtt", number, milliseconds]:
                cluster.delay(int(number), int(milliseconds))
            case ["coordinator", group, number]:
                cluster.coordinate(group, int(number))
            case ["leader", topic, partition, number]:
                cluster.lead(topic, int(partition), int(number))
            case ["topic", name, partitions]:
                cluster.recreate(name, int(partitions))
            case _:
                return f"not understood: {line.strip()!r}"
    except (BrokerError, ValueError) as error:
        return str(error)
    return "ok"


if __name__ == "__main__":
    main()
