"""Two workers of one group on the same machine, against one."""

from __future__ import annotations

import threading
from typing import Final

from tests.bench.engine import Engine, Process
from tests.bench.load import fill
from tests.bench.throughput import measured, watch
from tests.bench.worker import FullWorker
from tests.bench.world import Row, World, row, trivial

_JOIN_SECONDS: Final = 5.0
_WARM: Final = 0.1


def scale(world: World, label: str, engine: Engine, members: int, round_: int) -> Row:
    """Members that have joined are paused, the backlog is filled, and they go on at once, each with its share."""
    full = isinstance(engine, FullWorker)
    run = world.run(engine, "recorded" if full else None)
    if isinstance(engine, FullWorker):
        world.history(engine, run, 0)
    processes: list[Process] = []
    try:
        for member in range(members):
            processes += [engine.start(run, world.guard, member + 1)]
        threading.Event().wait(_JOIN_SECONDS)
        for process in processes:
            process.check()
            process.pause()
        events = min(world.size.events, engine.events or world.size.events)
        backlog = world.recorded[:events] if full else trivial(run.source, world.size.customers, events)
        fill(world.kafka.inside, backlog)
        for process in processes:
            process.resume()
        looks = watch(world, engine, run, processes, events)
        figures = measured(looks, _WARM)
        cores = (figures["cpu_us"] + figures["broker_cpu_us"]) * figures["events_per_s"] / 1e6
        return row("scale", label, round_, members=members, **figures, cores=round(cores, 2))
    finally:
        for process in processes:
            process.kill()
        world.forget(run)
