"""Instants and durations: every text comes back, and only RFC 3339 is a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisioning.instant import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    format_duration,
    format_instant,
    instant,
    parse_duration,
    parse_instant,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z
LAST = 253_402_300_800 * SECOND - 1  # 9999-12-31T23:59:59.999999Z

unhurried = settings(deadline=None)  # a busy machine is no failure
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@unhurried
@given(st.integers(FIRST, LAST))
def test_every_instant_survives_its_text(at: int) -> None:
    """Formatting loses nothing, to the microsecond, and agrees with the standard library."""
    text = format_instant(at)
    assert parse_instant(text) == at
    assert datetime.fromisoformat(text) == EPOCH + timedelta(microseconds=at)


@unhurried
@given(st.datetimes(timezones=offsets))
def test_every_aware_datetime_has_one_instant(moment: datetime) -> None:
    """A datetime at any offset, and its ISO text, name the same instant, exact where a float would not be."""
    assert instant(moment) == (moment - EPOCH) // timedelta(microseconds=1)
    assert parse_instant(moment.isoformat()) == instant(moment)


def test_a_local_time_of_the_second_occurrence_is_an_hour_later() -> None:
    """The fold of a datetime is respected: 02:30 comes twice when summer time ends."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert instant(first.replace(fold=1)) - instant(first) == HOUR


def test_a_naive_datetime_is_refused() -> None:
    """Without an offset there is no instant, and nothing is guessed from the machine's zone."""
    with pytest.raises(ValueError, match="give it a tzinfo"):
        instant(datetime(2026, 3, 2, 10, 15))  # noqa: DTZ001 - the naive one is the case


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-02t10:15:00z", "2026-03-02T10:15:00Z"),
        ("2026-03-02T12:15:00+02:00", "2026-03-02T10:15:00Z"),
        ("2026-03-02T10:15:00-00:00", "2026-03-02T10:15:00Z"),
        ("2026-03-01T10:16:00-23:59", "2026-03-02T10:15:00Z"),
        ("2026-03-02T10:15:00.5Z", "2026-03-02T10:15:00.5Z"),
        ("2026-03-02T10:15:00.120000Z", "2026-03-02T10:15:00.12Z"),
        ("2026-03-02T10:15:00.1234567891Z", "2026-03-02T10:15:00.123456Z"),
        ("0999-03-02T10:15:00Z", "0999-03-02T10:15:00Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
    ],
)
def test_each_form_of_rfc_3339_is_read(text: str, same: str) -> None:
    """Lower case, fractions and offsets are read, and written back in the one form of our outputs."""
    assert format_instant(parse_instant(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-02",
        "2026-03-02T10:15:00",
        "2026-03-02T10:15Z",
        "2026-03-02 10:15:00Z",
        "2026-03-02T10:15:60Z",
        "2026-12-31T23:59:60Z",
        "2026-03-02T24:00:00Z",
        "2026-02-30T10:15:00Z",
        "2026-13-02T10:15:00Z",
        "0000-01-01T00:00:00Z",
        "2026-03-02T10:15:00.Z",
        "2026-03-02T10:15:00,5Z",
        "2026-03-02T10:15:00+02",
        "2026-03-02T10:15:00+0200",
        "2026-03-02T10:15:00+24:00",
        "2026-03-02T10:15:00+02:60",
        "2026-03-02T10:15:00+02:00:30",
        "20260302T101500Z",
        "2026-W10-1T10:15:00Z",
        "2026-061T10:15:00Z",
        " 2026-03-02T10:15:00Z",
        "2026-03-02T10:15:00Z\n",
        "2026-03-02T10:15:00Zebra",
        "+2026-03-02T10:15:00Z",
        "\uff12\uff10\uff12\uff16-03-02T10:15:00Z",
        "1772446500",
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    """What RFC 3339 does not allow is refused in one line that says what to write and quotes nothing."""
    with pytest.raises(ValueError, match=r"^not a time: write RFC 3339 with an offset, such as 2026-03-02T10:15:00Z$"):
        parse_instant(text)


@unhurried
@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{0,9})?([Zz]|[+-]\d\d:\d\d)?"))
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    """Whatever is handed in is an instant or a ValueError, nothing else."""
    try:
        at = parse_instant(text)
    except ValueError:
        return
    assert FIRST - DAY < at < LAST + DAY


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (MINUTE - 1, "1970-01-01T00:00:59.999999Z"),
        (10, "1970-01-01T00:00:00.00001Z"),
        (100_000, "1970-01-01T00:00:00.1Z"),
        (LAST, "9999-12-31T23:59:59.999999Z"),
        (LAST + 1, "9999-12-31T23:59:59.999999Z"),
        (10**30, "9999-12-31T23:59:59.999999Z"),
        (FIRST, "0001-01-01T00:00:00Z"),
        (FIRST - 1, "0001-01-01T00:00:00Z"),
        (-(10**30), "0001-01-01T00:00:00Z"),
    ],
)
def test_outputs_have_one_form_and_end_with_the_calendar(at: int, text: str) -> None:
    """No fraction at whole seconds, no trailing zeros otherwise, and beyond the calendar its first or last instant."""
    assert format_instant(at) == text


@pytest.mark.parametrize(
    ("text", "duration"),
    [("0s", 0), ("90s", 90 * SECOND), ("45m", 45 * MINUTE), ("6h", 6 * HOUR), ("30d", 30 * DAY), ("2w", 14 * DAY)],
)
def test_each_unit_of_duration_is_read(text: str, duration: int) -> None:
    """The five units of a rulebook's durations."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "1.5h", "-1h", "+1h", "1 h", " 1h", "1h ", "1h\n", "1h30m", "1H", "1M", "1y", "\u0663h", "1e3s"],
)
def test_anything_else_is_no_duration(text: str) -> None:
    """One whole number and one unit, or a refusal that shows how to write it."""
    with pytest.raises(ValueError, match="such as 45m"):
        parse_duration(text)


def test_a_duration_ends_at_a_century() -> None:
    """The longest duration is taken, a second more is not: it could leave the calendar when added to a time."""
    assert parse_duration("36525d") == 36_525 * DAY
    with pytest.raises(ValueError, match="a century"):
        parse_duration(f"{36_525 * 86_400 + 1}s")


@unhurried
@given(st.integers(0, 36_525 * 86_400))
def test_every_duration_survives_its_text(seconds: int) -> None:
    """A written duration reads back as itself."""
    assert parse_duration(format_duration(seconds * SECOND)) == seconds * SECOND


@pytest.mark.parametrize(
    ("duration", "text"), [(0, "0s"), (7 * DAY, "7d"), (36 * HOUR, "36h"), (48 * HOUR, "2d"), (90 * SECOND, "90s")]
)
def test_a_duration_is_written_in_its_largest_whole_unit(duration: int, text: str) -> None:
    """Days at most, as the house writes them."""
    assert format_duration(duration) == text


@pytest.mark.parametrize("duration", [-SECOND, SECOND // 2, DAY + 1])
def test_what_no_rulebook_can_write_is_refused(duration: int) -> None:
    """A negative or broken duration has no text, and none is made up by rounding."""
    with pytest.raises(ValueError, match="whole seconds"):
        format_duration(duration)
