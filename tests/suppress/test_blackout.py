"""Days on which nobody is approached: dates of the author's, and public holidays where the customer lives."""

from __future__ import annotations

import sys
from datetime import date

import pytest

from decisioning.errors import RulebookError
from decisioning.rulebook import parse
from decisioning.suppress import blackout
from tests.builders import BARE, UNCAPPED, Story, asked, at, granted, lives, offer, only, said

BLACKOUT = ("defer", "quiet_hours.blackout")
HOLIDAY = ("defer", "quiet_hours.holiday")
YES = ("act", "allowed.clear")


def living(rule: str, **where: str) -> Story:
    """Someone who lives there and agreed to all, under this rule and without caps."""
    story = Story(UNCAPPED.replace(b"respect: {", f"respect: {{blackout: {rule}, ".encode()))
    story.at("2026-01-05 12:00", lives(**where), granted(), granted("survey"))
    return story


def ask(story: Story, when: str, kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question, whose candidate stands for months."""
    return said(story.at(when, asked(offer(kind=kind, expires="2027-02-01"))))[-1]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-01 20:59", YES),
        ("2026-03-02 08:00", BLACKOUT),
        ("2026-03-02 20:59", BLACKOUT),
        ("2026-03-03 08:00", YES),
    ],
)
def test_on_a_date_of_the_authors_everything_waits(when: str, expected: tuple[str, str]) -> None:
    """From midnight to midnight; at night the night is told first, for both ask to wait."""
    assert ask(living('{dates: ["2026-03-02"]}', time_zone="UTC"), when) == expected


def test_it_waits_for_the_morning_after() -> None:
    """`not_before` is the first instant at which no rule asks to wait: the day ends at midnight, the night at eight."""
    story = living('{dates: ["2026-03-02", "2026-03-03"]}', time_zone="UTC")
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires="2026-04-01"))))
    assert (answer.reason, answer.not_before, answer.allowed_from) == (
        "quiet_hours.blackout",
        at("2026-03-04 08:00"),
        at("2026-03-04 08:00"),
    )
    assert answer.considered[0].because == {"date": "2026-03-02", "zones": ["UTC"]}
    assert said(story.until("2026-03-04 08:00")) == [YES]


def test_it_is_the_customers_own_day() -> None:
    """In Tokyo the second of March begins at 15:00 UTC of the first."""
    story = living('{dates: ["2026-03-02"]}', time_zone="Asia/Tokyo")
    assert ask(story, "2026-03-01 10:00") == YES
    assert ask(story, "2026-03-01 23:30") == BLACKOUT
    assert only(story.at("2026-03-02 05:00", asked(offer(expires="2026-04-01")))).not_before == at("2026-03-02 23:00")


def test_in_a_country_of_several_zones_the_day_ends_in_all() -> None:
    """Portugal: the Azores are an hour behind."""
    story = living('{dates: ["2026-03-02"]}', country="PT")
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires="2026-04-01"))))
    assert answer.not_before == at("2026-03-03 09:00")


@pytest.mark.parametrize(
    ("rule", "country", "expected"),
    [
        ("{holidays: [DE]}", "DE", HOLIDAY),
        ("{holidays: [GB, DE]}", "DE", HOLIDAY),
        ("{holidays: [GB]}", "DE", YES),
        ("{holidays: [DE]}", "AT", YES),
        ("{}", "DE", YES),
    ],
)
def test_a_public_holiday_where_the_customer_lives(rule: str, country: str, expected: tuple[str, str]) -> None:
    """German Unity Day, for customers of a country that the rule names."""
    assert ask(living(rule, country=country), "2026-10-03 12:00") == expected


def test_who_lives_nowhere_known_keeps_no_holiday() -> None:
    """A time zone is no country."""
    assert ask(living("{holidays: [DE]}", time_zone="Europe/Berlin"), "2026-10-03 12:00") == YES


def test_a_date_is_told_before_a_holiday() -> None:
    """The two reasons in the order of the table."""
    assert ask(living('{dates: ["2026-10-03"], holidays: [DE]}', country="DE"), "2026-10-03 12:00") == BLACKOUT


def test_christmas_is_long() -> None:
    """The 25th and 26th are holidays in Germany, and the 27th is not."""
    story = living("{holidays: [DE]}", country="DE")
    answer = only(story.at("2026-12-25 12:00", asked(offer(expires="2027-01-20"))))
    assert answer.not_before == at("2026-12-27 07:00")


@pytest.mark.parametrize(("kind", "expected"), [("service", YES), ("care", YES)])
def test_service_goes_on(kind: str, expected: tuple[str, str]) -> None:
    """A requested service act keeps no day but its own."""
    assert ask(living('{dates: ["2026-03-02"]}', time_zone="UTC"), "2026-03-02 12:00", kind) == expected


def test_it_refuses_where_the_rulebook_says_so() -> None:
    """`then: suppress`: no wish to wait, but it says when it would be allowed."""
    story = living('{dates: ["2026-03-02"], then: suppress}', time_zone="UTC")
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires="2026-04-01"))))
    assert said([answer]) == [("suppress", "quiet_hours.blackout")]
    assert answer.allowed_from == at("2026-03-03 08:00")


def test_an_act_must_not_go_out_on_such_a_day() -> None:
    """`valid_until` ends where the day begins, as at the start of quiet hours."""
    night, days = b'{from: "03:00", to: "04:00"}', b'{dates: ["2026-03-03", "2026-03-04"]}'
    story = Story(BARE + b"valid_for: 20h\nrespect: {quiet_hours: " + night + b", blackout: " + days + b"}\n")
    story.at("2026-03-01 12:00", lives(time_zone="UTC"), granted())
    assert only(story.at("2026-03-02 12:00", asked())).valid_until == at("2026-03-03 00:00")


def test_without_days_nothing_ends_an_act() -> None:
    """Off until a rulebook names some."""
    story = living("{}", time_zone="UTC")
    assert only(story.at("2026-03-02 12:00", asked())).valid_until == at("2026-03-02 16:00")


def test_a_day_that_comes_every_day_is_always() -> None:
    """More days in a row than anyone waits: nothing is promised."""
    first = date(2026, 3, 1).toordinal()
    days = ", ".join(f'"{date.fromordinal(first + number)}"' for number in range(500))
    story = living(f"{{dates: [{days}]}}", time_zone="UTC")
    answer = only(story.at("2026-03-02 12:00", asked(offer(expires="2026-12-01"))))
    assert (answer.outcome.value, answer.reason) == ("suppress", "quiet_hours.blackout")
    assert answer.allowed_from is None


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('{dates: ["2026-02-30"]}', "no such day"),
        ('{dates: ["2026-W01-1"]}', "a date is a text"),
        ("{dates: [20260302]}", "a date is a text"),
        ("{holidays: [XX]}", "no public holidays are known"),
        ("{holidays: [de]}", "no public holidays are known"),
        ("{holidays: [7]}", "a country is its ISO 3166 code"),
        ("{then: wait}", "defer"),
    ],
)
def test_what_is_no_day_is_refused_when_the_rulebook_loads(rule: str, message: str) -> None:
    """Not at the first Christmas."""
    with pytest.raises(RulebookError, match=message):
        parse(BARE + f"respect: {{blackout: {rule}}}\n".encode(), "rules.yaml")


def test_a_date_may_stand_without_quotes() -> None:
    """YAML reads it as a date, and an author would too."""
    assert ask(living("{dates: [2026-03-02]}", time_zone="UTC"), "2026-03-02 12:00") == BLACKOUT


def test_without_the_package_a_rulebook_with_holidays_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install; one without holidays needs nothing."""
    monkeypatch.setitem(sys.modules, "holidays", None)
    blackout._days_off.cache_clear()
    try:
        with pytest.raises(RulebookError, match=r"install decisioning\[holidays\]"):
            parse(BARE + b"respect: {blackout: {holidays: [DE]}}\n", "rules.yaml")
        assert parse(BARE + b'respect: {blackout: {dates: ["2026-03-02"]}}\n', "rules.yaml")
    finally:
        blackout._days_off.cache_clear()
