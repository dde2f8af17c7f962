"""From the kill of an engine to the first answer to an event that was published after it."""

from __future__ import annotations

import time
from typing import Final

from tests.bench.engine import Engine
from tests.bench.latency import begin
from tests.bench.load import Live
from tests.bench.worker import FullWorker
from tests.bench.world import Row, World, row, trivial

_RATE: Final = 200
_BEFORE: Final = 3.0
_PATIENCE: Final = 90.0


def failover(world: World, label: str, engine: Engine, round_: int) -> Row:
    """Kill it at a steady pace and start it again at once, as a supervisor does, on the store that it left."""
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
        live.pace(events, _RATE, _BEFORE)
        process.kill()
        killed = time.perf_counter()
        process = engine.start(run, world.guard)
        answered = live.answered
        known = len(answered)

        def back() -> bool:
            return any(one.asked > killed for one in answered[known:])

        live.pace(events, _RATE, _PATIENCE, until=back)
        assert back(), "nothing new was answered"
        seconds = next(one.asked + one.taken for one in answered[known:] if one.asked > killed) - killed
        return row("failover", label, round_, seconds=round(seconds, 2))
    finally:
        if live is not None:
            live.close()
        process.kill()
        world.forget(run)
