"""What marketing asks for: every kind of request that the rules must judge."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

from decisioning.instant import DAY, HOUR
from decisioning.streaming.demo.campaigns import offer
from decisioning.streaming.demo.products import Product
from decisioning.streaming.demo.shop import History
from decisioning.zones import zone


def test_an_offer_carries_the_price_that_the_rules_compare() -> None:
    """Sku, category, price and currency of the product; the value is a tenth of the price."""
    product = Product("22423", "REGENCY CAKESTAND", "stand", "12.75", None, (), (), None)
    assert offer("sale", ["email"], product, share="0.80", topic="sales") == {
        "action": "sale", "class": "marketing", "channels": ["email"], "topic": "sales", "sku": "22423",
        "category": "stand", "price": "10.20", "currency": "GBP", "value": "1.02",
    }  # fmt: skip


def test_a_sale_offers_what_was_bought_for_less_than_was_asked(told: History) -> None:
    """Each sale's sku was bought by that customer before, and its price lies below the list price."""
    bought: dict[str, set[str]] = defaultdict(set)
    sales = 0
    for one in told.facts:
        if one.type == "purchase.completed":
            bought[one.subject] |= {line["sku"] for line in one.data["lines"]}
        elif one.data.get("campaign") == "december sale":
            (candidate,) = one.data["candidates"]
            assert candidate["sku"] in bought[one.subject]
            assert Decimal(candidate["price"]) <= Decimal(told.catalogue[candidate["sku"]].price)
            sales += 1
    assert sales > 200


def test_requests_come_by_day_and_by_night(told: History) -> None:
    """Some leave the shop after nine in the evening, for these the engine must wait; most do not."""
    london = zone("Europe/London")
    minutes = [london.local(one.at)[1] for one in told.facts if one.type == "contact.requested"]
    night = sum(minute >= 21 * 60 or minute < 8 * 60 for minute in minutes)
    assert 0.03 < night / len(minutes) < 0.3


def test_a_basket_reminder_comes_shortly_before_a_purchase(told: History) -> None:
    """So that an act is taken back: its customer buys within two hours."""
    purchases: dict[str, list[int]] = defaultdict(list)
    for one in told.facts:
        if one.type == "purchase.completed":
            purchases[one.subject].append(one.at)
    reminders = [one for one in told.facts if one.data.get("campaign") == "basket reminder" and one.answers]
    timely = sum(any(0 < at - one.at < 2 * HOUR for at in purchases[one.subject]) for one in reminders)
    assert timely / len(reminders) > 0.9


def test_senders_repeat_themselves(told: History) -> None:
    """Some events come twice (same id, owed nothing new), some requests under a second event id (owed an answer)."""
    by_id: dict[str, list[int]] = defaultdict(list)
    by_request: Counter[str] = Counter()
    for one in told.facts:
        if one.type == "contact.requested" and one.data:
            by_id[one.id].append(one.answers)
            by_request[one.data["request_id"]] += one.answers > 0
    resent = [answers for answers in by_id.values() if len(answers) > 1]
    assert len(resent) > 30
    assert all(answers[0] >= 1 and answers[1:] == [0] for answers in resent)
    assert sum(times > 1 for times in by_request.values()) > 20


def test_some_customers_hear_far_too_often(told: History) -> None:
    """Caps have something to do: some customers are asked for more than three letters within a week."""
    letters: dict[str, list[int]] = defaultdict(list)
    for one in told.facts:
        if one.data.get("campaign") == "weekly letter":
            letters[one.subject].append(one.at)
    busy = sum(any(b - a < 7 * DAY for a, b in zip(at, at[3:], strict=False)) for at in letters.values())
    assert busy > 100
