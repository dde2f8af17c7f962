"""What the engine tells itself, as records of the internal topic `relay`, keyed by customer.

A *wake* that fell due; a *sweep* that found live words to take back, or ended holds; an *event* forwarded to the place
where its customer lives, because it came elsewhere or under a subject that has become part of them; and
the three parts of a *move* (`moves`). A header says which. A forwarded event keeps its bytes and headers and counts its
hops, so that two workers that disagree about the place cannot play ball with it for ever; how often it was handed on
to another subject counts apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from decisioning.decision import Trigger
from decisioning.errors import StateUnreadable
from decisioning.moves import Adopted, Claim, Message, Moved
from decisioning.state import dumps, loads
from decisioning.streaming.chassis.job import Output, Record

KIND: Final = "decisioning.relay"
HOPS: Final = "decisioning.hops"
MOVES: Final = "decisioning.moves"
MAX_HOPS: Final = 3
MAX_MOVES: Final = 32
_WAKE: Final = b"wake"
_SWEEP: Final = b"sweep"
EVENT: Final = b"event"
_CLAIM: Final = b"claim"
_MOVED: Final = b"moved"
_ADOPTED: Final = b"adopted"
_OURS: Final = frozenset({KIND, HOPS, MOVES})


class Wake(msgspec.Struct, frozen=True):
    """A promised answer of one customer fell due at the instant `due`."""

    due: int


class Swept(msgspec.Struct, frozen=True):
    """Something of one customer's is over though nothing happened; `cause` is what a recall names as its trigger."""

    cause: str


class Forwarded(NamedTuple):
    """An event that came the long way: its own headers, how often it was forwarded since it was last handed on, and how
    often it was handed on; if ever, its subject is the record's key."""

    headers: Sequence[tuple[str, bytes | None]]
    hops: int
    moves: int = 0


class _Luggage(msgspec.Struct, frozen=True):
    """A move as bytes: the state as it is stored, its version first."""

    state: bytes
    path: tuple[str, ...]
    trigger: Trigger
    now: int
    traceparent: str | None = None


_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_wake: Final = msgspec.json.Decoder(Wake).decode
_swept: Final = msgspec.json.Decoder(Swept).decode
_claim: Final = msgspec.json.Decoder(Claim).decode
_adopted: Final = msgspec.json.Decoder(Adopted).decode
_luggage: Final = msgspec.msgpack.Decoder(_Luggage).decode


def wake(topic: str, lane: int, key: bytes, due: int) -> Output:
    """The record that a due wake becomes; it stays in the lane of its customer."""
    return Output(topic, key, _encode(Wake(due)), ((KIND, _WAKE),), partition=lane)


def sweep(topic: str, lane: int, key: bytes, cause: str) -> Output:
    """The record by which a sweep tells a customer; it stays in the lane of its customer."""
    return Output(topic, key, _encode(Swept(cause)), ((KIND, _SWEEP),), partition=lane)


def tell(topic: str, subject: str, message: Message) -> Output:
    """The record that takes a part of a move to its subject."""
    key = subject.encode()
    if isinstance(message, Moved):
        luggage = _Luggage(dumps(message.state), message.path, message.trigger, message.now, message.traceparent)
        return Output(topic, key, _pack(luggage), ((KIND, _MOVED),))
    return Output(topic, key, _encode(message), ((KIND, _CLAIM if isinstance(message, Claim) else _ADOPTED),))


def forward(topic: str, key: bytes, record: Record, came: Forwarded) -> Output:
    """The record's event on its way to the lane of `key`, its bytes, headers and time as they came."""
    return _on(topic, key, record, came._replace(hops=came.hops + 1))


def hand_on(topic: str, key: bytes, record: Record, came: Forwarded) -> Output:
    """The record's event on its way to another subject, of whom the one that it came under is a part now."""
    return _on(topic, key, record, Forwarded(came.headers, 0, came.moves + 1))


def plain(headers: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    """Headers that can be published: one without a value, which Kafka allows, has an empty one."""
    return tuple((name, content or b"") for name, content in headers)


def read(record: Record) -> Wake | Swept | Message | Forwarded | None:
    """What a relay record carries; None for one that we did not write. StateTooNew where a newer version wrote it."""
    kind = next((content for name, content in reversed(record.headers) if name == KIND), None)
    try:
        if kind == EVENT:
            return _forwarded(record)
        if record.value is None or not (record.key or b"").decode():
            return None
        if kind == _WAKE:
            return _wake(record.value)
        if kind == _SWEEP:
            return _swept(record.value)
        if kind == _CLAIM:
            return _claim(record.value)
        if kind == _ADOPTED:
            return _adopted(record.value)
        if kind == _MOVED:
            found = _luggage(record.value)
            return Moved(loads(found.state), found.path, found.trigger, found.now, found.traceparent)
    except (msgspec.MsgspecError, StateUnreadable, UnicodeDecodeError, ValueError, IndexError):
        return None
    return None


def _on(topic: str, key: bytes, record: Record, came: Forwarded) -> Output:
    ours = ((KIND, EVENT), (HOPS, str(came.hops).encode()), (MOVES, str(came.moves).encode()))
    return Output(topic, key, record.value, (*plain(came.headers), *ours), timestamp=max(record.timestamp, 0))


def _forwarded(record: Record) -> Forwarded | None:
    """Its own headers and the counts; without a count it is none of ours, without moves an older version's."""
    counts = {name: int(content or b"") for name, content in record.headers if name in (HOPS, MOVES)}
    moves = counts.get(MOVES, 0)
    if HOPS not in counts or (moves and not (record.key or b"").decode()):
        return None
    return Forwarded([pair for pair in record.headers if pair[0] not in _OURS], counts[HOPS], moves)
