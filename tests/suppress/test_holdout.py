"""Rule 22: a share of the customers gets no marketing, always the same ones."""

from __future__ import annotations

import pytest

from tests.builders import BARE, Story, asked, granted, lives, offer, only, said

HELD = ("suppress", "holdout.control")
YES = ("act", "allowed.clear")


def held_out(rule: str, subjects: int = 200) -> set[int]:
    """Which of so many customers hear nothing under this rule."""
    story = Story(BARE + f"respect: {{holdout: {rule}}}\n".encode())
    found = set()
    for number in range(subjects):
        who = f"c-{number}"
        story.at("2026-03-02 12:00", lives(time_zone="UTC").by(who), granted().by(who))
        if said([only(story.at("2026-03-02 12:00", asked().by(who)))]) == [HELD]:
            found.add(number)
    return found


def test_in_the_shipped_rulebook_nobody_is_held_out() -> None:
    """A share of 0 is nobody, a share of 1 everybody."""
    assert held_out("{}") == held_out("{share: 0}") == set()
    assert held_out("{share: 1}", 20) == set(range(20))


def test_the_share_is_about_what_the_rule_says() -> None:
    """A hash is no lot, but of 200 about 60."""
    assert 40 <= len(held_out("{share: 0.3}")) <= 80


def test_who_is_held_out_is_always_the_same() -> None:
    """In any process and order; a larger share keeps them, and another name draws anew."""
    some = held_out("{share: 0.2}")
    assert some == held_out("{share: 0.2}")
    assert some < held_out("{share: 0.4}")
    assert some != held_out("{share: 0.2, name: autumn}")
    assert sorted(held_out("{share: 0.1}", 40)) == [14, 23, 32]


@pytest.mark.parametrize(
    ("kind", "expected"), [("marketing", HELD), ("service", YES), ("survey", ("suppress", "survey.no_plan"))]
)
def test_only_marketing_is_held_back(kind: str, expected: tuple[str, str]) -> None:
    """Rule 22 is for marketing; nothing but another rulebook ends it."""
    story = Story(BARE + b"respect: {holdout: {share: 1, name: spring}}\n")
    story.at("2026-03-02 12:00", lives(time_zone="UTC"), granted(), granted("survey"))
    answer = only(story.at("2026-03-02 12:00", asked(offer(kind=kind))))
    assert said([answer]) == [expected]
    assert answer.allowed_from is None
    if expected == HELD:
        assert answer.considered[0].because == {"holdout": "spring"}


@pytest.mark.parametrize("attribute", ["test", "seed"])
def test_test_and_seed_customers_are_never_held_out(attribute: str) -> None:
    """They are there to see what goes out."""
    story = Story(BARE + b"respect: {holdout: {share: 1}}\n")
    story.at("2026-03-02 12:00", lives(time_zone="UTC", attributes={attribute: True}), granted())
    assert said(story.at("2026-03-02 12:00", asked())) == [YES]


def test_other_reasons_are_told_first() -> None:
    """Whoever is held out and asleep is told that it is night, unless it is a refusal."""
    story = Story(BARE + b"respect: {holdout: {share: 1}}\n")
    story.at("2026-03-02 12:00", lives(time_zone="UTC"))
    assert said(story.at("2026-03-02 12:00", asked())) == [("suppress", "consent.missing")]
