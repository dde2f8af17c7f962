"""A second, naive pair of eyes: keeps every fact for ever and says what must not have been said.

It knows the shipped numbers by heart and shares no arithmetic with the engine: local times are read off Python's own
`zoneinfo`, counts are taken over whole lists. It is only about marketing and survey acts, and only about what the
policy's first rules forbid; whatever else keeps the engine silent is fine with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from decisioning.decision import Decision
from decisioning.event import Event
from decisioning.instant import DAY, HOUR, instant
from decisioning.payload import (
    ConsentChanged,
    CustomerPreferenceSet,
    CustomerUpdated,
    Response,
    ResponseRecalled,
    SurveyAnswered,
)
from decisioning.zones import zones_of_country

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CAPS: Final = [(1, DAY, None), (3, 7 * DAY, None), (8, 30 * DAY, None), (1, 7 * DAY, "sms")]


class Watcher:
    """One customer, watched: `tell` every event of theirs that is no repeat, `objections` to every act."""

    def __init__(self) -> None:
        self.erased_at: int | None = None
        self._forget()

    def _forget(self) -> None:
        self.consents: list[tuple[ConsentChanged, bool, int]] = []
        self.bought: list[int] = []
        self.facts: dict[str, tuple[int, Any]] = {}
        self.acts: list[Decision] = []
        self.back: dict[str, int] = {}
        self.arrived: dict[str, int] = {}

    def tell(self, event: Event) -> None:
        """Take in what happened; an erasure empties, and what is not later than it is not kept."""
        data, at = event.data, event.time
        if event.type == "customer.erased":
            self.erased_at = max(self.erased_at or 0, at)
            self._forget()
        elif self.erased_at is not None and at <= self.erased_at:
            return
        elif isinstance(data, ConsentChanged):
            self.consents.append((data, event.type == "consent.granted", at))
        elif event.type == "purchase.completed":
            self.bought.append(at)
        elif isinstance(data, CustomerUpdated):
            self._fact("time_zone", at, data.time_zone)
            self._fact("country", at, data.country)
        elif isinstance(data, CustomerPreferenceSet):
            self._fact("windows", at, data.contact_windows)
            self._limit(at, data.max_marketing_per_week)
        elif isinstance(data, Response | ResponseRecalled | SurveyAnswered) and data.decision_id is not None:
            back = event.type in ("response.failed", "response.expired") or getattr(data, "in_time", False)
            known = self.back if back else self.arrived
            known[data.decision_id] = max(known.get(data.decision_id, 0), at)

    def objections(self, act: Decision) -> Iterator[str]:
        """What speaks against an act that was made; then it is one of those that count."""
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
            if any(act.time < at + 2 * DAY for at in self.bought):
                yield "within 48 hours of a purchase"
        if act.class_ == "marketing":
            self.acts.append(act)
            yield from self._above_caps(act)

    def _fact(self, name: str, at: int, value: object) -> None:
        if value is not None and (name not in self.facts or at >= self.facts[name][0]):
            self.facts[name] = (at, value)

    def _limit(self, at: int, value: int | None) -> None:
        known = self.facts.get("limit")
        if known is not None and value is not None and known[0] == at:
            value = min(value, known[1])
        self._fact("limit", at, value)

    def _value(self, name: str) -> Any:
        return self.facts[name][1] if name in self.facts else None

    def _consented(self, purpose: str, channel: str, at: int) -> bool:
        mine = [one for one in self.consents if one[0].purpose == purpose and channel in (one[0].channels or [channel])]
        newest = max((one[2] for one in mine), default=None)
        holding = [one for one in mine if one[2] == newest]
        ends = [told + 730 * DAY if fact.expires_at is None else instant(fact.expires_at) for fact, _, told in holding]
        return bool(holding) and all(granted for _, granted, _ in holding) and all(at < end for end in ends)

    def _clocks(self, at: int) -> list[datetime]:
        """What the clock on the wall shows wherever the customer may be."""
        name, country = self._value("time_zone"), self._value("country")
        zones = [ZoneInfo(one) for one in ([name] if name else zones_of_country(country or ""))]
        return [(_EPOCH + timedelta(microseconds=at)).astimezone(one) for one in zones]

    def _at_night(self, at: int) -> bool:
        clocks = self._clocks(at)
        return not clocks or any(clock.hour >= 21 or clock.hour < 8 for clock in clocks)

    def _in_windows(self, at: int) -> bool:
        windows = self._value("windows")
        return not windows or all(any(_inside(clock, one) for one in windows) for clock in self._clocks(at))

    def _above_caps(self, act: Decision) -> Iterator[str]:
        standing = [one for one in self.acts if self.back.get(one.id, -1) <= self.arrived.get(one.id, -1)]
        own = self._value("limit")
        caps = [*_CAPS, (own, 7 * DAY, None)] if own is not None else _CAPS
        for limit, per, channel in caps:
            if channel in (None, act.channel):
                counted = [one for one in standing if act.time < one.time + per and channel in (None, one.channel)]
                if len(counted) > limit:
                    yield f"{len(counted)} in {per // HOUR} h on {channel or 'all channels'}, {limit} allowed"


def _inside(clock: datetime, window: Any) -> bool:
    """Whether a wall clock shows a time within a contact window, which belongs to the day on which it starts."""
    minute = clock.hour * 60 + clock.minute
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (window.from_, window.to))
    today, yesterday = _DAYS[clock.weekday()] in window.days, _DAYS[clock.weekday() - 1] in window.days
    if end > start:
        return today and start <= minute < end
    return (today and minute >= start) or (yesterday and minute < end)
