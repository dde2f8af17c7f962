"""Windows and quiet hours against a slow oracle written from the contract's words, over every change of offset."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decisioning.instant import DAY, HOUR, MINUTE, SECOND, format_instant, instant, parse_instant
from decisioning.window import DailyWindow, Windows, first_open, parse_days, parse_time_of_day, slot_free_at
from decisioning.zones import Zone, zone, zone_names, zones_of_country

EVERY_DAY = frozenset(range(7))
NIGHT = Windows((DailyWindow(EVERY_DAY, 21 * 60, 8 * 60),), quiet=True)
OFFICE = Windows((DailyWindow(frozenset(range(5)), 9 * 60, 17 * 60),))
BERLIN = (zone("Europe/Berlin"),)
FROM, TO = parse_instant("2024-01-01T00:00:00Z"), parse_instant("2029-01-01T00:00:00Z")

Intervals = list[tuple[int, int]]


# the slow oracle


@cache
def info(name: str) -> ZoneInfo:
    """The standard library's zone from the pinned tables."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def edge(name: str, day: int, minute: int) -> int:
    """The instant of a local wall time, by the standard library alone."""
    naive = datetime.fromordinal(day) + timedelta(minutes=minute)
    return instant(naive.replace(tzinfo=info(name)).astimezone(UTC))


def intervals(windows: tuple[DailyWindow, ...], name: str, around: int, days: int = 10) -> Intervals:
    """Every [from, to) that starts on a day near an instant, straight from exact reading 7."""
    first = date(1970, 1, 1).toordinal() + around // DAY
    found = []
    for day in range(first - 4, first + days):
        for window in windows:
            if date.fromordinal(day).weekday() in window.days:
                start, end = window.start, window.end
                if start == 1440:  # 24:00 is the next day's 00:00
                    start, end = 1440, end + 1440
                if end <= start:
                    end += 1440
                found.append((edge(name, day, start), edge(name, day, end)))
    return found


def is_open(plan: Windows, each: Sequence[Intervals], at: int) -> bool:
    """Open in every zone: inside a contact window, or outside of all quiet hours."""
    return all(any(start <= at < end for start, end in one) != plan.quiet for one in each)


def first(plan: Windows, each: Sequence[Intervals], at: int, limit: int, wanted: bool) -> int | None:
    """The first instant in [at, limit) at which the plan is as wanted: it can only change at an edge."""
    edges = sorted({at, *(e for one in each for pair in one for e in pair if at < e)})
    for candidate in edges[: bisect_left(edges, limit)]:
        if is_open(plan, each, candidate) == wanted:
            return candidate
    return None


def offset_changes(name: str) -> list[int]:
    """Every change of a zone's offset from 2024 to 2028, to the second."""

    def offset(second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, info(name)).utcoffset()

    found = []
    for start in range(FROM // SECOND, TO // SECOND, 86_400):
        low, high = start, start + 86_400
        if offset(low) != offset(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            found.append(high * SECOND)
    return found


minutes = st.sampled_from([0, 1, 60, 120, 150, 180, 1380, 1439, 1440]) | st.integers(0, 1440)
daily = st.builds(DailyWindow, st.frozensets(st.integers(0, 6), min_size=1), minutes, minutes)
plans = st.builds(Windows, st.lists(daily, min_size=1, max_size=4).map(tuple), st.booleans())
instants = st.integers(FROM, TO)
names = st.sampled_from(sorted(zone_names()))


def random_plan(random: Random, local_minute: int) -> Windows:
    """One to three windows, mostly with an edge near the wall clock's change."""
    windows = []
    for _ in range(random.randint(1, 3)):
        near = (local_minute + random.choice([-60, -30, -1, 0, 1, 15, 30, 59, 60, 61])) % 1440
        other = random.choice([near, 0, 1440, random.randint(0, 1440), (near + random.randint(1, 90)) % 1441])
        days = frozenset(random.sample(range(7), random.choice([3, 7, 7])))
        windows.append(DailyWindow(days, *random.choice([(near, other), (other, near)])))
    return Windows(tuple(windows), quiet=random.random() < 0.5)


# against the oracle


def test_every_change_of_offset_in_every_zone() -> None:
    """All zones, all changes 2024 to 2028: around each, at every edge, we say what the contract's words say."""
    random, asked = Random(20260302), 0
    tables: dict[bytes, str] = {}
    for name in sorted(zone_names()):  # links repeat the table of another name: one of them speaks for all
        tables.setdefault(resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes(), name)
    for name in tables.values():
        here = (zone(name),)
        for change in offset_changes(name):
            for plan in (NIGHT, random_plan(random, here[0].local(change - 1)[1])):
                truth = [intervals(plan.windows, name, change)]
                edges = {change, *(e for pair in truth[0] for e in pair if abs(e - change) < 30 * HOUR)}
                for at in sorted(edges | {e - 1 for e in edges}):
                    asked += 1
                    limit = at + 3 * DAY
                    assert plan.open(here, at) == is_open(plan, truth, at), (name, plan, format_instant(at))
                    assert plan.next_open(here, at, limit) == first(plan, truth, at, limit, True), (name, plan, at)
                    assert plan.next_closed(here, at, limit) == first(plan, truth, at, limit, False), (name, plan, at)
    assert asked > 10_000  # the changes were found at all


@settings(deadline=None, max_examples=300)
@given(plans, st.lists(names, min_size=1, max_size=4, unique=True), instants, st.integers(0, 5 * DAY))
def test_several_zones_at_once(plan: Windows, several: list[str], at: int, ahead: int) -> None:
    """Open means open in all zones, closed means closed in any, and no earlier instant than the answer is so."""
    zones = tuple(zone(name) for name in several)
    each = [intervals(plan.windows, name, at) for name in several]
    assert plan.open(zones, at) == is_open(plan, each, at)
    assert plan.next_open(zones, at, at + ahead) == first(plan, each, at, at + ahead, True)
    assert plan.next_closed(zones, at, at + ahead) == first(plan, each, at, at + ahead, False)


changing_weeks = st.sampled_from([parse_instant("2026-03-05T00:00:00Z"), parse_instant("2026-10-29T00:00:00Z")])


neighbours = st.sampled_from(["America/Denver", "America/Los_Angeles", "America/Boise"]).map(
    lambda name: ("America/Phoenix", name)  # which alone never changes its clock
)


@settings(deadline=None, max_examples=200)
@given(plans, neighbours | st.just(zones_of_country("US")), changing_weeks, st.integers(0, 7 * DAY))
def test_zones_that_agree_on_most_days(plan: Windows, several: Sequence[str], week: int, since: int) -> None:
    """Zones of one country, in the weeks in which some change their clocks, are judged as if each were alone."""
    at = week + since
    zones, limit = [zone(name) for name in several], at + 4 * DAY
    each = [intervals(plan.windows, name, at) for name in several]
    assert plan.next_open(zones, at, limit) == first(plan, each, at, limit, True)
    assert plan.next_closed(zones, at, limit) == first(plan, each, at, limit, False)


@settings(deadline=None, max_examples=150)
@given(plans, plans, names, instants)
def test_two_plans_together(one: Windows, other: Windows, name: str, at: int) -> None:
    """`first_open` of two plans is the first instant at which both are open."""
    here, limit = (zone(name),), at + 5 * DAY
    each = [(plan, [intervals(plan.windows, name, at)]) for plan in (one, other)]
    edges = sorted({at, *(e for _, [truth] in each for pair in truth for e in pair if at < e < limit)})
    expected = next((when for when in edges if all(is_open(plan, truth, when) for plan, truth in each)), None)
    assert first_open((one, other), here, at, limit) == expected


@settings(deadline=None, max_examples=60)
@given(plans, names, st.integers(FROM // MINUTE, TO // MINUTE))
def test_away_from_changes_it_is_what_the_wall_clock_shows(plan: Windows, name: str, minute: int) -> None:
    """A second oracle, without any edge: step minute by minute and look at weekday and time of day."""
    start, there = minute * 60, info(name)
    shown = datetime.fromtimestamp(start, there)
    assume(len({datetime.fromtimestamp(start + d * 86_400, there).utcoffset() for d in range(-4, 6)}) == 1)

    def wall(passed: int) -> bool:
        local = shown.replace(tzinfo=None) + timedelta(minutes=passed)
        today, now = local.weekday(), local.hour * 60 + local.minute
        inside = False
        for window in plan.windows:
            length = (window.end - window.start) % 1440 or 1440
            for ago in range(3):  # from 24:00 for 24 hours, a window still runs two dates after its own
                begun = now + 1440 * ago - window.start
                inside = inside or ((today - ago) % 7 in window.days and 0 <= begun < length)
        return inside != plan.quiet

    span = 36 * 60
    states = [wall(passed) for passed in range(span)]
    at, limit, here = start * SECOND, (start + span * 60) * SECOND, (zone(name),)
    for wanted, ask in ((True, plan.next_open), (False, plan.next_closed)):
        expected = at + states.index(wanted) * MINUTE if wanted in states else None
        assert ask(here, at, limit) == expected


# cases by hand


def at(text: str) -> int:
    """An instant from its text."""
    return parse_instant(text)


def ahead(plan: Windows, zones: Sequence[Zone], text: str, *, closed: bool = False) -> str | None:
    """The next opening (or closing) within 30 days, as text."""
    ask = plan.next_closed if closed else plan.next_open
    found = ask(zones, at(text), at(text) + 30 * DAY)
    return None if found is None else format_instant(found)


def test_quiet_hours_end_at_eight_by_the_customers_clock() -> None:
    """[21:00, 08:00): closed at nine in the evening sharp, open at eight sharp, also over the lost hour of spring."""
    assert NIGHT.open(BERLIN, at("2026-03-28T19:59:59.999999Z"))
    assert not NIGHT.open(BERLIN, at("2026-03-28T20:00:00Z"))
    assert ahead(NIGHT, BERLIN, "2026-03-28T20:00:00Z") == "2026-03-29T06:00:00Z"  # ten hours instead of eleven
    assert NIGHT.open(BERLIN, at("2026-03-29T06:00:00Z"))
    assert ahead(NIGHT, BERLIN, "2026-03-28T10:00:00Z", closed=True) == "2026-03-28T20:00:00Z"
    assert ahead(NIGHT, BERLIN, "2026-10-24T19:00:00Z") == "2026-10-25T07:00:00Z"  # twelve hours


def test_a_window_inside_the_lost_hour() -> None:
    """02:00 to 03:00 leaves nothing that day, nor does 02:30 to 03:30; 02:10 to 02:50 moves past the gap as a whole."""
    spring = date(2026, 3, 29).toordinal()
    assert DailyWindow(EVERY_DAY, 120, 180).on(BERLIN[0], spring) is None
    assert DailyWindow(EVERY_DAY, 150, 180).on(BERLIN[0], spring) is None
    assert DailyWindow(EVERY_DAY, 150, 210).on(BERLIN[0], spring) is None
    moved = at("2026-03-29T01:10:00Z"), at("2026-03-29T01:50:00Z")
    assert DailyWindow(EVERY_DAY, 130, 170).on(BERLIN[0], spring) == moved
    hour = Windows((DailyWindow(EVERY_DAY, 120, 180),))
    assert ahead(hour, BERLIN, "2026-03-28T02:00:00Z") == "2026-03-30T00:00:00Z"


def test_a_window_inside_the_repeated_hour_comes_once() -> None:
    """02:00 to 02:30 is its first occurrence; the hour's second coming is outside."""
    hour = Windows((DailyWindow(EVERY_DAY, 120, 150),))
    assert hour.open(BERLIN, at("2026-10-25T00:15:00Z"))
    assert not hour.open(BERLIN, at("2026-10-25T01:15:00Z"))


def test_a_window_across_midnight_belongs_to_its_start_day() -> None:
    """Friday 22:00 to 02:00 is open on Saturday at 01:00, and not on Friday at 01:00."""
    friday = Windows((DailyWindow(frozenset({4}), 22 * 60, 2 * 60),))
    assert friday.open(BERLIN, at("2026-03-07T00:00:00Z"))
    assert not friday.open(BERLIN, at("2026-03-06T00:00:00Z"))


@pytest.mark.parametrize(("start", "end"), [(540, 540), (0, 0), (0, 1440), (1440, 1440), (1440, 0)])
def test_equal_edges_are_a_whole_day(start: int, end: int) -> None:
    """Equal edges last until the same local time of the next day, 24:00 being the next day's 00:00."""
    window = DailyWindow(frozenset({2}), start, end).on(BERLIN[0], date(2026, 3, 4).toordinal())
    assert window is not None
    assert window[1] - window[0] == DAY
    lost = DailyWindow(frozenset({5}), 720, 720).on(BERLIN[0], date(2026, 3, 28).toordinal())
    assert lost is not None
    assert lost[1] - lost[0] == 23 * HOUR


def test_windows_that_touch_are_one() -> None:
    """09:00 to 12:00 and 12:00 to 17:00 close at 17:00; so do two that overlap; day follows day without an edge."""
    for pair in ((540, 720, 720, 1020), (540, 800, 700, 1020), (540, 1020, 600, 660)):
        plan = Windows((DailyWindow(EVERY_DAY, pair[0], pair[1]), DailyWindow(EVERY_DAY, pair[2], pair[3])))
        assert ahead(plan, BERLIN, "2026-03-02T08:30:00Z", closed=True) == "2026-03-02T16:00:00Z"
    always = Windows((DailyWindow(EVERY_DAY, 0, 1440),))
    assert ahead(always, BERLIN, "2026-03-02T08:30:00Z", closed=True) is None


def test_an_uncertain_zone_is_the_strictest_of_all() -> None:
    """For a customer somewhere in the United States it is day only while it is day from New York to Hawaii."""
    zones = [zone(name) for name in zones_of_country("US")]
    assert ahead(NIGHT, zones, "2026-01-15T12:00:00Z") == "2026-01-15T18:00:00Z"  # 08:00 in Honolulu
    assert ahead(NIGHT, zones, "2026-01-15T18:00:00Z", closed=True) == "2026-01-16T02:00:00Z"  # 21:00 in New York
    assert ahead(OFFICE, zones, "2026-01-16T23:00:00Z") == "2026-01-19T19:00:00Z"  # a weekend between


def test_windows_that_never_meet() -> None:
    """An evening hour that no instant has in all zones of a country at once: no answer, and one is given soon."""
    zones = [zone(name) for name in zones_of_country("US")]
    evening = Windows((DailyWindow(EVERY_DAY, 18 * 60, 19 * 60),))
    now = at("2026-01-15T12:00:00Z")
    assert evening.next_open(zones, now, now + 365 * DAY) is None
    assert evening.next_closed(zones, now, now + 365 * DAY) == now


def test_none_set_and_none_known_say_nothing() -> None:
    """Without windows, or without a zone, every instant is open and none closes (rule 19 refuses then)."""
    now = at("2026-03-02T02:00:00Z")
    for plan, zones in ((Windows(()), BERLIN), (Windows((), quiet=True), BERLIN), (NIGHT, ()), (OFFICE, ())):
        assert plan.open(zones, now)
        assert plan.next_open(zones, now, now + 1) == now
        assert plan.next_closed(zones, now, now + 30 * DAY) is None
        assert first_open((), zones, now, now + 1) == now


def test_the_limit_itself_is_too_late() -> None:
    """An answer lies before the limit; at the limit there is none, and none when the limit is not ahead."""
    night, morning = at("2026-03-02T02:00:00Z"), at("2026-03-02T07:00:00Z")
    assert NIGHT.next_open(BERLIN, night, morning + 1) == morning
    assert NIGHT.next_open(BERLIN, night, morning) is None
    assert NIGHT.next_open(BERLIN, morning, morning) is None
    assert NIGHT.next_closed(BERLIN, night, night) is None


def test_a_day_that_a_zone_skipped() -> None:
    """Samoa had no 30 December 2011: a window begun on the 29th reaches over it to its end."""
    apia, over = (zone("Pacific/Apia"),), Windows((DailyWindow(frozenset({3}), 22 * 60, 6 * 60),))
    assert over.open(apia, at("2011-12-30T11:00:00Z"))  # 01:00 on the 31st
    assert ahead(over, apia, "2011-12-30T11:00:00Z", closed=True) == "2011-12-30T16:00:00Z"


@pytest.mark.parametrize(
    "window",
    [(frozenset(), 0, 9), (frozenset({7}), 0, 9), (frozenset({-1}), 0, 9), (EVERY_DAY, -1, 9), (EVERY_DAY, 0, 1441)],
)
def test_an_impossible_window_cannot_be_made(window: tuple[frozenset[int], int, int]) -> None:
    """No day, a day outside the week or a time outside the day is refused at once, not judged wrongly later."""
    with pytest.raises(ValueError, match="a window"):
        DailyWindow(*window)


@settings(deadline=None)
@given(daily)
def test_a_window_survives_storage(window: DailyWindow) -> None:
    """A window is a short array in the stored state, and comes back equal, with an equal hash."""
    back = msgspec.json.decode(msgspec.json.encode(window), type=DailyWindow)
    assert back == window
    assert hash(back) == hash(window)
    assert len(msgspec.json.encode(window)) <= len("[[0,1,2,3,4,5,6],1440,1440]")


# rolling limits


@settings(deadline=None, max_examples=500)
@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 5), st.integers(0, 12), st.integers(0, 40))
def test_a_slot_is_free_when_the_count_first_falls(made: list[int], limit: int, per: int, now: int) -> None:
    """Against counting at every instant, for times in any order, also ones yet to come."""

    def taken(when: int) -> int:
        return sum(one <= when < one + per for one in made)

    expected = next((when for when in range(now, 60) if taken(when) < limit), None)
    assert slot_free_at(made, limit, per, now) == expected


def test_a_slot_is_free_exactly_when_its_time_is_over() -> None:
    """One a day: taken until 24 hours later, free at that instant; of three a week the oldest frees the next."""
    now = at("2026-03-02T10:15:00Z")
    assert slot_free_at([now], 1, DAY, now) == now + DAY
    assert slot_free_at([now], 1, DAY, now + DAY - 1) == now + DAY
    assert slot_free_at([now], 1, DAY, now + DAY) == now + DAY
    assert slot_free_at([now - 3 * DAY, now, now - 5 * DAY], 3, 7 * DAY, now) == now + 2 * DAY
    assert slot_free_at([], 0, DAY, now) is None


# the texts


@given(st.integers(0, 23), st.integers(0, 59))
def test_every_time_of_day_is_read(hour: int, minute: int) -> None:
    """HH:MM is minutes since the local midnight."""
    assert parse_time_of_day(f"{hour:02}:{minute:02}") == hour * 60 + minute
    assert parse_time_of_day("24:00") == 1440


@pytest.mark.parametrize(
    "text",
    ["", "9:00", "09:60", "24:01", "25:00", "09:00:00", " 09:00", "09:00\n", "0900", "09.00", "\u0660\u0669:00"],
)
def test_anything_else_is_no_time_of_day(text: str) -> None:
    """Two digits, a colon, two digits, up to 24:00."""
    with pytest.raises(ValueError, match="HH:MM"):
        parse_time_of_day(text)


def test_days_are_named_mon_to_sun() -> None:
    """Short lower-case names, in any order, repeats allowed; nothing else, and not none."""
    assert parse_days(["sun", "mon", "mon"]) == {0, 6}
    assert parse_days(("mon", "tue", "wed", "thu", "fri", "sat", "sun")) == EVERY_DAY
    for names in ([], ["Mon"], ["monday"], ["mon", ""], "mon"):
        with pytest.raises(ValueError, match="mon, tue, wed, thu, fri, sat, sun"):
            parse_days(names)
