"""Rule 23: `expires_at` passed, or first handled later than 15 minutes after its time."""

from __future__ import annotations

import pytest

from decisioning.decision import Outcome
from tests.builders import BARE, Story, asked, at, granted, lives, offer, only, prefers, said, window

LATE = ("suppress", "expired.too_late")
YES = ("act", "allowed.clear")


@pytest.mark.parametrize("kind", ["marketing", "service", "care"])
@pytest.mark.parametrize(("handled", "expected"), [("2026-03-02 10:30", YES), ("2026-03-02 10:30:00.000001", LATE)])
def test_exactly_15_minutes_late_is_in_time(story: Story, kind: str, handled: str, expected: tuple[str, str]) -> None:
    """Ages compare with > (reading 3), for every class."""
    answer = only(story.at(handled, asked(offer(kind=kind)).since("2026-03-02 10:15")))
    assert said([answer]) == [expected]


def test_too_late_says_when_it_was_asked_and_hopes_for_nothing(story: Story) -> None:
    """`allowed_from` is absent whenever rule 23 refuses."""
    answer = only(story.at("2026-03-02 10:31", asked().since("2026-03-02 10:15")))
    assert answer.considered[0].because == {"asked_at": "2026-03-02T10:15:00Z"}
    assert answer.allowed_from is None


@pytest.mark.parametrize(("expires", "expected"), [("2026-03-02 10:15", LATE), ("2026-03-02 10:15:00.000001", YES)])
@pytest.mark.parametrize("kind", ["marketing", "service"])
def test_expires_at_now_is_over(story: Story, kind: str, expires: str, expected: tuple[str, str]) -> None:
    """[from, to): at its end a candidate is over (reading 3)."""
    answer = only(story.at("2026-03-02 10:15", asked(offer(kind=kind, expires=expires))))
    assert said([answer]) == [expected]


def test_each_candidate_has_its_own_end(story: Story) -> None:
    """One that is over leaves the others."""
    over, fresh = offer("over", expires="2026-03-02 10:00", value=9), offer("fresh")
    answer = only(story.at("2026-03-02 10:15", asked(over, fresh)))
    assert (answer.outcome, answer.action) == (Outcome.ACT, "fresh")


def test_lateness_is_measured_once_and_never_at_wakes(story: Story) -> None:
    """A request of the night is ten hours old when it is answered, and in time (reading 3)."""
    story.at("2026-03-02 22:00", asked())
    assert said(story.until("2026-03-03 08:00")) == [YES]


def test_an_end_may_come_before_a_second_wake(story: Story) -> None:
    """`expires_at` is looked at again at a wake."""
    story.at("2026-03-02 22:00", asked(offer(expires="2026-03-03 08:30")))
    story.at("2026-03-02 23:00", prefers(contact_windows=[window("tue", "08:30", "17:00")]))
    assert said(story.until("2026-03-03 08:00")) == [("suppress", "contact_window.outside")]


def test_without_an_end_it_stands_24_hours_after_the_request(story: Story) -> None:
    """24h after the request, which is its `time`: at a wake exactly then it is over, a microsecond before it is not."""
    story.at("2026-03-02 09:00", prefers(contact_windows=[window("tue", "10:15", "17:00")]))
    assert said(story.at("2026-03-02 10:15", asked())) == [("suppress", "contact_window.outside")]
    assert said(story.at("2026-03-02 10:15:00.000001", asked())) == [("defer", "contact_window.outside")]


def test_both_numbers_are_the_rulebooks() -> None:
    """24h and 15m are defaults."""
    story = Story(BARE + b"respect: {expired: {after: 2h, late: 1m}}\n")
    story.at("2026-03-02 10:00", lives(time_zone="UTC"), granted())
    assert said(story.at("2026-03-02 10:20", asked().since("2026-03-02 10:18"))) == [LATE]
    assert only(story.at("2026-03-02 10:21", asked())).valid_until == at("2026-03-02 12:21")


def test_too_late_is_the_last_reason(story: Story) -> None:
    """Rule 23 stands last, so every other refusal is named before it."""
    story.at("2026-03-02 10:15", asked())
    assert said(story.at("2026-03-02 11:00", asked().since("2026-03-02 10:15"))) == [("suppress", "frequency_cap.day")]


def test_too_late_at_night_is_no_promise(story: Story) -> None:
    """A refusal beats the wish to wait for the morning."""
    assert said(story.at("2026-03-02 22:00", asked().since("2026-03-02 21:00"))) == [LATE]
