"""Who asks to speak to the customers: a busy marketing department, drawn from the seed.

It writes as such departments do: newsletters by calendar, sales of what was bought last week, more of the same kind,
reminders of a basket minutes before it is paid, some of it at night. Whether any of it may be said is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from decisioning.instant import DAY, HOUR, MINUTE
from decisioning.streaming.demo.fact import CRM, Fact, fact
from decisioning.streaming.demo.people import Customer
from decisioning.streaming.demo.products import CURRENCY, Product
from decisioning.streaming.demo.sample import Invoice
from decisioning.zones import zone

Candidate = dict[str, Any]


class Wish(NamedTuple):
    """One request of a campaign: at an instant, to say one of some candidates."""

    at: int
    campaign: str
    candidates: Sequence[Candidate]


def asked(customer: Customer, catalogue: Mapping[str, Product]) -> Iterator[Fact]:
    """Every `contact.requested` for a customer, in the order of time; a few are sent twice, as senders do."""
    chance = customer.chance("campaigns")
    wishes = [*_calendar(customer, catalogue, chance), *_vouchers(customer, chance)]
    for invoice in _first_of_each_day(customer.invoices):
        wishes += _around(customer, invoice, catalogue, chance)
    number = customer.id.removeprefix("c-")
    wishes = [wish for wish in wishes if customer.since < wish.at < customer.until]
    for count, wish in enumerate(sorted(wishes, key=lambda wish: (wish.at, wish.campaign))):
        request = f"r-{number}-{count}"
        data = {"request_id": request, "candidates": list(wish.candidates), "campaign": wish.campaign}
        names = " or ".join(dict.fromkeys(one["action"].replace("_", " ") for one in wish.candidates))
        label = f"may we send: {names}?"
        first = fact(
            "contact.requested", f"{customer.id}-ask-{count}", customer.id, wish.at, data, source=CRM, label=label
        )
        yield first
        fate = chance.random()
        if fate < 0.015:  # the sender retries: the same event again, which changes nothing and gets no second answer
            yield first._replace(
                at=wish.at + chance.randint(1, 9) * MINUTE, answers=0, label="the same request is sent again"
            )
        elif fate < 0.025:  # another event for a request already answered
            again = fact("contact.requested", f"{customer.id}-ask-{count}-again", customer.id,
                         wish.at + chance.randint(2, 6) * HOUR, data, source=CRM, label=label)  # fmt: skip
            if again.at < customer.until:
                yield again


def offer(
    action: str, channels: Sequence[str], product: Product | None = None, *, share: str = "1", **more: object
) -> Candidate:
    """A marketing candidate; with a product at `share` of its list price and worth a tenth of that."""
    found: Candidate = {"action": action, "class": "marketing", "channels": list(channels), **more}
    if product is not None:
        price = (Decimal(product.price) * Decimal(share)).quantize(Decimal("0.01"))
        found |= {"sku": product.sku, "category": product.category, "price": str(price), "currency": CURRENCY}
        found.setdefault("value", str((price / 10).quantize(Decimal("0.01"))))
    return found


def _calendar(customer: Customer, catalogue: Mapping[str, Product], chance: Random) -> Iterator[Wish]:
    """The newsletter, about weekly, to some far more often; one in seven leaves the shop late in the evening."""
    daily = 0.42 if chance.random() < 0.15 else 0.14
    skus = list(catalogue)
    at = customer.since
    while (at := at + DAY) < customer.until:
        if chance.random() < daily:
            late = chance.random() < 0.15
            minute = chance.randint(20 * 60 + 30, 22 * 60 + 45) if late else chance.randint(9 * 60, 19 * 60 + 30)
            letter = offer("newsletter", ["email", "push"], value="0.20")
            found = catalogue[chance.choice(skus)]
            novelty = offer("new_in_the_shop", ["email", "push"], found, topic="novelties")
            yield Wish(
                _shop_time(at, minute), "weekly letter", [letter, novelty] if chance.random() < 0.6 else [letter]
            )


def _vouchers(customer: Customer, chance: Random) -> Iterator[Wish]:
    """Vouchers by SMS, to one customer in five and often twice within days."""
    if chance.random() < 0.2:
        at = customer.since + chance.randint(1 * 24 * 60, 8 * 24 * 60) * MINUTE
        for _ in range(2):
            voucher = offer("voucher", ["sms"], topic="vouchers", value="1.50")
            yield Wish(_shop_time(at, chance.randint(10 * 60, 21 * 60)), "advent voucher", [voucher])
            at += chance.randint(2 * 24 * 60, 5 * 24 * 60) * MINUTE


def _first_of_each_day(invoices: Sequence[Invoice]) -> list[Invoice]:
    """One purchase a day: wholesale customers send a dozen orders within an hour, and no campaign answers each."""
    days: dict[int, Invoice] = {}
    for invoice in invoices:
        if not invoice.returned:
            days.setdefault(invoice.time // DAY, invoice)
    return list(days.values())


def _around(customer: Customer, invoice: Invoice, catalogue: Mapping[str, Product], chance: Random) -> Iterator[Wish]:
    """What campaigns make of one purchase: before it, at once after it, in the week that follows."""
    bought = [catalogue[item.sku] for item in invoice.items]

    def later(days_from: float, days_to: float) -> int:
        day = invoice.time + int(chance.uniform(days_from, days_to) * DAY)
        return _shop_time(day, chance.randint(9 * 60, 20 * 60))

    if chance.random() < 0.4:
        basket = [offer("basket_reminder", ["push", "email"], chance.choice(bought))]
        yield Wish(invoice.time - chance.randint(10, 100) * MINUTE, "basket reminder", basket)
    if chance.random() < 0.35:
        message = {"action": "invoice_ready", "class": "service", "channels": ["email"]}
        yield Wish(invoice.time + chance.randint(5, 40) * MINUTE, "invoices", [message])
    if chance.random() < 0.25:
        thanks = offer("thank_you_voucher", ["email"], topic="vouchers", value="0.80")
        yield Wish(invoice.time + chance.randint(60, 40 * 60) * MINUTE, "thank you", [thanks])
    if chance.random() < 0.45:
        sale = offer("sale", ["email", "sms"], chance.choice(bought), share="0.80", topic="sales")
        yield Wish(later(2, 7), "december sale", [sale])
    if chance.random() < 0.35:
        kind = chance.choice(bought).category
        like = [one for one in catalogue.values() if one.category == kind]
        yield Wish(later(2, 8), "more like this", [offer("more_like_this", ["email"], chance.choice(like))])
    if chance.random() < 0.3:
        matching = [catalogue[sku] for one in bought for sku in one.complements]
        if matching:
            yield Wish(
                later(2.2, 9), "goes well with", [offer("goes_well_with", ["email", "push"], chance.choice(matching))]
            )


def _shop_time(at: int, minute: int) -> int:
    """The instant at which the shop's clock shows `minute` of the day on which `at` falls."""
    london = zone("Europe/London")
    day, _, _ = london.local(at)
    return london.to_utc(day, minute)
