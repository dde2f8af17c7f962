"""Actions that an event calls: the shipped ones, and an author's own."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision
from decisioning.engine import on_event
from tests.builders import (
    RETAIL,
    Happening,
    Story,
    at,
    bought,
    cancelled,
    died,
    event,
    lives,
    of,
    only,
    prefers,
    response,
    returned,
    said,
)

PROMISED = "2026-03-10T12:00:00Z"


@pytest.fixture
def story() -> Story:
    """A customer whose order is promised for the 10th at noon."""
    story = Story(RETAIL.read_bytes())
    story.at("2026-03-02 10:15", lives(time_zone="UTC"), bought("E", promised_at=PROMISED))
    return story


def eta(when: str, order: str = "o-1") -> Happening:
    """The delivery moved."""
    return Happening("order.eta_changed", {"order_id": order, "promised_at": when})


def shipped(order: str = "o-1", promised: str | None = None) -> Happening:
    """The parcel left us."""
    return Happening("order.shipped", {"order_id": order, "promised_at": promised})


def delivered(order: str = "o-1") -> Happening:
    """The parcel arrived."""
    return Happening("order.delivered", {"order_id": order})


def acts(decisions: list[Decision]) -> list[tuple[str | None, str]]:
    """Action and reason of each act."""
    return [(one.action, one.reason) for one in of("act", decisions)]


def test_a_delay_of_two_hours_is_told_at_once(story: Story) -> None:
    """Also at night: service; on the first channel that the customer likes; valid for 4 hours."""
    story.at("2026-03-03", prefers(channels=["sms"]))
    alert = only(of("act", story.at("2026-03-09 23:00", eta("2026-03-10T14:00:00Z"))))
    assert (alert.action, alert.class_, alert.channel, alert.reason) == (
        "delay_alert", "service", "sms", "order.delayed",
    )  # fmt: skip
    assert (alert.valid_until, alert.request_id, alert.ref) == (at("2026-03-10 03:00"), None, "0")


def test_less_than_two_hours_is_not_worth_a_word(story: Story) -> None:
    """Nor is an earlier delivery."""
    assert story.at("2026-03-09 12:00", eta("2026-03-10T13:59:59Z")) == []
    assert story.at("2026-03-09 12:00", eta("2026-03-10T09:00:00Z")) == []


def test_the_alert_itself_is_what_was_last_told(story: Story) -> None:
    """A further delay counts from the alert, one that failed from before it."""
    first = only(of("act", story.at("2026-03-09 12:00", eta("2026-03-10T14:00:00Z"))))
    assert acts(story.at("2026-03-09 12:01", eta("2026-03-10T15:59:00Z"))) == []
    story.at("2026-03-09 12:02", response("failed", first))
    assert acts(story.at("2026-03-09 12:03", eta("2026-03-10T14:00:00Z"))) == [("delay_alert", "order.delayed")]


def test_shipping_tells_anew(story: Story) -> None:
    """The newest of placing, purchase and shipping is what the customer was told."""
    story.at("2026-03-04", shipped(promised="2026-03-12T12:00:00Z"))
    assert acts(story.at("2026-03-05", eta("2026-03-12T13:00:00Z"))) == []
    assert acts(story.at("2026-03-05", eta("2026-03-12T14:00:00Z"))) == [("delay_alert", "order.delayed")]


def test_who_was_never_told_is_not_alerted(story: Story) -> None:
    """There is nothing to be late against."""
    story.at("2026-03-04", bought("A", order="o-2"))
    assert acts(story.at("2026-03-05", eta("2026-03-12T13:00:00Z", "o-2"))) == []
    assert acts(story.at("2026-03-05", eta("2026-03-12T13:00:00Z", "o-unknown"))) == []


@pytest.mark.parametrize("end", [delivered(), cancelled()])
def test_after_the_end_there_is_no_alert(story: Story, end: Happening) -> None:
    """Delivered or cancelled: nobody waits any more."""
    story.at("2026-03-08", end)
    assert acts(story.at("2026-03-09", eta("2026-03-12T13:00:00Z"))) == []


def test_news_from_before_what_was_told_is_out_of_order(story: Story) -> None:
    """It was overtaken."""
    story.at("2026-03-04 12:00", shipped(promised=PROMISED))
    assert acts(story.at("2026-03-04 12:30", eta("2026-03-12T12:00:00Z").since("2026-03-04T11:59:59Z"))) == []


def test_each_status_is_told_once(story: Story) -> None:
    """At shipped and at delivered, never after a later one."""
    assert acts(story.at("2026-03-04 12:00", shipped())) == [("order_status", "order.shipped")]
    assert acts(story.at("2026-03-04 12:01", shipped())) == []
    assert acts(story.at("2026-03-08 12:00", delivered())) == [("order_status", "order.delivered")]
    assert acts(story.at("2026-03-08 12:01", delivered(), shipped())) == []


def test_a_status_is_not_told_late(story: Story) -> None:
    """A triggered act whose event is older than its validity is not published; exactly as old it is."""
    assert acts(story.at("2026-03-04 16:00:01", shipped().since("2026-03-04T12:00:00Z"))) == []
    assert len(of("act", story.at("2026-03-08 16:00", delivered().since("2026-03-08T12:00:00Z")))) == 1


def test_a_refused_one_is_not_published(story: Story) -> None:
    """Nobody asked."""
    story.at("2026-03-03", died())
    assert story.at("2026-03-04", shipped()) == []


@pytest.mark.parametrize(
    ("end", "reason"),
    [(delivered(), "order.delivered"), (cancelled(), "order.cancelled"), (returned("E"), "order.returned")],
)
def test_a_live_one_is_taken_back_when_its_fact_is_gone(story: Story, end: Happening, reason: str) -> None:
    """The parcel is not on its way any more."""
    act = only(of("act", story.at("2026-03-04 12:00", shipped())))
    recall = only(of("recall", story.at("2026-03-04 13:00", end)))
    assert (recall.recalls, recall.reason) == (act.id, reason)


def test_what_came_back_long_ago_is_no_longer_told_of(story: Story) -> None:
    """Also when its lines are forgotten: the count of what was kept is not; nor does a late return go unnoticed."""
    story.at("2026-03-05", returned("E"))
    assert acts(story.at("2026-05-05 12:00", shipped())) == []
    story.at("2026-05-05 12:00", bought("A", order="o-2", quantity=3))
    story.at("2026-07-05 12:00", lives(language="en"))
    act = only(of("act", story.at("2026-07-05 12:00", shipped("o-2"))))
    assert of("recall", story.at("2026-07-05 12:01", returned("A", 2, order="o-2"))) == []
    recall = only(of("recall", story.at("2026-07-05 12:02", returned("A", 1, order="o-2"))))
    assert (recall.recalls, recall.reason) == (act.id, "order.returned")


def test_the_news_of_the_arrival_stands(story: Story) -> None:
    """It is the newest fact, until the whole order came back."""
    act = only(of("act", story.at("2026-03-04 12:00", delivered())))
    assert of("recall", story.at("2026-03-04 12:30", delivered())) == []
    recall = only(of("recall", story.at("2026-03-04 13:00", returned("E"))))
    assert (recall.recalls, recall.reason) == (act.id, "order.returned")


OWN = b"""
rulebook: own
version: "1"
attributes:
  tier: {type: string, default: none}
  age: {type: int}
actions:
  - action: welcome_gift
    class: marketing
    on: purchase.completed
    value: 2
    when:
      - gold: 'customer.tier == "gold"'
    channels: [email]
    treatments: {email: gift-mail}
  - action: night_report
    class: service
    on: support.case_resolved
    quiet_hours: true
    channels: [sms]
  - action: for_adults
    class: service
    on: support.interaction
    when:
      - adult: 'customer.age >= 18'
    channels: [sms]
respect:
  recent_purchase: {cooldown: 0d}
"""


def test_an_authors_service_action_may_keep_quiet_hours() -> None:
    """It waits for the morning, and keeps its promise once."""
    story = Story(OWN)
    story.at("2026-03-02", lives(time_zone="UTC"))
    night = story.at("2026-03-02 23:00", Happening("support.case_resolved", {"case_id": "k"}))
    promise = only(of("defer", night))
    assert (promise.action, promise.request_id, promise.not_before) == ("night_report", None, at("2026-03-03 08:00"))
    assert said(story.until("2026-03-03 08:00")) == [("act", "allowed.clear")]


def test_a_clause_decides_whether_an_action_applies() -> None:
    """Its word is asked with the facts of the moment; the treatment of its channel comes along."""
    story = Story(OWN)
    granted = Happening("consent.granted", {"purpose": "marketing"})
    story.at("2026-03-02 12:00", lives(time_zone="UTC"), granted)
    assert acts(story.at("2026-03-02 12:00", bought("A"))) == []
    story.at("2026-03-02 12:00", lives(attributes={"tier": "gold"}))
    act = only(of("act", story.at("2026-03-02 12:05", bought("B", order="o-2"))))
    assert (act.action, act.reason, act.treatment) == ("welcome_gift", "allowed.clear", "gift-mail")


def test_an_erring_clause_drops_its_action_and_is_counted() -> None:
    """An attribute without a default that nobody ever told."""
    story = Story(OWN)
    story.at("2026-03-02 12:00", lives(time_zone="UTC"))
    talk = event("support.interaction", "2026-03-02 12:00", {"interaction_id": "i", "channel": "phone"}, "talk")
    step = on_event(story.policy, story.state, talk, talk.time)
    assert (step.outputs, step.errors) == ((), ("for_adults.adult",))
    story.at("2026-03-02 12:00", lives(attributes={"age": 18}))
    step = on_event(story.policy, story.state, talk, talk.time)
    assert (acts(list(step.outputs)), step.errors) == ([("for_adults", "allowed.clear")], ())
