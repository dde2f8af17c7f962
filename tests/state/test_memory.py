"""Repeats and duplicates: nothing is said twice (contract.md, section 3, "Duplicates")."""

from __future__ import annotations

import pytest

from decisioning.instant import DAY, MINUTE
from decisioning.state import State, dumps
from decisioning.state.memory import answer, is_repeat, mark, see, was_answered
from decisioning.state.model import MAX_REQUESTS, MAX_SEEN
from tests.builders import (
    CUSTOMER,
    Story,
    asked,
    at,
    event,
    granted,
    lives,
    offer,
    only,
    prefers,
    said,
    weighed,
    window,
)

DUPLICATE = ("suppress", "duplicate.request")


def test_a_mark_tells_source_and_id_apart() -> None:
    """The same two texts cut elsewhere are another event."""
    assert mark("/a", "bc") != mark("/ab", "c")
    assert mark("/a", "bc") == mark("/a", "bc")
    assert 0 <= mark("/a", "bc") < 1 << 63


def test_a_re_sent_event_changes_nothing_and_says_nothing(story: Story) -> None:
    """The same source and id, whatever the rest of it says."""
    story.at("2026-03-02 10:15", asked().named("e-1x"))
    before = dumps(story.state)
    assert story.at("2026-03-02 10:20", asked(offer("other")).named("e-1x")) == []
    assert story.at("2026-03-02 10:20", lives(name="Ada").named("e-1x")) == []
    assert dumps(story.state) == before


def test_another_source_with_the_same_id_is_another_event(story: Story) -> None:
    """Both make an event what it is."""
    story.at("2026-03-02 10:15", lives(name="Ada").named("e-1x"))
    other = event("customer.updated", "2026-03-02 10:15", {"name": "Eve"}, "e-1x", source="/elsewhere")
    list(story.run.feed(other))
    assert story.state.profile.name is not None
    assert story.state.profile.name.value == "Eve"


def test_the_memory_is_per_customer(story: Story) -> None:
    """The same source and id of another customer is not a repeat (reading 9)."""
    story.at("2026-03-02 10:15", asked().named("e-1x"))
    assert said(story.at("2026-03-02 10:15", asked().named("e-1x").by("c-other"))) == [("suppress", "consent.missing")]


@pytest.mark.parametrize(("when", "repeat"), [("2026-03-09 10:14:59.999999", True), ("2026-03-09 10:15", False)])
def test_an_event_is_remembered_for_7_days(story: Story, when: str, repeat: bool) -> None:
    """From its handling; then late facts fold once more."""
    story.at("2026-03-02 10:15", lives(name="Ada").named("e-1x"))
    story.at(when, lives(name="Eve").named("e-1x"))
    assert story.state.profile.name is not None
    assert story.state.profile.name.value == ("Ada" if repeat else "Eve")


@pytest.mark.parametrize(("handled", "answers"), [("2026-03-09 10:14:59.999999", 1), ("2026-03-09 10:15", 0)])
def test_a_request_of_7_days_ago_is_taken_as_re_sent(story: Story, handled: str, answers: int) -> None:
    """`time` 7 days old or more: the memory could not tell any more; late facts still fold."""
    assert len(story.at(handled, asked().since("2026-03-02 10:15"))) == answers
    story.at("2026-03-20 10:15", lives(name="Ada").since("2026-03-02 10:15"))
    assert story.state.profile.name is not None


def test_a_request_answered_for_the_same_source_and_id_is_re_sent_also_after_7_days(story: Story) -> None:
    """The memory of answers outlives that of events."""
    first = only(story.at("2026-03-02 10:15", asked(request="r-1").named("e-1x")))
    assert first.outcome.value == "act"
    later = event("contact.requested", "2026-03-12 10:15", {"request_id": "r-1", "candidates": [offer()]}, "e-1x")
    assert list(story.run.feed(later)) == []


@pytest.mark.parametrize("id_", ["e-2x", "e-3x"])
def test_another_event_with_an_answered_request_id_gets_one_no(story: Story, id_: str) -> None:
    """One `suppress`, `duplicate.request`, without `allowed_from`; it names what a suppress names."""
    story.at("2026-03-02 10:15", asked(request="r-1").named("e-1x"), prefers(channels=["push"]))
    low, high = offer("low", value=1), offer("high", value=2, on=["sms", "push"])
    answer = only(story.at("2026-03-02 10:20", asked(low, high, request="r-1").named(id_)))
    assert said([answer]) == [DUPLICATE]
    assert (answer.action, answer.channel, answer.allowed_from, answer.request_id) == ("high", "push", None, "r-1")
    assert weighed(answer) == [
        ("low", "email", *DUPLICATE),
        ("high", "push", *DUPLICATE),
        ("high", "sms", *DUPLICATE),
    ]


def test_one_no_an_answer(story: Story) -> None:
    """A duplicate with marketing, survey and two service candidates would have had three answers: it gets three."""
    kinds = ["marketing", "service", "survey", "service"]
    story.at("2026-03-02 10:15", asked(request="r-1"))
    told = story.at("2026-03-02 10:20", asked(*[offer(kind=kind) for kind in kinds], request="r-1"))
    assert said(told) == [DUPLICATE] * 3
    assert len({one.id for one in told}) == 3


def test_a_deferred_request_is_answered_already(story: Story) -> None:
    """Another event with its id changes nothing of the promise."""
    story.at("2026-03-02 22:00", asked(request="r-1"))
    assert said(story.at("2026-03-02 22:05", asked(request="r-1"))) == [DUPLICATE]
    assert said(story.until("2026-03-03 08:00")) == [("act", "allowed.clear")]


def test_a_duplicate_takes_no_slot(story: Story) -> None:
    """It is a `suppress`, whatever the first answer was."""
    story.at("2026-03-02 10:15", asked(offer(kind="service"), request="r-1"))
    story.at("2026-03-02 10:20", asked(request="r-1"))
    assert said(story.at("2026-03-02 10:25", asked())) == [("act", "allowed.clear")]


@pytest.mark.parametrize(("when", "expected"), [("2026-04-01 10:14:59.999999", DUPLICATE), ("2026-04-01 10:15", None)])
def test_a_request_id_is_remembered_for_30_days(story: Story, when: str, expected: tuple[str, str] | None) -> None:
    """From its last answer; at 30 days it is a new request."""
    story.at("2026-03-02 10:15", asked(request="r-1"))
    assert said(story.at(when, asked(request="r-1"))) == [expected or ("act", "allowed.clear")]


def test_a_duplicate_does_not_prolong_the_30_days(story: Story) -> None:
    """From the last answer or defer that was no `duplicate.request`."""
    story.at("2026-03-02 10:15", asked(request="r-1"))
    assert said(story.at("2026-03-31 10:15", asked(request="r-1"))) == [DUPLICATE]
    assert said(story.at("2026-04-01 10:15", asked(request="r-1"))) == [("act", "allowed.clear")]


def test_the_answer_at_a_wake_begins_the_30_days_anew(story: Story) -> None:
    """The last answer was the one at the wake."""
    story.at("2026-03-02 10:15", prefers(contact_windows=[window("sat", "10:00", "17:00")]))
    story.at("2026-03-02 10:20", asked(offer(expires="2026-03-20"), request="r-1"))
    assert said(story.at("2026-04-06 09:59", asked(request="r-1"))) == [("act", "allowed.clear"), DUPLICATE]


def test_a_request_id_is_the_customers(story: Story) -> None:
    """Two customers may be asked for under one request id."""
    story.at("2026-03-02 10:15", asked(request="r-1"))
    story.at("2026-03-02 10:16", granted().by("c-other"), lives(time_zone="UTC").by("c-other"))
    assert said(story.at("2026-03-02 10:20", asked(request="r-1").by("c-other"))) == [("act", "allowed.clear")]


def test_a_full_memory_takes_old_requests_for_repeats() -> None:
    """What was forgotten is forgotten to the strict side: a request not newer than the newest forgotten is re-sent."""
    state = State(CUSTOMER)
    start = at("2026-03-02 10:00")
    for number in range(MAX_SEEN + 3):
        known = event("customer.updated", "2026-03-02 10:00", {}, f"e-{number}")
        state = see(state, known, start + number * MINUTE)
    assert len(state.seen) == MAX_SEEN
    assert state.seen_floor == start + 2 * MINUTE
    request = {"request_id": "r", "candidates": [offer()]}
    now = start + DAY
    assert is_repeat(state, event("contact.requested", "2026-03-02 10:02", request, "e-new"), now)
    assert not is_repeat(state, event("contact.requested", "2026-03-02 10:03", request, "e-new"), now)
    assert not is_repeat(state, event("customer.updated", "2026-03-02 10:00", {}, "e-new"), now), (
        "late facts still fold"
    )


def test_the_memory_of_requests_is_bounded() -> None:
    """The newest answers are kept."""
    state = State(CUSTOMER)
    for number in range(MAX_REQUESTS + 5):
        state = answer(state, f"r-{number}", number, number)
    assert len(state.requests) == MAX_REQUESTS
    assert was_answered(state, f"r-{MAX_REQUESTS + 4}", MAX_REQUESTS + 5)
    assert not was_answered(state, "r-0", MAX_REQUESTS + 5)


def test_the_marks_of_one_request_are_bounded() -> None:
    """However many events ask with one request id."""
    state = State(CUSTOMER)
    for number in range(100):
        state = answer(state, "r", number, 0, duplicate=number > 0)
    assert len(state.requests[0].marks) < 20
    assert state.requests[0].marks[-1] == 99


def test_an_answer_at_a_wake_marks_no_event() -> None:
    """It has no event of its own; those that asked stay marked."""
    state = answer(answer(State(CUSTOMER), "r", 7, 0), "r", None, 5)
    assert (state.requests[0].marks, state.requests[0].at) == ((7,), 5)
