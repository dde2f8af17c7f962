"""What silences a customer, on time: caps, hours, holds, and what waits."""

from __future__ import annotations

from decisioning.instant import DAY, HOUR
from decisioning.streaming.api.console.timeline import Chart, Line, Mark, Timeline, timeline
from tests.builders import (
    RETAIL,
    Story,
    asked,
    at,
    case_opened,
    granted,
    lives,
    offer,
    only,
    placed,
    prefers,
    response,
    shipped,
    window,
)  # fmt: skip


def story(*, zone: str = "UTC", rules: bytes | None = None) -> Story:
    """A customer who agreed to all."""
    told = Story(rules or RETAIL.read_bytes())
    told.at("2026-01-05 09:00", lives(time_zone=zone), granted())
    return told


def seen(told: Story, when: str, *marks: Mark) -> Timeline:
    """The time line of that instant."""
    return timeline(told.policy, told.state, at(when), marks)


def line(chart: Chart, label: str) -> Line:
    """The row of that label."""
    return next(one for one in chart.lines if one.label == label)


def spans(row: Line, kind: str) -> list[tuple[int, int]]:
    """From and to of the row's bars of a kind."""
    return [(bar.start, bar.end) for bar in row.bars if bar.kind == kind]


def test_an_act_takes_its_slots() -> None:
    """Each cap it counts for, from when it was made for as long as the cap looks back; full where none is left."""
    told = story()
    told.at("2026-03-02 12:00", asked(offer("a", on=["sms"])))
    found = seen(told, "2026-03-02 13:00")
    made = at("2026-03-02 12:00")
    day = line(found.often, "day cap")
    assert (day.says, day.tense) == ("1 of 1 in 1d used; free in 23 h", True)
    assert spans(day, "slot") == spans(day, "full") == [(made, made + DAY)]
    week = line(found.often, "week cap")
    assert (week.says, week.tense, spans(week, "full")) == ("1 of 3 in 7d used", False, [])
    assert spans(line(found.often, "channel cap, sms"), "full") == [(made, made + 7 * DAY)]
    assert spans(line(found.often, "month cap"), "slot") == [(made, made + 30 * DAY)]


def test_a_slot_that_was_given_back_is_not_drawn() -> None:
    """Nothing went out, so nothing counts."""
    told = story()
    act = only(told.at("2026-03-02 12:00", asked(offer("a"))))
    told.at("2026-03-02 12:01", response("failed", act))
    assert line(seen(told, "2026-03-02 13:00").often, "day cap").bars == []


def test_a_cap_is_full_while_enough_slots_overlap() -> None:
    """Two of two from the second on until the first ends; at its end it is free again."""
    caps = b"{concurrent_channel: {within: 0s}, frequency_cap: {caps: [{name: two, limit: 2, per: 7d}]}}"
    rules = b'rulebook: r\nversion: "1"\nrespect: ' + caps
    told = story(rules=rules)
    told.at("2026-03-02 12:00", asked(offer("a")))
    told.at("2026-03-04 12:00", asked(offer("b")))
    row = line(seen(told, "2026-03-05 12:00").often, "two cap")
    assert spans(row, "full") == [(at("2026-03-04 12:00"), at("2026-03-09 12:00"))]
    assert row.says == "2 of 2 in 7d used; free in 4 d"


def test_the_customers_own_limit_has_its_row() -> None:
    """Where it is below the rulebook's."""
    told = story()
    told.at("2026-03-01 12:00", prefers(max_marketing_per_week=1))
    told.at("2026-03-02 12:00", asked(offer("a")))
    assert line(seen(told, "2026-03-04 13:00").often, "own limit cap").says == "1 of 1 in 7d used; free in 4 d 23 h"


def test_nights_by_their_own_clock() -> None:
    """21:00 to 08:00 in Tokyo; what is silent now says for how long."""
    found = seen(story(zone="Asia/Tokyo"), "2026-03-02 13:00")
    night = line(found.hours, "quiet hours")
    assert found.zones == ["Asia/Tokyo"]
    assert (night.says, night.tense) == ("silent for 10 h more", True)
    assert (at("2026-03-02 12:00"), at("2026-03-02 23:00")) in spans(night, "silent")
    assert line(found.hours, "their own windows").says == "none set"


def test_own_windows_and_days_of_silence_are_drawn_too() -> None:
    """All that speaks of the hour: what is outside of a window, and a blackout."""
    rules = (
        RETAIL.read_bytes().replace(b"# blackout: {dates:", b"blackout: {dates:").replace(b", holidays: [DE, GB]", b"")
    )
    told = story(rules=rules.replace(b"2026-12-24", b"2026-03-03"))
    told.at("2026-03-01 12:00", prefers(contact_windows=[window("mon tue", "09:00", "17:00")]))
    found = seen(told, "2026-03-02 12:00")
    own = line(found.hours, "their own windows")
    assert own.says == "open for 5 h more"
    assert (at("2026-03-02 17:00"), at("2026-03-03 09:00")) in spans(own, "silent")
    assert (at("2026-03-03"), at("2026-03-04")) in spans(line(found.hours, "days of silence"), "silent")


def test_nobody_knows_their_clock() -> None:
    """Then the hours say so, and the axis is UTC."""
    told = Story(RETAIL.read_bytes())
    told.at("2026-01-05 09:00", granted())
    found = seen(told, "2026-03-02 12:00")
    assert (found.zones, found.zone) == ([], "UTC")
    assert line(found.hours, "quiet hours").says == "nobody knows their local time"


def test_holds_begin_where_they_were_said() -> None:
    """From their decision on where it was read, else from beyond the edge; without an end to beyond the other."""
    told = story()
    [hold] = told.at("2026-03-02 12:00", case_opened())
    now = "2026-03-02 15:00"
    row = line(seen(told, now, Mark(hold.id, "hold", hold.time, "")).often, "hold")
    [(start, end)] = spans(row, "hold")
    assert (start, row.says) == (hold.time, "nothing of classes marketing, survey, until its fact is gone")
    found = seen(told, now)
    assert end > found.often.last
    assert spans(line(found.often, "hold"), "hold")[0][0] < found.often.first


def test_what_waits_and_what_is_live() -> None:
    """A deferred request until its wake, an act until it must not go out any more."""
    told = story()
    told.at("2026-03-02 22:00", placed(promised="2026-03-04 12:00"), asked(offer("a")))
    act = only(told.at("2026-03-02 22:05", shipped(promised="2026-03-04 12:00")))
    found = seen(told, "2026-03-02 22:30")
    assert spans(line(found.often, "deferred"), "waits") == [(at("2026-03-02 22:05"), at("2026-03-03 08:00"))]
    assert spans(line(found.often, "live"), "live") == [(act.time, act.valid_until)]


def test_the_span_fits_what_is_drawn() -> None:
    """Two days around now at least; no further than sixty days, whatever a hold says."""
    quiet = seen(story(), "2026-03-02 12:00")
    assert (quiet.often.first, quiet.often.last) == (at("2026-02-28 12:00"), at("2026-03-04 12:00"))
    assert (quiet.hours.first, quiet.hours.last) == (at("2026-03-02"), at("2026-03-04"))
    told = story()
    told.at("2026-03-02 12:00", asked(offer("a")))
    assert seen(told, "2026-03-02 13:00").often.last == at("2026-04-01 12:00")


def test_now_is_never_before_what_is_remembered() -> None:
    """A clock that is behind shows no future as past."""
    told = story()
    assert timeline(told.policy, told.state, told.state.now - HOUR).now == told.state.now
