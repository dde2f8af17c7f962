"""One topology a group: who brings another is kept out by Kafka itself, in one clear line."""

from __future__ import annotations

from pathlib import Path

from aiokafka.errors import InconsistentGroupProtocolError

from decisioning.streaming.chassis import watchdog
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.topology import Assignor, fingerprint
from decisioning.streaming.chassis.transport import build
from tests.streaming.chassis.harness import Cluster
from tests.streaming.chassis.toy_worker import CHANGELOG, RELAY, Toy, config

JOIN_GROUP = 11


def topology(*topics: str, changelog: str = CHANGELOG, partitions: int = 4, **more: object) -> ChassisConfig:
    """A configuration with these source topics and the relay."""
    return config(
        bootstrap="127.0.0.1:1", data="/nowhere", topics=(*topics, RELAY), changelog=changelog, partitions=partitions,
        **more,
    )  # fmt: skip


def test_a_fingerprint_is_that_of_topics_changelog_and_partitions() -> None:
    """Any of these makes another one, and so does another order of topics; nothing else does."""
    prints = {
        fingerprint(one)
        for one in (
            topology("a", "b"), topology("b", "a"), topology("a"), topology("a", "b", changelog="other"),
            topology("a", "b", partitions=5),
        )
    }  # fmt: skip
    assert len(prints) == 5
    assert fingerprint(topology("a", "b", instance="i", standbys=1, group="g")) == fingerprint(topology("a", "b"))


def test_the_assignor_bears_it(tmp_path: Path) -> None:
    """Kafka compares the names of assignors."""
    app = build(Toy(), config(bootstrap="127.0.0.1:1", data=tmp_path))
    assert type(app.assignor) is Assignor
    assert app.assignor.name == f"lanes-{fingerprint(app.chassis)}"


def test_who_is_kept_out_says_what_to_do(cluster: Cluster) -> None:
    """The coordinator's refusal ends the newcomer with code 76 (the embedded broker refuses when it is told to)."""
    code, line = watchdog.explain(InconsistentGroupProtocolError(), watchdog.CONSUMER_GROUP)
    cluster.fail(JOIN_GROUP, InconsistentGroupProtocolError.errno, 1)
    worker = cluster.worker()
    assert worker.exit_code() == code == watchdog.TOPICS
    assert worker.errors.splitlines()[-1] == f"crash 76: {line}"
    assert "stop them all before this one starts, or give it a group of its own" in line
