"""From an empty local store to answers on every partition, through a changelog that was written before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import orjson

from tests.bench.engine import PARTITIONS, Engine, Run
from tests.bench.job import state
from tests.bench.load import Live, Sent, fill
from tests.bench.world import Row, World, row, trivial

_PATIENCE: Final = 300.0
_PROBES: Final = 44
_RATE: Final = 20


def restore(world: World, label: str, engine: Engine, rounds: int) -> Iterator[Row]:
    """Several starts with nothing on disk, each in a group of its own: a member that is gone is not waited for."""
    for number in range(1, rounds + 1):
        run = world.run(engine)
        try:
            fill(world.kafka.inside, _changelog(world, engine, run))
            yield _once(world, label, engine, run, number)
        finally:
            world.forget(run)


def _changelog(world: World, engine: Engine, run: Run) -> Iterator[Sent]:
    for version in range(1, world.size.versions + 1):
        body = state(version)
        for number in range(world.size.states):
            key, value = engine.record(b"c%d" % number, body)
            yield Sent(engine.changelog(run), key, value, None)


def _once(world: World, label: str, engine: Engine, run: Run, round_: int) -> Row:
    live = Live(world.kafka.inside, run.decisions, engine.mark)
    probes = trivial(run.source, world.size.states, first=round_ * world.size.states)
    process = None
    try:
        live.pace(probes, 1000, _PROBES / 1000)
        begun = time.perf_counter()
        process = engine.start(run, world.guard)
        live.pace(probes, _RATE, _PATIENCE, until=lambda: len({one.partition for one in live.answered}) == PARTITIONS)
        seconds = time.perf_counter() - begun
        process.check()
        cpu = process.cpu
        _check(world, live, round_)
        return row("restore", label, round_, seconds=round(seconds, 2), cpu_s=round(cpu, 2),
                   records=world.size.states * world.size.versions)  # fmt: skip
    finally:
        live.close()
        if process is not None:
            process.kill()


def _check(world: World, live: Live, round_: int) -> None:
    """Every answer counts on from what was in the changelog, and from nothing less."""
    assert live.answered, "nothing was answered"
    for one in live.answered:
        found = orjson.loads(one.value)
        assert found["n"] > world.size.versions, f"round {round_}: {one.value!r} forgets what the changelog knew"
