"""Rule 18: the customer's own contact windows, by their own clock; outside them marketing waits."""

from __future__ import annotations

import pytest

from tests.builders import UNCAPPED, Story, asked, at, granted, lives, offer, only, prefers, said, uncapped, window

WORKDAYS = "mon tue wed thu fri"
OUTSIDE = ("defer", "contact_window.outside")
YES = ("act", "allowed.clear")


@pytest.fixture
def story() -> Story:
    """The usual customer, whom no cap limits: only the windows speak."""
    return uncapped()


@pytest.fixture
def stranger() -> Story:
    """Someone of whom nothing is known, and whom no cap limits."""
    return Story(UNCAPPED)


def ask(story: Story, when: str, kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question, whose candidate stands for months."""
    return said(story.at(when, asked(offer(kind=kind, expires="2026-06-01"))))[-1]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-02 09:59:59.999999", OUTSIDE),
        ("2026-03-02 10:00", YES),
        ("2026-03-02 16:59:59.999999", YES),
        ("2026-03-02 17:00", OUTSIDE),
        ("2026-03-07 12:00", OUTSIDE),
    ],
)
def test_a_window_is_from_to(story: Story, when: str, expected: tuple[str, str]) -> None:
    """[from, to) on the named days; outside is a wish to wait."""
    story.at("2026-03-01 12:00", prefers(contact_windows=[window(WORKDAYS, "10:00", "17:00")]))
    assert ask(story, when) == expected


def test_no_windows_are_none_set(story: Story) -> None:
    """An empty list takes the windows away (reading 7)."""
    story.at("2026-03-01 12:00", prefers(contact_windows=[window("mon", "10:00", "17:00")]))
    story.at("2026-03-02 12:00", prefers(contact_windows=[]))
    assert ask(story, "2026-03-03 12:00") == YES


def test_service_keeps_none(story: Story) -> None:
    """Rule 18 is for marketing and survey; a requested service act cannot ask for it."""
    story.at("2026-03-01 12:00", prefers(contact_windows=[window("mon", "10:00", "17:00")]))
    assert ask(story, "2026-03-03 12:00") == OUTSIDE
    assert ask(story, "2026-03-03 12:01", "service") == YES
    assert ask(story, "2026-03-03 12:02", "care") == YES


def test_they_are_local_times(story: Story) -> None:
    """17:00 in Tokyo is 08:00 UTC."""
    story.at(
        "2026-03-01 12:00", lives(time_zone="Asia/Tokyo"), prefers(contact_windows=[window("mon", "17:00", "19:00")])
    )
    answer = only(story.at("2026-03-02 07:59", asked()))
    assert said([answer]) == [OUTSIDE]
    assert answer.not_before == at("2026-03-02 08:00")
    assert answer.considered[0].because == {"zones": ["Asia/Tokyo"]}


def test_a_window_across_midnight_belongs_to_its_start_day(story: Story) -> None:
    """`to` before `from` crosses midnight (reading 7): 18:00 to 09:00 of Monday ends on Tuesday at 09:00."""
    story.at("2026-03-01 12:00", prefers(contact_windows=[window("mon", "18:00", "09:00")]))
    assert ask(story, "2026-03-02 08:30") == OUTSIDE
    assert ask(story, "2026-03-03 08:30") == YES
    assert ask(story, "2026-03-03 09:00") != YES


def test_equal_ends_are_24_hours(story: Story) -> None:
    """`to` equal to `from`: 24 hours from `from` on each named day (reading 7)."""
    story.at("2026-03-01 12:00", prefers(contact_windows=[window("mon", "12:00", "12:00")]))
    assert ask(story, "2026-03-02 11:59") == OUTSIDE
    assert ask(story, "2026-03-03 11:59") == YES


def test_24_00_is_the_end_of_the_day(story: Story) -> None:
    """`24:00` is allowed (reading 7); it ends nothing that goes on at 00:00 of the next day."""
    story.at(
        "2026-03-01 12:00", prefers(contact_windows=[window("mon", "12:00", "24:00"), window("tue", "00:00", "24:00")])
    )
    assert ask(story, "2026-03-02 20:59") == YES
    assert ask(story, "2026-03-03 20:59") == YES


def test_windows_that_touch_are_one(story: Story) -> None:
    """`valid_until` does not end where the next window begins."""
    story.at(
        "2026-03-01 12:00", prefers(contact_windows=[window("mon", "10:00", "12:00"), window("mon", "12:00", "19:00")])
    )
    assert only(story.at("2026-03-02 11:00", asked())).valid_until == at("2026-03-02 15:00")


def test_in_a_country_of_several_zones_all_must_be_inside(stranger: Story) -> None:
    """Rule 19: with several zones 18 is satisfied only where all of them are; the Azores are an hour behind Lisbon."""
    stranger.at("2026-03-01 12:00", granted(), lives(country="PT"))
    stranger.at("2026-03-01 12:00", prefers(contact_windows=[window("mon tue", "10:00", "12:00")]))
    assert ask(stranger, "2026-03-02 10:30") == OUTSIDE, "09:30 on the Azores"
    assert ask(stranger, "2026-03-02 12:00") == OUTSIDE, "12:00 in Lisbon"
    assert ask(stranger, "2026-03-03 11:00") == YES


def test_what_is_closed_all_winter_opens_with_summer_time(stranger: Story) -> None:
    """Chile's three zones lie closer together in summer: `allowed_from` is found months ahead, for there is one."""
    stranger.at("2026-03-01 12:00", granted(), lives(country="CL"))
    stranger.at("2026-03-01 12:00", prefers(contact_windows=[window(WORKDAYS + " sat sun", "10:00", "13:00")]))
    answer = only(stranger.at("2026-05-04 15:00", asked(offer())))
    assert said([answer]) == [("suppress", "contact_window.outside")]
    assert answer.allowed_from == at("2026-09-06 15:00")


def test_later_windows_replace_earlier_ones(story: Story) -> None:
    """Of two facts the later `time` holds, in whatever order they arrive."""
    monday, tuesday = window("mon", "10:00", "17:00"), window("tue", "10:00", "17:00")
    story.at("2026-03-01 12:00", prefers(contact_windows=[monday]).since("2026-03-01 11:58"))
    story.at("2026-03-01 12:00", prefers(contact_windows=[tuesday]))
    story.at("2026-03-01 12:30", prefers(contact_windows=[monday]).since("2026-03-01 11:59"))
    assert ask(story, "2026-03-02 12:00") == OUTSIDE
    assert ask(story, "2026-03-03 12:00") == YES


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_lists_of_one_time_both_hold(story: Story, turned: bool) -> None:
    """At a tie the stricter: inside one of each; `valid_until` is the first end, and an empty list is none."""
    early, late = [window(WORKDAYS, "09:00", "12:00")], [window(WORKDAYS, "11:00", "18:00")]
    told = [prefers(contact_windows=early), prefers(contact_windows=late), prefers(contact_windows=[])]
    story.at("2026-03-01 12:00", *(reversed(told) if turned else told))
    answer = only(story.at("2026-03-02 10:00", asked(offer(expires="2026-06-01"))))
    assert said([answer]) == [OUTSIDE]
    assert answer.not_before == at("2026-03-02 11:00")
    assert only(story.until("2026-03-02 11:00")).valid_until == at("2026-03-02 12:00")
    assert ask(story, "2026-03-02 12:00") == OUTSIDE


def test_two_lists_that_share_no_hour_are_silence(story: Story) -> None:
    """There is no instant within both, so nothing is promised."""
    monday, tuesday = window("mon", "10:00", "17:00"), window("tue", "10:00", "17:00")
    story.at("2026-03-01 12:00", prefers(contact_windows=[monday]), prefers(contact_windows=[tuesday]))
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires="2026-06-01"))))
    assert said([answer]) == [("suppress", "contact_window.outside")]
    assert answer.allowed_from is None


def test_it_refuses_where_the_rulebook_says_so() -> None:
    """`then: suppress`: no wish to wait, but it says when it would be allowed."""
    story = uncapped(UNCAPPED.replace(b"respect: {", b"respect: {contact_window: {then: suppress}, "))
    story.at("2026-03-01 12:00", prefers(contact_windows=[window("mon", "14:00", "17:00")]))
    answer = only(story.at("2026-03-02 12:00", asked()))
    assert said([answer]) == [("suppress", "contact_window.outside")]
    assert answer.allowed_from == at("2026-03-02 14:00")
