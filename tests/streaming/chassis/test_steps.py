"""The steps of a slice: that each is passed, and what is true at it, is shown by killing there (test_every_step.py)."""

from decisioning.streaming.chassis.slices import Slicer
from decisioning.streaming.chassis.steps import Step


def test_a_step_does_nothing_by_itself() -> None:
    """Only a test's own worker puts something in its place."""
    for step in Step:
        Slicer.step(step)
    assert len(Step) == 8
