"""Rule 19: the customer's zone, else the country's; without either nobody can say whether it is night there."""

from __future__ import annotations

import pytest

from tests.builders import Story, asked, granted, lives, offer, only, prefers, said, window

NO_PLAN = ("suppress", "survey.no_plan")
UNKNOWN = ("suppress", "timezone.unknown")
NIGHT = ("defer", "quiet_hours.night")
YES = ("act", "allowed.clear")


@pytest.fixture
def somewhere(stranger: Story) -> Story:
    """Someone who agreed to all, but nobody knows where they are."""
    stranger.at("2026-01-05 09:00", granted(), granted("survey"))
    return stranger


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("marketing", UNKNOWN), ("survey", NO_PLAN), ("service", YES), ("care", YES)],
)
def test_unknown_means_no_marketing_and_no_survey(somewhere: Story, kind: str, expected: tuple[str, str]) -> None:
    """No zone and no country: the rule refuses; a survey was refused before it."""
    answer = only(somewhere.at("2026-03-02 12:00", asked(offer(kind=kind))))
    assert said([answer]) == [expected]
    assert answer.allowed_from is None


def test_without_a_zone_17_and_18_say_nothing(somewhere: Story) -> None:
    """Rule 19 alone refuses, whatever the hour and the windows."""
    somewhere.at("2026-03-02 12:00", prefers(contact_windows=[window("sun", "10:00", "11:00")]))
    assert said(somewhere.at("2026-03-02 23:30", asked())) == [UNKNOWN]


def test_a_country_of_one_zone_is_that_zone(somewhere: Story) -> None:
    """Japan has one: 22:00 there is 13:00 UTC."""
    somewhere.at("2026-03-02 01:00", lives(country="JP"))
    assert said(somewhere.at("2026-03-02 13:00", asked())) == [NIGHT]


def test_the_customers_own_zone_comes_before_the_countrys(somewhere: Story) -> None:
    """Who lives in Japan by the address and in UTC by their own word is in UTC."""
    somewhere.at("2026-03-02 01:00", lives(country="JP", time_zone="UTC"))
    assert said(somewhere.at("2026-03-02 13:00", asked())) == [YES]


def test_a_country_that_the_table_does_not_list_counts_as_none(somewhere: Story) -> None:
    """It is no error (reading 7), and it tells no zone."""
    somewhere.at("2026-03-02 01:00", lives(country="XX"))
    assert said(somewhere.at("2026-03-02 13:00", asked())) == [UNKNOWN]


def test_the_later_zone_holds_and_at_a_tie_the_later_arrival(somewhere: Story) -> None:
    """A zone knows no stricter side (reading 11)."""
    somewhere.at("2026-03-02 10:00", lives(time_zone="Asia/Tokyo"), lives(time_zone="UTC"))
    somewhere.at("2026-03-02 10:05", lives(time_zone="Asia/Tokyo").since("2026-03-02 09:59"))
    assert said(somewhere.at("2026-03-02 13:00", asked())) == [YES]
