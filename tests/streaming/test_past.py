"""The header that says that an event is history: what it says, and that it travels with the event."""

from __future__ import annotations

import pytest

from decisioning.instant import DAY, HOUR, MINUTE, SECOND
from decisioning.streaming import past, relay
from decisioning.streaming.chassis.job import Record
from tests.streaming.records import Rec, event, record
from tests.streaming.test_worker import NOON, Bench

DAYS = "2026-02-20T10:00:00Z"


def of_the_past(value: bytes, *, quiet: int = past.QUIET, **more: object) -> Rec:
    """A record as the import writes it."""
    return record(value, **more)._replace(headers=(past.mark(quiet),))  # type: ignore[arg-type]


def bought(sku: str, of: str = "c-1") -> bytes:
    """A purchase of ten days ago."""
    lines = [{"sku": sku, "quantity": 1, "unit_price": "1.00"}]
    return event("purchase.completed", DAYS, of=of, id_=sku, order_id=f"o-{sku}", currency="GBP", lines=lines)


@pytest.mark.parametrize(
    ("value", "quiet"),
    [
        (b"60", MINUTE),
        (b"0", 0),
        (b"999999999", 7 * DAY),
        (b"9999999999", past.QUIET),
        (b"", past.QUIET),
        (b"-1", past.QUIET),
        ("²".encode(), past.QUIET),
        (None, past.QUIET),
    ],
)
def test_whatever_the_header_says_it_is_history(value: bytes | None, quiet: int) -> None:
    """What cannot be read counts as the usual quiet; nobody's event is history without it."""
    assert past.quiet_of([("content-type", b"x"), (past.HISTORY, value)]) == quiet
    assert past.quiet_of([("content-type", b"x")]) is None
    assert past.quiet_of([past.mark(2 * HOUR)]) == 2 * HOUR


def test_the_end_of_the_quiet_moves_in_steps() -> None:
    """Never sooner than the quiet, at most an eighth and a second later, so that few events move it."""
    ends = {past.say_at(8 * MINUTE, NOON + number * SECOND) for number in range(240)}
    assert len(ends) <= 5
    for number in range(240):
        late = past.say_at(8 * MINUTE, NOON + number * SECOND) - (NOON + number * SECOND + 8 * MINUTE)
        assert 0 < late <= MINUTE
    assert past.say_at(0, 5) == SECOND


def test_the_worker_folds_history_in_silence_and_says_its_holds_at_a_wake() -> None:
    """No request of the past is answered, nothing counts as late, and the wake is written for its instant."""
    bench = Bench()
    bench.wall = NOON
    assert bench.take(of_the_past(bought("A"))) == []
    offer = {"action": "x", "class": "service", "channels": ["email"]}
    request = event("contact.requested", DAYS, id_="r", request_id="r-1", candidates=[offer])
    assert bench.take(of_the_past(request)) == []
    due = bench.states[b"c-1"].wake_at
    assert due == past.say_at(past.QUIET, NOON)
    bench.wall = due
    outputs = bench.deliver([bench.worker.wake(1, b"c-1", due)])
    assert [one.topic for one in outputs] == ["decisions", "holds"]
    assert bench.states[b"c-1"].wake_at is None
    assert bench.count("event_age_seconds_count") == 0
    assert bench.count("events_total", type="purchase.completed", result="applied") == 1


def test_the_event_clock_waits_for_something_that_happens() -> None:
    """The past's own times are the clock then: no hold of the past may be said between two events of it."""
    bench = Bench(clock="event")
    bench.take(of_the_past(bought("A")))
    later = event("support.interaction", "2026-03-01T10:00:00Z", id_="i", interaction_id="i", channel="x")
    assert bench.take(of_the_past(later)) == []
    live = event("support.interaction", "2026-03-02T10:00:00Z", id_="j", interaction_id="j", channel="x")
    assert [one.topic for one in bench.take(record(live))] == ["decisions", "holds"]


def test_it_travels_with_the_event() -> None:
    """Through a forwarding to its place, and to the customer of whom its subject has become part."""
    bench = Bench()
    bench.wall = NOON
    misrouted = of_the_past(bought("A"), key=b"elsewhere")
    [output] = bench.take(misrouted)
    arrived = bench.arrived(output)
    assert dict(arrived.headers)[past.HISTORY] == past.mark(past.QUIET)[1]
    assert bench.take(arrived) == []
    assert bench.states[b"c-1"].unsaid is not None
    linked = event("customer.merged", DAYS, of="c-1", id_="m", into="c-2")
    assert bench.deliver(bench.take(of_the_past(linked))) == []
    assert bench.deliver(bench.take(of_the_past(bought("B")))) == []
    assert {order.id for order in bench.states[b"c-2"].orders} == {"o-A", "o-B"}
    assert bench.states[b"c-2"].unsaid is not None


def test_a_dead_letter_keeps_it() -> None:
    """So that what is mended and replayed is history still."""
    bench = Bench()
    [letter] = bench.take(of_the_past(b"{"))
    assert letter.topic == "dead-letters"
    assert dict(letter.headers)[past.HISTORY] == past.mark(past.QUIET)[1]
    found: Record = bench.arrived(letter)
    assert relay.read(found) is None
