"""Actions of a rulebook, ready for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from decisioning.actions import SHIPPED, Action, ActionRule, ClauseRejected, compiled
from decisioning.condition import ConditionError, Kind, Value
from decisioning.instant import DAY, HOUR
from decisioning.vocabulary import Declared

LEAST: dict[str, Any] = {"action": "hello", "class": "marketing", "channels": ["email"]}
ATTRIBUTES = {"tier": Declared(type=Kind.STRING)}


def action(**more: object) -> Action:
    """An action ready for the engine; a rulebook's usual validity is 4h."""
    return compiled(ActionRule.model_validate({**LEAST, **more}), ATTRIBUTES, 4 * HOUR)


def test_the_least_is_a_name_a_class_and_a_channel() -> None:
    """It waits for a request, and what it says is valid as long as the rulebook has it."""
    found = action()
    assert (found.on, found.clauses, found.valid_for, found.once) == ((), (), 4 * HOUR, False)
    assert action(valid_for="30m").valid_for == HOUR // 2


def test_it_becomes_a_candidate_with_all_it_names() -> None:
    """Channels once each, in order; it stands as long as anything asked, or longer if it is valid longer."""
    found = action(
        on="order.shipped", channels=["push", "sms", "push"], value=12.5, topic="t", category="c", sku="s",
        audience="prospect", needs_ok=["large_print"], quiet_hours=True, valid_for="2d",
    ).candidate(1000, DAY)  # fmt: skip
    assert (found.index, found.action, found.class_, found.channels) == (0, "hello", "marketing", ("push", "sms"))
    assert (found.value, found.topic, found.category, found.sku) == ("12.5", "t", "c", "s")
    assert (found.audience, found.needs_ok, found.keeps_quiet) == ("prospect", ("large_print",), True)
    assert found.expires_at == 1000 + 2 * DAY
    assert action().candidate(0, DAY).expires_at == DAY


def test_the_first_clause_that_does_not_hold_is_the_reason() -> None:
    """Those after it are not asked, so that they may need what the first one found."""
    found = action(when=[{"gold": "customer.tier == 'gold'"}, {"soon": "now < timestamp('1970-01-01T00:00:01Z')"}])
    facts: dict[str, Value] = {"customer.tier": "gold", "now": 0}
    assert found.refused_by(facts) is None
    assert found.refused_by({**facts, "now": 2_000_000}) == "soon"
    assert found.refused_by({"customer.tier": "basic"}) == "gold"


def test_a_clause_without_an_answer_is_named() -> None:
    """The action is dropped, and counted under the clause's name."""
    with pytest.raises(ConditionError) as found:
        action(when=[{"gold": "customer.tier == 'gold'"}]).refused_by({})
    assert (found.value.clause, found.value.missing) == ("gold", "customer.tier")


def test_clauses_read_what_their_action_is_about() -> None:
    """The event that calls it, or what a request brings."""
    assert action(on="order.shipped", when=[{"a": "order.news"}]).clauses
    assert action(when=[{"a": "candidate.price < 5"}]).clauses
    for more in ({"on": "order.shipped", "when": [{"a": "candidate.price < 5"}]}, {"when": [{"a": "order.news"}]}):
        with pytest.raises(ClauseRejected) as found:
            action(**more)
        assert (found.value.place, found.value.name) == (0, "a")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"when": [{"a": "true"}, {"a": "false"}]}, "two clauses are called `a`"),
        ({"when": [{"a": "true", "b": "true"}]}, "at most 1 item"),
        ({"when": [{}]}, "at least 1 item"),
        ({"when": [{"A": "true"}]}, "should match pattern"),
        ({"when": {"a": "true"}}, "tuple"),
        ({"treatments": {"sms": "short"}}, "none of its channels"),
        ({"once": True}, "`once` counts by order"),
        ({"once": True, "on": "customer.updated"}, "`once` counts by order"),
        ({"once": "on"}, "write true or false"),
        ({"valid_for": "0s"}, "more than nothing"),
        ({"valid_for": "31d"}, "at most 30d"),
        ({"value": True}, "a value is a number"),
        ({"value": "much"}, "should match pattern"),
        ({"value": float("nan")}, "should match pattern"),
        ({"on": "order.lost"}, "Input should be"),
        ({"on": "customer.erased"}, "Input should be"),
        ({"class": "spam"}, "Input should be"),
        ({"channels": []}, "at least 1 item"),
        ({"chanels": []}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_refused(more: dict[str, object], message: str) -> None:
    """When the rulebook is read."""
    with pytest.raises(ValidationError, match=message):
        action(**more)


def test_the_shipped_actions_are_the_contracts() -> None:
    """Section 4, "Shipped triggers", word for word."""
    alert, status = (compiled(rule, {}, HOUR) for rule in SHIPPED)
    assert (alert.action, alert.on, alert.once) == ("delay_alert", ("order.eta_changed",), False)
    assert (status.action, status.on, status.once) == ("order_status", ("order.shipped", "order.delivered"), True)
    for one in (alert, status):
        assert (one.class_, one.channels, one.valid_for) == ("service", ("push", "sms", "email"), 4 * HOUR)
        assert not one.rule.quiet_hours


@pytest.mark.parametrize(
    ("facts", "refused_by"),
    [
        ({"event.promised_at": 2 * HOUR}, None),
        ({"event.promised_at": 2 * HOUR - 1}, "later_than_told"),
        ({"order.was_told": False}, "later_than_told"),
        ({"order.news": False}, "news"),
    ],
)
def test_a_delay_of_two_hours_or_more_is_told(facts: Mapping[str, Value], refused_by: str | None) -> None:
    """Not less, not to who was never told, not out of order."""
    usual: dict[str, Value] = {
        "order.was_told": True, "order.news": True, "order.promised_at": 0, "event.promised_at": 3 * HOUR,
    }  # fmt: skip
    assert compiled(SHIPPED[0], {}, HOUR).refused_by({**usual, **facts}) == refused_by
