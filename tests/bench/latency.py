"""The time from publishing an event to reading its answer, at a steady pace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from tests.bench.engine import Engine, Process
from tests.bench.load import Live, Sent, quantile
from tests.bench.worker import FullWorker
from tests.bench.world import Row, World, row, trivial

_PATIENCE: Final = 60.0
_WARM_SECONDS: Final = 2.0
_WARM_RATE: Final = 1000
_SETTLE: Final = 5.0


def latency(world: World, label: str, engine: Engine, round_: int) -> list[Row]:
    """One run over all rates, a row each; before the first, the engine has been busy for a while."""
    full = isinstance(engine, FullWorker)
    run = world.run(engine, "recorded" if full else None)
    if isinstance(engine, FullWorker):
        world.history(engine, run, 0)
    process = engine.start(run, world.guard)
    live = None
    try:
        live = Live(world.kafka.inside, run.decisions, engine.mark)
        events = iter(world.recorded) if full else trivial(run.source, world.size.customers)
        begin(live, events)
        rows = []
        for rate, seconds in world.size.rates:
            begun, used = time.perf_counter(), _used(world, process)
            figures = paced(live, events, rate, seconds)
            taken = time.perf_counter() - begun
            busy = {name: round((cpu - used[name]) / taken, 3) for name, cpu in _used(world, process).items()}
            rows.append(row("latency", label, round_, rate=rate, **figures, **busy))
        process.check()
        return rows
    finally:
        if live is not None:
            live.close()
        process.kill()
        world.forget(run)


def _used(world: World, process: Process) -> dict[str, float]:
    """Processor seconds of all who take part: below the machine's cores together, or somebody waits for a core."""
    return {"busy": process.cpu, "broker_busy": world.broker_cpu, "load_busy": time.process_time()}


def begin(live: Live, events: Iterator[Sent]) -> None:
    """Ask until there is an answer, then keep the engine busy for a moment."""
    live.pace(events, 100, _PATIENCE, until=lambda: bool(live.answered))
    assert live.answered, "nothing was answered"
    live.pace(events, _WARM_RATE, _WARM_SECONDS)
    live.settle(_SETTLE)


def paced(live: Live, events: Iterator[Sent], rate: int, seconds: float) -> dict[str, float]:
    """Milliseconds at this pace, the first tenth left out, and how many were unanswered in the end."""
    live.answered.clear()
    begun = time.perf_counter()
    live.pace(events, rate, seconds)
    left = live.settle(_SETTLE)
    found = sorted(one.taken for one in live.answered if one.asked - begun > seconds / 10)
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}
    return {
        **{name: round(quantile(found, share) * 1000, 2) for name, share in shares.items()},
        "max_ms": round(found[-1] * 1000, 2),
        "answers": len(found),
        "unanswered": left,
    }
