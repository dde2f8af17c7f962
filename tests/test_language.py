"""Conditions, names and channels of a tree, whatever else is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from decisioning.language import MAX_CLAUSES, Fault, conditions, faults, reach
from decisioning.vocabulary import Declared

TREE: dict[str, Any] = {
    "attributes": {"tier": {"type": "string"}},
    "respect": {"ineligible": [{"name": "basic", "when": "customer.tier == 'basic'"}]},
    "actions": [
        {"action": "hello", "on": "order.shipped", "when": [{"news": "order.news"}, {"late": "event.time < now"}]},
        {"action": "vip", "when": [{"gold": "customer.tier == 'gold'"}]},
    ],
}


def test_every_condition_is_found_with_its_names() -> None:
    """Those of refusals and of actions, in the order of the actions."""
    found = list(conditions(TREE, {"tier": Declared.model_validate({"type": "string"})}))
    assert [path for path, _, _ in found] == [
        ("actions", 0, "when", 0, "news"),
        ("actions", 0, "when", 1, "late"),
        ("actions", 1, "when", 0, "gold"),
        ("respect", "ineligible", 0, "when"),
    ]
    assert ["order.news" in schema for _, _, schema in found] == [True, True, False, False]
    assert faults(TREE) == []


def test_a_fault_of_words_has_its_path_and_place() -> None:
    """Where it stands in the tree, and where in the text."""
    tree = {**TREE, "respect": {"ineligible": [{"name": "a", "when": "customer.teir == 'x'"}]}}
    [fault] = faults(tree)
    assert (fault.path, fault.offset, fault.word) == (("respect", "ineligible", 0, "when"), 0, "customer.teir")


def test_a_broken_declaration_is_not_told_again_by_every_condition_that_reads_it() -> None:
    """One mistake, one message."""
    assert faults({**TREE, "attributes": {"tier": {"type": "sting"}}}) == []


def test_names_given_twice_are_found() -> None:
    """Actions and caps; clauses and refusals are found by their models."""
    caps = [{"name": "day"}, {"name": "day"}]
    tree = {
        "actions": [{"action": "a"}, {"action": "b"}, {"action": "a"}],
        "respect": {"frequency_cap": {"caps": caps}},
    }
    assert [fault.path for fault in faults(tree)] == [
        ("actions", 2, "action"),
        ("respect", "frequency_cap", "caps", 1, "name"),
    ]


def test_channels_are_checked_where_some_are_declared() -> None:
    """Else any name is a channel."""
    actions = [{"action": "a", "channels": ["email", "fax"]}]
    assert faults({"actions": actions}) == []
    assert faults({"channels": ["email", "sms"], "actions": actions}) == [
        Fault(("actions", 0, "channels", 1), "unknown channel `fax`: declared are `email`, `sms`")
    ]


def test_the_number_of_conditions_is_bounded() -> None:
    """So that a rulebook loads in bounded time."""
    many = [{"name": f"n{number}", "when": "true"} for number in range(MAX_CLAUSES + 1)]
    assert [fault.path for fault in faults({"respect": {"ineligible": many}})] == [("actions",)]


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        "text",
        {"attributes": 5, "actions": 5, "respect": 5, "channels": 5},
        {"attributes": {"a": None}, "actions": [None, 5, {"when": 5}, {"on": 5}, {"on": [5]}, {"action": []}]},
        {"respect": {"ineligible": [None, {"when": 5}], "frequency_cap": [1], "stopped": "x"}},
        {"actions": [{"when": [5, None, {"a": 5}]}], "channels": [1, None]},
    ],
)
def test_a_tree_of_another_shape_is_left_to_the_models(tree: object) -> None:
    """No crash, and nothing said twice."""
    assert faults(tree) == []


def test_reach_finds_what_is_there() -> None:
    """Or nothing."""
    assert reach(TREE, "actions", 1, "when", 0, "gold") == "customer.tier == 'gold'"
    assert reach(TREE, "actions", 7) is None
    assert reach(TREE, "actions", "when") is None
    assert reach(TREE, "attributes", 0) is None
