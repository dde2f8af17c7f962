"""What a broker of a test is told: `server.properties` as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

Security = Literal["PLAINTEXT", "SASL_SSL"]

HOST: Final = "127.0.0.1"
SUPER: Final = "ANONYMOUS"
"""Who comes in by the plain listener INSIDE: the brokers and the test itself. They may do everything."""

QUICK: Final[Mapping[str, object]] = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 1,
    "log.cleaner.backoff.ms": 200,
    "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,  # 128 MB otherwise, for cleaning on a scale that no test needs
    "log.initial.task.delay.ms": 3_600_000,  # retention sleeps: it goes by the times of histories
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 300,
    "controller.quorum.election.timeout.ms": 500,
    "controller.quorum.fetch.timeout.ms": 1000,
    "auto.create.topics.enable": "false",  # as in production: a topic is made on purpose
}
"""What makes a small cluster quick. Nothing here changes what a client may rely on."""


class Wanted(NamedTuple):
    """What a test asked for; see `RealKafka`."""

    brokers: int
    security: Security
    keystore: Path | None
    users: Mapping[str, str]
    routes: tuple[str, ...]
    config: Mapping[str, object]

    @property
    def numbers(self) -> range:
        """The numbers of the brokers, from 1."""
        return range(1, self.brokers + 1)

    @property
    def listeners(self) -> list[str]:
        """The names of the listeners that each broker has."""
        return ["CONTROLLER", "INSIDE", "OUTSIDE", *(listener_of(n) for n, _ in enumerate(self.routes))]


Ports = Mapping[int, Mapping[str, int]]
"""By broker and listener."""


def listener_of(route: int) -> str:
    """The name of the listener behind the route of this place."""
    return f"ROUTE{route}"


def properties(number: int, wanted: Wanted, ports: Ports, advertised: Ports) -> dict[str, str]:
    """The configuration of one broker; `advertised` are the ports that clients are told, a proxy's for a route."""
    copies = min(3, wanted.brokers)
    plain = {"CONTROLLER", "INSIDE"}
    protocols = {name: "PLAINTEXT" if name in plain else wanted.security for name in wanted.listeners}
    told = [name for name in wanted.listeners if name != "CONTROLLER"]
    chosen: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": ",".join(f"{n}@{HOST}:{ports[n]['CONTROLLER']}" for n in wanted.numbers),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INSIDE",
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports[number].items()),
        "advertised.listeners": ",".join(f"{name}://{HOST}:{advertised[number][name]}" for name in told),
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": min(2, copies),
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": min(2, copies),
    }
    return {name: str(content) for name, content in {**QUICK, **chosen, **_secured(wanted), **wanted.config}.items()}


def _secured(wanted: Wanted) -> dict[str, object]:
    if wanted.security == "PLAINTEXT":
        return {}
    assert wanted.keystore is not None, "SASL_SSL needs the brokers' key and certificates"
    module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    outside = [name for name in wanted.listeners if name not in ("CONTROLLER", "INSIDE")]
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": wanted.keystore,
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        **{f"listener.name.{name.lower()}.scram-sha-512.sasl.jaas.config": module for name in outside},
    }
