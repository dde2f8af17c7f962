"""Make-good: the difference of a price drop given back, once, for what was kept, in time."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision
from tests.builders import (
    RETAIL,
    Story,
    asked,
    at,
    bought,
    cancelled,
    died,
    granted,
    lives,
    of,
    offer,
    only,
    product,
    response,
    returned,
    said,
)

SALE = offer("ereader_sale", sku="E", price="80.00", on=["sms", "email"])


@pytest.fixture
def story() -> Story:
    """A customer with consent who bought an e-reader for 100.00 two days and more ago."""
    story = Story(RETAIL.read_bytes())
    story.at("2026-03-01 09:00", lives(time_zone="UTC"), granted(), product("E", "readers", price="100.00"))
    story.at("2026-03-02 10:15", bought("E", price="100.00", quantity=2))
    return story


def answer(decisions: list[Decision]) -> Decision:
    """The answer among what was said."""
    return only([one for one in decisions if one.outcome.value in ("act", "suppress", "defer")])


def test_the_difference_is_given_back_in_place_of_the_offer(story: Story) -> None:
    """An act of class service on the channel of the refusal, which says what it stands in for and how much."""
    found = answer(story.at("2026-03-05 12:00", asked(SALE)))
    assert (found.action, found.class_, found.channel, found.reason) == (
        "price_adjustment", "service", "sms", "make_good.price_drop",
    )  # fmt: skip
    assert found.replaces == "ereader_sale"
    assert found.context is not None
    assert (found.context["refund"], found.context["currency"]) == ("40.00", "GBP")
    assert found.valid_until == at("2026-03-05 16:00")
    assert found.ref == "0"
    assert {one.verdict.value for one in found.considered} == {"suppress"}


def test_what_was_given_back_is_not_given_again(story: Story) -> None:
    """A further drop gives the further difference; none gives the refusal."""
    story.at("2026-03-05 12:00", asked(SALE))
    again = answer(story.at("2026-03-05 12:01", asked(SALE)))
    assert said([again]) == [("suppress", "recent_purchase.price_drop")]
    lower = answer(story.at("2026-03-05 12:02", asked(offer("sale", sku="E", price="75.50"))))
    assert lower.context is not None
    assert lower.context["refund"] == "9.00"


def test_an_adjustment_that_never_went_out_is_given_again(story: Story) -> None:
    """Its channel reported that it failed."""
    act = answer(story.at("2026-03-05 12:00", asked(SALE)))
    story.at("2026-03-05 12:01", response("failed", act))
    again = answer(story.at("2026-03-05 12:02", asked(SALE)))
    assert again.context is not None
    assert again.context["refund"] == "40.00"


def test_only_what_was_kept_counts(story: Story) -> None:
    """A unit that came back gets no refund."""
    story.at("2026-03-04 12:00", returned("E"))
    found = answer(story.at("2026-03-05 12:00", asked(SALE)))
    assert found.context is not None
    assert found.context["refund"] == "20.00"


def test_of_several_prices_each_gets_its_own_difference(story: Story) -> None:
    """What came back is taken for the dearest."""
    lines = [{"sku": "E", "quantity": 1, "unit_price": price} for price in ("90.00", "120.00", "70.00")]
    purchase = bought("E", order="o-2")._replace(data={"order_id": "o-2", "currency": "GBP", "lines": lines})
    story.at("2026-03-03 12:00", purchase)
    found = answer(story.at("2026-03-06 12:00", asked(SALE)))
    assert found.context is not None
    assert found.context["refund"] == "50.00"
    assert found.context["order_id"] == "o-2"


@pytest.mark.parametrize(("when", "outcome"), [("2026-03-16 10:14:59", "act"), ("2026-03-16 10:15", "suppress")])
def test_after_14_days_it_is_only_silence(story: Story, when: str, outcome: str) -> None:
    """The purchase must be less than 14 days old."""
    assert answer(story.at(when, asked(SALE))).outcome.value == outcome


def test_at_night_it_waits_and_the_request_is_judged_anew(story: Story) -> None:
    """The promise names the adjustment; in the morning the same request gives it."""
    promise = answer(story.at("2026-03-05 22:00", asked(SALE, request="r-1")))
    assert (promise.outcome.value, promise.action, promise.reason) == (
        "defer", "price_adjustment", "quiet_hours.night",
    )  # fmt: skip
    assert (promise.not_before, promise.replaces) == (at("2026-03-06 08:00"), "ereader_sale")
    morning = answer(story.until("2026-03-06 08:00"))
    assert (morning.action, morning.reason, morning.request_id) == ("price_adjustment", "make_good.price_drop", "r-1")
    assert morning.cause is not None


def test_it_is_over_when_the_night_begins(story: Story) -> None:
    """It keeps quiet hours also while it is on its way."""
    assert answer(story.at("2026-03-05 19:00", asked(SALE))).valid_until == at("2026-03-05 21:00")


def test_without_a_zone_it_goes_out() -> None:
    """Nobody knows whether it is night, and it is service."""
    story = Story(RETAIL.read_bytes())
    story.at("2026-03-01 09:00", granted())
    story.at("2026-03-02 10:15", bought("E"))
    assert answer(story.at("2026-03-05 23:00", asked(SALE))).action == "price_adjustment"


def test_another_refusal_is_not_made_good(story: Story) -> None:
    """Only where the answer's own reason is rule 8's: not for the dead, not where another candidate is named."""
    story.at("2026-03-05 12:00", died())
    assert said([answer(story.at("2026-03-05 12:01", asked(SALE)))]) == [("suppress", "empathy.deceased")]


def test_a_better_ranked_refusal_with_another_reason_is_named(story: Story) -> None:
    """The answer's reason is that of the best-ranked candidate."""
    best = offer("reader_club", sku="F", category="readers", value=9)
    found = answer(story.at("2026-03-05 12:00", asked(SALE, best)))
    assert said([found]) == [("suppress", "recent_purchase.same_category")]


@pytest.mark.parametrize(
    ("happening", "reason"), [(returned("E", 2), "order.returned"), (cancelled(), "order.cancelled")]
)
def test_it_is_taken_back_when_its_purchase_is_gone(story: Story, happening: object, reason: str) -> None:
    """A refund of what came back would be one too many."""
    act = answer(story.at("2026-03-05 12:00", asked(SALE)))
    [recall] = of("recall", story.at("2026-03-05 12:30", happening))  # type: ignore[arg-type]
    assert (recall.recalls, recall.reason) == (act.id, reason)


def test_a_return_of_another_line_leaves_it(story: Story) -> None:
    """It stands on its own line."""
    story.at("2026-03-02 10:20", bought("E", "X", order="o-3", price="100.00"))
    story.at("2026-03-05 12:00", asked(SALE))
    assert of("recall", story.at("2026-03-05 12:30", returned("X", order="o-3"))) == []


def test_an_order_told_again_at_another_price_keeps_what_was_given(story: Story) -> None:
    """What was adjusted before is an amount a unit, whatever the unit costs now."""
    story.at("2026-03-05 12:00", asked(SALE))
    story.at("2026-03-05 13:00", bought("E", price="180.00", quantity=2))
    found = answer(story.at("2026-03-08 12:00", asked(SALE)))
    assert found.context is not None
    assert found.context["refund"] == "160.00"
