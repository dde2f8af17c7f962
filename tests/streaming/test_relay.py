"""The relay's records: what we tell ourselves survives the trip, and what we did not write is not believed."""

from __future__ import annotations

import pytest

from decisioning.decision import Trigger
from decisioning.errors import StateTooNew
from decisioning.moves import Adopted, Claim, Message, Moved
from decisioning.state import VERSION, State, dumps
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


def test_a_stop_comes_back_as_it_went() -> None:
    """It stays in the lane of its customer and says what stopped them."""
    sent = relay.sweep("relay", 3, b"c-1", "channel sms@2026-03-02T12:00:00Z")
    assert (sent.topic, sent.key, sent.partition) == ("relay", b"c-1", 3)
    assert relay.read(arrived(sent)) == relay.Swept("channel sms@2026-03-02T12:00:00Z")


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


TRIGGER = Trigger("/shop", "e-9", "identity.linked")


@pytest.mark.parametrize(
    "message",
    [
        Claim("c-1", 5, TRIGGER, 7, "00-a"),
        Moved(State("tel:1", moves=3, degraded=True), ("tel:1", "c-2"), TRIGGER, 7),
        Adopted(3, TRIGGER, 7),
    ],
)
def test_a_part_of_a_move_comes_back_as_it_went(message: Message) -> None:
    """Under the key of the subject whom it concerns, and by that key in its lane."""
    sent = relay.tell("relay", "tel:1", message)
    assert (sent.topic, sent.key, sent.partition) == ("relay", b"tel:1", None)
    assert relay.read(arrived(sent)) == message


@pytest.mark.parametrize("message", [Claim("c-1", 5, TRIGGER, 7), Moved(State("a"), ("a",), TRIGGER, 7)])
def test_a_damaged_part_of_a_move_is_none_of_ours(message: Message) -> None:
    """Cut short, without a key, or with a key that is no text."""
    sent = arrived(relay.tell("relay", "tel:1", message))
    assert relay.read(sent._replace(value=(sent.value or b"")[:-1])) is None
    assert relay.read(sent._replace(value=None)) is None
    assert relay.read(sent._replace(key=None)) is None
    assert relay.read(sent._replace(key=b"\xff")) is None


def test_a_move_of_a_newer_version_is_not_thrown_away() -> None:
    """It ends the process instead, so that a newer one can read it."""
    sent = arrived(relay.tell("relay", "a", Moved(State("a"), ("a",), TRIGGER, 7)))
    body = dumps(State("a"))
    newer = (sent.value or b"").replace(body, bytes([VERSION + 1]) + body[1:])
    with pytest.raises(StateTooNew):
        relay.read(sent._replace(value=newer))


def test_an_event_that_was_handed_on_is_its_keys_and_begins_its_hops_anew() -> None:
    """Moves count apart; a later forward keeps them."""
    came = Rec("relay", 0, 5, 0, b"tel:1", event("customer.updated"))
    handed_on = arrived(relay.hand_on("relay", b"c-1", came, relay.Forwarded((), 2, 1)))
    found = relay.read(handed_on)
    assert found == relay.Forwarded([], 0, 2)
    assert isinstance(found, relay.Forwarded)
    assert relay.read(arrived(relay.forward("relay", b"c-1", handed_on, found))) == relay.Forwarded([], 1, 2)
    assert relay.read(handed_on._replace(key=b"\xff")) is None
