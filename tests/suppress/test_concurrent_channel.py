"""Rule 20: no second marketing act within ten minutes, on whatever channel."""

from __future__ import annotations

import pytest

from decisioning.decision import Decision
from tests.builders import BARE, Story, asked, at, offer, only, prefers, response, said, uncapped

JUST = ("suppress", "concurrent_channel.just_contacted")
YES = ("act", "allowed.clear")
MANY = b"frequency_cap: {caps: [{name: day, limit: 9, per: 1d}]}"


@pytest.fixture
def story() -> Story:
    """The usual customer under a rulebook of nine a day: rule 20 alone speaks."""
    return uncapped(BARE + b"respect: {" + MANY + b"}\n")


def ask(story: Story, when: str, on: str = "email", kind: str = "marketing") -> Decision:
    """The answer to one question."""
    return only(story.at(when, asked(offer(on=[on], kind=kind))))


@pytest.mark.parametrize("on", ["email", "sms"])
def test_ten_minutes_after_marketing_there_is_none(story: Story, on: str) -> None:
    """On the same channel or another, to the microsecond; it refuses and does not wait (reading 2)."""
    ask(story, "2026-03-02 12:00")
    last = ask(story, "2026-03-02 12:09:59.999999", on)
    assert said([last]) == [JUST]
    assert last.allowed_from == at("2026-03-02 12:10")
    assert last.considered[0].because == {"made": "2026-03-02T12:00:00Z", "channel": "email"}
    assert said([ask(story, "2026-03-02 12:10", on)]) == [YES]


def test_two_requests_of_one_instant_cannot_both_pass(story: Story) -> None:
    """The first act counts in the same microsecond."""
    assert said([ask(story, "2026-03-02 12:00"), ask(story, "2026-03-02 12:00", "sms")]) == [YES, JUST]


@pytest.mark.parametrize("kind", ["service", "care"])
def test_other_classes_neither_count_nor_wait(story: Story, kind: str) -> None:
    """Rule 20 is for marketing."""
    assert said([ask(story, "2026-03-02 12:00", kind=kind), ask(story, "2026-03-02 12:00")]) == [YES, YES]
    assert said([ask(story, "2026-03-02 12:01", kind=kind)]) == [YES]


def test_the_newest_act_counts(story: Story) -> None:
    """Two acts that are ten minutes apart: the end is the later one's."""
    ask(story, "2026-03-02 12:00")
    ask(story, "2026-03-02 12:10", "sms")
    last = ask(story, "2026-03-02 12:11")
    assert last.allowed_from == at("2026-03-02 12:20")
    assert last.considered[0].because == {"made": "2026-03-02T12:10:00Z", "channel": "sms"}


@pytest.mark.parametrize(("kind", "expected"), [("failed", YES), ("expired", YES), ("delivered", JUST)])
def test_what_never_went_out_does_not_count(story: Story, kind: str, expected: tuple[str, str]) -> None:
    """A slot that was given back is free for rule 20 too (reading 2)."""
    act = ask(story, "2026-03-02 12:00")
    story.at("2026-03-02 12:01", response(kind, act))
    assert said([ask(story, "2026-03-02 12:02")]) == [expected]


def test_two_acts_do_not_recall_each_other(story: Story) -> None:
    """A recall judges an act as if it and all later ones had not been made."""
    ask(story, "2026-03-02 12:00")
    ask(story, "2026-03-02 12:10")
    assert story.at("2026-03-02 12:11", prefers(channels=["email"])) == []


def test_the_minutes_are_the_rulebooks() -> None:
    """10m is a default."""
    story = uncapped(BARE + b"respect: {concurrent_channel: {within: 1h}, " + MANY + b"}\n")
    ask(story, "2026-03-02 12:00")
    assert ask(story, "2026-03-02 12:10").allowed_from == at("2026-03-02 13:00")


def test_before_the_caps_it_gives_the_reason(story: Story) -> None:
    """Rule 20 comes before rule 21."""
    plain = uncapped(BARE)
    ask(plain, "2026-03-02 12:00")
    assert ask(plain, "2026-03-02 12:05").reason == JUST[1]
    assert ask(plain, "2026-03-02 12:15").reason == "frequency_cap.day"
