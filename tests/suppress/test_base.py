"""What all suppressors share: rule shapes that an author cannot misspell, durations that need their unit."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from decisioning.instant import DAY, HOUR
from decisioning.suppress.base import Ask, Duration, Objection, Rule, Suppressor


class Wait(Rule):
    """A rule of one number."""

    lasts: Duration = HOUR


class Never(Suppressor[Wait]):
    """A suppressor that always objects, to show the least that one needs."""

    section = "never"
    classes = frozenset({"marketing"})
    reasons = ("never.ever",)
    shape = Wait

    def check(self, ask: Ask) -> Objection | None:
        """No, for the rule's time."""
        return Objection("never.ever", {}, ask.now + self.rule.lasts)


def test_a_duration_is_a_number_and_a_unit() -> None:
    """Durations in rulebooks are `45m`, `6h`, `30d`; once read they are microseconds."""
    assert Wait.model_validate({"lasts": "30d"}).lasts == 30 * DAY


@pytest.mark.parametrize("text", [30, "30", "30 d", "1.5h", "-1d", "", True, None, "36526d"])
def test_a_duration_without_a_unit_is_refused(text: object) -> None:
    """A bare number has no unit, and nobody guesses it."""
    with pytest.raises(ValidationError):
        Wait.model_validate({"lasts": text})


def test_a_number_without_a_unit_is_answered_with_the_units() -> None:
    """The message says what to write."""
    with pytest.raises(ValidationError, match="write '30d', '30h' or '30m'"):
        Wait.model_validate({"lasts": 30})


def test_an_unknown_field_is_an_authors_mistake() -> None:
    """A misspelt number must not silently leave the default in force."""
    with pytest.raises(ValidationError, match="last"):
        Wait.model_validate({"last": "1d"})


def test_a_rule_never_changes() -> None:
    """A policy is shared by all customers, so its numbers are frozen."""
    with pytest.raises(ValidationError):
        Wait().lasts = 1


def test_a_suppressor_ends_nothing_unless_it_says_so() -> None:
    """Most suppressors put no end to an act that they let through."""
    assert Never(Wait()).rule.lasts == HOUR
    assert Never.of_the_request is False
    assert not Objection("never.ever", {}, None).waits
