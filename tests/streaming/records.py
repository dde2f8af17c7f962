"""Records as the consumer hands them over, written the way one reads them aloud."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from decisioning.streaming.topics import partition_of

PARTITIONS = 4


class Rec(NamedTuple):
    """A fetched record; the defaults are a well-routed event of customer c-1."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def event(type_: str, time: str = "2026-03-02T10:00:00Z", *, of: str = "c-1", id_: str = "e-1", **data: Any) -> bytes:
    """A structured CloudEvent."""
    return json.dumps(
        {"specversion": "1.0", "id": id_, "source": "/t", "type": type_, "time": time, "subject": of, "data": data}
    ).encode()


def record(value: bytes | None, *, topic: str = "customers", key: bytes | None = b"c-1", offset: int = 0) -> Rec:
    """A record on the partition of its key."""
    lane = partition_of(key, PARTITIONS) if key is not None else 0
    return Rec(topic, lane, offset, 1_772_445_600_000, key, value)
