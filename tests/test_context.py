"""What an agent sees: what may be said now and why not, what is open, what was just said; and how an order stands."""

from __future__ import annotations

import pytest

from decisioning.context import Context, May, OrderStatus, context, order_status
from decisioning.state import State
from tests.builders import (
    CUSTOMER,
    Happening,
    Story,
    asked,
    at,
    bought,
    cancelled,
    case_opened,
    case_resolved,
    delivered,
    eta_changed,
    granted,
    lives,
    offer,
    only,
    payment_failed,
    placed,
    prefers,
    promise_kept,
    promised,
    returned,
    shipped,
    uncapped,
)

NOON = "2026-03-02 12:00"


def seen(story: Story, when: str = NOON) -> Context:
    """What an agent sees of the usual customer."""
    return context(story.policy, story.state, CUSTOMER, at(when))


def may(found: Context, class_: str, channel: str = "email") -> May:
    """The verdict on a class and channel."""
    return next(one for one in found.may if (one.class_, one.channel) == (class_, channel))


def friend() -> Story:
    """A customer who agreed to all and lives in UTC, under the shipped caps."""
    story = Story()
    story.at("2026-01-05 09:00", lives(time_zone="UTC"), granted("marketing"), granted("survey"))
    return story


def test_a_stranger_may_be_served_and_not_courted() -> None:
    """Nobody agreed to anything: the reason says so to the agent."""
    found = context(Story().policy, None, "c-new", at(NOON))
    assert (found.known, found.degraded, found.as_of) == (False, False, "2026-03-02T12:00:00Z")
    assert (may(found, "marketing").verdict, may(found, "marketing").reason) == ("suppress", "consent.missing")
    assert may(found, "service").verdict == may(found, "care").verdict == "allow"
    assert may(found, "marketing").agent


def test_who_cannot_be_seen_is_served_only() -> None:
    """Degraded is not `no consent`: the agent must not say so."""
    found = context(Story().policy, State(CUSTOMER, degraded=True), CUSTOMER, at(NOON))
    assert (found.known, found.degraded) == (False, True)
    assert {(one.verdict, one.reason) for one in found.may if one.class_ in ("marketing", "survey")} == {
        ("suppress", "degraded.state")
    }
    assert {one.verdict for one in found.may if one.class_ in ("service", "care")} == {"allow"}


def test_a_refusal_says_when_it_ends() -> None:
    """At night it waits for the morning; the liked channel comes first."""
    story = friend()
    story.at(NOON, prefers(channels=["sms", "email"]))
    found = seen(story, "2026-03-02 23:00")
    assert found.may[0].channel == "sms"
    night = may(found, "marketing")
    assert (night.verdict, night.not_before) == ("defer", "2026-03-03T08:00:00Z")
    assert may(seen(story), "marketing").verdict == "allow"


def test_what_was_just_said_is_live_and_fills_its_cap() -> None:
    """The act is on its way; the day's slot is taken until a day later."""
    story = friend()
    act = only(story.at(NOON, asked(offer("hello"), request="r-1")))
    found = seen(story)
    [live] = found.live
    assert (live.decision_id, live.action, live.request_id) == (act.id, "hello", "r-1")
    day = found.caps[0]
    assert (day.name, day.used, day.limit, day.per, day.free_at) == ("day", 1, 1, "1d", "2026-03-03T12:00:00Z")
    assert [(one.name, one.channel, one.used) for one in found.caps if one.channel] == [("channel", "sms", 0)]
    assert may(found, "marketing").reason.startswith("concurrent_channel.")
    assert not seen(story, "2026-03-02 17:00").live


def test_what_is_open_is_told_and_what_is_over_is_not() -> None:
    """Cases and promises; the hold that a case brings."""
    story = friend()
    story.at(NOON, case_opened(severity="high"), promised(due="2026-03-10"))
    found = seen(story)
    assert [(one.id, one.severity, one.since) for one in found.cases] == [("k-1", "high", "2026-03-02T12:00:00Z")]
    assert [(one.id, one.what, one.due_at) for one in found.promises] == [
        ("p-1", "a call back", "2026-03-10T00:00:00Z")
    ]
    [hold] = found.holds
    assert (hold.reason, dict(hold.scope)) == ("hold.open_issue", {"classes": ["marketing", "survey"]})
    story.at("2026-03-02 13:00", case_resolved(), promise_kept())
    after = seen(story, "2026-03-02 14:00")
    assert (after.cases, after.promises) == ([], [])
    assert not seen(story, "2026-03-05 14:00").holds


def test_what_waits_is_told() -> None:
    """A deferred request will be answered by itself."""
    story = uncapped()
    story.at("2026-03-02 23:00", asked(offer("hello"), request="r-1"))
    [waiting] = seen(story, "2026-03-02 23:30").waiting
    assert (waiting.actions, waiting.request_id, waiting.not_before) == (("hello",), "r-1", "2026-03-03T08:00:00Z")


def test_no_more_than_needed() -> None:
    """Neither what was bought, nor who they are, nor what was said long ago."""
    story = friend()
    story.at(NOON, bought("EREADER-1", price="100.00"), lives(name="Jane Doe", birth_date="1980-01-01"))
    story.at("2026-03-02 12:01", Happening("support.interaction", {"interaction_id": "i", "channel": "phone"}))
    text = repr(seen(story, "2026-03-20 12:00"))
    assert "Jane" not in text
    assert "1980" not in text
    assert "100.00" not in text


@pytest.mark.parametrize(
    ("told", "status", "next_", "late"),
    [
        ([placed(promised="2026-03-05")], "placed", "order.shipped", False),
        ([placed(promised="2026-03-05"), shipped()], "shipped", "order.delivered", False),
        ([placed(promised="2026-03-05"), eta_changed("2026-03-09")], "placed", "order.shipped", True),
        ([placed(promised="2026-03-02"), shipped()], "shipped", "order.delivered", True),
        ([placed(), payment_failed()], "placed", "order.payment", False),
        ([placed(), delivered()], "delivered", None, False),
        ([bought("A"), cancelled()], "cancelled", None, False),
        ([bought("A"), returned("A")], "returned", None, False),
    ],
)
def test_an_order_stands_as_it_was_told(told: list[Happening], status: str, next_: str | None, late: bool) -> None:
    """The newest status known, what comes next, and whether it is late."""
    story = Story()
    for one in told:
        story.at(NOON, one)
    found = order_status(story.state, CUSTOMER, "o-1", at(NOON))
    assert found is not None
    assert (found.status, found.next, found.late) == (status, next_, late)
    assert found.payment_failed is (next_ == "order.payment")


def test_an_order_says_as_of_when() -> None:
    """The newest event that told of it, not the newest of the customer."""
    story = Story()
    story.at("2026-03-01 10:00", placed(promised="2026-03-05"))
    story.at("2026-03-02 11:00", shipped())
    story.at(NOON, granted())
    found = order_status(story.state, CUSTOMER, "o-1", at("2026-03-04 12:00"))
    expected = OrderStatus(
        CUSTOMER, "o-1", "shipped", late=False, payment_failed=False, degraded=False, as_of="2026-03-02T11:00:00Z",
        promised_at="2026-03-05T00:00:00Z", next="order.delivered",
    )  # fmt: skip
    assert found == expected


def test_an_unknown_order_is_none() -> None:
    """Of a customer whom we know, and of one whom we never met."""
    assert order_status(None, CUSTOMER, "o-1", at(NOON)) is None
    assert order_status(State(CUSTOMER), CUSTOMER, "o-1", at(NOON)) is None
