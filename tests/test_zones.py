"""Local time over every zone of the database and every change of offset in its history."""

from __future__ import annotations

import struct
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisioning.instant import DAY, HOUR, MINUTE, SECOND, instant, parse_instant
from decisioning.zones import UnknownZone, zone, zone_names, zones_of_country


def table(name: str) -> bytes:
    """The compiled table of a zone, as the pinned package ships it."""
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@cache
def oracle(name: str) -> ZoneInfo:
    """The standard library's view of the same table."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def changes(content: bytes) -> list[int]:
    """Seconds since the epoch of every change of offset that a TZif file lists (RFC 8536 section 3.2, 64-bit block)."""
    utc, std, leaps, times, types, letters = struct.unpack(">6l", content[20:44])
    content = content[44 + times * 5 + types * 6 + letters + leaps * 8 + std + utc :]
    times, types = struct.unpack(">6l", content[20:44])[3:5]
    at = struct.unpack(f">{times}q", content[44 : 44 + 8 * times])
    kinds = content[44 + 8 * times : 44 + 9 * times]
    offset = [struct.unpack(">lbb", content[44 + 9 * times + 6 * i :][:6])[0] for i in range(types)]
    before = [offset[0], *(offset[kind] for kind in kinds)]
    return [when for when, kind, old in zip(at, kinds, before, strict=False) if offset[kind] != old]


def day(text: str) -> int:
    """The ordinal of an ISO date."""
    return date.fromisoformat(text).toordinal()


TABLES = {table(name): name for name in sorted(zone_names())}  # one name a table: links repeat others


def test_local_times_agree_with_the_standard_library_around_every_change_of_offset() -> None:
    """Over all zones and their whole history: the four days around each change, both directions."""
    compared = 0
    for content, name in TABLES.items():
        ours, theirs = zone(name), oracle(name)
        for change in [when for when in changes(content) if when > -(2**33)]:
            around = date.fromordinal(day("1970-01-01") + change // 86_400)
            for hours in range(-48, 72, 5):
                local = datetime(around.year, around.month, around.day) + timedelta(hours=hours, minutes=hours % 60)  # noqa: DTZ001 - it is made aware below
                expected = instant(local.replace(tzinfo=theirs))
                assert ours.to_utc(local.toordinal(), local.hour * 60 + local.minute) == expected, (name, local)
            for seconds in (-DAY, -1, 0, 1, HOUR, DAY):
                at = change * SECOND + seconds
                shown = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(theirs)
                expected_local = (shown.toordinal(), shown.hour * 60 + shown.minute, shown.weekday())
                assert ours.local(at) == expected_local, (name, at)
                compared += 1
    assert compared > 50_000  # the histories were found at all


def test_no_zone_changes_twice_within_two_days() -> None:
    """What `zones` relies on when it takes a day with equal offsets at both ends as one of a single offset."""
    for content, name in TABLES.items():
        at = changes(content)
        assert all(later - earlier > 2 * 86_400 for earlier, later in pairwise(at)), name


@pytest.mark.parametrize(
    ("name", "on", "minute", "text"),
    [
        ("Europe/Berlin", "2026-03-29", 150, "2026-03-29T01:30:00Z"),  # not there: the offset before, 03:30 summer time
        ("Europe/Berlin", "2026-10-25", 150, "2026-10-25T00:30:00Z"),  # there twice: the first
        ("Europe/Berlin", "2026-10-25", 180, "2026-10-25T02:00:00Z"),
        ("Europe/Berlin", "2026-03-28", 1440, "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", "2026-03-29", 1440, "2026-03-29T22:00:00Z"),  # the end of the short day itself
        ("Africa/Cairo", "2026-04-24", 0, "2026-04-23T22:00:00Z"),  # midnight itself is not there
        ("Africa/Cairo", "2026-04-23", 1440, "2026-04-23T22:00:00Z"),
        ("America/Havana", "2026-11-01", 0, "2026-11-01T04:00:00Z"),  # midnight itself comes twice
        ("Australia/Lord_Howe", "2026-10-04", 135, "2026-10-03T15:45:00Z"),  # a gap of half an hour
        ("Asia/Kathmandu", "2026-01-01", 0, "2025-12-31T18:15:00Z"),
        ("Pacific/Apia", "2011-12-30", 720, "2011-12-30T22:00:00Z"),  # a whole day that is not there
        ("Pacific/Kiritimati", "2026-01-01", 0, "2025-12-31T10:00:00Z"),
    ],
)
def test_missing_and_repeated_local_times_are_read_as_rfc_5545_says(name: str, on: str, minute: int, text: str) -> None:
    """Named cases by hand, so that the standard library is not the only witness."""
    assert zone(name).to_utc(day(on), minute) == parse_instant(text)


def test_a_wall_clock_shows_day_minute_and_weekday() -> None:
    """29 March 2026 is a Sunday, and at 01:00 UTC Berlin's clock springs to 03:00."""
    at = parse_instant("2026-03-29T01:00:00Z")
    assert zone("Europe/Berlin").local(at) == (day("2026-03-29"), 180, 6)
    assert zone("Europe/Berlin").local(at - 1) == (day("2026-03-29"), 119, 6)
    assert zone("Pacific/Honolulu").local(at) == (day("2026-03-28"), 15 * 60, 5)


@settings(deadline=None)
@given(st.sampled_from(sorted(TABLES.values())), st.integers(0, 2**33))
def test_there_and_back(name: str, second: int) -> None:
    """What a wall clock shows leads back to the same minute, or to the earlier one of two that show the same."""
    at = second * SECOND
    on, minute, weekday = zone(name).local(at)
    assert weekday == date.fromordinal(on).weekday()
    back = zone(name).to_utc(on, minute)
    assert zone(name).local(back)[:2] == (on, minute)
    assert at - 3 * HOUR - MINUTE < back <= at


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Mars/Olympus",
        "europe/berlin",
        "EUROPE/BERLIN",
        "Europe/Berlin ",
        "Europe\\Berlin",
        "Europe",
        "Europe/",
        "/Europe/Berlin",
        "./Europe/Berlin",
        "Europe//Berlin",
        "Europe/../Europe/Berlin",
        "../zones",
        "../../etc/passwd",
        "/etc/localtime",
        "posixrules",
        "posix/Europe/Berlin",
        "right/Europe/Berlin",
        "localtime",
        "zone.tab",
        "tzdata.zi",
        "__init__.py",
        "__pycache__",
        "Europe/Berlin\0",
        "Europe/\ud800",
        "CET-1CEST",
        "+02:00",
        "UTC+2",
        "x" * 100_000,
    ],
)
def test_a_name_outside_the_database_is_refused(name: str) -> None:
    """Unknown, odd and path-like names are the sender's fault, in one short line that quotes nothing."""
    with pytest.raises(UnknownZone, match=r"Europe/Berlin$") as refused:
        zone(name)
    assert len(str(refused.value)) < 120


def test_the_machines_own_zone_files_are_never_asked(tmp_path: Path) -> None:
    """A machine whose Berlin is New York changes nothing: only the pinned package speaks."""
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(table("America/New_York"))
    zone.cache_clear()
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    try:
        assert zone("Europe/Berlin").to_utc(day("2026-01-01"), 0) == parse_instant("2025-12-31T23:00:00Z")
    finally:
        zoneinfo.reset_tzpath()
        zone.cache_clear()


def test_zones_of_one_clock_are_told_apart_only_where_they_differ() -> None:
    """Phoenix and Denver agree in winter, and not in a week in which Denver's clock changes, nor in summer."""
    phoenix, denver, boise = zone("America/Phoenix"), zone("America/Denver"), zone("America/Boise")
    winter, change, summer = (range(day(text), day(text) + 7) for text in ("2026-01-05", "2026-03-05", "2026-07-06"))
    assert phoenix.clock(winter) == denver.clock(winter) == boise.clock(winter)
    assert len({zone.clock(change) for zone in (phoenix, denver, boise)}) == 3  # not compared within a day: held apart
    assert phoenix.clock(summer) != denver.clock(summer) == boise.clock(summer)


def test_one_name_is_one_zone() -> None:
    """Zones are interned, so that tables can be remembered by them."""
    assert zone("Europe/Berlin") is zone("Europe/Berlin")
    assert repr(zone("Europe/Berlin")) == "zone('Europe/Berlin')"


def test_countries_have_the_zones_of_zone_tab() -> None:
    """One, several or none (rule 19)."""
    assert zones_of_country("GB") == ("Europe/London",)
    assert zones_of_country("DE") == ("Europe/Berlin", "Europe/Busingen")
    assert len(zones_of_country("US")) == 29
    assert zones_of_country("US")[0] == "America/New_York"


@pytest.mark.parametrize("code", ["", "XX", "UK", "USA", "U", "ß", "us", "us ", "#", "U\0"])
def test_a_code_outside_the_table_has_no_zones(code: str) -> None:
    """Unknown codes count as none, also those that only upper case would make known: ISO 3166 writes capitals."""
    assert zones_of_country(code) == ()


def test_every_zone_of_every_country_can_be_opened() -> None:
    """The two tables of the package fit together: no country leads to an unknown zone."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    countries = [found for one in letters for two in letters if (found := zones_of_country(one + two))]
    assert len(countries) > 240
    for names in countries:
        assert all(zone(name).name == name for name in names)
