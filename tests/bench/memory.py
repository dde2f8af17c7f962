"""The worker with very many customers on its disk: what it holds in memory and there, and how it restores them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from decisioning.instant import SECOND, format_instant
from tests.bench.engine import Engine, Run
from tests.bench.load import Live, Sent, fill
from tests.bench.recorded import Kept, kept, name, newest, remembered
from tests.bench.throughput import measured, watch
from tests.bench.worker import FullWorker
from tests.bench.world import Row, World, row

_PATIENCE: Final = 300.0
_ASKED: Final = 60_000
_REQUEST: Final = (
    b'{"specversion":"1.0","id":"%b","source":"/crm","type":"contact.requested","time":"%b","subject":"%b","data":'
    b'{"request_id":"%b","candidates":[{"action":"newsletter","class":"marketing","channels":["email","push"]}]}}'
)


def memory(world: World, label: str, engine: Engine, round_: int) -> Row:
    """Restore them all from nothing, then ask about customers at random, as fast as it answers."""
    assert isinstance(engine, FullWorker)
    run = world.run(engine, "recorded")
    world.sources(engine)
    states, customers = remembered(1.0), world.size.kept
    fill(world.kafka.inside, changelog(engine.changelog(run), states, customers))
    asked = list(requests(states, customers))
    fill(world.kafka.inside, asked[:1])
    live = Live(world.kafka.inside, run.decisions, engine.mark)
    begun = time.perf_counter()
    process = engine.start(run, world.guard)
    try:
        live.pace(iter(asked[1:]), 20, _PATIENCE, until=lambda: bool(live.answered))
        assert live.answered, process.output[-2000:]
        seconds = time.perf_counter() - begun
        restored = process.resident
        at = len(live.answered) * 1000
        fill(world.kafka.inside, asked[at:])
        looks = watch(world, engine, run, [process], len(asked) - at)
        resident = max(process.resident, restored)
        figures = measured(looks, 0.1)
    finally:
        live.close()
        process.stop()
    found = row(
        "memory", label, round_, customers=customers, rss_mb=round(resident / 1e6, 1),
        rss_restored_mb=round(restored / 1e6, 1), disk_mb=round(disk(run) / 1e6, 1), restore_s=round(seconds, 2),
        state_bytes=statistics.median(len(one.body) for one in states), events_per_s=figures["events_per_s"],
    )  # fmt: skip
    world.forget(run)
    return found


def changelog(topic: str, states: list[Kept], customers: int) -> Iterator[Sent]:
    """The changelog records of so many customers, copies of these under other names."""
    for number in range(customers):
        one = states[number % len(states)]
        yield kept(topic, one, name(one.subject, number))


def requests(states: list[Kept], customers: int) -> Iterator[Sent]:
    """Requests about customers at random, one a millisecond after the newest of all states."""
    draw, clock = Random(7), newest(states) + SECOND
    for count in range(_ASKED):
        number = draw.randrange(customers)
        key, id_ = name(states[number % len(states)].subject, number), b"asked-%d" % count
        at = format_instant(clock + count * 1000).encode()
        yield Sent("contact-requests", key, _REQUEST % (id_, at, key, id_), id_)


def disk(run: Run) -> int:
    """Bytes of the run's local stores."""
    return sum(path.stat().st_size for path in Path(run.data()).rglob("*") if path.is_file())
