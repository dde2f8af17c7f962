"""A worker that dies at each step of a slice in turn: nothing is said before it is remembered, nothing is lost."""

from __future__ import annotations

import signal

import pytest

from decisioning.streaming.chassis.steps import Step
from tests.streaming.chassis.harness import Cluster

_SHARE = 60


@pytest.mark.parametrize("wiped", [False, pytest.param(True, marks=pytest.mark.long)])
def test_death_at_every_step_loses_and_tears_nothing(cluster: Cluster, wiped: bool) -> None:
    """Killed at each step, store kept or wiped: all answered, one payload an id, states exact in log and store."""
    sent = 0
    for step in Step:
        worker = cluster.worker(die_at=[step.name, 2], commit_ms=20)
        for i in range(sent, sent + _SHARE):
            event: dict[str, object] = {"id": f"e{i}"}
            if i % 13 == 7:
                event["forget"] = True
            cluster.send("ab"[i % 11 % 2], f"k{i % 11}", event)
        sent += _SHARE
        cluster.flush()
        assert worker.exit_code(30) == -signal.SIGKILL, f"{step}: {worker.errors}"
        if wiped:
            cluster.wipe()
    worker = cluster.worker().ready()
    outputs = cluster.answered(sent)
    assert worker.term() == 0, worker.errors
    print(f"{sent} records, {len(Step)} deaths, {len(outputs) - sent} outputs repeated")
    cluster.check(cluster.read("a") + cluster.read("b"), outputs)
