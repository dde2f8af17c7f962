"""The topics: the order that state depends on, Java's partitioner, and what is refused before a worker starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from decisioning.document import MAX_BYTES
from decisioning.streaming.broker import Broker, start_broker
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import (
    TOPICS,
    Found,
    Role,
    TopicsError,
    create_topics,
    lane_topics,
    list_topics,
    misfits,
    murmur2,
    name_of,
    partition_of,
    plan,
    render,
)

NAMES = [topic.name for topic in TOPICS]


@pytest.fixture
def broker() -> Iterator[Broker]:
    """An embedded broker that has no topic of ours yet."""
    with start_broker(["unrelated"]) as running:
        yield running


def _settings(broker: Broker, partitions: int = 4) -> Settings:
    return Settings(kafka=broker.address, partitions=partitions)


def test_lane_topics_stand_in_the_order_written_into_state() -> None:
    """State headers name a topic by its place: this list may grow at its end and never change otherwise."""
    assert lane_topics(Settings()) == (
        "purchases",
        "orders",
        "support",
        "customers",
        "responses",
        "contact-requests",
        "relay",
    )


def test_a_prefix_stands_before_what_we_write_and_nothing_else() -> None:
    """Source and broadcast topics belong to others, who named them."""
    settings = Settings(topic_prefix="shop.")
    assert [name for name in NAMES if name_of(settings, name) == f"shop.{name}"] == [
        "relay",
        "state-changelog",
        "decisions",
        "holds",
        "dead-letters",
    ]
    assert lane_topics(settings)[-1] == "shop.relay"


def test_the_plan_keeps_state_by_key_and_everything_else_for_a_time() -> None:
    """The changelog is compacted with the bounds of design.md section 4; personal data elsewhere has an end."""
    planned = {topic.name: topic for topic in plan(Settings(partitions=5, replication=3, max_event_bytes=1_000_000))}
    state = planned["state-changelog"].config
    assert state["cleanup.policy"] == "compact"
    assert int(state["min.compaction.lag.ms"]) >= 10 * 60 * 1000
    assert "retention.ms" not in state
    for topic in planned.values():
        assert topic.partitions == (1 if topic.topic.role is Role.BROADCAST else 5)
        assert topic.config["min.insync.replicas"] == "2"
        assert int(topic.config["max.message.bytes"]) >= 1_000_000 + 64 * 1024
        assert ("retention.ms" in topic.config) == (topic.config["cleanup.policy"] == "delete")
    assert "min.insync.replicas" not in plan(Settings())[0].config


def test_the_largest_rulebook_fits_whatever_events_may_measure() -> None:
    """A stop is published as a whole rulebook: a bound on events must not keep it out."""
    (row,) = [topic for topic in plan(Settings(max_event_bytes=1024)) if topic.name == "rulebooks"]
    assert int(row.config["max.message.bytes"]) > MAX_BYTES
    assert row.config["cleanup.policy"] == "compact"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_javas_own_vectors(key: bytes, expected: int) -> None:
    """The vectors of Kafka's `UtilsTest.testMurmur2`."""
    assert murmur2(key) == expected & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 100))
def test_partitions_are_those_of_the_plain_implementation(key: bytes, partitions: int) -> None:
    """Ours is the fast one; aiokafka's, which its producer uses, is the model beside it."""
    assert murmur2(key) == reference(key)
    assert partition_of(key, partitions) == (reference(key) & 0x7FFFFFFF) % partitions


def test_partitions_are_those_of_librdkafka(broker: Broker) -> None:
    """A producer in another language lands where we expect it, as contract.md section 1 tells it to be set up."""
    from confluent_kafka import Message, Producer

    seen: dict[bytes, int] = {}

    def delivered(error: object, message: Message) -> None:
        key, partition = message.key(), message.partition()
        assert error is None
        assert isinstance(key, bytes)
        assert partition is not None
        seen[key] = partition

    producer = Producer({"bootstrap.servers": broker.address, "partitioner": "murmur2_random"})
    keys = [f"c-{number}".encode() for number in range(100)] + ["tel:+4930é".encode(), b"x"]
    for key in keys:
        producer.produce("unrelated", key=key, value=b"", on_delivery=delivered)
    assert producer.flush(20) == 0
    assert seen == {key: partition_of(key, 4) for key in keys}


async def test_create_makes_what_is_missing_and_may_be_repeated(broker: Broker) -> None:
    """On the embedded broker topics come into being when touched; a second call finds nothing to do."""
    settings = _settings(broker)
    assert await create_topics(settings) == NAMES
    assert await create_topics(settings) == []
    assert all(found == Found(4, 1) for _, found in await list_topics(settings))


async def test_another_number_of_partitions_everywhere_is_a_setting() -> None:
    """All customer topics agree with each other, so the remedy is one variable."""
    with start_broker(NAMES, partitions=3) as running:
        with pytest.raises(TopicsError) as caught:
            await create_topics(_settings(running, 8))
        assert str(caught.value) == (
            "partitions: 8 expected, but all customer topics have 3; set DECISIONING_PARTITIONS=3"
        )
        await create_topics(_settings(running, 3))


async def test_topics_that_disagree_are_named() -> None:
    """T26: a lane with unequal topics would lose events; the line names those that do not fit."""
    with start_broker([name for name in NAMES if name != "orders"], partitions=5) as running:
        settings = _settings(running, 5)
        with pytest.raises(
            TopicsError, match=r"5 expected, but orders has 4; delete those and run `decisioning topics"
        ):
            await create_topics(settings)


def test_too_few_copies_are_refused_in_production_alone() -> None:
    """T26: with one copy, one disk takes the state along; on a developer's machine that is fine."""
    prod = Settings(profile="prod", security_protocol="SSL", replication=3, partitions=4)
    found = {name: Found(4, 3) for name in NAMES} | {"state-changelog": Found(4, 1)}
    assert misfits(prod, plan(prod), found) == [
        "copies: 3 expected, but state-changelog has 1; reassign their partitions"
    ]
    dev = Settings(replication=3, partitions=4)
    assert misfits(dev, plan(dev), found) == []


@pytest.mark.parametrize("ask", ["create_topics", "list_topics"])
def test_an_unreachable_broker_is_one_line(ask: str) -> None:
    """The client library's own complaints stay silent, so that ours, which names the variable, is the only line."""
    program = (
        "import asyncio\n"
        "from decisioning.streaming import topics\n"
        "from decisioning.streaming.settings import Settings\n"
        f"try:\n    asyncio.run(topics.{ask}(Settings(kafka='127.0.0.1:1')))\n"
        "except topics.TopicsError as error:\n    print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == ""
    assert ended.stdout.startswith("Kafka at 127.0.0.1:1 cannot be reached or refuses us")
    assert "DECISIONING_KAFKA" in ended.stdout
    assert ended.stdout.count("\n") == 1


def test_the_table_shows_plan_and_broker_side_by_side() -> None:
    """One line a topic; what is missing or different is marked."""
    settings = Settings(partitions=8)
    rows = [(topic, Found(topic.partitions, 1)) for topic in plan(settings)]
    table = render([(rows[0][0], None), (rows[1][0], Found(3, 2)), *rows[2:]]).splitlines()
    assert table[0].split() == ["TOPIC", "ROLE", "KEY", "PARTITIONS", "COPIES", "KEPT", "WHY"]
    assert "8 (missing)" in table[1]
    assert "8 (is 3) " in table[2]
    assert "1 (is 2) " in table[2]
    assert len(table) == 1 + len(TOPICS)
    assert len({line.index(topic.why) for line, topic in zip(table[1:], TOPICS, strict=True)}) == 1
