"""Timers are put around the engine and taken away; a stage within a stage counts for the inner one alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from decisioning.state import fold
from decisioning.streaming.bench import stages
from decisioning.streaming.bench.stages import PARTS, REST, Watch


def functions() -> list[Any]:
    """What stands where the timers are put."""
    return [getattr(owner, name) for parts in PARTS.values() for owner, name in parts]


def test_nothing_is_left_behind() -> None:
    """Not to measure costs nothing: the functions are what they were, whatever went wrong meanwhile."""
    before = functions()

    def fails() -> None:
        with Watch().installed():
            assert not any(one is other for one, other in zip(functions(), before, strict=True))
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fails()
    assert functions() == before


def test_a_stage_within_a_stage_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one at each look: what is between two looks is one stage's alone."""
    monkeypatch.setattr(stages, "clock", count(1).__next__)
    watch = Watch()
    inner: Callable[[], int] = watch._timed("rank", lambda: 1)
    outer: Callable[[], int] = watch._timed("suppress", inner)
    assert watch.rest(outer) == 1
    assert {name: spent for name, spent in watch.spent.items() if spent} == {REST: 2, "suppress": 2, "rank": 1}


def test_every_part_is_a_function_of_the_engine() -> None:
    """A name that is gone would fail here, not in a bench."""
    assert all(callable(one) for one in functions())
    assert fold in functions()
