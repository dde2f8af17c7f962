"""Ready is who decides now: what troubles a worker, and what does not."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from decisioning.streaming.chassis.progress import Progress
from decisioning.streaming.metrics import Labels, Metrics, Part
from decisioning.streaming.vitals import SILENT_SECONDS, Signs, Vitals, gauge, ready

SESSION = 10.0


def at_work(**more: Any) -> Progress:
    """A worker that is well, with these differences."""
    return Progress((0, 1), restored=True, lag={("orders", 0): 2}, commit_age=0.5)._replace(**more)


def vitals() -> Vitals:
    """Looked at for the first time at second 0."""
    return Vitals(SESSION, commits=1.0, began=0.0)


def test_a_worker_that_is_well_has_no_trouble() -> None:
    """Busy or idle."""
    seen = vitals()
    assert seen.look(Signs(at_work()), 1) == frozenset()
    assert seen.look(Signs(at_work(busy=True)), 2) == frozenset()
    assert ready(frozenset())


@pytest.mark.parametrize(
    ("signs", "part"),
    [
        (Signs(at_work(), silent_for=SILENT_SECONDS + 1), Part.BROKER),
        (Signs(at_work(), reading=True), Part.CATALOGUE),
        (Signs(at_work(restored=False, remaining=7)), Part.LANES),
        (Signs(at_work(), full=True), Part.DISK),
        (Signs(at_work(commit_age=SILENT_SECONDS + 1)), Part.PROGRESS),
    ],
)
def test_what_keeps_a_worker_from_deciding_makes_it_unready(signs: Signs, part: Part) -> None:
    """One sign, one part, named."""
    trouble = vitals().look(signs, 1)
    assert trouble == {part}
    assert not ready(trouble)


def test_a_refused_rulebook_is_trouble_but_the_last_good_one_decides() -> None:
    """Taking traffic away would not help: every worker has the same one."""
    trouble = vitals().look(Signs(at_work(), refused=True), 1)
    assert trouble == {Part.RULEBOOK}
    assert ready(trouble)


def test_work_that_gets_nowhere_makes_it_unready_until_something_is_finished() -> None:
    """Long before the watchdog would end it; being busy for long is no trouble while things get finished."""
    seen = vitals()
    for second in range(1, 30):
        assert seen.look(Signs(at_work(busy=True, finished=float(second))), second) == frozenset()
    stuck = at_work(busy=True, finished=29.0)
    troubled = [second for second in range(30, 50) if seen.look(Signs(stuck), second)]
    assert troubled
    assert troubled[0] <= 30 + SILENT_SECONDS + 1
    assert seen.look(Signs(stuck._replace(finished=50.0)), 50) == frozenset()
    assert seen.look(Signs(stuck._replace(busy=False)), 51) == frozenset()


def test_commits_may_be_as_rare_as_they_are_asked_for() -> None:
    """A worker told to commit once a minute is well half a minute after a commit."""
    assert Vitals(SESSION, 60, 0.0).look(Signs(at_work(commit_age=30)), 1) == frozenset()


def test_after_standing_still_longer_than_its_session_a_worker_doubts_that_its_lanes_are_its_own() -> None:
    """A paused worker may be superseded and not know it (T15): it takes no traffic until something of its own is
    acknowledged, or the group has had a session's time to disown it."""
    seen = vitals()
    assert seen.look(Signs(at_work(finished=1)), 1) == frozenset()
    assert seen.look(Signs(at_work(finished=1)), 12) == {Part.LEASE}
    assert seen.look(Signs(at_work(finished=1)), 13) == {Part.LEASE}
    assert seen.look(Signs(at_work(finished=2)), 14) == frozenset()
    assert seen.look(Signs(at_work(finished=2)), 30) == {Part.LEASE}
    assert seen.look(Signs(at_work(finished=2)), 39) == {Part.LEASE}
    assert seen.look(Signs(at_work(finished=2)), 40) == frozenset()


def test_a_worker_that_stood_still_is_given_time_to_finish() -> None:
    """What it had begun is old by then, which is nobody's fault."""
    seen = vitals()
    for second in (1, 2):
        seen.look(Signs(at_work(busy=True, finished=1)), second)
    assert Part.PROGRESS not in seen.look(Signs(at_work(busy=True, finished=1)), 100)
    assert Part.PROGRESS not in seen.look(Signs(at_work(busy=True, finished=1)), 105)


async def test_levels_are_shown() -> None:
    """Each second: what the signs say becomes gauges, rebalances a counter."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, Labels([], [], [], ["orders"]))
    seen = Vitals(SESSION, 1.0, time.monotonic())
    progress = at_work(lag={("orders", 0): 2, ("orders", 1): 3}, remaining=9, rebalances=2, keys=40, size=512)
    task = asyncio.create_task(gauge(metrics, lambda: Signs(progress, free=7, refused=True), seen, ("orders",)))
    await asyncio.sleep(0)
    task.cancel()
    shown = {
        name: registry.get_sample_value(f"decisioning_{name}")
        for name in ("ready", "lanes", "restore_remaining_records", "rebalances_total", "store_customers",
                     "store_bytes", "disk_free_bytes", "commit_age_seconds")
    }  # fmt: skip
    assert shown == {
        "ready": 1, "lanes": 2, "restore_remaining_records": 9, "rebalances_total": 2, "store_customers": 40,
        "store_bytes": 512, "disk_free_bytes": 7, "commit_age_seconds": 0.5,
    }  # fmt: skip
    assert registry.get_sample_value("decisioning_lag_records", {"topic": "orders"}) == 5
    assert registry.get_sample_value("decisioning_trouble", {"part": "rulebook"}) == 1
    assert registry.get_sample_value("decisioning_trouble", {"part": "disk"}) == 0
