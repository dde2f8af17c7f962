"""Rule 17: quiet hours, 21:00 to 08:00 local time; what comes then waits."""

from __future__ import annotations

import pytest

from decisioning.errors import RulebookError
from tests.builders import BARE, Story, asked, at, granted, lives, offer, only, said

NO_PLAN = ("suppress", "survey.no_plan")
NIGHT = ("defer", "quiet_hours.night")
YES = ("act", "allowed.clear")


def ask(story: Story, when: str, kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said(story.at(when, asked(offer(kind=kind))))[-1]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-02 07:59:59.999999", NIGHT),
        ("2026-03-02 08:00", YES),
        ("2026-03-02 20:59:59.999999", YES),
        ("2026-03-02 21:00", NIGHT),
        ("2026-03-03 00:00", NIGHT),
    ],
)
def test_the_night_is_from_21_to_8(story: Story, when: str, expected: tuple[str, str]) -> None:
    """[21:00, 08:00), across midnight."""
    assert ask(story, when) == expected


@pytest.mark.parametrize(("kind", "expected"), [("survey", NO_PLAN), ("service", YES), ("care", YES)])
def test_whom_it_lets_sleep(story: Story, kind: str, expected: tuple[str, str]) -> None:
    """Marketing; a survey is refused anyway, and a requested service act cannot ask for quiet hours."""
    assert ask(story, "2026-03-02 23:00", kind) == expected


def test_it_waits_for_the_morning_there(story: Story) -> None:
    """Local time: 08:00 in Tokyo is 23:00 UTC of the day before."""
    story.at("2026-03-02 10:00", lives(time_zone="Asia/Tokyo"))
    answer = only(story.at("2026-03-02 12:00", asked()))
    assert said([answer]) == [NIGHT]
    assert answer.not_before == at("2026-03-02 23:00")
    assert answer.allowed_from == answer.not_before
    assert answer.considered[0].because == {"zones": ["Asia/Tokyo"]}


def test_a_night_with_a_change_of_offset_is_an_hour_shorter(story: Story) -> None:
    """Berlin, 2026-03-29: 08:00 is 06:00 UTC, not 07:00."""
    story.at("2026-03-28 10:00", lives(time_zone="Europe/Berlin"))
    assert only(story.at("2026-03-28 21:00", asked())).not_before == at("2026-03-29 06:00")


def test_in_a_country_of_several_zones_it_must_be_day_in_all(stranger: Story) -> None:
    """Rule 19: several zones, and 17 is satisfied only where all of them are."""
    stranger.at("2026-01-05 12:00", granted(), lives(country="PT"))
    assert ask(stranger, "2026-01-06 20:59:59.999999") == YES
    answer = only(stranger.at("2026-01-08 21:00", asked()))
    assert said([answer]) == [NIGHT], "night in Lisbon, 20:00 on the Azores"
    assert answer.not_before == at("2026-01-09 09:00"), "09:00 in Lisbon is 08:00 on the Azores"
    assert answer.considered[0].because == {"zones": ["Europe/Lisbon", "Atlantic/Madeira", "Atlantic/Azores"]}


def test_the_hours_are_the_rulebooks() -> None:
    """21:00 to 08:00 is a default."""
    story = Story(BARE + b'respect: {quiet_hours: {from: "12:00", to: "14:00"}}\n')
    story.at("2026-03-02 09:00", lives(time_zone="UTC"), granted())
    answer = only(story.at("2026-03-02 12:00", asked()))
    assert said([answer]) == [NIGHT]
    assert answer.not_before == at("2026-03-02 14:00")
    assert ask(story, "2026-03-02 22:00") != NIGHT


def test_a_night_without_a_day_is_never_over() -> None:
    """Equal ends are 24 hours: nothing is ever allowed, so nothing is promised."""
    story = Story(BARE + b'respect: {quiet_hours: {from: "08:00", to: "08:00"}}\n')
    story.at("2026-03-02 09:00", lives(time_zone="UTC"), granted())
    answer = only(story.at("2026-03-02 12:00", asked()))
    assert said([answer]) == [("suppress", "quiet_hours.night")]
    assert answer.allowed_from is None


def test_it_refuses_where_the_rulebook_says_so() -> None:
    """`then: suppress`: no wish to wait, but it says when it would be allowed."""
    story = Story(BARE + b"respect: {quiet_hours: {then: suppress}}\n")
    story.at("2026-03-02 09:00", lives(time_zone="UTC"), granted())
    answer = only(story.at("2026-03-02 22:00", asked()))
    assert said([answer]) == [("suppress", "quiet_hours.night")]
    assert answer.allowed_from == at("2026-03-03 08:00")
    with pytest.raises(RulebookError, match="then"):
        Story(BARE + b"respect: {quiet_hours: {then: later}}\n")
