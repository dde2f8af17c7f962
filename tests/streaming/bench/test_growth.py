"""How an event's price grows is measured on real questions, and a thousand rules cost what ten do."""

from __future__ import annotations

from pathlib import Path

import pytest

from decisioning import rulebook
from decisioning.catalogue import Catalogue
from decisioning.policy import Policy
from decisioning.streaming.bench import growth
from decisioning.suppress.ineligible import Eligible

RETAIL = Path(__file__).parents[3] / "rules" / "retail.yaml"
RULES_1000_VS_10 = 1.5
"""The issue's bar; measured was 1.00 to 1.02."""


def policy() -> Policy:
    """The shipped rulebook and no products."""
    return Policy(rulebook.parse(RETAIL.read_bytes(), RETAIL.name), Catalogue())


def test_a_thousand_rules_cost_what_ten_do() -> None:
    """Guard: five of either can apply to the event, and the others are not even looked at."""
    ratio, _ = growth.rules_ratio(1)
    assert ratio < RULES_1000_VS_10


def test_the_guard_notices_rules_that_are_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: every refusal is asked whatever it is about, as if nothing found them by class and action."""
    monkeypatch.setattr(Eligible, "_about", lambda self, class_, action: tuple(self._refusals))
    ratio, _ = growth.rules_ratio(1)
    assert ratio > RULES_1000_VS_10


@pytest.mark.parametrize("size", [10, 1000])
def test_five_rules_apply_however_many_there_are(size: int) -> None:
    """Both kinds: five refusals are asked about the offer, and five actions speak of the order."""
    asked, came = growth.with_rules(size)()
    assert (asked.outputs[0].outcome, asked.outputs[0].reason) == ("act", "allowed.clear")
    assert len([one for one in came.outputs if one.outcome == "act"]) == growth.APPLY


def test_every_candidate_is_weighed_on_every_channel() -> None:
    """One answer, whatever was asked."""
    step = growth.with_candidates(policy(), 10)()
    assert [len(one.considered) for one in step.outputs if one.outcome == "act"] == [30]


def test_a_long_history_and_many_customers_are_told_in_bytes() -> None:
    """A history grows the state until its bounds hold it."""
    short, long = (growth.with_history(policy(), size)["state_bytes"] for size in (10, 100))
    assert short < long < 100 * short
    assert growth.with_customers(policy(), 100)["state_bytes"] > 500


def test_the_figures_are_lines_for_a_person() -> None:
    """One for each size, and the ratio with its spread."""
    grown = {"10": {"us": 20.0, "state_bytes": 3000}}
    found = {"rules": {"10": 30.0}, "candidates": {}, "history": grown, "customers": grown}
    lines = list(growth.tables(found | {"rules_1000_vs_10": 1.01, "rules_1000_vs_10_spread": (1.0, 1.02)}))
    assert lines[1] == "1,000 rules of which 5 can apply against 10: 1.01 x (1.0 to 1.02)"
    assert " ".join(lines[2].split()) == "10 events of one customer: 20.0 us a request; state bytes 3,000"
    assert len(lines) == 4
