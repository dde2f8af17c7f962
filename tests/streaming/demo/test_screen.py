"""The figures common to both screens, and the summary."""

from __future__ import annotations

import pytest

from decisioning.streaming.demo.screen import Progress, Rates, summary
from decisioning.streaming.demo.tally import Tally
from tests.streaming.demo.decided import decision


def test_rates_are_those_of_the_last_seconds() -> None:
    """What was long ago no longer counts; a first reading gives no rate yet."""
    rates = Rates()
    assert rates.read(0.0, 0, 0) == (0.0, 0.0)
    for second in range(1, 11):
        rates.read(second, 100 * second, 0)
    events, decisions = rates.read(11.0, 1000, 30)
    assert events == pytest.approx(200 / 3)
    assert decisions == pytest.approx(10)


def test_the_summary_holds_the_figures_and_says_what_is_real() -> None:
    """Outcomes, reasons, latency, what is unanswered, the attribution that the licence asks for."""
    tally = Tally()
    tally.decide(decision("suppress", "consent.missing"), 1.0)
    said = summary(tally, Progress(10, 10, 0, 2.0), [])
    for words in ("1 suppress", "consent.missing 1", "unanswered  0", "Daqing Chen, CC BY 4.0", "synthetic"):
        assert words in said
    assert "PROBLEM" not in said


def test_the_summary_names_each_problem() -> None:
    """A failed run says why on a line of its own."""
    assert summary(Tally(), Progress(0, 0, 0, 0.0), ["one", "two"]).count("PROBLEM") == 2
