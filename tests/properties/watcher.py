"""A second, naive pair of eyes: keeps every fact for ever and says what must not have been said.

It knows the shipped numbers by heart and shares no arithmetic with the engine: local times are read off Python's own
`zoneinfo`, counts are taken over whole lists. It is only about what the policy's rules forbid of marketing and survey
acts, and of any act to the erased and the dead; whatever else keeps the engine silent is fine with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from decisioning.decision import Decision
from decisioning.event import Event
from decisioning.instant import DAY, HOUR, MINUTE, instant
from decisioning.payload import (
    ConsentChanged,
    CustomerLifeEvent,
    CustomerPreferenceSet,
    CustomerUpdated,
    OrderEtaChanged,
    OrderPromised,
    PurchaseCompleted,
    Response,
    ResponseRecalled,
    SurveyAnswered,
)
from decisioning.zones import zones_of_country
from tests.properties.histories import CHANNELS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CAPS: Final = [(1, DAY, None), (3, 7 * DAY, None), (8, 30 * DAY, None), (1, 7 * DAY, "sms")]
_ENDS: Final = ("order.delivered", "order.cancelled", "order.payment_failed")
Consent = tuple[bool, int, int]
"""Granted or not, the time of the fact, and the end of a grant."""


class Watcher:
    """One customer, watched: `tell` every event of theirs that is no repeat, `objections` to every act."""

    def __init__(self) -> None:
        self.erased_at: int | None = None
        self.erased = self.dead = False
        self._forget()

    def _forget(self) -> None:
        self.consents: dict[tuple[str, str], Consent] = {}
        self.marks: dict[tuple[str, str], int] = {}
        self.bought: list[int] = []
        self.facts: dict[str, tuple[int, Any]] = {}
        self.cases: dict[str, dict[str, int]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.life: dict[str, tuple[int, int]] = {}
        self.acts: list[Decision] = []
        self.back: dict[str, int] = {}
        self.arrived: dict[str, int] = {}

    def tell(self, event: Event) -> None:
        """Take in what happened; an erasure empties, and of what is not later than it only complaints are kept."""
        data, at, kind = event.data, event.time, event.type.partition(".")[2]
        if event.type == "customer.erased":
            self.erased_at, self.erased, self.dead = max(self.erased_at or 0, at), True, False
            self._forget()
        elif kind in ("complained", "unsubscribed") and isinstance(data, Response):
            self._mark(data.channel, at)
            self._answered(data.decision_id, at, back=False)
        elif self.erased_at is not None and at <= self.erased_at:
            return
        elif isinstance(data, ConsentChanged):
            self.erased = self.erased and kind != "granted"
            self._consent(data, kind == "granted", at)
        elif isinstance(data, CustomerLifeEvent):
            self._lives(data, at)
        elif isinstance(data, CustomerUpdated):
            self._fact("time_zone", at, data.time_zone)
            self._fact("country", at, data.country)
        elif isinstance(data, CustomerPreferenceSet):
            self._fact("windows", at, None if data.contact_windows is None else [data.contact_windows])
            self._limit(at, data.max_marketing_per_week)
        elif isinstance(data, Response | ResponseRecalled | SurveyAnswered) and data.decision_id is not None:
            self._answered(data.decision_id, at, kind in ("failed", "expired") or getattr(data, "in_time", False))
        elif kind in ("case_opened", "case_resolved"):
            case = self.cases.setdefault(data.case_id, {})  # type: ignore[union-attr]
            case[kind] = max(case.get(kind, 0), at)
        else:
            self._order(event, at)

    def join(self, other: Watcher) -> None:
        """Become one with another: where both hold a fact the stricter, with the later time (contract.md, section
        4)."""
        if other.erased or self.erased:
            return
        self.dead = self.dead or other.dead
        for one, two in ((self, other), (other, self)):
            for (purpose, channel), at in one.marks.items():
                granted = two.consents.get((purpose, channel), (False, 0, 0))
                one.marks[purpose, channel] = max(at, granted[1] if granted[0] else 0)
        for key, mark in other.marks.items():
            self.marks[key] = max(mark, self.marks.get(key, 0))
        for key, theirs in other.consents.items():
            ours = self.consents.get(key, theirs)
            self.consents[key] = (ours[0] and theirs[0], max(ours[1], theirs[1]), min(ours[2], theirs[2]))
        self._join_facts(other.facts)
        for name, (at, end) in other.life.items():
            known = self.life.get(name, (at, end))
            self.life[name] = (max(at, known[0]), max(end, known[1]))
        for name, case in other.cases.items():
            mine = self.cases.get(name, {})
            both = {kind: max(case.get(kind, 0), mine.get(kind, 0)) for kind in (*case, *mine)}
            if _open(case) or _open(mine):
                both["case_opened"] = max(both.values())
            self.cases[name] = both
        for name, order in other.orders.items():
            known_order = self.orders.setdefault(name, {"told": []})
            known_order["told"] += order["told"]
            known_order |= {kind: max(at, known_order.get(kind, 0)) for kind, at in order.items() if kind != "told"}
        self.bought += other.bought
        self.acts += other.acts
        for mine_, theirs_ in ((self.back, other.back), (self.arrived, other.arrived)):
            mine_ |= {name: max(at, mine_.get(name, 0)) for name, at in theirs_.items()}

    def objections(self, act: Decision) -> Iterator[str]:
        """What speaks against an act that was made; then it is one of those that count."""
        if self.erased or self.dead:
            yield "nobody to speak to"
        if act.class_ in ("marketing", "survey"):
            assert act.channel is not None
            assert act.valid_until is not None
            assert act.time < act.valid_until <= act.time + 4 * HOUR
            for at, when in ((act.time, "when made"), (act.valid_until - 1, "while valid")):
                if not self._consented(act.class_, act.channel, at):
                    yield f"no consent {when}"
                if self._at_night(at):
                    yield f"quiet hours {when}"
                if not self._in_windows(at):
                    yield f"outside the customer's windows {when}"
            yield from self._troubles(act)
        if act.class_ == "survey":
            yield "a survey without a plan"
        if act.class_ == "marketing":
            if any(one.time > act.time - 10 * MINUTE and self._counts(one) for one in self.acts):
                yield "within ten minutes of another"
            self.acts.append(act)
            yield from self._above_caps(act)

    def _troubles(self, act: Decision) -> Iterator[str]:
        if any(act.time < at + 2 * DAY for at in self.bought):
            yield "within 48 hours of a purchase"
        if (act.class_, act.channel) in self.marks:
            yield "after a complaint or unsubscribe on this channel"
        for case in self.cases.values():
            if _open(case) or act.time < case["case_resolved"] + 2 * DAY:
                yield "while a case is open, or within 48 hours of its end"
        for kind, (_, end) in self.life.items():
            if act.time < end:
                yield f"in {kind}"
        for name, order in self.orders.items():
            if self._late(order, act.time):
                yield f"while order {name} is late or not paid"

    def _late(self, order: dict[str, Any], now: int) -> bool:
        failed = order.get("order.payment_failed")
        ends = (order.get("order.delivered", -1), order.get("order.cancelled", -1), order.get("bought", -1))
        if failed is not None and all(end <= failed for end in ends):
            return True
        if "order.delivered" in order or "order.cancelled" in order or not order["told"]:
            return False
        told = sorted(order["told"])
        return now > told[-1][1] or any(later[1] > one[1] for one, later in pairwise(told))

    def _order(self, event: Event, at: int) -> None:
        data = event.data
        if isinstance(data, PurchaseCompleted):
            self.erased = False
            self.bought.append(at)
        if not isinstance(data, PurchaseCompleted | OrderPromised | OrderEtaChanged) and event.type not in _ENDS:
            return
        order = self.orders.setdefault(data.order_id, {"told": []})  # type: ignore[union-attr]
        kind = "bought" if isinstance(data, PurchaseCompleted) else event.type
        order[kind] = max(at, order.get(kind, 0))
        if getattr(data, "promised_at", None) is not None:
            order["told"].append((at, instant(data.promised_at)))  # type: ignore[union-attr]

    def _lives(self, data: CustomerLifeEvent, at: int) -> None:
        self.dead = self.dead or data.kind == "deceased"
        if data.kind in ("bereavement", "vulnerable"):
            end = at + 365 * DAY if data.until is None else instant(data.until)
            self.life[data.kind] = max(self.life.get(data.kind, (0, 0)), (at, end))

    def _mark(self, channel: str, at: int) -> None:
        for purpose in ("marketing", "survey"):
            granted, since, _ = self.consents.get((purpose, channel), (False, 0, 0))
            if not (granted and since > at):
                self.marks[purpose, channel] = max(at, self.marks.get((purpose, channel), 0))

    def _consent(self, data: ConsentChanged, granted: bool, at: int) -> None:
        end = 0 if not granted else at + 730 * DAY if data.expires_at is None else instant(data.expires_at)
        for channel in data.channels or CHANNELS:
            key = (data.purpose, channel)
            if granted and self.marks.get(key, at) < at:
                del self.marks[key]
            known = self.consents.get(key, (granted, at, end))
            if at == known[1]:
                self.consents[key] = (granted and known[0], at, min(end, known[2]))
            elif at > known[1]:
                self.consents[key] = (granted, at, end)

    def _answered(self, id_: str, at: int, back: bool) -> None:
        known = self.back if back else self.arrived
        known[id_] = max(known.get(id_, 0), at)

    def _fact(self, name: str, at: int, value: object) -> None:
        if value is not None and (name not in self.facts or at >= self.facts[name][0]):
            self.facts[name] = (at, value)

    def _limit(self, at: int, value: int | None) -> None:
        known = self.facts.get("limit")
        if known is not None and value is not None and known[0] == at:
            value = min(value, known[1])
        self._fact("limit", at, value)

    def _join_facts(self, theirs: dict[str, tuple[int, Any]]) -> None:
        for name, (at, value) in theirs.items():
            if name not in self.facts:
                self.facts[name] = (at, value)
                continue
            since, known = self.facts[name]
            if name == "windows":
                self.facts[name] = (max(at, since), known + value)
            elif name == "limit":
                self.facts[name] = (max(at, since), min(known, value))
            elif at > since:
                self.facts[name] = (at, value)

    def _value(self, name: str) -> Any:
        return self.facts[name][1] if name in self.facts else None

    def _consented(self, purpose: str, channel: str, at: int) -> bool:
        granted, _, end = self.consents.get((purpose, channel), (False, 0, 0))
        return granted and at < end

    def _clocks(self, at: int) -> list[datetime]:
        """What the clock on the wall shows wherever the customer may be."""
        name, country = self._value("time_zone"), self._value("country")
        zones = [ZoneInfo(one) for one in ([name] if name else zones_of_country(country or ""))]
        return [(_EPOCH + timedelta(microseconds=at)).astimezone(one) for one in zones]

    def _at_night(self, at: int) -> bool:
        clocks = self._clocks(at)
        return not clocks or any(clock.hour >= 21 or clock.hour < 8 for clock in clocks)

    def _in_windows(self, at: int) -> bool:
        plans = [plan for plan in self._value("windows") or () if plan]
        return all(any(_inside(clock, one) for one in plan) for plan in plans for clock in self._clocks(at))

    def _counts(self, act: Decision) -> bool:
        return self.back.get(act.id, -1) <= self.arrived.get(act.id, -1)

    def _above_caps(self, act: Decision) -> Iterator[str]:
        standing = [one for one in self.acts if self._counts(one)]
        own = self._value("limit")
        caps = [*_CAPS, (own, 7 * DAY, None)] if own is not None else _CAPS
        for limit, per, channel in caps:
            if channel in (None, act.channel):
                counted = [one for one in standing if act.time < one.time + per and channel in (None, one.channel)]
                if len(counted) > limit:
                    yield f"{len(counted)} in {per // HOUR} h on {channel or 'all channels'}, {limit} allowed"


def _open(case: dict[str, int]) -> bool:
    return case.get("case_opened", -1) >= case.get("case_resolved", 0)


def _inside(clock: datetime, window: Any) -> bool:
    """Whether a wall clock shows a time within a contact window, which belongs to the day on which it starts."""
    minute = clock.hour * 60 + clock.minute
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (window.from_, window.to))
    today, yesterday = _DAYS[clock.weekday()] in window.days, _DAYS[clock.weekday() - 1] in window.days
    if end > start:
        return today and start <= minute < end
    return (today and minute >= start) or (yesterday and minute < end)
