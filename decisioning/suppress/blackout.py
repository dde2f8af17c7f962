"""Days on which nobody is approached: dates of the author's, and public holidays where the customer lives (P13).

Off until a rulebook names some. Like the night, such a day is judged by the customer's own clock, in all zones where
they may be. The calendars are those of the pinned package `holidays`, an extra; a rulebook that names a country without
it does not load.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property, lru_cache
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from decisioning.instant import HOUR
from decisioning.suppress.base import PROMOTIONAL, Ask, Objection, Rule, Suppressor, Then
from decisioning.zones import Zone

_AHEAD = 31  # days: an act stands for at most 30
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_LONGEST = 400  # days in a row that may be silent before it counts as always


def _date(value: object) -> object:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).toordinal()
        except ValueError:
            raise ValueError("no such day in the calendar") from None
    raise ValueError('a date is a text: write "2026-12-25"')


def _country(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a country is its ISO 3166 code: write DE")
    try:
        if _COUNTRY.fullmatch(value) and _days_off(value, 2000) is not None:
            return value
    except ImportError:
        raise ValueError("public holidays need the package `holidays`: install decisioning[holidays]") from None
    except NotImplementedError:  # what the package raises for a country that it does not know
        pass
    raise ValueError("no public holidays are known for this country: write an ISO 3166 code such as DE")


_DateText = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
LocalDate = Annotated[
    int,
    BeforeValidator(_date, json_schema_input_type=_DateText),
    PlainSerializer(lambda day: date.fromordinal(day).isoformat(), str),
]
"""A date of a rulebook (`"2026-12-25"`), a proleptic Gregorian ordinal once parsed."""

Country = Annotated[str, BeforeValidator(_country)]
"""A country whose public holidays are known, by its ISO 3166 code."""


class Blackouts(Rule):
    """`dates` for everybody, public `holidays` for customers of the named countries; `then` says whether what is asked
    on such a day waits for the next or is refused."""

    dates: tuple[LocalDate, ...] = Field(default=(), max_length=1000)
    holidays: tuple[Country, ...] = Field(default=(), max_length=250)
    then: Then = "defer"


class NoBlackout(Suppressor[Blackouts]):
    """Asks to wait until the day is over, or refuses."""

    section = "blackout"
    classes = PROMOTIONAL
    reasons = ("quiet_hours.blackout", "quiet_hours.holiday")
    shape = Blackouts
    depends_on = "customer"
    of_the_night = True

    def check(self, ask: Ask) -> Objection | None:
        """Objects while it is such a day in any zone where the customer may be."""
        if not self._speaks:
            return None
        found = [(reason, day) for zone in ask.zones if (reason := self._why(ask, day := zone.local(ask.now)[0]))]
        if not found:
            return None
        reason, day = min(found, key=lambda pair: (self.reasons.index(pair[0]), pair[1]))
        because = {"date": date.fromordinal(day).isoformat(), "zones": [zone.name for zone in ask.zones]}
        return Objection(reason, because, self._until(ask), waits=self.rule.then == "defer")

    def gives(self) -> tuple[str, ...]:
        """Only those for which the rulebook names days."""
        days = (self.rule.dates, self.rule.holidays)
        return tuple(reason for reason, some in zip(self.reasons, days, strict=True) if some)

    def ends(self, ask: Ask) -> int | None:
        """The start of the next such day in any of the zones."""
        if not self._speaks:
            return None
        starts = [
            zone.to_utc(day, 0)
            for zone in ask.zones
            for today in (zone.local(ask.now)[0],)
            for day in range(today + 1, today + _AHEAD)
            if self._why(ask, day)
        ]
        return min(starts, default=None)

    @cached_property
    def _dates(self) -> frozenset[int]:
        return frozenset(self.rule.dates)

    @property
    def _speaks(self) -> bool:
        return bool(self.rule.dates or self.rule.holidays)

    def _why(self, ask: Ask, day: int) -> str | None:
        if day in self._dates:
            return "quiet_hours.blackout"
        country = ask.state.profile.country
        if country is None or country.value not in self.rule.holidays:
            return None
        return "quiet_hours.holiday" if day in _days_off(country.value, date.fromordinal(day).year) else None

    def _until(self, ask: Ask) -> int | None:
        """The first instant that is on no such day in any zone."""
        at = ask.now
        for _ in range(_LONGEST):
            ends = list(self._ends_of_days(ask, ask.zones, at))
            if not ends:
                return at
            at = max(ends)
        return None

    def _ends_of_days(self, ask: Ask, zones: tuple[Zone, ...], at: int) -> Iterator[int]:
        for zone in zones:
            day = zone.local(at)[0]
            if self._why(ask, day):
                end = zone.to_utc(day + 1, 0)
                yield end if end > at else at + HOUR  # a midnight that comes twice


@lru_cache(maxsize=1024)
def _days_off(country: str, year: int) -> frozenset[int]:
    """The public holidays of a country in a year, as ordinals, those moved to a working day included; ImportError
    without the package, NotImplementedError for a country that it does not know."""
    import holidays

    return frozenset(day.toordinal() for day in holidays.country_holidays(country, years=year))
