"""When a customer may be spoken to by the local clock, and when a rolling limit has a free slot again.

`DailyWindow` is one line of a plan ("mon to fri, 09:00 to 17:00"); `Windows` is a whole plan and answers the two
questions of deferral: *open now?* and *when next?* Edges are computed from the local wall time of each date and then
converted; every comparison is one of instants (traps of daylight saving time: `zones`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from msgspec import Struct

from decisioning.instant import DAY
from decisioning.zones import EPOCH_DAY, Zone

Interval = tuple[int, int]
"""Two instants, [from, to)."""

_DAYS: Final = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
_TIME_OF_DAY: Final = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d))|24:00", re.ASCII)

_WEEK: Final = 7 * DAY
# Local days whose windows can reach into a week of UTC days. No zone was ever more than 16 hours from UTC, a window
# may end a day after it starts, and a zone that crosses the date line skips a whole day (Samoa, 2011-12-30).
_BEFORE: Final = 3
_AFTER: Final = 2


class DailyWindow(Struct, frozen=True, array_like=True, cache_hash=True, gc=False):
    """The same hours on each named day: `days` 0 (Monday) to 6, `start` and `end` in minutes of the day, 0 to 1440.

    The interval is [start, end). An end at or before the start crosses midnight and belongs to its start day; equal
    ones are 24 hours, until the same local time of the next day (exact reading 7). 24:00 is the next day's 00:00, so
    00:00 to 24:00 and 24:00 to 00:00 are 24 hours as well. ValueError when out of range.
    """

    days: frozenset[int]
    start: int
    end: int

    def __post_init__(self) -> None:
        if not self.days or not all(0 <= day <= 6 for day in self.days):
            raise ValueError("a window needs one day or more of 0 (Monday) to 6")
        if not (0 <= self.start <= 1440 and 0 <= self.end <= 1440):
            raise ValueError("a window's times are minutes of the day, 0 to 1440")

    def on(self, zone: Zone, day: int) -> Interval | None:
        """The instants [from, to) of the window that starts on `day` (an ordinal) in `zone`; None if it has none.

        It has none on a day that is not named, and where both its edges fall so around a gap of the wall clock that
        nothing is left: 02:30 to 03:00 when 02:00 becomes 03:00.
        """
        if (day - 1) % 7 not in self.days:
            return None
        length = (self.end - self.start) % 1440 or 1440
        start, end = zone.to_utc(day, self.start), zone.to_utc(day, self.start + length)
        return (start, end) if start < end else None


class Windows(Struct, frozen=True, cache_hash=True, gc=False):
    """A plan of daily windows, judged in one zone or, where the customer's is not certain, in several at once.

    Open means "may be spoken to", in both uses:

    - *contact windows* (rule 18): `Windows(own)` is open inside a window, and only where that holds in **every** zone;
    - *quiet hours* (rule 17): `Windows((night,), quiet=True)` is open outside of all windows, again in **every** zone;
      so it is closed as soon as it is night in any of them.

    No windows are none set, and no zones are none known: open at every instant (rule 19 is what refuses then).
    Several plans at once, such as both sides' windows after a merge: `first_open`.
    """

    windows: tuple[DailyWindow, ...]
    quiet: bool = False

    def open(self, zones: Iterable[Zone], at: int) -> bool:
        """Whether the instant `at` is open in every zone."""
        return _first((self,), tuple(zones), at, at + 1, is_open=True) is not None

    def next_open(self, zones: Iterable[Zone], at: int, limit: int) -> int | None:
        """The first instant from `at` on that is open in every zone (a `not_before`), or None from `limit` on."""
        return _first((self,), tuple(zones), at, limit, is_open=True)

    def next_closed(self, zones: Iterable[Zone], at: int, limit: int) -> int | None:
        """The first instant from `at` on that is closed in any zone (a `valid_until`), or None from `limit` on.

        Windows that touch or overlap are one: their inner edges close nothing.
        """
        return _first((self,), tuple(zones), at, limit, is_open=False)


def first_open(plans: Iterable[Windows], zones: Iterable[Zone], at: int, limit: int) -> int | None:
    """The first instant from `at` on at which every plan is open in every zone; None if none is before `limit`."""
    return _first(tuple(plans), tuple(zones), at, limit, is_open=True)


def _first(plans: tuple[Windows, ...], zones: tuple[Zone, ...], at: int, limit: int, *, is_open: bool) -> int | None:
    """The first instant in [at, limit) at which all is open, or, with `is_open` false, at which something is closed."""
    while at < limit:
        week = at // _WEEK
        edges = _edges(plans, zones, week)
        following = bisect_right(edges, at)
        if (following % 2 == 1) == is_open:
            return at
        at = edges[following] if following < len(edges) else (week + 1) * _WEEK
    return None


@lru_cache(maxsize=8192)  # few plans meet few zones in few weeks, so that nearly every answer is one look-up
def _edges(plans: tuple[Windows, ...], zones: tuple[Zone, ...], week: int) -> tuple[int, ...]:
    """Where one UTC week (0 begins at the epoch) opens, closes, opens again...: all plans in all zones at once."""
    first, last = week * _WEEK, (week + 1) * _WEEK
    begin = EPOCH_DAY + 7 * week
    days = range(begin - _BEFORE, begin + 7 + _AFTER)
    # The many zones of a country mostly agree; whoever looks a year ahead in all of them would feel the difference.
    distinct = {zone.clock(days): zone for zone in zones}.values()
    closed: set[Interval] = set()
    for plan in plans:
        if plan.windows:
            for zone in distinct:
                inside = _joined(found for day in days for window in plan.windows if (found := window.on(zone, day)))
                closed.update(inside if plan.quiet else _between(inside, first, last))
    return tuple(chain.from_iterable(_between(_joined(closed), first, last)))


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time in order and without overlap: intervals that touch or overlap become one."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _between(intervals: list[Interval], first: int, last: int) -> list[Interval]:
    """What joined intervals leave of [first, last)."""
    gaps: list[Interval] = []
    for start, end in intervals:
        if first < min(start, last):
            gaps.append((first, min(start, last)))
        first = max(first, end)
    if first < last:
        gaps.append((first, last))
    return gaps


def slot_free_at(made: Sequence[int], limit: int, per: int, now: int) -> int | None:
    """The first instant from `now` on with a free slot: fewer than `limit` of `made` have made <= t < made + per.

    `made` are instants in any order, `per` a duration. A slot is free again at made + per (exact reading 3);
    None when the limit is 0, for then there never is one.
    """
    if limit <= 0:
        return None
    if len(made) < limit:
        return now
    taken = sorted(made)
    # Only the end of a slot can free one, so only `now` and those ends need be asked.
    candidates = (now, *(when + per for when in taken if when + per > now))
    return next(at for at in candidates if bisect_right(taken, at) - bisect_right(taken, at - per) < limit)


def parse_time_of_day(text: str) -> int:
    """The minute of the day, 0 to 1440, of `HH:MM`; `24:00` is the day's end. ValueError for anything else."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise ValueError("not a time of day: write HH:MM, 00:00 to 24:00")
    return 1440 if match[1] is None else int(match[1]) * 60 + int(match[2])


def parse_days(names: Iterable[str]) -> frozenset[int]:
    """The weekdays, 0 for Monday, of names `mon` to `sun`; ValueError for another name, or for none at all."""
    days = list(names)
    if not days or not all(name in _DAYS for name in days):
        raise ValueError("not days of the week: list one or more of " + ", ".join(_DAYS))
    return frozenset(_DAYS[name] for name in days)
