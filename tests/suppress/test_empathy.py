"""Rule 4: bereavement and vulnerability, no marketing and no survey for a year, or until a day that was named."""

from __future__ import annotations

import pytest

from tests.builders import BARE, Happening, Story, asked, at, bereaved, of, offer, only, said, uncapped, vulnerable

BEREAVED = ("suppress", "empathy.bereavement")
VULNERABLE = ("suppress", "empathy.vulnerable")
YES = ("act", "allowed.clear")
MONDAY = "2026-03-02 12:00"


def ask(story: Story, when: str, kind: str = "marketing") -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said([only(story.at(when, asked(offer(kind=kind))))])[0]


@pytest.mark.parametrize(("happening", "expected"), [(bereaved(), BEREAVED), (vulnerable(), VULNERABLE)])
def test_a_year_of_silence(story: Story, happening: Happening, expected: tuple[str, str]) -> None:
    """365 days from the event's time, to the microsecond; service goes on."""
    story.at(MONDAY, happening)
    answer = only(story.at("2027-03-02 11:59:59.999999", asked()))
    assert said([answer]) == [expected]
    assert answer.allowed_from == at("2027-03-02 12:00")
    assert answer.considered[0].because == {"since": "2026-03-02T12:00:00Z", "until": "2027-03-02T12:00:00Z"}
    assert ask(story, "2027-03-02 11:59:59.999999", "service") == YES
    assert ask(story, "2027-03-02 11:59:59.999999", "survey") == expected
    assert ask(story, "2027-03-02 12:00") == YES


def test_or_until_the_day_that_was_named(story: Story) -> None:
    """Earlier or later than the year."""
    story.at(MONDAY, bereaved(until="2026-04-01"), vulnerable(until="2026-03-20"))
    assert ask(story, "2026-03-19 12:00") == BEREAVED, "bereavement is told first"
    answer = only(story.at("2026-03-31 12:00", asked()))
    assert (answer.reason, answer.allowed_from) == ("empathy.bereavement", at("2026-04-01 08:00")), "not at night"
    assert ask(story, "2026-04-01 12:00") == YES


def test_when_both_hold_the_longer_gives_the_end(story: Story) -> None:
    """`allowed_from` looks past the first of the two."""
    story.at(MONDAY, bereaved(until="2026-03-05 12:00"), vulnerable(until="2026-03-09 12:00"))
    answer = only(story.at("2026-03-03 12:00", asked()))
    assert (answer.reason, answer.allowed_from) == ("empathy.bereavement", at("2026-03-09 12:00"))


def test_it_takes_back_what_is_live(story: Story) -> None:
    """Nobody gets an offer on the day."""
    act = only(story.at(MONDAY, asked()))
    recall = only(of("recall", story.at("2026-03-02 12:10", bereaved())))
    assert (recall.recalls, recall.reason) == (act.id, "empathy.bereavement")


def test_the_days_are_the_rulebooks() -> None:
    """365d is a default, for each kind by itself."""
    story = uncapped(BARE + b"respect: {empathy: {bereavement: 10d, vulnerable: 5d}}\n")
    story.at(MONDAY, bereaved(), vulnerable())
    assert ask(story, "2026-03-06 12:00") == BEREAVED
    assert only(story.at("2026-03-06 12:00", asked())).allowed_from == at("2026-03-12 12:00")
    assert ask(story, "2026-03-12 12:00") == YES


@pytest.mark.parametrize("kind", ["goal", "other"])
def test_other_events_of_a_life_silence_nothing(story: Story, kind: str) -> None:
    """Only what the contract names."""
    story.at(MONDAY, Happening("customer.life_event", {"kind": kind}))
    assert ask(story, MONDAY) == YES
