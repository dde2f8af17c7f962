"""A shop's days drawn from a seed: well-formed events of a few hundred customers over all topics, and some rubbish.

One event a step of time, so that the history has one order. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final, NamedTuple

from decisioning.decision import Outcome, Trigger, decision_id
from decisioning.instant import format_instant
from decisioning.streaming.topics import partition_of
from tests.builders import at

START: Final = at("2026-03-02 05:00")
_COUNTRIES: Final = ("GB", "DE", "JP", "US", "BR", "IN")
_CHANNELS: Final = ("email", "sms", "push", "phone")
_SKUS: Final = tuple(f"SKU-{number}" for number in range(40))
_RUBBISH: Final = (b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe\xfd", b"{}", b"[" * 3000, b'{"specversion":"1.0"}')
_WEIGHTS: Final = {
    "requests": 40, "buys": 12, "returns": 3, "cancels": 3, "delivered": 3, "prefers": 5, "grants": 8, "withdraws": 2,
    "moves": 3, "responds": 10, "complains": 1, "calls": 4, "erases": 1, "takes_back": 2, "resends": 3, "unknown": 1,
    "rubbish": 2, "misrouted": 1, "keyless": 1, "ships": 4, "delays": 3, "opens": 2, "resolves": 3, "lives": 1,
    "dials": 6, "links": 2, "merges": 1, "answers": 1, "wishes": 1, "promises": 1,
}  # fmt: skip


class Fact(NamedTuple):
    """One record to publish: `at` is its instant (us); `partition` only where it does not follow from the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    at: int
    partition: int | None = None


def products() -> list[Fact]:
    """The catalogue behind every history, a week older than it."""
    return [
        _event("products", sku, START - 7 * 86_400_000_000, f"p-{sku}", "product.described", {
            "sku": sku, "category": f"cat-{number % 8}", "price": f"{10 + number}.00", "currency": "GBP",
            "substitutes": [_SKUS[(number + 1) % 40]], "complements": [_SKUS[(number + 8) % 40]],
            "variant_of": _SKUS[number - 1] if number % 5 == 4 else None,
        })
        for number, sku in enumerate(_SKUS)
    ]  # fmt: skip


def history(seed: int, events: int, customers: int, partitions: int, days: float = 9.0) -> Iterator[Fact]:
    """So many records in the order of their instants."""
    return _Shop(Random(seed), customers, partitions, int(days * 86_400_000_000 / events)).draw(events)


def _event(topic: str, subject: str, when: int, id_: str, type_: str, data: dict[str, Any]) -> Fact:
    envelope = {"specversion": "1.0", "id": id_, "source": "/shop", "type": type_, "time": format_instant(when)}
    value = json.dumps({**envelope, "subject": subject, "data": data}, separators=(",", ":")).encode()
    return Fact(topic, subject.encode(), value, when)


class _Shop:
    """What the shop knows while it draws: who is known, what they bought and were asked."""

    def __init__(self, random: Random, customers: int, partitions: int, step: int) -> None:
        self._random, self._partitions, self._step = random, partitions, step
        self._customers = [f"c-{number:04}" for number in range(customers)]
        self._new = self._customers[::-1]
        self._orders: list[tuple[str, str]] = []
        self._asked: list[tuple[str, str, str, str]] = []  # customer, event, request, action
        self._now = START
        self._count = 0
        self._phones = [f"tel:{number:04}" for number in range(max(1, customers // 4))]
        self._last: list[Fact] = []

    def draw(self, events: int) -> Iterator[Fact]:
        kinds = self._random.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=events)
        for number, kind in enumerate(kinds):
            # whole milliseconds, the unit of Kafka's timestamps, and never two events at one of them
            self._now += max(1, int(self._random.expovariate(1 / self._step) / 1000)) * 1000
            self._count = number
            if self._new and self._random.random() < 0.3:
                kind = "appears"
            fact: Fact = getattr(self, f"_{kind}")()
            self._last = [*self._last[-50:], fact]
            yield fact

    def _known(self) -> str:
        return self._random.choice(self._customers[: len(self._customers) - len(self._new)] or self._customers[:1])

    def _make(self, topic: str, type_: str, subject: str | None = None, **data: object) -> Fact:
        return _event(topic, subject or self._known(), self._now, f"e-{self._count}", type_, data)

    def _appears(self) -> Fact:
        self._orders_of(subject := self._new.pop())
        return self._make(
            "customers", "customer.updated", subject, country=self._random.choice(_COUNTRIES), name=subject
        )

    def _orders_of(self, subject: str) -> None:
        self._orders.append((subject, f"o-{self._count}"))

    def _requests(self) -> Fact:
        subject, request = self._known(), f"r-{self._count}"
        offers = [self._offer(place) for place in range(self._random.choice((1, 1, 1, 2, 3)))]
        self._asked.append((subject, f"e-{self._count}", request, str(offers[0]["action"])))
        campaign = f"campaign-{self._random.randrange(5)}"
        return self._make(
            "contact-requests", "contact.requested", subject, request_id=request, campaign=campaign, candidates=offers
        )

    def _offer(self, place: int) -> dict[str, object]:
        draw = self._random
        offer: dict[str, object] = {
            "action": f"action-{place}", "class": draw.choices(("marketing", "survey", "service"), (8, 1, 1))[0],
            "channels": draw.sample(_CHANNELS, draw.choice((1, 2, 3))), "value": draw.randrange(20),
        }  # fmt: skip
        if draw.random() < 0.6:
            offer |= {"sku": draw.choice(_SKUS), "price": f"{draw.randrange(5, 60)}.00", "currency": "GBP"}
        if draw.random() < 0.2:
            offer["expires_at"] = format_instant(self._now + draw.randrange(1, 72) * 3_600_000_000)
        return offer

    def _buys(self) -> Fact:
        self._orders_of(subject := self._known())
        lines = [
            {
                "sku": sku,
                "quantity": self._random.choice((1, 1, 2)),
                "unit_price": f"{self._random.randrange(5, 80)}.00",
            }
            for sku in self._random.sample(_SKUS, self._random.choice((1, 2, 3)))
        ]
        order = self._orders[-1][1]
        return self._make("purchases", "purchase.completed", subject, order_id=order, lines=lines, currency="GBP")

    def _order(self) -> tuple[str, str]:
        return self._random.choice(self._orders) if self._orders else (self._known(), "o-none")

    def _returns(self) -> Fact:
        subject, order = self._order()
        lines = [{"sku": self._random.choice(_SKUS), "quantity": 1}]
        return self._make("purchases", "purchase.returned", subject, order_id=order, lines=lines)

    def _cancels(self) -> Fact:
        subject, order = self._order()
        return self._make("orders", "order.cancelled", subject, order_id=order)

    def _delivered(self) -> Fact:
        subject, order = self._order()
        return self._make("orders", "order.delivered", subject, order_id=order)

    def _prefers(self) -> Fact:
        draw = self._random
        if draw.random() < 0.4:
            window = {
                "days": ["mon", "tue", "wed", "thu", "fri"],
                "from": f"{draw.randrange(7, 13):02}:00",
                "to": "18:30",
            }
            return self._make("customers", "customer.preference_set", contact_windows=[window])
        return self._make(
            "customers", "customer.preference_set", channels=draw.sample(_CHANNELS, 3),
            max_marketing_per_week=draw.randrange(4),
        )  # fmt: skip

    def _grants(self) -> Fact:
        purpose = self._random.choice(("marketing", "marketing", "survey"))
        return self._make("customers", "consent.granted", purpose=purpose)

    def _withdraws(self) -> Fact:
        return self._make(
            "customers", "consent.withdrawn", purpose="marketing", channels=[self._random.choice(_CHANNELS)]
        )

    def _moves(self) -> Fact:
        zone = self._random.choice(("Europe/London", "America/New_York", "Asia/Tokyo", "Pacific/Auckland"))
        return self._make("customers", "customer.updated", time_zone=zone)

    def _response(self, kinds: tuple[str, ...]) -> Fact:
        subject, event, _, action = self._random.choice(
            self._asked[-200:] or [(self._known(), "e-none", "", "action-0")]
        )
        number = decision_id(Trigger("/shop", event, "contact.requested"), subject, Outcome.ACT, action, "0")
        kind = self._random.choice(kinds)
        return self._make("responses", f"response.{kind}", subject, decision_id=number, channel="email")

    def _responds(self) -> Fact:
        return self._response(("delivered", "opened", "failed", "declined", "ignored", "expired"))

    def _complains(self) -> Fact:
        return self._response(("complained", "unsubscribed"))

    def _calls(self) -> Fact:
        return self._make("support", "support.interaction", interaction_id=f"i-{self._count}", channel="phone")

    def _erases(self) -> Fact:
        return self._make("customers", "customer.erased")

    def _takes_back(self) -> Fact:
        subject, _, request, _ = self._random.choice(self._asked[-100:] or [(self._known(), "", "r-none", "")])
        return self._make("contact-requests", "contact.withdrawn", subject, request_id=request)

    def _resends(self) -> Fact:
        again = [fact for fact in self._last if fact.key is not None and fact.partition is None]
        return self._random.choice(again)._replace(at=self._now) if again else self._calls()

    def _ships(self) -> Fact:
        subject, order = self._order()
        type_ = self._random.choice(("order.placed", "order.shipped"))
        return self._make("orders", type_, subject, order_id=order, promised_at=self._soon())

    def _delays(self) -> Fact:
        subject, order = self._order()
        if self._random.random() < 0.2:
            return self._make("orders", "order.payment_failed", subject, order_id=order)
        return self._make("orders", "order.eta_changed", subject, order_id=order, promised_at=self._soon())

    def _soon(self) -> str:
        return format_instant(self._now + self._random.randrange(1, 90) * 3_600_000_000)

    def _opens(self) -> Fact:
        case = f"case-{self._random.randrange(30)}"
        return self._make("support", "support.case_opened", case_id=case, severity="normal")

    def _resolves(self) -> Fact:
        return self._make("support", "support.case_resolved", case_id=f"case-{self._random.randrange(30)}")

    def _promises(self) -> Fact:
        return self._make(
            "support", "support.promise_made", promise_id=f"p-{self._count}", what="a call", due_at=self._soon()
        )

    def _lives(self) -> Fact:
        kind = self._random.choice(("bereavement", "vulnerable", "goal", "deceased"))
        until = None if self._random.random() < 0.5 else self._soon()
        return self._make("customers", "customer.life_event", kind=kind, until=until)

    def _answers(self) -> Fact:
        return self._make("responses", "survey.answered", survey="nps", score=self._random.randrange(11))

    def _wishes(self) -> Fact:
        return self._make(
            "customers", "customer.preference_set", topics_off=["reading"][: self._random.randrange(2)], needs=["quiet"]
        )

    def _dials(self) -> Fact:
        """Something under a phone number, before or after it is known whose it is."""
        phone = self._random.choice(self._phones)
        kind = self._random.choice(
            (self._requests, self._grants, self._buys, self._withdraws, self._calls, self._moves)
        )
        fact = kind()
        value = (fact.value or b"").replace(b'"subject":"' + (fact.key or b""), b'"subject":"' + phone.encode())
        return fact._replace(key=phone.encode(), value=value)

    def _links(self) -> Fact:
        return self._make("customers", "identity.linked", identity=self._random.choice(self._phones))

    def _merges(self) -> Fact:
        return self._make("customers", "customer.merged", into=self._known())

    def _unknown(self) -> Fact:
        return self._make("orders", "order.gift_wrapped", order_id="o-1")

    def _rubbish(self) -> Fact:
        topic = self._random.choice(("purchases", "orders", "support", "customers", "responses", "contact-requests"))
        value = self._random.choice((*_RUBBISH, None))
        return Fact(topic, self._known().encode(), value, self._now)

    def _misrouted(self) -> Fact:
        asked = self._requests()
        home = partition_of(asked.key or b"", self._partitions)
        return asked._replace(partition=(home + 1) % self._partitions)

    def _keyless(self) -> Fact:
        return self._requests()._replace(key=None)
