"""A case played through the engine: what holds, and each way in which it may not."""

from __future__ import annotations

from typing import Any

import pytest

from decisioning.cases.script import Script, parse
from decisioning.cases.trial import Outcomes, Result, play, shown
from decisioning.rulebook import parse as parse_rulebook
from tests.builders import BARE

BOOK = parse_rulebook(BARE, "r.yaml")
HEAD = """\
customers: {usual: {time_zone: UTC, consents: [marketing]}}
cases:
  - case: a story
    customer: usual
    steps:
"""
ASKED = """\
      - at: 2026-03-02 10:00
        contact.requested: {candidates: [{action: ad, class: marketing, channels: [sms, email], topic: tv}]}
"""
BOUGHT = """\
      - at: 2026-03-02 10:00
        purchase.completed: {order_id: o-1, currency: GBP, lines: [{sku: A, quantity: 1, unit_price: "9.00"}]}
"""


def script(steps: str) -> Script:
    """One case of the usual customer."""
    [found] = parse((HEAD + steps).encode(), "c.yaml")
    return found


def played(steps: str) -> Result:
    """What becomes of it under the contract's defaults."""
    return play(BOOK, script(steps))


def differences(steps: str) -> list[tuple[str, str, str]]:
    """Field, expected and said of the first step that differs."""
    failure = played(steps).failure
    assert failure is not None
    return [(one.field, one.expected, one.said) for one in failure.differences]


def test_a_case_that_holds_has_no_failure() -> None:
    """And shows all that was said."""
    result = played(ASKED + "        expect: {act: ad, channel: sms, reason: allowed.clear, allowed_from: never}\n")
    assert result.failure is None
    assert [decision.action for decision in result.decisions] == ["ad"]


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("{suppress: ad}", ("decision", "suppress ad", "act ad")),
        ("{act: other}", ("decision", "act other", "act ad")),
        ("{act: ad, channel: email}", ("channel", "email", "sms")),
        ("{act: ad, class: service}", ("class", "service", "marketing")),
        ("{act: ad, subject: c-2}", ("subject", "c-2", "c-1")),
        ("{act: ad, request_id: r-9}", ("request_id", "r-9", "r-1")),
        ("{act: ad, valid_until: 2026-03-02 15:00}", ("valid_until", "2026-03-02T15:00:00Z", "2026-03-02T14:00:00Z")),
        ("{act: ad, valid_until: never}", ("valid_until", "never", "2026-03-02T14:00:00Z")),
        ("{act: ad, allowed_from: 2026-03-02}", ("allowed_from", "2026-03-02T00:00:00Z", "(absent)")),
        ("{act: ad, context: {name: Ada}}", ("context.name", "Ada", "(absent)")),
        ("{act: ad, because: {sku: A}}", ("because.sku", "A", "(absent)")),
        ("{act: ad, considered: []}", ("considered", "0 verdicts", "2 verdicts")),
        (
            "{act: ad, considered: [{channel: sms}, {channel: push}]}",
            ("considered[1].channel", "push", "email"),
        ),
        ("silence", ("decision", "nothing more", "act ad")),
        ("[{act: ad}, {act: ad}]", ("decision 2", "act ad", "nothing more")),
    ],
)
def test_a_difference_names_the_field_and_both_sides(expect: str, difference: tuple[str, str, str]) -> None:
    """Number, order, outcome, then field by field."""
    assert difference in differences(ASKED + f"        expect: {expect}\n")


def test_what_no_step_expects_fails_the_case() -> None:
    """A word too many is as wrong as one too few."""
    assert differences(ASKED) == [("decision", "nothing more", "act ad")]


def test_holds_are_compared_only_where_one_is_expected() -> None:
    """`silence` means silence, holds included."""
    assert played(BOUGHT).failure is None
    scope = "{categories: [], skus: [A]}"
    held = played(BOUGHT + f"        expect: {{hold: recent_purchase.same_item, scope: {scope}}}\n")
    assert held.failure is None
    assert differences(BOUGHT + "        expect: silence\n") == [
        ("decision", "nothing more", "hold recent_purchase.same_item")
    ]
    assert differences(BOUGHT + "        expect: {hold: recent_purchase.same_item, scope: {skus: [B]}}\n") == [
        ("scope", "{skus: [B]}", "{categories: [], skus: [A]}")
    ]


def test_decisions_are_called_by_name() -> None:
    """A recall names the act, a response may answer an older one."""
    first = ASKED + "        expect: {act: ad, as: first}\n"
    erased = "      - at: 2026-03-02 10:30\n        customer.erased: {}\n"
    assert (
        played(first + erased + "        expect: [{recall: ad, recalls: first}, {hold: dnc.erased}]\n").failure is None
    )
    second = (
        ASKED.replace("10:00", "10:05").replace("2026-03-02", "2026-03-03") + "        expect: {act: ad, as: second}\n"
    )
    gone = "      - at: 2026-03-03 10:30\n        customer.erased: {}\n"
    assert differences(
        first + second + gone + "        expect: [{recall: ad, recalls: first}, {hold: dnc.erased}]\n"
    ) == [("recalls", "first", "another")]


def test_a_response_reaches_the_act_it_answers() -> None:
    """The newest, or the one that is named; its channel is the act's unless written."""
    first = ASKED + "        expect: {act: ad, as: first}\n"
    failed = "      - at: 2026-03-02 10:01\n        response.failed: {decision_id: first}\n"
    again = ASKED.replace("10:00", "10:02") + "        expect: {act: ad}\n"
    assert played(first + failed + again).failure is None
    recalled = failed.replace("failed: {decision_id: first}", "recalled: {in_time: true}")
    assert played(first + recalled + again).failure is None
    assert differences(first + again)[0] == ("decision", "act ad", "suppress ad")


def test_time_passes_up_to_until() -> None:
    """Answers that were promised are given then, and not before."""
    night = ASKED.replace("10:00", "22:00") + "        expect: {defer: ad, not_before: 2026-03-03 08:00}\n"
    early = "      - until: 2026-03-03 07:59\n        expect: silence\n"
    due = "      - until: 2026-03-03 08:00\n        expect: {act: ad}\n"
    assert played(night + early + due).failure is None
    assert differences(night + "      - until: 2026-03-03 08:00\n")[0] == ("decision", "nothing more", "act ad")


def test_an_event_may_be_handled_late() -> None:
    """`time` is when it happened, `at` when it is handled."""
    late = ASKED.replace("at: 2026-03-02 10:00", "at: 2026-03-02 10:15:01\n        time: 2026-03-02 10:00")
    assert played(late + "        expect: {suppress: ad, reason: expired.too_late}\n").failure is None


def test_outcomes_are_all_reasons_and_acts() -> None:
    """Losers' reasons count as reached, deferred actions do not count as said."""
    result = played(ASKED + "        expect: {act: ad}\n")
    assert Outcomes.of([result]) == Outcomes(frozenset({"allowed.clear", "outranked.value"}), frozenset({"ad"}))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "(absent)"), ({"b": [1, "x"], "a": None}, "{a: (absent), b: [1, x]}"), ("x", "x"), (1.5, "1.5")],
)
def test_values_are_shown_as_a_person_reads_them(value: Any, expected: str) -> None:
    """Without quotes, keys sorted."""
    assert shown(value) == expected
