"""The table of `make faults`: one line a scenario, and no misspelt name plays nothing in silence."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import main, row, table
from tests.faults.judge import Result
from tests.faults.world import Exit


def test_a_scenario_is_summed_up() -> None:
    """Seeds, sums, exit codes, recovery."""
    one = Result("F1", 1, [], 0, 0, 3, 100, [Exit("w", 74, "crash 74: …", 1.0)], [1.0, 3.0], 9.0)
    two = Result("F1", 2, ["lost: a"], 1, 0, 4, 90, [], [2.0], 9.0)
    assert row("F1", [one, two]) == ("F1", "2", "1", "0", "7", "190", "74", "2.0", "3.0", "1")
    assert table([("a", "bb"), ("ccc", "d")]) == "a    bb\nccc  d "


def test_a_misspelt_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that there are."""
    assert main(["--only", "F99"]) == 2
    assert "no scenario 'F99'; there are: F1," in capsys.readouterr().err
