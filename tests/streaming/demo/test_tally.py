"""Counting: every request ends in an answer or a dead letter, or the run says which did not."""

from __future__ import annotations

from typing import Any

from decisioning.streaming.demo.fact import CRM, Fact, fact
from decisioning.streaming.demo.tally import Tally
from tests.streaming.demo.decided import decision


def request(id_: str = "e-1", *classes: str) -> Fact:
    """A request with one candidate for each class."""
    candidates: list[dict[str, Any]] = [
        {"action": f"a-{number}", "class": class_, "channels": ["email"]}
        for number, class_ in enumerate(classes or ("marketing",))
    ]
    return fact("contact.requested", id_, "c-7", 0, {"request_id": "r", "candidates": candidates}, source=CRM)


def test_an_answer_settles_its_request() -> None:
    """Act, suppress and defer are answers; until one comes the request waits."""
    for outcome in ("act", "suppress", "defer"):
        tally = Tally()
        tally.publish(request(), 1.0)
        assert (tally.waiting, tally.unanswered) == (1, ["e-1"])
        tally.decide(decision(outcome), 1.25)
        assert tally.waiting == 0
        assert tally.latency(0.5) == 250.0


def test_a_request_for_two_services_waits_for_both() -> None:
    """Service candidates do not compete: each is owed its own answer."""
    tally = Tally()
    tally.publish(request("e-1", "service", "service"), 1.0)
    tally.decide(decision("act", id_="d-1"), 2.0)
    assert tally.waiting == 1
    tally.decide(decision("act", id_="d-2"), 2.0)
    assert tally.waiting == 0


def test_recalls_and_answers_at_a_wake_settle_nothing() -> None:
    """A recall and a hold answer nobody, and the further answer of something deferred is counted apart."""
    tally = Tally()
    tally.publish(request(), 1.0)
    tally.decide(decision("hold", "recent_purchase.same_item", id_="d-0", scope={}), 2.0)
    tally.decide(decision("recall", "recent_purchase.cooldown", id_="d-1", recalls="a-1"), 2.0)
    tally.decide(decision("act", id_="d-2", trigger="wake-1"), 2.0)
    assert (tally.waiting, tally.further) == (1, 1)
    assert tally.silences == {"recent_purchase.cooldown": 1}


def test_the_same_decision_again_counts_once() -> None:
    """After a crash outputs are published again, byte for byte; an id with other bytes is a broken promise."""
    tally = Tally()
    first = decision("act")
    assert tally.decide(first, 1.0) is not None
    assert tally.decide(first, 2.0) is None
    assert (tally.decisions, tally.repeated, tally.conflicts) == (1, 1, 0)
    assert tally.decide(decision("suppress", "consent.missing"), 3.0) is None
    assert tally.conflicts == 1


def refusal(offset: int) -> list[tuple[str, bytes]]:
    """The headers of a dead letter for a record of contact-requests, partition 2."""
    return [
        ("traceparent", b"00-1"),
        ("__streams.errors.topic", b"contact-requests"),
        ("__streams.errors.partition", b"2"),
        ("__streams.errors.offset", str(offset).encode()),
        ("decisioning.error.code", b"no_time"),
    ]


def test_a_dead_letter_settles_the_request_of_its_place() -> None:
    """Topic, partition and offset say which record could not be read; another place settles nothing."""
    tally = Tally()
    tally.publish(request(), 1.0)
    tally.arrive(request(), ("contact-requests", 2, 41))
    tally.refuse(refusal(40))
    assert tally.waiting == 1
    tally.refuse(refusal(41))
    assert tally.waiting == 0
    assert tally.dead_letters == {"no_time": 2}


def test_a_dead_letter_may_be_faster_than_the_receipt() -> None:
    """The worker may refuse a record before the feeder knows where it lies."""
    tally = Tally()
    tally.publish(request(), 1.0)
    tally.refuse(refusal(41))
    tally.arrive(request(), ("contact-requests", 2, 41))
    assert tally.waiting == 0


def test_percentiles_are_of_the_answers_seen() -> None:
    """Half of the latencies lie below p50; without any answer it is 0."""
    tally = Tally()
    assert tally.latency(0.99) == 0.0
    for number in range(100):
        tally.publish(request(f"e-{number}"), 0.0)
        tally.decide(decision("act", id_=f"d-{number}", trigger=f"e-{number}"), number / 1000)
    assert (tally.latency(0.5), tally.latency(0.99), tally.latency(1.0)) == (50.0, 99.0, 99.0)
    assert tally.latency(0.5, recent=True) == 50.0
