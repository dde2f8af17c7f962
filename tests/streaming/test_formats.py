"""Upgrades and rollbacks between adjacent formats of stored state, as a worker meets them: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from decisioning.state import VERSION, dumps, loads
from decisioning.streaming.chassis.epoch import TAKEOVER, beginning
from decisioning.streaming.chassis.header import pack, unpack
from decisioning.streaming.chassis.store import user_key
from decisioning.streaming.chassis.watchdog import STORE
from tests.state.test_codec import as_json, grown, plain
from tests.streaming.live import Live, until
from tests.streaming.test_app import greet, request

_CUSTOMERS = [f"c-{n}" for n in range(10)]
_FORMAT_1 = 16  # fields


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker with every topic, and an end to every worker on it."""
    with Live(tmp_path) as running:
        yield running


def ask(broker: Live, hour: int) -> list[str]:
    """Everybody is asked about once more, and a worker answers; the reasons, in the customers' order."""
    ids = {f"of-{hour}-{one}": one for one in _CUSTOMERS}
    for one in _CUSTOMERS:
        broker.publish("contact-requests", request(one, f"2026-03-02T{hour}:00:00Z", f"{hour}-{one}"), one)
    broker.flush()
    worker = broker.worker().ready()
    broker.settle()
    assert worker.term() == 0, worker.output
    said = {ids[one["data"]["request_id"]]: one["data"]["reason"] for one in broker.said()
            if one["data"].get("request_id") in ids}  # fmt: skip
    return [said[one] for one in _CUSTOMERS]


def another_program(broker: Live, stores: Callable[[bytes], bytes]) -> None:
    """Another version of the program owns the lanes for a while, and stores every state as it does."""
    last = {(record.partition, record.key): record for record in broker.read("state-changelog")}
    for number in range(broker.partitions):
        broker.publish("state-changelog", b"another version", TAKEOVER, partition=number)
    broker.flush()
    begun = {record.partition: beginning(record.offset, 0) for record in broker.read("state-changelog")
             if record.value == b"another version"}  # fmt: skip
    for (number, key), record in last.items():
        if key is not None and user_key(key) is not None and record.value is not None:
            header, body = unpack(record.value)
            header.epoch = begun[number]
            broker.publish("state-changelog", pack(header, stores(body)), key, partition=number)
    broker.flush()


@pytest.mark.long
def test_an_upgrade_reads_what_the_former_format_held(broker: Live) -> None:
    """States of format 1 in the changelog, the local store kept: everybody is known, and stored anew in ours."""
    greet(broker, *_CUSTOMERS)
    assert set(ask(broker, 11)) == {"allowed.clear"}

    def as_format_1(body: bytes) -> bytes:
        fields = msgspec.json.decode(as_json(loads(body))[1:])
        return b"\x01" + msgspec.json.encode(fields[:_FORMAT_1])

    another_program(broker, as_format_1)
    assert set(ask(broker, 12)) == {"frequency_cap.day"}
    for states in broker.stored().values():
        assert {unpack(raw)[1][0] for raw in states.values()} == {VERSION}


@pytest.mark.long
def test_a_rollback_keeps_what_only_the_newer_program_knows(broker: Live) -> None:
    """It had grown by a field; we go on with what we know, and give the rest back untouched."""
    greet(broker, *_CUSTOMERS)
    ask(broker, 11)
    another_program(broker, lambda body: grown(loads(body), {"canary": 1}))
    assert set(ask(broker, 12)) == {"frequency_cap.day"}
    bodies = [unpack(raw)[1] for states in broker.stored().values() for raw in states.values()]
    assert len(bodies) == len(_CUSTOMERS)
    for body in bodies:
        assert msgspec.msgpack.decode(plain(body))[-1] == {"canary": 1}
        assert len(loads(body).acts) == 1
        assert loads(dumps(loads(body))) == loads(body)


def test_a_rollback_over_a_new_format_is_refused_before_anything_is_said(broker: Live) -> None:
    """It ends with a line that says what to do, with nothing answered or committed; the newer program goes on."""
    greet(broker, *_CUSTOMERS)
    ask(broker, 11)
    said = broker.distinct()
    committed = broker.committed("contact-requests")
    kept: dict[bytes, bytes] = {}

    def as_newer(body: bytes) -> bytes:
        kept[bytes([VERSION + 1]) + body[1:]] = body
        return bytes([VERSION + 1]) + body[1:]

    another_program(broker, as_newer)
    for one in _CUSTOMERS:
        broker.publish("contact-requests", request(one, "2026-03-02T12:00:00Z", f"12-{one}"), one)
    broker.flush()
    worker = broker.worker()
    until(lambda: worker.process.poll() is not None, what="the end of the older program")
    assert worker.process.returncode == STORE, worker.output
    assert f"the stored state has format {VERSION + 1}" in worker.output
    assert (broker.distinct(), broker.committed("contact-requests")) == (said, committed)
    another_program(broker, lambda body: kept[body])  # the newer program, were there one, would read its own
    assert set(ask(broker, 13)) == {"frequency_cap.day"}
