"""What the engine tells itself, as records of the internal topic `relay`, keyed by customer.

Two kinds so far: a *wake* that fell due, and an *event* forwarded to the place where its customer lives (contract.md,
section 1). A header says which; a forwarded event keeps its bytes and headers and counts its hops, so that two workers
that disagree about the place cannot play ball with it for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from decisioning.streaming.chassis.job import Output, Record

KIND: Final = "decisioning.relay"
HOPS: Final = "decisioning.hops"
MAX_HOPS: Final = 3
_WAKE: Final = b"wake"
_EVENT: Final = b"event"


class Wake(msgspec.Struct, frozen=True):
    """A promised answer of one customer fell due at the instant `due`."""

    due: int


class Forwarded(NamedTuple):
    """An event that came the long way: its own headers, and how often it was forwarded."""

    headers: Sequence[tuple[str, bytes | None]]
    hops: int


_decode: Final = msgspec.json.Decoder(Wake).decode
_encode: Final = msgspec.json.Encoder().encode


def wake(topic: str, lane: int, key: bytes, due: int) -> Output:
    """The record that a due wake becomes; it stays in the lane of its customer."""
    return Output(topic, key, _encode(Wake(due)), ((KIND, _WAKE),), partition=lane)


def forward(topic: str, key: bytes, record: Record, came: Forwarded) -> Output:
    """The record's event on its way to the lane of `key`, its bytes, headers and time as they came."""
    ours = ((KIND, _EVENT), (HOPS, str(came.hops + 1).encode()))
    return Output(topic, key, record.value, (*plain(came.headers), *ours), timestamp=max(record.timestamp, 0))


def plain(headers: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    """Headers that can be published: one without a value, which Kafka allows, has an empty one."""
    return tuple((name, content or b"") for name, content in headers)


def read(record: Record) -> Wake | Forwarded | None:
    """What a relay record carries; None for one that we did not write."""
    kinds = [content for name, content in record.headers if name == KIND]
    try:
        if kinds[-1:] == [_WAKE] and record.value is not None:
            return _decode(record.value)
        if kinds[-1:] == [_EVENT]:
            hops = [int(content or b"") for name, content in record.headers if name == HOPS]  # none: no number
            return Forwarded([pair for pair in record.headers if pair[0] not in (KIND, HOPS)], hops[-1])
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, IndexError):
        return None
    return None
