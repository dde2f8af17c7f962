"""The progress of orders, and what customers said to support."""

from __future__ import annotations

from collections import Counter, defaultdict

from decisioning.streaming.demo.shop import History


def test_an_order_is_placed_before_it_is_shipped_before_it_is_delivered(told: History) -> None:
    """Each purchase has its order; its steps come in their order, and none before the purchase."""
    steps: dict[str, list[str]] = defaultdict(list)
    for one in told.facts:
        if one.type == "purchase.completed" or one.type.startswith("order."):
            steps[one.data["order_id"]].append(one.type)
    usual = ["purchase.completed", "order.placed", "order.shipped", "order.eta_changed", "order.delivered"]
    for order in steps.values():
        assert order == [step for step in usual if step in order]
    assert 0.05 < sum("order.eta_changed" in order for order in steps.values()) / len(steps) < 0.15


def test_a_late_order_is_late_by_hours_or_days(told: History) -> None:
    """The new promise lies after the old one, so that there is something to tell the customer."""
    promised = {one.data["order_id"]: one.data["promised_at"] for one in told.facts if one.type == "order.placed"}
    for one in told.facts:
        if one.type == "order.eta_changed":
            assert one.data["promised_at"] > promised[one.data["order_id"]]


def test_cases_are_opened_once_and_resolved_after_that(told: History) -> None:
    """A case's resolution follows its opening; a case that lasts beyond the history stays open."""
    seen: Counter[str] = Counter()
    for one in told.facts:
        if one.type == "support.case_opened":
            seen[one.data["case_id"]] += 1
        elif one.type == "support.case_resolved":
            assert seen[one.data["case_id"]] == 1
    assert len(seen) > 50
    assert set(seen.values()) == {1}
