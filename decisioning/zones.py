"""Local time: what a wall clock in a zone of the IANA database shows, from the pinned `tzdata` package alone.

This is the one place of the core that reads data: the tables are part of a pinned dependency, so they are as constant
as code. The machine's own zone files are never asked, since two workers must decide alike on two machines, and
`zoneinfo.ZoneInfo(name)` would ask them first.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from decisioning.instant import DAY, MINUTE, SECOND

EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
"""The ordinal of the day on which instants begin."""


class UnknownZone(ValueError):
    """A name that the IANA time zone database does not hold: the sender's fault."""


class Zone:
    """One zone of the IANA database: local time to instant and back. `zone(name)` gives the only one of its name.

    Days are proleptic Gregorian ordinals (`date.toordinal`). The calendar ends where Python's does: ValueError or
    OverflowError at the edges of the years 1 and 9999.
    """

    __slots__ = ("_info", "name")

    def __init__(self, name: str, info: ZoneInfo) -> None:
        self.name: Final = name
        self._info: Final = info

    def __repr__(self) -> str:
        return f"zone({self.name!r})"

    def to_utc(self, day: int, minute: int) -> int:
        """The instant at which the wall clock shows `minute` of `day`; minute 1440 is the next day's 00:00.

        A local time that does not exist is read with the offset before the gap, one that comes twice is its first
        occurrence (RFC 5545 section 3.3.5, which is Python's `fold=0`).
        """
        over, minute = divmod(minute, 1440)
        midnight, steady = _day(self, day + over)
        if steady:
            return midnight + minute * MINUTE
        return (day + over - EPOCH_DAY) * DAY + minute * MINUTE - self._offset(day + over, minute)

    def _offset(self, day: int, minute: int) -> int:
        at = date.fromordinal(day)
        offset = self._info.utcoffset(datetime(at.year, at.month, at.day, minute // 60, minute % 60, tzinfo=self._info))
        assert offset is not None  # ZoneInfo always knows it for a datetime
        return offset.days * DAY + offset.seconds * SECOND

    def local(self, at: int) -> tuple[int, int, int]:
        """What the wall clock shows at an instant: day, minute of day (0..1439), weekday (0 = Monday)."""
        shown = datetime.fromtimestamp(at // SECOND, self._info)
        day = shown.toordinal()
        return day, shown.hour * 60 + shown.minute, (day - 1) % 7

    def clock(self, days: range) -> Hashable:
        """What tells zones apart on some days: two with an equal one show the same local time all through them."""
        found = tuple(_day(self, day) for day in days)
        return found if all(steady for _, steady in found) else self


@lru_cache(maxsize=32_768)  # a year of days in all zones of the most divided country, and as much again
def _day(zone: Zone, day: int) -> tuple[int, bool]:
    """The first instant read as 00:00 of a day, and whether the offset then is that of the whole day."""
    # Two samples suffice: no zone has ever changed its offset and changed it back within one day (held by a test).
    offset = zone._offset(day, 0)
    return (day - EPOCH_DAY) * DAY - offset, offset == zone._offset(day + 1, 0)


@cache  # bounded by the names of the database, for a raised error is not remembered
def zone(name: str) -> Zone:
    """The zone of that name, spelt exactly so (`Europe/Berlin`); UnknownZone for anything else, paths included."""
    if name not in zone_names():  # the list is the guard: no other text ever becomes part of a path
        raise UnknownZone("not a name of the IANA time zone database: write one such as Europe/Berlin")
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as table:
        return Zone(name, ZoneInfo.from_file(table, key=name))


@cache
def zone_names() -> frozenset[str]:
    """Every name that `zone` knows, links such as `GB` or `US/Pacific` included."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


def zones_of_country(code: str) -> tuple[str, ...]:
    """Names of a country's zones in the order of tzdata's `zone.tab`; () for a code that it does not list (rule 19).

    `code` is ISO 3166 alpha-2, in capitals as the standard writes it.
    """
    return _countries().get(code, ())


@cache
def _countries() -> dict[str, tuple[str, ...]]:
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    countries: dict[str, tuple[str, ...]] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            code, _, name, *_ = line.split("\t")
            countries[code] = (*countries.get(code, ()), name)
    return countries
