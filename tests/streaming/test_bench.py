"""The bench runs the same engine over the demo's days and says what an event costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from decisioning.payload import TYPES
from decisioning.streaming.bench import STAGES, bench_engine
from decisioning.streaming.demo.sample import invoices
from decisioning.streaming.demo.shop import history

RETAIL = Path(__file__).parents[2] / "rules" / "retail.yaml"


def test_every_readable_event_is_measured_in_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """One round handles all events but rubbish, products and unknown types, and no stage costs nothing."""
    assert bench_engine(RETAIL, rounds=1, seed=7, as_json=True, events=5_000) == 0
    found = json.loads(capsys.readouterr().out)
    known = [fact for fact in history(invoices(), 7).facts[:5_000] if fact.type in TYPES and fact.topic != "products"]
    assert 0 < found["events"] <= len(known)
    assert all(found["rounds"][0][stage] > 0 for stage in (*STAGES, "floor", "ratio"))


def test_the_table_names_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads medians with their spread."""
    bench_engine(RETAIL, rounds=2, seed=7, as_json=False, events=5_000)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == [*STAGES, "total", "floor", "ratio"]
