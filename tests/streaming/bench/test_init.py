"""The bench runs the same engine over the demo's days and the rulebook's cases, and says what an event costs.

The guards compare ratios measured side by side in one run, in times of one thread, so that a busy machine changes them
little; what they allow leaves room for half as much again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from decisioning import engine, event, rulebook
from decisioning.payload import TYPES
from decisioning.streaming import bench
from decisioning.streaming.bench import STAGES, bench_engine
from decisioning.streaming.demo.sample import invoices
from decisioning.streaming.demo.shop import history

RETAIL = Path(__file__).parents[3] / "rules" / "retail.yaml"
BOOK = rulebook.parse(RETAIL.read_bytes(), RETAIL.name)
ENGINE_VS_FLOOR = 8.0
"""The bar; over these days it is 4 to 5."""


def over_the_floor(passes: int = 3) -> float:
    """The least ratio of some passes over the beginning of the recorded days."""
    work = bench.days(7, 3_000)
    found = [bench.one_round(BOOK, work).spent for _ in range(passes)]
    return min(sum(spent[name] for name in bench.WHOLE) / spent["floor"] for spent in found)


def test_an_event_costs_a_few_times_its_floor() -> None:
    """Guard: parse, load, decide, dump and say against orjson over the same bytes."""
    assert over_the_floor() < ENGINE_VS_FLOOR


def test_the_guard_notices_an_engine_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: every event is decided six times."""
    decide = engine.on_event

    def slowly(*asked: Any) -> engine.Step:
        return [decide(*asked) for _ in range(6)][-1]

    monkeypatch.setattr(engine, "on_event", slowly)
    assert over_the_floor(1) > ENGINE_VS_FLOOR


def test_every_readable_event_is_measured_in_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """One round handles all events but rubbish, products and unknown types, and no stage costs nothing."""
    assert bench_engine(RETAIL, rounds=1, seed=7, as_json=True, events=5_000, customers=None) == 0
    found = json.loads(capsys.readouterr().out)
    known = [fact for fact in history(invoices(), 7).facts[:5_000] if fact.type in TYPES and fact.topic != "products"]
    assert 0 < found["days"]["events"] <= len(known)
    assert found["cases"]["events"] > 100
    for work in ("days", "cases"):
        assert all(found[work]["rounds"][0][stage] > 0 for stage in (*STAGES, "floor", "ratio"))
    assert found["ratios"]["engine_vs_floor"] > 1


def test_the_table_names_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads medians with their spread."""
    bench_engine(RETAIL, rounds=2, seed=7, as_json=False, events=3_000, customers=None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[3 : 3 + len(STAGES) + 3]] == [*STAGES, "total", "floor", "ratio"]


def test_a_played_case_is_told_in_bytes_that_can_be_read() -> None:
    """The events of the cases, responses to what was really said among them."""
    runs = bench.played(BOOK, RETAIL.with_suffix(".cases.yaml"))
    told = [event.parse(value) for run in runs for value in run]
    assert {"contact.requested", "purchase.completed", "response.failed"} <= {one.type for one in told}
    assert bench.as_bytes(told[0]) == runs[0][0]
