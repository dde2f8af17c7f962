"""Recovery in the right order; that nothing is lost by it is shown by whole workers (test_transport, test_faults)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from decisioning.streaming.chassis.recovery import Flow, Recovery


def test_resuming_a_flow_that_flows_clears_nothing() -> None:
    """Faust resumes again and again, and empties its queues each time: here only where flow was suspended (T1, T45)."""
    flow = Flow()
    cleared: list[str] = []
    queue = Queue(cleared)  # Flow itself holds it only weakly
    flow.manage_queue(queue)
    flow.resume()
    assert cleared == ["queue"]
    flow.resume()
    assert cleared == ["queue"]
    flow.suspend()
    flow.resume()
    assert cleared == ["queue", "queue"]


class Queue:
    """A queue that notes when it is cleared."""

    def __init__(self, cleared: list[str]) -> None:
        self._cleared = cleared

    def clear(self) -> None:
        """Note it."""
        self._cleared.append("queue")


async def test_lanes_open_before_anything_is_fetched() -> None:
    """Buffers flushed, lanes opened (which seeks), then flow, then the sources: T1 is any other order."""
    steps: list[str] = []

    def step(name: str) -> Any:
        return lambda *_: steps.append(name)

    async def open_lanes(sources: Any) -> None:
        steps.append("open")

    async def nothing(*_: Any) -> None:
        return None

    consumer = SimpleNamespace(
        sources=set, resume_flow=step("flow"), resume_partitions=step("fetch"), assignment=set,
    )  # fmt: skip
    app = SimpleNamespace(
        conf=SimpleNamespace(stream_recovery_delay=0, broker_request_timeout=5), consumer=consumer,
        on_rebalance_complete=SimpleNamespace(send=nothing), consumer_generation_id=3, open_lanes=open_lanes,
        flow_control=SimpleNamespace(resume=step("resume")), _fetcher=SimpleNamespace(maybe_start=nothing),
        assignor=SimpleNamespace(assigned_standbys=set), on_rebalance_end=step("end"), on_lanes_open=step("ready"),
        in_recovery=True,
    )  # fmt: skip
    tables = SimpleNamespace(values=list, on_actives_ready=step("actives"), on_standbys_ready=step("standbys"))
    recovery = Recovery(app, tables)
    await recovery.on_recovery_completed(generation_id=2)
    assert steps == [], "of an old generation nothing is opened"
    await recovery.on_recovery_completed(generation_id=3)
    assert steps[:4] == ["open", "resume", "flow", "fetch"]
    assert steps[-1] == "ready"
