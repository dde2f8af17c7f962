"""Random histories of two customers and a phone number, and how they are lived through: what the property tests draw
from.

A history is drawn as bytes, four to a happening, because that is quick to draw in thousands and shrinks well; `tell`
spells it out as events. It likes edges: equal times, exact multiples of the policy's durations and the microsecond
beside them, nights when the clocks change, facts that come late. Responses name acts that were really made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from decisioning.catalogue import Catalogue
from decisioning.decision import Decision
from decisioning.event import Event, parse
from decisioning.instant import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.rulebook import parse as parse_rulebook
from tests.builders import RETAIL

FACTOR: Final = int(os.environ.get("PROPERTY_FACTOR", "1"))
"""1: the same histories every time, for CI; more: so many times as many, and new ones every time."""

STARTS: Final = [
    parse_instant(text)
    for text in ("2026-03-28T12:00:00Z", "2026-10-24T18:00:00Z", "2026-11-01T01:30:00Z", "2024-02-28T20:59:59.999999Z")
]
GAPS: Final = [0] * 6 + [1, SECOND, 10 * MINUTE, 15 * MINUTE, 15 * MINUTE + 1, HOUR, 2 * HOUR, 4 * HOUR - 1,
    4 * HOUR, 9 * HOUR, 11 * HOUR, 12 * HOUR, 13 * HOUR, DAY - 1, DAY, 2 * DAY - 1, 2 * DAY, 3 * DAY, 7 * DAY - 1,
    7 * DAY, 30 * DAY]  # fmt: skip
LATE: Final = [0] * 9 + [1, MINUTE, 15 * MINUTE, 15 * MINUTE + 1, 2 * HOUR, 2 * DAY, 7 * DAY]
ZONES: Final = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Antarctica/Troll",
    "Pacific/Chatham", "UTC"]  # fmt: skip
COUNTRIES: Final = ["GB", "PT", "NZ", "US", "ZZ"]
CHANNELS: Final = ["email", "sms", "push"]
SKUS: Final = ["READER", "READER-RED", "COVER", "LAMP", "ghost"]
WINDOWS: Final[list[list[dict[str, object]]]] = [
    [],
    [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}],
    [{"days": ["sat", "sun"], "from": "18:00", "to": "02:30"}, {"days": ["wed"], "from": "12:00", "to": "12:00"}],
    [{"days": ["sun"], "from": "01:30", "to": "24:00"}],
    [{"days": ["fri"], "from": "22:00", "to": "07:00"}],  # only ever at night
]
_FAR: Final = "2026-12-24T18:00:00Z"
PRODUCTS: Final[list[dict[str, Any]]] = [
    {"sku": "READER", "category": "reading", "price": "100.00", "currency": "GBP", "complements": ["COVER"]},
    {"sku": "READER-RED", "category": "reading", "price": "99", "currency": "GBP", "variant_of": "READER"},
    {"sku": "COVER", "category": "reading", "price": "10.00", "currency": "GBP", "consumable_days": 10},
    {"sku": "LAMP", "category": "light", "price": "40.00", "currency": "EUR", "substitutes": ["COVER"]},
]
RESPONSES: Final = ["delivered", "failed", "failed", "expired", "opened", "accepted", "declined", "declined", "ignored",
    "ignored", "complained", "unsubscribed", "recalled", "recalled"]  # fmt: skip
SUBJECTS: Final = ["c-1", "c-2", "tel:1"]
TOPICS: Final = ["shoes", "books"]


class Draw(NamedTuple):
    """One happening as drawn: what kind, how long after the last, and two bytes for its particulars."""

    kind: int
    gap: int
    x: int
    y: int


class Living:
    """A history while it is lived: the clock, what was sent and what was answered so far."""

    def __init__(self, start: int) -> None:
        self.clock = start
        self.sent: list[bytes] = []
        self.acts: list[Decision] = []
        self.orders = 0

    def late(self, x: int) -> int:
        """An instant at which what is told now may have happened."""
        return self.clock - LATE[x % len(LATE)]

    def event(self, type_: str, data: dict[str, Any], subject: str, time: int) -> bytes:
        """The event as bytes, with an id of its own."""
        id_ = f"e-{len(self.sent)}"
        envelope = {"specversion": "1.0", "id": id_, "source": "/shop", "type": type_, "time": format_instant(time)}
        sent = json.dumps({**envelope, "subject": subject, "data": data}).encode()
        self.sent.append(sent)
        return sent


def _channels(x: int) -> list[str]:
    return [channel for place, channel in enumerate(CHANNELS) if x >> place & 1] or [CHANNELS[x % 3]]


def _request(life: Living, subject: str, x: int, y: int) -> bytes:
    time = life.late(x) if y & 128 else life.clock
    candidates = []
    for place in range(1 + (x >> 6)):
        n = x * 7 + y * 13 + place * 5
        one: dict[str, Any] = {
            "action": f"a{n % 3}",
            "class": ["marketing", "marketing", "marketing", "survey", "service", "marketing", "care"][n % 7],
            "channels": _channels((x + place) % 8),
            "value": [0, "2.5", 1, 2.5, -1][n % 5],
        }
        if n % 6 == 4:
            one |= {"topic": TOPICS[n % 2], "needs_ok": [["quiet"], []][n % 4 // 2]}
        if n % 9 == 5:
            one["audience"] = "prospect"
        if n % 4 == 1:
            one |= {"sku": SKUS[n % 5], "price": ["5.00", "100", "99.99"][n % 3]}
        if n % 5 == 2:
            one["expires_at"] = format_instant(time + [0, MINUTE, 4 * HOUR, 14 * HOUR, 40 * DAY][n % 11 % 5])
        candidates.append(one)
    request = f"r-{y % 6}" if y % 16 == 15 else f"r-{len(life.sent)}"
    data = {"request_id": request, "candidates": candidates, "campaign": f"k-{y % 3}" if y % 3 else None}
    return life.event("contact.requested", data, subject, time)


def _purchase(life: Living, subject: str, x: int, y: int) -> bytes:
    life.orders += x % 4 > 0
    lines = [{"sku": SKUS[n % 5], "quantity": 1 + y % 3, "unit_price": "100.00"} for n in (y, y + 2)]
    data = {"order_id": f"o-{life.orders}", "currency": "GBP", "lines": lines, "promised_at": _promised(life, y)}
    return life.event("purchase.completed", data, subject, life.late(x))


def _returned(life: Living, subject: str, x: int, y: int) -> bytes:
    order = f"o-{life.orders - x % 3}"
    return life.event(
        "purchase.returned", {"order_id": order, "lines": [{"sku": SKUS[y % 5], "quantity": 1 + y % 4}]}, subject,
        life.late(x),
    )  # fmt: skip


def _promised(life: Living, y: int) -> str | None:
    """A delivery promised for later, sometimes much later, sometimes none."""
    return None if y % 4 else format_instant(life.clock + [HOUR, 3 * HOUR, 2 * DAY, 5 * DAY, 0][y // 4 % 5])


def _order(life: Living, subject: str, x: int, y: int) -> bytes:
    kind = ["cancelled", "placed", "shipped", "delivered", "delivered", "payment_failed", "eta_changed",
        "eta_changed"][y % 8]  # fmt: skip
    data: dict[str, Any] = {"order_id": f"o-{life.orders - x % 2}"}
    if kind in ("placed", "shipped", "eta_changed"):
        data["promised_at"] = _promised(life, x) or format_instant(life.clock)
    return life.event(f"order.{kind}", data, subject, life.late(x))


def _consent(life: Living, subject: str, x: int, y: int) -> bytes:
    time = life.late(x)
    data: dict[str, Any] = {"purpose": ["marketing", "marketing", "survey"][y % 3]}
    if y & 4:
        data["channels"] = _channels(x % 8)
    if y & 24 == 24:
        data["expires_at"] = format_instant(time + [HOUR, 30 * HOUR, 3 * DAY][x % 3])
    return life.event("consent.withdrawn" if y & 96 == 96 else "consent.granted", data, subject, time)


def _whereabouts(life: Living, subject: str, x: int, y: int) -> bytes:
    data: dict[str, Any] = {"country": COUNTRIES[x % 5]} if y % 3 == 0 else {"time_zone": ZONES[x % 7]}
    return life.event("customer.updated", data, subject, life.late(y))


def _preference(life: Living, subject: str, x: int, y: int) -> bytes:
    wishes: list[dict[str, Any]] = [{"contact_windows": WINDOWS[x % 5]}, {"channels": _channels(x % 8)[::-1]},
        {"max_marketing_per_week": x % 4}, {"topics_off": TOPICS[: x % 3]},
        {"needs": [[], ["quiet"]][x % 2]}]  # fmt: skip
    return life.event("customer.preference_set", wishes[y % 5], subject, life.late(y))


def _response(life: Living, subject: str, x: int, y: int) -> bytes:
    kind = RESPONSES[x % len(RESPONSES)]
    named = life.acts[-1 - y % min(3, len(life.acts))] if life.acts else None
    data: dict[str, Any] = {"decision_id": named.id if named else "unknown", "channel": "email"}
    if kind == "recalled":
        data["in_time"] = y % 2 == 0
    return life.event(f"response.{kind}", data, named.subject if named else subject, life.late(y))


def _trouble(life: Living, subject: str, x: int, y: int) -> bytes:
    case = {"case_id": f"s-{x % 2}"}
    types: list[tuple[str, dict[str, Any]]] = [
        ("support.case_opened", case | {"severity": ["low", "normal", "high"][x % 3]}),
        ("support.case_resolved", case),
        ("support.case_resolved", case),
        ("support.promise_made", {"promise_id": f"w-{x % 2}", "what": "call", "due_at": format_instant(life.clock)}),
        ("support.promise_kept", {"promise_id": f"w-{x % 2}"}),
        ("support.interaction", {"interaction_id": f"i-{x}", "channel": "phone", "sentiment": -0.5}),
    ]
    type_, data = types[y % len(types)]
    return life.event(type_, data, subject, life.late(x))


def _joining(life: Living, subject: str, x: int, y: int) -> bytes:
    other = SUBJECTS[x % 3]
    if y % 3 == 0:
        return life.event("customer.merged", {"into": other}, subject, life.late(x))
    return life.event("identity.linked", {"identity": other}, subject, life.late(x))


def _rare(life: Living, subject: str, x: int, y: int) -> bytes:
    ends = format_instant(life.clock + [DAY, 40 * DAY][x % 2])
    types: list[tuple[str, dict[str, Any]]] = [
        ("customer.erased", {}),
        ("customer.erased", {}),
        ("customer.life_event", {"kind": ["deceased", "goal", "bereavement"][x % 3]}),
        ("customer.life_event", {"kind": ["vulnerable", "bereavement"][x % 2], "until": ends}),
        ("contact.withdrawn", {"campaign": f"k-{x % 3}"}),
        ("contact.withdrawn", {"request_id": f"r-{max(0, len(life.sent) - 1 - x % 4)}"}),
        ("survey.answered", {"survey": "nps", "decision_id": life.acts[-1].id if life.acts else None}),
        ("made.up", {"x": x}),
    ]
    type_, data = types[y % len(types)]
    return life.event(type_, data, subject, life.late(x))


_KINDS: Final[Sequence[Callable[[Living, str, int, int], bytes]]] = (
    [_request] * 14 + [_response] * 4 + [_consent] * 4 + [_purchase] * 3 + [_whereabouts] * 2 + [_preference] * 2
    + [_order] * 2 + [_returned, _trouble, _joining, _rare]
)  # fmt: skip

histories = st.binary(min_size=123, max_size=203)
"""A history of up to 30 to 50 happenings, still as bytes; `live` spells it out. A kind of 0 is none: so it shrinks."""


_RETAIL: Final = parse_rulebook(RETAIL.read_bytes(), RETAIL.name)


def policy() -> Policy:
    """The shipped rulebook, with a catalogue of its own."""
    return Policy(_RETAIL, Catalogue())


def _prelude(life: Living, first: int) -> Iterator[bytes]:
    for product in PRODUCTS:
        yield life.event("product.described", product, str(product["sku"]), life.clock)
    for subject in SUBJECTS:
        if first % 8:
            yield life.event("consent.granted", {"purpose": "marketing"}, subject, life.clock)
        if first % 9:
            yield life.event("customer.updated", {"time_zone": ZONES[first % 7]}, subject, life.clock)


def live(drawn: bytes) -> tuple[list[Event], list[list[Decision]]]:
    """The events of a history, and what was decided at each; the last entry is what the remaining wakes brought."""
    run = Replay(policy())
    life = Living(STARTS[drawn[0] % len(STARTS)] + drawn[1] * HOUR)
    events: list[Event] = []
    said: list[list[Decision]] = []
    for sent in _told(life, drawn):
        events.append(parse(sent))
        said.append(list(run.feed(events[-1])))
        life.acts += [one for one in said[-1] if one.outcome == "act"]
    said.append(list(run.finish(run.now + 400 * DAY)))
    return events, said


def _told(life: Living, drawn: bytes) -> Iterator[bytes]:
    yield from _prelude(life, drawn[2])
    for start in range(3, len(drawn) - 3, 4):
        draw = Draw(*drawn[start : start + 4])
        if draw.kind == 0:
            continue
        life.clock += GAPS[draw.gap % len(GAPS)]
        yield _KINDS[draw.kind % len(_KINDS)](life, _whom(draw.kind), draw.x, draw.y)


def _whom(kind: int) -> str:
    return SUBJECTS[(kind >= 200) + (kind >= 228)]


def replay(events: Iterable[Event]) -> tuple[Replay, list[Decision]]:
    """The same events straight through a new engine, and all that it said."""
    run = Replay(policy())
    said = [one for event in events for one in run.feed(event)]
    return run, said + list(run.finish(run.now + 400 * DAY))


def often(times: int) -> settings:
    """Half as many histories, for a quick run: the same ones every time, unless PROPERTY_FACTOR asks for more and other
    ones."""
    return settings(
        max_examples=times * FACTOR // 2,
        derandomize=FACTOR == 1,
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def flood(part: int) -> Iterator[bytes]:
    """Within a quarter of an hour of one night, more of everything than the memory of one customer holds; every text
    as long as it may be."""
    life = Living(parse_instant("2026-03-02T21:00:00Z") + part * 5 * HOUR)

    def long(name: str, length: int) -> str:
        return f"{part}-{name}".ljust(length, "x")

    def sent(type_: str, data: dict[str, Any]) -> bytes:
        life.clock += SECOND
        return life.event(type_, data, "c-1", life.clock).replace(b'"e-', f'"{part}-'.encode())

    def asks(number: int, candidates: list[dict[str, Any]]) -> bytes:
        return sent("contact.requested", {"request_id": long(f"r{number}", 512), "candidates": candidates})

    yield sent("consent.granted", {"purpose": "marketing"})
    yield sent("customer.updated", {"time_zone": "UTC", "name": long("name", 20_000), "language": long("en", 200)})
    for _ in range(200):
        yield sent("support.interaction", {"interaction_id": "i", "channel": "phone"})
    for number in range(3):
        channels = [long(f"{number}-{n}", 64) for n in range(50)]
        yield sent("consent.withdrawn", {"purpose": "survey", "channels": channels})
        wishes = {"channels": channels, "topics_off": [long(f"t{n}", 200) for n in range(200)]}
        yield sent("customer.preference_set", wishes | {"needs": [long(f"n{n}", 200) for n in range(200)]})
    for number in range(257):  # answered, and nothing more: nobody agreed to surveys
        yield asks(number, [{"action": "a", "class": "survey", "channels": ["email"]}])
    for number in range(257, 327):
        yield asks(number, [_large(long, n, "marketing") for n in range(6)])
    for number in range(70):
        lines = [{"sku": long(f"{number}-{n}", 512), "quantity": 1, "unit_price": "1" * 15} for n in range(30)]
        yield sent("purchase.completed", {"order_id": long(f"o{number}", 512), "currency": "GBP", "lines": lines})
    for number in range(327, 330):
        yield asks(number, [_large(long, n, "service") for n in range(100)])
    for number in range(70):
        name = long(f"n{number}", 500)
        opened = {"case_id": name, "severity": "low", "topic": long("t", 200), "order_id": name}
        yield sent("support.case_opened", opened)
        yield sent("support.promise_made", {"promise_id": name, "what": long("w", 20_000), "due_at": _FAR})
        yield sent("customer.updated", {"attributes": {name[:200]: long("a", 5_000)}})
        for _ in range(3):
            yield sent("order.eta_changed", {"order_id": long(f"o{number}", 512), "promised_at": _FAR})
        yield sent("response.complained", {"decision_id": name, "channel": name[:64]})
        yield sent("identity.linked", {"identity": name})


def _large(long: Callable[[str, int], str], number: int, class_: str) -> dict[str, Any]:
    words = {name: long(f"{name}{number}", 200) for name in ("action", "category", "topic", "audience")}
    channels = [long(f"channel{n}", 64) for n in range(2)]  # each is judged; more would only cost time
    needs = [long(f"need{n}", 200) for n in range(50)]
    return {**words, "class": class_, "channels": channels, "sku": long(f"sku{number}", 512), "needs_ok": needs}
