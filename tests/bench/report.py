"""Rows into figures: medians with their spread, ratios within one round, a table and the JSON object."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from tests.bench.engine import Promise
from tests.bench.world import Row

RATIOS: Final = (
    "chassis_vs_plain", "chassis_vs_faust", "chassis_vs_quix", "chassis_vs_kafka_streams", "worker_vs_plain",
    "worker_p99_vs_plain", "engine_vs_floor", "rules_1000_vs_10", "restore_vs_faust",
)  # fmt: skip
_SPEED: Final = ("throughput", "events_per_s")
_AT: Final = 1000
_SHOWN: Final[Mapping[str, Sequence[str]]] = {
    "throughput": ("events_per_s", "events", "cpu_us", "broker_cpu_us", "first_s", "rss_mb"),
    "latency": ("p50_ms", "p99_ms", "p999_ms", "max_ms", "answers", "unanswered", "busy", "broker_busy", "load_busy"),
    "restore": ("seconds", "cpu_s", "records"),
    "failover": ("seconds",),
    "scale": ("events_per_s", "cpu_us", "broker_cpu_us", "cores"),
    "memory": ("customers", "rss_mb", "rss_restored_mb", "disk_mb", "state_bytes", "restore_s", "events_per_s"),
}


def ratios(rows: Iterable[Row], engine: Mapping[str, float | None]) -> dict[str, float | None]:
    """The ratios of the issue's bars; None for what was not measured. `engine` are those of the pure engine."""
    found = list(rows)

    def rate(one: str, other: str) -> float | None:
        return _ratio(found, *_SPEED, one, other)

    def at_1000(row: Row) -> bool:
        return row.figures["rate"] == _AT

    return {
        "chassis_vs_plain": rate("chassis", "plain"),
        "chassis_vs_faust": rate("chassis", "faust"),
        "chassis_vs_quix": rate("chassis", "quix linger 0"),
        "chassis_vs_kafka_streams": rate("chassis", "streams linger 0"),
        "worker_vs_plain": rate("worker", "plain"),
        "worker_p99_vs_plain": _ratio(found, "latency", "p99_ms", "worker", "plain", at_1000),
        "engine_vs_floor": engine.get("engine_vs_floor"),
        "rules_1000_vs_10": engine.get("rules_1000_vs_10"),
        "restore_vs_faust": _ratio(found, "restore", "seconds", "faust", "chassis"),
    }


def _ratio(
    rows: Sequence[Row], part: str, figure: str, one: str, other: str, where: Callable[[Row], bool] = lambda row: True
) -> float | None:
    """The median over the rounds of one engine's figure by the other's in the same round."""
    by_round: dict[int, dict[str, float]] = {}
    for row in rows:
        if row.part == part and row.engine in (one, other) and where(row):
            by_round.setdefault(row.round, {})[row.engine] = row.figures[figure]
    found = [both[one] / both[other] for both in by_round.values() if len(both) == 2 and both[other]]
    return round(statistics.median(found), 3) if found else None


def as_json(rows: Sequence[Row], engine: Mapping[str, float | None]) -> dict[str, Any]:
    """The object that `--json` writes."""
    memory = [row.figures["rss_mb"] for row in rows if row.part == "memory" and row.figures["customers"] >= 1e6]
    return {
        "ratios": ratios(rows, engine),
        "rss_mb_1m_customers": statistics.median(memory) if memory else None,
        "rounds": [row._asdict() for row in rows],
    }


def table(rows: Sequence[Row], promises: Mapping[str, Promise]) -> str:
    """Everything for a person: what each engine promises, then a table a part."""
    parts = [("engine", *Promise._fields), *((name, *promise) for name, promise in promises.items())]
    shown = ["what each engine promises", aligned(parts)]
    for part, names in _SHOWN.items():
        mine = [row for row in rows if row.part == part]
        if mine:
            shown += ["", f"{part}: median (lowest to highest)", aligned(_lines(mine, names))]
    return "\n".join(shown)


def _lines(rows: Sequence[Row], names: Sequence[str]) -> list[tuple[str, ...]]:
    kinds: dict[tuple[str, float, float], list[Row]] = {}
    for row in rows:
        kind = (row.engine, row.figures.get("rate", 0), row.figures.get("members", 0))
        kinds.setdefault(kind, []).append(row)
    lines = [("engine", *names, "rounds", "load")]
    for (engine, rate, members), found in sorted(kinds.items(), key=lambda kind: kind[0][1]):
        label = engine + (f" at {rate:.0f}/s" if rate else "") + (f" x {members:.0f}" if members else "")
        cells = [_cell([row.figures[name] for row in found]) for name in names]
        loads = [row.load for row in found]
        lines.append((label, *cells, str(len(found)), f"{min(loads):.1f}..{max(loads):.1f}"))
    return lines


def _cell(found: Sequence[float]) -> str:
    middle = _number(statistics.median(found))
    return middle if min(found) == max(found) else f"{middle} ({_number(min(found))}..{_number(max(found))})"


def _number(found: float) -> str:
    return f"{found:,.0f}" if found >= 1000 else f"{found:g}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns, headings first."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    cells = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in cells)
