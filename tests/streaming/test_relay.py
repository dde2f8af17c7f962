"""The relay's records: what we tell ourselves survives the trip, and what we did not write is not believed."""

from __future__ import annotations

import pytest

from decisioning.streaming import relay
from decisioning.streaming.chassis.job import Output
from tests.streaming.records import Rec, event, record


def arrived(output: Output, topic: str = "relay") -> Rec:
    """The output as the lane's consumer will fetch it."""
    return Rec(topic, output.partition or 0, 7, output.timestamp or 0, output.key, output.value, output.headers)


def test_a_wake_comes_back_as_it_went() -> None:
    """The customer is the key, the due instant is exact, the lane is the customer's own."""
    sent = relay.wake("relay", 3, b"c-1", 1_772_445_600_000_001)
    assert (sent.topic, sent.key, sent.partition) == ("relay", b"c-1", 3)
    assert relay.read(arrived(sent)) == relay.Wake(1_772_445_600_000_001)


def test_a_forwarded_event_keeps_bytes_headers_and_time_and_counts_its_hops() -> None:
    """What the sender wrote is not touched; each trip counts one hop."""
    came = Rec("orders", 0, 5, 1_700_000_000_000, b"wrong", event("customer.updated"), (("ce_x", b"1"),))
    first = relay.forward("relay", b"c-1", came, relay.Forwarded(came.headers, 0))
    assert (first.value, first.timestamp, first.key) == (came.value, came.timestamp, b"c-1")
    once = relay.read(arrived(first))
    assert isinstance(once, relay.Forwarded)
    assert (list(once.headers), once.hops) == ([("ce_x", b"1")], 1)
    twice = relay.read(arrived(relay.forward("relay", b"c-1", arrived(first), once)))
    assert isinstance(twice, relay.Forwarded)
    assert (list(twice.headers), twice.hops) == ([("ce_x", b"1")], 2)


@pytest.mark.parametrize(
    "headers",
    [(), ((relay.KIND, b"other"),), ((relay.KIND, b"wake"),), ((relay.KIND, b"event"),),
     ((relay.KIND, b"event"), (relay.HOPS, b"x"))],
)  # fmt: skip
def test_a_record_that_we_did_not_write_is_none_of_ours(headers: tuple[tuple[str, bytes], ...]) -> None:
    """Rubbish on the relay is recognised, whatever its headers claim."""
    assert relay.read(Rec("relay", 0, 0, 0, b"c-1", b"rubbish", headers)) is None


def test_a_tombstone_on_the_relay_is_none_of_ours() -> None:
    """A wake without a value is no wake."""
    assert relay.read(record(None, topic="relay")._replace(headers=((relay.KIND, b"wake"),))) is None
