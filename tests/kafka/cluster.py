"""A real Kafka for a test: brokers in KRaft mode on free loopback ports, or the one that DECISIONING_KAFKA names.

    with RealKafka(folder, brokers=3, routes=("worker",)) as kafka:
        kafka.create_topics(Settings(**kafka.settings, partitions=4, replication=3))
        kafka.routes["worker"].cut("answers")
        kafka.kill(kafka.leader("decisions", 0))

Each broker has several listeners: INSIDE for the brokers and the test itself, which nobody cuts; OUTSIDE for clients
under test, with the security that was asked for; and one behind a proxy for each route. A client that comes by a route
is told the proxies' addresses, so all of its traffic stays on it.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import create_topics
from tests.kafka.config import HOST, Security, Wanted, listener_of, properties
from tests.kafka.guard import Guard
from tests.kafka.jars import EXTERNAL, external, libraries, locked
from tests.kafka.node import Node, PortTaken, classes, free_ports
from tests.kafka.proxy import Proxy, Which


class Route(NamedTuple):
    """A way to the brokers of its own, through one proxy for each; what is said here is said to all of them."""

    to: Mapping[int, Proxy]
    """The proxy before each broker, to cut off one alone."""

    @property
    def address(self) -> str:
        """The bootstrap addresses of a client that takes this route."""
        return ",".join(proxy.address for proxy in self.to.values())

    def cut(self, which: Which = "both") -> None:
        """Let nothing pass any more: `requests` to the brokers, `answers` from them, or both."""
        self._each(lambda proxy: proxy.cut(which))

    def delay(self, seconds: float, which: Which = "both") -> None:
        """Have everything arrive so much later."""
        self._each(lambda proxy: proxy.delay(seconds, which))

    def limit(self, bytes_per_second: float | None, which: Which = "both") -> None:
        """Let no more pass in a second, to and from each broker."""
        self._each(lambda proxy: proxy.limit(bytes_per_second, which))

    def heal(self) -> None:
        """As if nothing had been; what was held back arrives now."""
        self._each(Proxy.heal)

    def reset(self) -> None:
        """Break the connections that there are."""
        self._each(Proxy.reset)

    def close(self) -> None:
        """End the proxies."""
        self._each(Proxy.close)

    def _each(self, do: Callable[[Proxy], None]) -> None:
        for proxy in self.to.values():
            do(proxy)


class RealKafka:
    """A running cluster; brokers are numbered from 1. Everything that it starts ends with the context, or the process.

    `security` is that of the clients' listeners, `users` the names and passwords they may log in with under SASL_SSL
    and `keystore` a PEM file with the brokers' key and certificates; `config` are further broker settings. The logs
    stay in `folder`. NoKafka, with the end of the log, where it cannot start.
    """

    address: str
    """The bootstrap addresses for the clients under test."""

    inside: str
    """The bootstrap addresses for the test itself: plain text, and no route."""

    def __init__(
        self, folder: Path, brokers: int = 1, *, security: Security = "PLAINTEXT", keystore: Path | None = None,
        users: Mapping[str, str] | None = None, routes: Sequence[str] = (), config: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        self._folder, self._security = folder, security
        self._guard: Guard | None = None
        self._nodes: dict[int, Node] = {}
        self._made: list[str] = []
        self.routes: dict[str, Route] = {}
        self.external = external()
        wanted = Wanted(brokers, security, keystore, users or {}, tuple(routes), config or {})
        if self.external is not None:
            if wanted != Wanted(1, "PLAINTEXT", None, {}, (), {}):
                pytest.skip(f"{EXTERNAL} is set, and this test needs a cluster of its own making")
            self.address = self.inside = self.external
            return
        keep_classes()
        self._guard = Guard()
        try:
            self._begin(wanted)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RealKafka:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started; on a broker of another, remove the topics that we made. Twice is fine."""
        if self.external is not None:
            self.delete_topics(self._made)
        self._end()
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    # -- how to reach it --------------------------------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, object]:
        """Settings of a worker that comes by the clients' listener; under SASL_SSL add user, password and authority."""
        return {"kafka": self.address, "security_protocol": self._security}

    @property
    def brokers(self) -> list[int]:
        """The numbers of all brokers, running or not."""
        return list(self._nodes)

    @cached_property
    def admin(self) -> AdminClient:
        """A client of the test's own that may do everything."""
        return AdminClient({"bootstrap.servers": self.inside, "log_level": 2, "socket.timeout.ms": 10_000})

    # -- faults -----------------------------------------------------------------------------------------------------

    def kill(self, number: int) -> None:
        """SIGKILL one broker."""
        self._ours(number).kill()

    def stop(self, number: int) -> None:
        """SIGTERM one broker and wait until it has ended in order."""
        self._ours(number).stop()

    def start(self, number: int) -> None:
        """Start one broker that was killed or stopped, on its old data, and wait until it serves."""
        node = self._ours(number)
        node.begin()
        node.wait()

    def pause(self, number: int) -> None:
        """SIGSTOP one broker: its connections stay and nothing answers."""
        self._ours(number).signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """SIGCONT a paused broker."""
        self._ours(number).signal(signal.SIGCONT)

    def resident(self, number: int) -> int:
        """Bytes of memory that a broker holds."""
        return self._ours(number).resident

    def cpu(self, number: int) -> float:
        """Processor seconds that a broker has used."""
        return self._ours(number).cpu

    # -- topics -----------------------------------------------------------------------------------------------------

    def create_topics(self, settings: Settings) -> list[str]:
        """Create what these settings ask for, as `decisioning topics create` does; the names of the new ones."""
        # The test's own way in: by then the clients' one may be cut.
        plain = settings.model_copy(update={"kafka": self.inside, "security_protocol": "PLAINTEXT"})
        made = asyncio.run(create_topics(plain))
        self._made += made
        return made

    def delete_topics(self, names: Sequence[str]) -> None:
        """Remove these topics."""
        for done in (self.admin.delete_topics(list(names)) if names else {}).values():
            done.result(30)
        self._made = [name for name in self._made if name not in names]

    def alter_topic(self, name: str, **config: object) -> None:
        """Set a topic's configuration; dots of its names are written as underscores: `segment_ms=100`."""
        entries = [
            ConfigEntry(key.replace("_", "."), str(content), incremental_operation=AlterConfigOpType.SET)
            for key, content in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for done in self.admin.incremental_alter_configs([resource]).values():
            done.result(30)

    def configuration(self, name: str) -> dict[str, str]:
        """The configuration of a topic as the broker has it, defaults included."""
        (described,) = self.admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
        return {entry.name: entry.value for entry in described.result(30).values()}

    def leader(self, topic: str, partition: int) -> int:
        """The broker that leads a partition now; -1 while none does."""
        return int(self.admin.list_topics(topic, timeout=10).topics[topic].partitions[partition].leader)

    def coordinator(self, group: str) -> int:
        """The broker that coordinates a consumer group."""
        (described,) = self.admin.describe_consumer_groups([group], request_timeout=10).values()
        return int(described.result(30).coordinator.id)

    # -- the start --------------------------------------------------------------------------------------------------

    def _ours(self, number: int) -> Node:
        if self.external is not None:
            pytest.skip(f"{EXTERNAL} is set, and that broker is not ours to end or to pause")
        return self._nodes[number]

    def _begin(self, wanted: Wanted) -> None:
        for last in (False, False, True):
            try:
                self._try(wanted)
                return
            except PortTaken:
                self._end()
                if last:
                    raise

    def _try(self, wanted: Wanted) -> None:
        free = iter(free_ports(wanted.brokers * len(wanted.listeners)))
        ports = {number: {name: next(free) for name in wanted.listeners} for number in wanted.numbers}
        advertised = {number: dict(listeners) for number, listeners in ports.items()}
        for place, name in enumerate(wanted.routes):
            listener = listener_of(place)
            self.routes[name] = Route({number: Proxy((HOST, ports[number][listener])) for number in wanted.numbers})
            for number, proxy in self.routes[name].to.items():
                advertised[number][listener] = proxy.port
        assert self._guard is not None
        for number in wanted.numbers:
            told = properties(number, wanted, ports, advertised)
            self._nodes[number] = Node(self._folder, number, told, self._guard)
        self.inside = ",".join(f"{HOST}:{ports[number]['INSIDE']}" for number in wanted.numbers)
        self.address = ",".join(f"{HOST}:{ports[number]['OUTSIDE']}" for number in wanted.numbers)
        with ThreadPoolExecutor(wanted.brokers) as together:
            list(together.map(lambda node: node.format(wanted.users), self._nodes.values()))
        for node in self._nodes.values():
            node.begin()
        for node in self._nodes.values():
            node.wait()

    def _end(self) -> None:
        for route in self.routes.values():
            route.close()
        for node in self._nodes.values():
            node.kill()  # nobody needs its data any more


def keep_classes() -> None:
    """Run a broker once for this checkout and have Java keep how its classes lie in memory."""
    libraries()
    with locked("classes"):
        if classes().exists():
            return
        wanted = Wanted(1, "PLAINTEXT", None, {}, (), {})
        ports = {1: dict(zip(wanted.listeners, free_ports(len(wanted.listeners)), strict=True))}
        half, guard = classes().with_suffix(".part"), Guard()
        half.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            node = Node(Path(folder), 1, properties(1, wanted, ports, ports), guard)
            try:
                node.format({})
                node.begin(f"-XX:ArchiveClassesAtExit={half}")
                node.wait()
                node.stop()
            finally:
                node.kill()
                guard.close()
        if half.exists():  # a Java without it only starts more slowly
            half.rename(classes())
