"""A few scenarios on the embedded broker, one seed each; `make faults` plays all of them, on as many as you like."""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.judge import play, silences
from tests.faults.play import Mark
from tests.faults.scenario import QUICK, SCENARIOS, Scenario, chosen
from tests.streaming.records import Rec, record


@pytest.mark.parametrize("scenario", chosen("A", list(QUICK)), ids=lambda scenario: str(scenario.name))
def test_a_fault_leaves_no_trace(scenario: Scenario) -> None:
    """Nothing lost, nothing said in two ways, no state but the sequential run's, every end explained."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed}: FAULTS_SEED={seed} draws the same")
    result = play(scenario, seed)
    assert not result.findings, "\n".join(result.findings[:20])
    assert result.decisions > 50


@pytest.mark.long
def test_a_finding_is_found() -> None:
    """The player itself is no flatterer: a worker that goes on where it should have refused is a finding."""
    (plain,) = (one for one in SCENARIOS if one.name == "F25")
    goes_on = plain._replace(steps=(plain.steps[0], plain.steps[2]))
    result = play(goes_on, 1, patience=15.0)
    assert any("goes on (ready: True), instead of a refusal" in line for line in result.findings)


def test_silences_are_told_from_new_decisions() -> None:
    """Each lane counts, a repeat is nothing new, and a fault that is overtaken by the next is not measured."""

    def said(at: float, lane: int, value: bytes) -> Rec:
        return record(value, topic="decisions")._replace(timestamp=int(at * 1000), partition=lane)

    decisions = [said(9, 0, b"a"), said(9, 1, b"b"), said(11, 0, b"a"), said(12, 0, b"c"), said(15, 1, b"d")]
    assert silences([Mark(10, 15)], decisions) == [(Mark(10, 15), 5.0)]
    assert silences([Mark(10, 15), Mark(13, 15)], decisions) == [(Mark(13, 15), 2.0)]
    assert silences([Mark(20, 15)], decisions) == []
    assert silences([], decisions) == []
