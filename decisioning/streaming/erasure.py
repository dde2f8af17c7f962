"""By when nothing of an erased customer is left in Kafka but the marker: the receipt of `customer.erased`.

The engine empties its memory at once. What was said and stored before stays in the logs until Kafka removes it, and
how long that takes follows from how the topics are kept. The `hold` that an erasure brings bears the deadline in the
header `decisioning.erased-by`: not in its payload, because the deadline is a fact of the transport, and the same events
must give the same decisions wherever they are decided.

    kept by age   retention, and the time until its segment is closed (`retention.ms` + `segment.ms`)
    kept by key   until the cleaner must have run over the record that replaced it and over its tombstone
                  (`max.compaction.lag.ms` + `segment.ms` + `delete.retention.ms`)

It holds for what was there before the erasure; what others publish about the customer afterwards has its own time. It
says nothing of the workers' disks: RocksDB rewrites its files when it sees fit (a data directory may be removed at any
time, it is restored from the changelog), nor of copies that consumers of our topics made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from decisioning.decision import Decision, Outcome
from decisioning.instant import SECOND, format_duration, format_instant
from decisioning.streaming.preflight import Configs
from decisioning.streaming.topics import Planned

HEADER: Final = "decisioning.erased-by"
_MS: Final = 1000  # us in a millisecond
_FOREVER: Final = 1 << 62
_DEFAULTS: Final = {
    "cleanup.policy": "delete", "retention.ms": str(7 * 86_400_000), "segment.ms": str(7 * 86_400_000),
    "max.compaction.lag.ms": str(_FOREVER), "delete.retention.ms": str(86_400_000),
}  # fmt: skip
"""Kafka's own, where neither the broker nor the table says anything."""


def traces(planned: Iterable[Planned], configs: Configs | None) -> dict[str, int | None]:
    """For every topic about customers: the milliseconds after which it holds nothing from before; None: never, or the
    broker does not let us know. Without `configs` (embedded broker) the topics count as the table has them."""
    found: dict[str, int | None] = {}
    for row in planned:
        if row.topic.co_partitioned:
            said = row.config if configs is None else configs.get(row.name)
            found[row.name] = None if said is None else _longest(_DEFAULTS | dict(said))
    return found


def within(found: Mapping[str, int | None]) -> int | None:
    """The milliseconds after which no topic holds anything from before; None where some topic never forgets."""
    longest = 0
    for kept in found.values():
        if kept is None:
            return None
        longest = max(longest, kept)
    return longest


def receipt(decision: Decision, now: int, within_ms: int | None) -> tuple[tuple[str, bytes], ...]:
    """The header of an erasure's hold, published at instant `now` (us): the deadline; none for any other decision."""
    if within_ms is None or decision.outcome is not Outcome.HOLD or decision.reason != "dnc.erased":
        return ()
    return ((HEADER, format_instant(now + within_ms * _MS).encode()),)


def render(found: Mapping[str, int | None]) -> str:
    """One line for a person: by when, and which topic takes longest."""
    endless = [name for name, kept in found.items() if kept is None]
    if endless:
        return f"erased customers: never gone from {', '.join(endless)}, as far as the broker tells; set retention.ms"
    longest = max(found, key=lambda name: found[name] or 0)
    return f"erased customers: gone after {_text(found[longest])} at the latest, {longest} being the last"


def _text(kept: int | None) -> str:
    return format_duration(-(-(kept or 0) // 1000) * SECOND)


def _longest(config: Mapping[str, str]) -> int | None:
    kept = int(config["segment.ms"])
    if "compact" in config["cleanup.policy"]:
        kept += int(config["max.compaction.lag.ms"]) + int(config["delete.retention.ms"])
    elif int(config["retention.ms"]) < 0:
        return None
    else:
        kept += int(config["retention.ms"])
    return kept if kept < _FOREVER else None
