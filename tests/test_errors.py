"""Errors say whose fault it is and how to mend it, in one line a fault."""

from __future__ import annotations

import pytest

from decisioning.errors import (
    DecisioningError,
    EventRejected,
    Fault,
    Problem,
    RulebookError,
    StateTooNew,
    StateUnreadable,
)


@pytest.mark.parametrize("kind", [StateUnreadable, StateTooNew])
def test_one_root_catches_what_is_raised_on_purpose(kind: type[DecisioningError]) -> None:
    """And nothing that is a mistake of our own."""
    assert issubclass(kind, DecisioningError)
    assert issubclass(EventRejected, DecisioningError)
    assert issubclass(RulebookError, DecisioningError)


def test_a_rejected_event_names_its_fault() -> None:
    """The fault is one of a closed list, so that it can be a metric's label."""
    error = EventRejected(Fault.NO_TIME, "`time` is missing")
    assert (error.fault, str(error)) == (Fault.NO_TIME, "`time` is missing")
    assert error.fault == "no_time"


def test_a_rulebooks_problems_come_in_reading_order_one_a_line() -> None:
    """`file:line:column: message`, as compilers write it and editors understand it."""
    error = RulebookError("rules.yaml", [Problem(7, 3, "b"), Problem(2, 9, "c"), Problem(2, 1, "a")])
    assert str(error).splitlines() == ["rules.yaml:2:1: a", "rules.yaml:2:9: c", "rules.yaml:7:3: b"]
    assert [problem.message for problem in error.problems] == ["a", "c", "b"]


def test_a_problem_is_one_line_whatever_it_quotes() -> None:
    """An author's text may hold line separators and invisible characters: they are shown."""
    error = RulebookError("r.yaml", [Problem(1, 1, "unknown field `a\u2028b\n\u200b`")])
    assert str(error) == "r.yaml:1:1: unknown field `a\\u2028b\\n\\u200b`"
    assert str(error).splitlines() == [str(error)]
