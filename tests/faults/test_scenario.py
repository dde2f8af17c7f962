"""The scenarios are whole: every fault of the matrix is met somewhere, and lots are drawn from the seed alone."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.faults.scenario import ELSEWHERE, QUICK, SCENARIOS, Do, chosen, turns

ROOT = Path(__file__).parents[2]


def test_every_fault_of_the_matrix_is_met() -> None:
    """F1 to F27 each have a scenario, or a place that exists."""
    numbers = {scenario.name.split()[0] for scenario in SCENARIOS}
    assert numbers | set(ELSEWHERE) == {f"F{number}" for number in range(1, 28)}
    assert all((ROOT / place).exists() for place in ELSEWHERE.values())
    assert set(QUICK) <= {scenario.name for scenario in SCENARIOS if "A" in scenario.tier}
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.name))
def test_a_scenario_can_be_played(scenario: object) -> None:
    """Its workers are started before anything is done to them, its brokers exist, what goes down comes back."""
    one = next(known for known in SCENARIOS if known is scenario)
    running, down = set(one.workers), set[str]()
    for step in one.steps:
        if step.do in (Do.KILL, Do.STOP):
            running.remove(step.target)
        elif step.do is Do.START:
            assert step.target not in running
            running.add(step.target)
        elif step.do in (Do.DOWN, Do.CRASH):
            assert 1 <= int(step.target) <= one.brokers
            down.add(step.target)
        elif step.do is Do.UP:
            down.remove(step.target)
    assert running
    assert not down
    assert one.workers[0] in running


def test_the_same_seed_draws_the_same_steps() -> None:
    """And another seed others."""
    (scenario,) = chosen("A", ["F10"])
    assert turns(scenario, Random(1)) == turns(scenario, Random(1)) != turns(scenario, Random(2))
    assert all(turn.how in ("10", "19", "29", "87") for turn in turns(scenario, Random(1)))


def test_scenarios_are_chosen_by_number_or_name() -> None:
    """A number stands for all its forms; a name that is none is refused."""
    assert [one.name for one in chosen("A", ["F24", "F1"])] == ["F1", "F24 behind", "F24 gone"]
    assert {one.name for one in chosen("B", [])} > {"F8 cut", "F9", "F19"}
    with pytest.raises(KeyError, match="no scenario 'F99'"):
        chosen("A", ["F99"])
