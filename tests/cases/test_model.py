"""The shape of a cases file: times as people write them, one outcome an expectation, one thing a step."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from decisioning.cases.model import Book, Expected, Person, Step, read_time
from decisioning.decision import Outcome
from decisioning.instant import DAY, format_instant
from tests.builders import at

BOUGHT: dict[str, Any] = {"order_id": "o-1", "currency": "GBP", "lines": []}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02 10:15", "2026-03-02T10:15:00Z"),
        ("2026-03-02", "2026-03-02T00:00:00Z"),
        (" 2026-03-02 10:15:30.5 ", "2026-03-02T10:15:30.5Z"),
        ("2026-03-02 10:15+01:00", "2026-03-02T09:15:00Z"),
        ("2026-03-02T10:15:00-05:00", "2026-03-02T15:15:00Z"),
        ("2026-03-02T10:15:00Z", "2026-03-02T10:15:00Z"),
        ("2026-03-02 10:15z", "2026-03-02T10:15:00Z"),
    ],
)
def test_a_time_is_written_as_people_write_it(text: str, expected: str) -> None:
    """UTC unless it carries an offset."""
    assert format_instant(read_time(text)) == expected


@pytest.mark.parametrize("text", ["", "tomorrow", "10:15", "2026-02-30", "2026-03-02 25:00", "2026-03-02 10"])
def test_what_is_no_time_says_how_to_write_one(text: str) -> None:
    """The message holds an example."""
    with pytest.raises(ValueError, match="not a time: write `2026-03-02 10:15`"):
        read_time(text)


def test_an_expectation_has_exactly_one_outcome() -> None:
    """None or two would match nothing."""
    assert Expected.model_validate({"hold": "hold.open_issue"}).outcome is Outcome.HOLD
    for wrong in ({}, {"channel": "sms"}, {"act": "a", "suppress": "a"}):
        with pytest.raises(ValidationError, match="write exactly one outcome: act, suppress, defer, recall, hold"):
            Expected.model_validate(wrong)


def test_expectations_are_one_many_or_silence() -> None:
    """`silence` is the empty list; no `expect` at all is something else."""
    step = {"at": "2026-03-02 10:15", "purchase.completed": BOUGHT}

    def expect(value: object) -> object:
        return Step.model_validate({**step, "expect": value}).expect

    one = Expected.model_validate({"act": "offer"})
    assert expect({"act": "offer"}) == [one]
    assert expect([{"act": "offer"}, {"act": "offer"}]) == [one, one]
    assert expect("silence") == []
    assert Step.model_validate(step).expect is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"at": "2026-03-02"},
        {"purchase.completed": BOUGHT},
        {"until": "2026-03-02", "purchase.completed": BOUGHT},
        {"at": "2026-03-02", "until": "2026-03-02", "purchase.completed": BOUGHT},
        {"at": "2026-03-02", "purchase.completed": BOUGHT, "order.placed": {"order_id": "o-1"}},
    ],
)
def test_a_step_is_one_event_at_a_time_or_the_passing_of_time(wrong: dict[str, Any]) -> None:
    """Anything else has no meaning."""
    with pytest.raises(ValidationError, match="a step is `at:` and one event"):
        Step.model_validate(wrong)


def test_a_step_knows_what_happens() -> None:
    """Type and data as they are written, or nothing."""
    step = Step.model_validate({"at": "2026-03-02", "purchase.completed": BOUGHT})
    assert step.happening == ("purchase.completed", BOUGHT)
    assert Step.model_validate({"until": "2026-03-02"}).happening is None


def test_a_person_is_told_a_day_before_the_first_step() -> None:
    """Or at `since`; what is not written is not told."""
    person = Person.model_validate(
        {"time_zone": "UTC", "needs": ["vegan"], "consents": ["survey", {"purpose": "marketing", "channels": ["sms"]}]}
    )
    before = at("2026-03-02 10:00")
    assert list(person.events(before)) == [
        ("customer.updated", {"time_zone": "UTC"}, before - DAY),
        ("customer.preference_set", {"needs": ["vegan"]}, before - DAY),
        ("consent.granted", {"purpose": "survey"}, before - DAY),
        ("consent.granted", {"purpose": "marketing", "channels": ["sms"]}, before - DAY),
    ]
    since = Person.model_validate({"since": "2024-03-01", "name": "Ada"})
    assert list(since.events(before)) == [("customer.updated", {"name": "Ada"}, at("2024-03-01"))]
    assert list(Person().events(before)) == []


def test_a_book_has_a_case_and_a_case_has_a_step() -> None:
    """An empty proof proves nothing."""
    books: list[dict[str, Any]] = [{"cases": []}, {"cases": [{"case": "x", "steps": []}]}]
    books.append({"cases": [{"case": "", "steps": [{}]}]})
    for wrong in books:
        with pytest.raises(ValidationError, match="at least 1"):
            Book.model_validate(wrong)
