"""What a worker looks after while it runs, on whole workers; the disk is test_disk.py's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from decisioning.streaming.chassis import guards
from tests.streaming.chassis.harness import Cluster

FETCH = 1
NOT_LEADER = 6


def test_a_worker_that_is_given_nothing_ends(cluster: Cluster) -> None:
    """Every fetch is refused with an error that aiokafka meets with another try: code 75 and the partition (T28)."""
    worker = cluster.worker(stall_seconds=2.0).ready()
    cluster.fail(FETCH, NOT_LEADER, 100_000)
    cluster.send("a", "k", {"id": "e0"})
    cluster.flush()
    assert worker.exit_code(30) == 75, worker.errors
    line = worker.errors.splitlines()[-1]
    assert line.startswith("crash 75: a[")
    assert line.endswith("has records from offset 0 on, but for 2 s nothing of it was fetched; a restart fetches them")


async def test_the_group_is_asked_and_the_answer_noted() -> None:
    """What the consumer's thread raises comes out, and until then each answer is a beat of both loops."""
    answers = iter([None, None])

    async def check() -> None:
        try:
            next(answers)
        except StopIteration:
            raise TimeoutError("it has to be joined again") from None

    thread = SimpleNamespace(check_group=check)
    app = SimpleNamespace(should_stop=False, consumer=SimpleNamespace(_thread=thread), checked_at=0.0)
    with pytest.raises(TimeoutError, match="joined again"):
        await guards.check_group(app)
    assert app.checked_at > 0
