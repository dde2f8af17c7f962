"""The regression guard: a short run whose ratios must not fall below a generous part of what they are.

Ratios, because machines differ; the best of three rounds, because others use them, too. Each bound is about half of
what is measured, so that it catches a mistake and not a mood: raise it when the engines have become faster.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.bench.chassis import Chassis
from tests.bench.plain import Plain
from tests.bench.report import aligned
from tests.bench.throughput import throughput
from tests.bench.worker import FullWorker
from tests.bench.world import Size, World

SIZE: Final = Size(60_000, 6_000)
ROUNDS: Final = 3


class Bound(NamedTuple):
    """What a ratio to the plain loop must not fall below."""

    name: str
    least: float


BOUNDS: Final = (Bound("chassis", 0.5), Bound("worker", 0.03))


def guard(world: World) -> int:
    """Measure and compare; the exit code."""
    engines = {"plain": Plain(), "chassis": Chassis(), "worker": FullWorker(events=10_000)}
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for round_ in range(ROUNDS):
        for name, engine in engines.items():
            rates[name].append(throughput(world, name, engine, round_).figures["events_per_s"])
    lines, code = [("ratio", "least", "found in each round", "")], 0
    for name, least in BOUNDS:
        found = [one / plain for one, plain in zip(rates[name], rates["plain"], strict=True)]
        slow = max(found) < least
        code |= slow
        verdict = "SLOWER THAN ALLOWED" if slow else "fine"
        lines.append((f"{name}_vs_plain", f"{least:g}", ", ".join(f"{one:.2f}" for one in found), verdict))
    print(aligned(lines))
    return code
