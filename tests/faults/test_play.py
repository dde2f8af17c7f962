"""A few scenarios on the embedded broker, one seed each; `make faults` plays all of them, on as many as you like."""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.play import play
from tests.faults.scenario import QUICK, SCENARIOS, Scenario, chosen


@pytest.mark.parametrize("scenario", chosen("A", list(QUICK)), ids=lambda scenario: str(scenario.name))
def test_a_fault_leaves_no_trace(scenario: Scenario) -> None:
    """Nothing lost, nothing said in two ways, no state but the sequential run's, every end explained."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed}: FAULTS_SEED={seed} draws the same")
    result = play(scenario, seed)
    assert not result.findings, "\n".join(result.findings[:20])
    assert result.decisions > 50


def test_a_finding_is_found() -> None:
    """The player itself is no flatterer: a worker that goes on where it should have refused is a finding."""
    (plain,) = (one for one in SCENARIOS if one.name == "F25")
    goes_on = plain._replace(steps=(plain.steps[0], plain.steps[2]))
    result = play(goes_on, 1, patience=4.0)
    assert any("goes on (ready: True), instead of a refusal" in line for line in result.findings)
