"""Words to tell a customer's story with: `story.at("2026-03-02 10:15", bought("A"), asked(offer("sale", sku="A")))`.

Every happening goes through the real parser as JSON, every answer comes from the real engine. Times are UTC unless
they carry an offset; the customer lives in UTC unless told otherwise, so that 21:00 to 08:00 is night as written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from decisioning.catalogue import Catalogue
from decisioning.decision import Decision
from decisioning.event import Event, parse
from decisioning.instant import format_instant, parse_instant
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.rulebook import parse as parse_rulebook
from decisioning.state import State, fold

RETAIL = Path(__file__).parent.parent / "rules" / "retail.yaml"
BARE = b'rulebook: bare\nversion: "1"\n'
UNCAPPED = BARE + b"respect: {frequency_cap: {caps: []}, concurrent_channel: {within: 0s}}\n"
CUSTOMER = "c-42"


def at(text: str) -> int:
    """The instant of `2026-03-02 10:15`, with optional seconds and offset; UTC if it has none."""
    text = text.replace(" ", "T")
    if len(text) == 10:
        text += "T00:00"
    if len(text) == 16:
        text += ":00"
    return parse_instant(text if text[-1] == "Z" or "+" in text[19:] or "-" in text[19:] else text + "Z")


class Happening(NamedTuple):
    """An event before it has a time and an id; `id` and `time` are given only where the story is about them."""

    type: str
    data: dict[str, Any]
    id: str | None = None
    subject: str | None = None
    time: str | None = None

    def by(self, subject: str) -> Happening:
        """The same, of another customer."""
        return self._replace(subject=subject)

    def named(self, id_: str) -> Happening:
        """The same, with this event id."""
        return self._replace(id=id_)

    def since(self, time: str) -> Happening:
        """The same, but it happened at `time` and is handled only when the story has it."""
        return self._replace(time=time)


def event(
    type_: str, when: str, data: object, id_: str = "e-1", subject: str = CUSTOMER, source: str = "/shop", **more: str
) -> Event:
    """One event as the parser reads it from its JSON."""
    envelope = {"specversion": "1.0", "id": id_, "source": source, "type": type_, "time": format_instant(at(when))}
    return parse(json.dumps({**envelope, "subject": subject, "data": data, **more}).encode())


def bought(
    *skus: str, order: str = "o-1", price: str = "100.00", quantity: int = 1, currency: str = "GBP", **more: object
) -> Happening:
    """A purchase of so many units of each sku at one price."""
    lines = [{"sku": sku, "quantity": quantity, "unit_price": price} for sku in skus]
    return Happening("purchase.completed", {"order_id": order, "lines": lines, "currency": currency, **more})


def returned(sku: str, quantity: int = 1, order: str = "o-1") -> Happening:
    """So many units of a sku came back."""
    return Happening("purchase.returned", {"order_id": order, "lines": [{"sku": sku, "quantity": quantity}]})


def cancelled(order: str = "o-1") -> Happening:
    """The whole order is off."""
    return Happening("order.cancelled", {"order_id": order})


def granted(purpose: str = "marketing", *, on: Sequence[str] | None = None, expires: str | None = None) -> Happening:
    """Consent for a purpose, on all channels or on these."""
    return Happening("consent.granted", {"purpose": purpose, "channels": on, "expires_at": _text(expires)})


def withdrawn(purpose: str = "marketing", *, on: Sequence[str] | None = None) -> Happening:
    """Consent taken back, on all channels or on these."""
    return Happening("consent.withdrawn", {"purpose": purpose, "channels": on})


def lives(**fields: object) -> Happening:
    """Who the customer is: time_zone, country, name, language."""
    return Happening("customer.updated", fields)


def prefers(**fields: object) -> Happening:
    """What the customer asked of us: contact_windows, channels, max_marketing_per_week, topics_off, needs."""
    return Happening("customer.preference_set", fields)


def window(days: str, from_: str, to: str) -> dict[str, object]:
    """One contact window: `window("mon tue", "09:00", "17:00")`."""
    return {"days": days.split(), "from": from_, "to": to}


def placed(order: str = "o-1", *, promised: str | None = None) -> Happening:
    """An order placed, with the delivery that was promised."""
    return Happening("order.placed", {"order_id": order, "promised_at": _text(promised)})


def shipped(order: str = "o-1", *, promised: str | None = None) -> Happening:
    """An order on its way, with the delivery that was promised."""
    return Happening("order.shipped", {"order_id": order, "promised_at": _text(promised)})


def eta_changed(promised: str, order: str = "o-1") -> Happening:
    """The delivery moved to this time."""
    return Happening("order.eta_changed", {"order_id": order, "promised_at": _text(promised)})


def delivered(order: str = "o-1") -> Happening:
    """An order has arrived."""
    return Happening("order.delivered", {"order_id": order})


def payment_failed(order: str = "o-1") -> Happening:
    """The payment for an order failed."""
    return Happening("order.payment_failed", {"order_id": order})


def case_opened(case: str = "k-1", *, severity: str = "normal", **more: object) -> Happening:
    """A problem of the customer's is open."""
    return Happening("support.case_opened", {"case_id": case, "severity": severity, **more})


def case_resolved(case: str = "k-1") -> Happening:
    """A problem of the customer's is solved."""
    return Happening("support.case_resolved", {"case_id": case})


def promised(promise: str = "p-1", *, what: str = "a call back", due: str = "2026-03-10") -> Happening:
    """Our word to the customer."""
    return Happening("support.promise_made", {"promise_id": promise, "what": what, "due_at": _text(due)})


def promise_kept(promise: str = "p-1") -> Happening:
    """Our word was kept."""
    return Happening("support.promise_kept", {"promise_id": promise})


def bereaved(*, until: str | None = None) -> Happening:
    """The customer lost someone."""
    return Happening("customer.life_event", {"kind": "bereavement", "until": _text(until)})


def vulnerable(*, until: str | None = None) -> Happening:
    """The customer is in a difficult situation."""
    return Happening("customer.life_event", {"kind": "vulnerable", "until": _text(until)})


def answered(kind: str, decision: str = "d-unknown", channel: str = "email") -> Happening:
    """What became of a decision that is known by its id alone: complained, unsubscribed, declined, ignored..."""
    return Happening(f"response.{kind}", {"decision_id": decision, "channel": channel})


def died() -> Happening:
    """The customer has died."""
    return Happening("customer.life_event", {"kind": "deceased"})


def erased() -> Happening:
    """The customer asked to be forgotten."""
    return Happening("customer.erased", {})


def response(kind: str, to: Decision, **more: object) -> Happening:
    """What became of a decision."""
    return Happening(f"response.{kind}", {"decision_id": to.id, "channel": to.channel or "", **more})


def product(
    sku: str, category: str = "thing", price: str = "100.00", currency: str = "GBP", **more: object
) -> Happening:
    """What the catalogue knows of one sku."""
    data = {"sku": sku, "category": category, "price": price, "currency": currency, **more}
    return Happening("product.described", data, subject=sku)


def offer(
    action: str = "offer",
    *,
    on: Sequence[str] = ("email",),
    kind: str = "marketing",
    expires: str | None = None,
    **more: object,
) -> dict[str, object]:
    """One candidate: sku, category, price, currency and value as they are given."""
    return {"action": action, "class": kind, "channels": list(on), "expires_at": _text(expires), **more}


def asked(*offers: dict[str, object], request: str | None = None, campaign: str | None = None) -> Happening:
    """A request; with no offers one plain marketing offer by email, with no `request` a new id."""
    candidates = list(offers) or [offer()]
    return Happening("contact.requested", {"request_id": request, "candidates": candidates, "campaign": campaign})


def nothing_new() -> Happening:
    """An event of the customer that changes nothing, but lets live acts be judged again."""
    return Happening("support.interaction", {"interaction_id": "i-1", "channel": "phone"})


class Story:
    """One run of the engine under the event clock; customers beside the usual one come by `Happening.by`."""

    def __init__(self, rules: bytes = BARE) -> None:
        self.policy = Policy(parse_rulebook(rules, "rules.yaml"), Catalogue())
        self.run = Replay(self.policy)
        self.events: list[Event] = []

    def at(self, when: str, *happenings: Happening) -> list[Decision]:
        """What is said when these happen at that time, with the wakes that were due before."""
        decisions: list[Decision] = []
        for happening in happenings:
            if happening.time is not None:
                decisions += self.run.feed(event("clock.moved", when, {}))
            decisions += self.run.feed(self._event(when, happening))
        return decisions

    def until(self, when: str) -> list[Decision]:
        """What is said by wakes due up to that time."""
        return list(self.run.finish(at(when)))

    @property
    def state(self) -> State:
        """What is remembered of the usual customer."""
        return self.run.states[CUSTOMER]

    def _event(self, when: str, happening: Happening) -> Event:
        number = len(self.events) + 1
        data = dict(happening.data)
        if happening.type == "contact.requested" and data["request_id"] is None:
            data["request_id"] = f"r-{number}"
        happened = event(
            happening.type, happening.time or when, data, happening.id or f"e-{number}", happening.subject or CUSTOMER
        )
        self.events.append(happened)
        return happened


def folded(*told: tuple[str, Happening], state: State | None = None) -> State:
    """The memory after these events, in this order of arrival, without an engine."""
    state = state or State(CUSTOMER)
    for number, (when, happening) in enumerate(told):
        state = fold(state, event(happening.type, happening.time or when, happening.data, f"e-{number}"))
    return state


def uncapped(rules: bytes = UNCAPPED) -> Story:
    """The usual customer, who agreed to all and whom no cap limits, early in 2026."""
    told = Story(rules)
    told.at("2026-01-05 09:00", lives(time_zone="UTC"), granted("marketing"), granted("survey"))
    return told


def said(decisions: Sequence[Decision]) -> list[tuple[str, str]]:
    """Outcome and reason of each decision, in order."""
    return [(decision.outcome.value, decision.reason) for decision in decisions]


def weighed(decision: Decision) -> list[tuple[str, str, str, str]]:
    """Action, channel, verdict and reason of all that was considered, in order."""
    told = [verdict.as_json() for verdict in decision.considered]
    return [(str(one["action"]), str(one["channel"]), str(one["verdict"]), str(one["reason"])) for one in told]


def of(outcome: str, decisions: Sequence[Decision]) -> list[Decision]:
    """Those decisions that have this outcome."""
    return [decision for decision in decisions if decision.outcome.value == outcome]


def only(decisions: Sequence[Decision]) -> Decision:
    """The one decision that was said."""
    [decision] = decisions
    return decision


def _text(when: str | None) -> str | None:
    return None if when is None else format_instant(at(when))
