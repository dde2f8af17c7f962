"""In and out of Kafka: places of records, their stamps, the pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from decisioning.streaming.broker import Broker, start_broker
from decisioning.streaming.demo.fact import SHOP, Fact, fact
from decisioning.streaming.demo.feeder import BrokerLost, Pace, Publisher, Watcher
from decisioning.streaming.settings import Settings, client_options
from decisioning.streaming.topics import partition_of

NOON = 1_291_204_800_000_000


def known(number: int, at: int = NOON) -> Fact:
    """A small fact about customer c-<number>."""
    return fact("customer.updated", f"u-{number}", f"c-{number}", at, {"country": "GB"}, source=SHOP)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """An embedded broker with one customer topic."""
    with start_broker(["customers", "empty"], partitions=4) as running:
        yield running


def options(broker: Broker) -> dict[str, Any]:
    """Our clients' way to it."""
    return client_options(Settings(kafka=broker.address))


def taken(watcher: Watcher, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """All messages until there are enough, or ten seconds have passed."""
    found: list[Any] = []
    deadline = time.monotonic() + 10
    while not enough(found) and time.monotonic() < deadline:
        found += watcher.take(0.05)
    return found


def publish(broker: Broker, facts: list[Fact], *, stamped: bool) -> list[tuple[Fact, tuple[str, int, int]]]:
    """Publish the facts and return where each arrived."""
    places: list[tuple[Fact, tuple[str, int, int]]] = []
    publisher = Publisher(options(broker), stamped=stamped, arrived=lambda one, place: places.append((one, place)))
    for one in facts:
        publisher.publish(one)
    publisher.flush()
    return places


def test_facts_lie_where_javas_murmur2_puts_their_subject(broker: Broker) -> None:
    """Every record's partition is the one that the contract names, and the receipt says the same."""
    facts = [known(number) for number in range(40)]
    places = publish(broker, facts, stamped=True)
    watcher = Watcher(options(broker), ["customers"])
    found = taken(watcher, lambda messages: len(messages) >= 40)
    watcher.close()
    assert {(m.key(), m.value(), m.partition()) for m in found} == {
        (one.key, one.value, partition_of(one.key, 4)) for one in facts
    }
    assert {(one.key, place[0], place[1]) for one, place in places} == {
        (one.key, "customers", partition_of(one.key, 4)) for one in facts
    }


def test_stamps_are_the_facts_own_instants(broker: Broker) -> None:
    """By them the worker's lanes take records of several topics in order."""
    publish(broker, [known(1, at=NOON + 7_000_000)], stamped=True)
    watcher = Watcher(options(broker), ["customers"])
    (message,) = taken(watcher, lambda messages: len(messages) >= 1)
    watcher.close()
    assert message.timestamp()[1] == NOON // 1000 + 7000


def test_without_stamps_records_carry_the_time_of_publishing_in_strict_order(broker: Broker) -> None:
    """A real broker expires by age: 2010 would be gone at once. No two records of one customer share a millisecond."""
    before = time.time_ns() // 1_000_000
    publish(broker, [known(1) for _ in range(20)], stamped=False)
    watcher = Watcher(options(broker), ["customers"])
    stamps = [m.timestamp()[1] for m in taken(watcher, lambda messages: len(messages) >= 20)]
    watcher.close()
    assert len(set(stamps)) == 20
    assert stamps == sorted(stamps)
    assert stamps[0] >= before


def test_a_topic_with_records_is_told_from_an_empty_one(broker: Broker) -> None:
    """The demo never mixes its customers with someone else's."""
    publish(broker, [known(1)], stamped=True)
    watcher = Watcher(options(broker), [])
    assert watcher.occupied(["empty"]) is None
    assert watcher.occupied(["empty", "customers"]) == "customers"
    watcher.close()


def test_a_fact_that_cannot_be_delivered_is_no_silent_loss(broker: Broker) -> None:
    """A broker that refuses (here: 29, not authorised) ends the run in one line."""
    broker.fail(0, 29)
    with pytest.raises(BrokerLost, match="could not be published"):
        publish(broker, [known(1)], stamped=True)


def test_the_pace_is_even_and_gives_out_everything_once() -> None:
    """A quarter of the time, a quarter of the facts; at the end all of them, in order."""
    facts = [known(number, at=number) for number in range(100)]
    pace = Pace(facts, 10)
    given = list(pace.due(2.5))
    assert 25 <= len(given) <= 26
    assert pace.clock == given[-1].at
    assert not pace.due(2.5)
    assert not pace.done
    assert [*given, *pace.due(99)] == facts
    assert pace.done


def test_security_settings_reach_librdkafka(tmp_path: Any) -> None:
    """What the worker is told by DECISIONING_SASL_* and DECISIONING_SSL_* the demo's own clients use too."""
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    authorities = tmp_path / "ca.pem"
    authorities.write_text("")
    found = client_options(
        Settings(
            kafka="k:9093",
            security_protocol="SASL_SSL",
            sasl_username="demo",
            sasl_password_file=secret,
            ssl_ca_file=authorities,
        )
    )
    assert found["sasl.password"] == "s3cret"
    assert (found["security.protocol"], found["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert found["ssl.ca.location"] == str(authorities)
