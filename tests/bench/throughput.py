"""A backlog: how many events a second, from its tenth part to its end."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from tests.bench.engine import Engine, Process, Run
from tests.bench.load import Ends
from tests.bench.worker import FullWorker
from tests.bench.world import Row, World, row

_PATIENCE: Final = 60.0
_IDLE: Final = 10.0
_LOOKS: Final = 0.1
_WARM: Final = 0.1


class Look(NamedTuple):
    """What there is to be seen at an instant."""

    at: float
    handled: int
    app: float
    broker: float


def throughput(world: World, label: str, engine: Engine, round_: int) -> Row:
    """One run over the backlog."""
    events = min(world.size.events, engine.events or world.size.events)
    run = world.run(engine, world.backlog() if not isinstance(engine, FullWorker) else "recorded")
    if isinstance(engine, FullWorker):
        world.history(engine, run, events)
    begun = time.perf_counter()
    process = engine.start(run, world.guard)
    try:
        looks = watch(world, engine, run, [process], events)
        figures = measured(looks, _WARM)
        first = next(look.at for look in looks if look.handled) - begun
        memory = process.resident / 1e6
    finally:
        process.kill()
        world.forget(run)
    return row("throughput", label, round_, **figures, first_s=round(first, 2), rss_mb=round(memory, 1))


def watch(world: World, engine: Engine, run: Run, processes: list[Process], wanted: int) -> list[Look]:
    """Look again and again until so many events are handled, or nothing moves any more."""
    ends = Ends(world.kafka.inside, run.decisions)
    looks: list[Look] = []
    moved = time.perf_counter()
    try:
        while True:
            answers = ends.count()
            handled = sum(engine.handled(process, answers) for process in processes)
            if not isinstance(engine, FullWorker):
                handled = answers
            now = time.perf_counter()
            if looks and handled > looks[-1].handled:
                moved = now
            for process in processes:
                process.check()
            looks.append(Look(now, handled, sum(process.cpu for process in processes), world.broker_cpu))
            if handled >= wanted or now - moved > (_IDLE if looks[-1].handled else _PATIENCE):
                return looks
            time.sleep(_LOOKS)
    finally:
        ends.close()


def measured(looks: list[Look], warm: float) -> dict[str, float]:
    """Events a second, and the processor microseconds of engine and broker for each of them."""
    last = max(look.handled for look in looks)
    start = next(look for look in looks if look.handled >= last * warm)
    end = next(look for look in looks if look.handled == last)
    events, seconds = end.handled - start.handled, end.at - start.at
    return {
        "events_per_s": round(events / seconds),
        "events": end.handled,
        "cpu_us": round((end.app - start.app) / events * 1e6, 1),
        "broker_cpu_us": round((end.broker - start.broker) / events * 1e6, 1),
    }
