"""Problems and promises as they are remembered, in whatever order the news of them arrives."""

from __future__ import annotations

from itertools import permutations

import pytest

from decisioning.state.cases import bounded
from decisioning.state.model import MAX_CASES, MAX_NAME, Case, Promise
from tests.builders import Happening, at, case_opened, case_resolved, folded, promise_kept, promised

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00"


@pytest.mark.parametrize(
    ("told", "is_open"),
    [
        ([(MONDAY, case_opened()), (TUESDAY, case_resolved())], False),
        ([(MONDAY, case_opened()), (MONDAY, case_resolved())], True),
        ([(TUESDAY, case_opened()), (MONDAY, case_resolved())], True),
        ([(MONDAY, case_opened()), (TUESDAY, case_resolved()), (WEDNESDAY, case_opened())], True),
        ([(MONDAY, case_opened()), (WEDNESDAY, case_resolved()), (TUESDAY, case_opened())], False),
        ([(MONDAY, case_resolved()), (WEDNESDAY, case_resolved()), (TUESDAY, case_opened())], False),
    ],
)
def test_a_case_is_open_or_resolved_by_the_later_of_both(told: list[tuple[str, Happening]], is_open: bool) -> None:
    """In whatever order the news arrives; at equal times it is open (reading 6)."""
    for order in permutations(told):
        [case] = folded(*order).cases
        assert case.open is is_open


def test_a_resolution_without_an_opening_is_remembered() -> None:
    """It holds 48h all the same (reading 6)."""
    [case] = folded((MONDAY, case_resolved())).cases
    assert (case, case.open) == (Case("k-1", resolved_at=at(MONDAY)), False)


def test_the_newest_opening_describes_the_case() -> None:
    """Severity, topic and order are what it said last by time, at a tie last by arrival."""
    state = folded(
        (TUESDAY, case_opened(severity="high", topic="fridge", order_id="o-1")), (MONDAY, case_opened(severity="low"))
    )
    assert state.cases == (Case("k-1", at(TUESDAY), None, "high", "fridge", "o-1"),)
    assert folded((TUESDAY, case_opened(severity="low")), state=state).cases[0].severity == "low"


def test_each_case_is_its_own() -> None:
    """One resolved leaves the other open."""
    state = folded((MONDAY, case_opened("a")), (MONDAY, case_opened("b")), (TUESDAY, case_resolved("a")))
    assert {case.id: case.open for case in state.cases} == {"a": False, "b": True}


def test_what_is_resolved_is_forgotten_before_what_is_open() -> None:
    """The resolved ones go oldest first, and the memory of open ones is whole."""
    told = [(f"2026-03-02 10:{number % 60:02}", case_opened(f"o-{number}")) for number in range(MAX_CASES - 2)]
    told += [(f"2026-03-02 11:{number:02}", case_resolved(f"r-{number}")) for number in range(4)]
    state = folded(*told)
    assert len(state.cases) == MAX_CASES
    assert [case.id for case in state.cases if not case.open] == ["r-2", "r-3"]
    assert state.lost == ()


def test_an_open_case_that_must_go_is_lost_for_ever() -> None:
    """What is forgotten is forgotten to the strict side."""
    told = [(f"2026-03-02 {10 + number // 60}:{number % 60:02}", case_opened(f"o-{number}")) for number in range(70)]
    state = folded(*told)
    assert len(state.cases) == MAX_CASES
    assert state.lost == ("cases",)
    resolved = folded(*[(WEDNESDAY, case_resolved(f"o-{number}")) for number in range(70)], state=state)
    assert resolved.lost == ("cases",)


def test_cases_within_the_bound_stay_as_they_are() -> None:
    """Nothing is lost, and nothing is copied."""
    cases = (Case("a", 1),)
    assert bounded(cases, ()) == (cases, ())


def test_a_promise_is_made_and_kept_in_any_order() -> None:
    """The later word on it holds; keeping may be heard of first."""
    told = [(MONDAY, promised(what="a call")), (TUESDAY, promised(what="two calls")), (WEDNESDAY, promise_kept())]
    for order in permutations(told):
        assert folded(*order).promises == (Promise("p-1", at(TUESDAY), "two calls", at("2026-03-10"), at(WEDNESDAY)),)


def test_a_promise_keeps_the_newest_time_of_its_keeping() -> None:
    """Kept twice is kept."""
    assert folded((TUESDAY, promise_kept()), (MONDAY, promise_kept())).promises[0].kept_at == at(TUESDAY)


def test_promises_are_bounded_and_those_kept_go_first() -> None:
    """Texts are cut, and the oldest goes before the newer."""
    told = [(f"2026-03-02 10:{number:02}", promised(f"p-{number}", what="x" * 999)) for number in range(20)]
    state = folded(*told[:10], ("2026-03-02 12:00", promise_kept("p-5")), *told[10:])
    assert [one.id for one in state.promises] == [f"p-{number}" for number in range(3, 20) if number != 5]
    assert {one.what for one in state.promises} == {"x" * MAX_NAME}
