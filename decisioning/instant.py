"""Instants and durations: integer microseconds, and their texts at the doors.

An *instant* counts microseconds since the Unix epoch, UTC, leap seconds left out as in POSIX time. Integers compare
and add exactly, which local times do not: subtracting two of one zone ignores a change of offset between them.

Messages here quote no value, so that they may stand in a header or a log (guarantee 8).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000_000
"""One second in microseconds, the unit of every instant and duration."""
MINUTE: Final = 60 * SECOND
"""One minute in microseconds."""
HOUR: Final = 60 * MINUTE
"""One hour in microseconds."""
DAY: Final = 24 * HOUR
"""24 hours in microseconds; a local day may be longer or shorter."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_LONGEST: Final = 36_525 * DAY  # a century: beyond it a rulebook means "always", and sums would leave the calendar

# The shape is held by the pattern and the calendar by `fromisoformat`, which alone would also take week dates, basic
# format, a comma and a missing offset.
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
_DURATION: Final = re.compile(r"(\d{1,10})([smhdw])", re.ASCII)


def instant(moment: datetime) -> int:
    """The instant of an aware datetime; ValueError for a naive one, which names no instant."""
    try:
        since = moment - _EPOCH
    except TypeError:
        raise ValueError("a time without an offset names no instant: give it a tzinfo") from None
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def parse_instant(text: str) -> int:
    """The instant that an RFC 3339 date-time names; ValueError otherwise, also for a leap second or a missing offset.

    `T` and `Z` may be lower case (RFC 3339 section 5.6); digits beyond the microsecond are cut off.
    """
    if _RFC_3339.fullmatch(text) is not None:
        try:
            return instant(datetime.fromisoformat(text.upper()))
        except ValueError:
            pass  # a 30th of February, an hour 24, a leap second: the answer is the same as for a wrong shape
    raise ValueError("not a time: write RFC 3339 with an offset, such as 2026-03-02T10:15:00Z")


def format_instant(at: int) -> str:
    """RFC 3339 in UTC with `Z`: no fraction at whole seconds, else microseconds without trailing zeros (reading 12).

    What lies outside the years 1 to 9999 is clamped to their first or last microsecond, the furthest a text can say.
    """
    day, rest = divmod(at if _FIRST <= at <= _LAST else min(max(at, _FIRST), _LAST), DAY)
    minute, rest = divmod(rest, MINUTE)
    second, fraction = divmod(rest, SECOND)
    if fraction:
        return f"{_date(day)}T{_MINUTES[minute]}:{second:02d}.{fraction:06d}".rstrip("0") + "Z"
    return f"{_date(day)}T{_MINUTES[minute]}:{_SECONDS[second]}Z"


_FIRST: Final = instant(datetime.min.replace(tzinfo=UTC))
_LAST: Final = instant(datetime.max.replace(tzinfo=UTC))


_MINUTES: Final = tuple(f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in range(60))
_SECONDS: Final = tuple(f"{second:02d}" for second in range(60))


@lru_cache(maxsize=4096)  # the times of one stream lie close together, and the calendar is the dear part of their text
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def parse_duration(text: str) -> int:
    """Microseconds of a rulebook's duration, as in `45m`, `6h`, `30d`: a whole number and one of s, m, h, d, w.

    A day is 24 hours, a week seven of them. ValueError for anything else and above a century.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("not a duration: write a whole number and one of s, m, h, d, w, such as 45m, 6h or 30d")
    duration = int(match[1]) * _UNITS[match[2]]
    if duration > _LONGEST:
        raise ValueError("too long a duration: the longest is 36525d, a century")
    return duration


def format_duration(duration: int) -> str:
    """The shortest rulebook text of a duration, in days at most (`7d`, not `1w`); ValueError when it has none.

    It has none if it is negative or not of whole seconds. `parse_duration` reads it back.
    """
    if duration < 0 or duration % SECOND:
        raise ValueError("a duration is written in whole seconds, zero or more")
    unit = next(unit for unit in "dhms" if duration % _UNITS[unit] == 0) if duration else "s"
    return f"{duration // _UNITS[unit]}{unit}"
