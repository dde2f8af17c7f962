"""The soak's scales: growth is told from noise, and the plan is drawn from the seed."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from tests.faults.scenario import Do
from tests.faults.soak import Sample, growing, scenario, weigh


def life(**growth: float) -> list[Sample]:
    """An hour's samples: some noise around even levels, and a growth by so much an hour."""
    draw = Random(1)
    return [
        Sample(
            at, 150 + draw.uniform(-3, 3) + growth.get("memory", 0) * at / 3600,
            80 + draw.randrange(3) + growth.get("descriptors", 0) * at / 3600,
            20 + growth.get("threads", 0) * at / 3600,
            90 + draw.uniform(-20, 20) + growth.get("disk", 0) * at / 3600,
        )
        for at in range(0, 3600, 2)
    ]  # fmt: skip


def test_level_is_level() -> None:
    """Noise is no growth."""
    assert not growing(life())


def test_each_growth_is_found() -> None:
    """By its name."""
    for name, rate in {"memory": 120, "descriptors": 60, "threads": 20, "disk": 250}.items():
        (line,) = growing(life(**{name: rate}))
        assert name in line


def test_a_process_can_be_weighed(tmp_path: Path) -> None:
    """What this one holds; nothing of one that is gone."""
    (tmp_path / "f").write_bytes(b"x" * 2_000_000)
    found = weigh(os.getpid(), tmp_path, 1.0)
    assert found is not None
    assert (found.disk, found.threads >= 1, found.memory > 10, found.descriptors > 3) == (2.0, True, True, True)
    assert weigh(2**22 + 1, tmp_path, 1.0) is None


def test_the_plan_fills_the_time() -> None:
    """With steps that leave `w` alone, and the network only where there is one."""
    plan = scenario(5, 10.0, "A")
    assert plan == scenario(5, 10.0, "A") != scenario(6, 10.0, "A")
    assert 8 * 60 < sum(sum(step.after) / 2 for step in plan.steps) < 10 * 60
    assert {step.target for step in plan.steps} == {"v", "1"}
    assert not any(step.do in (Do.CUT, Do.DEAFEN) for step in plan.steps)
    assert any(step.do in (Do.CUT, Do.DEAFEN) for step in scenario(5, 10.0, "B").steps)
