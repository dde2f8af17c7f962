"""What could not be read: the record as it came, with headers that say why, ready to be mended and replayed.

The shape is Kafka Streams' (KIP-1034: `__streams.errors.*`, all values UTF-8 strings), which Kafka user interfaces
know, and two headers of our own: `decisioning.error.stage` and `.code`. Key, value, timestamp and headers stay as they
were; a name that the sender used too comes twice, and the last one counts. Only what would not fit on the topic is cut,
and `decisioning.error.cut` says so. No header of ours repeats a value of the event (guarantee 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from decisioning.errors import EventRejected, Fault
from decisioning.streaming.chassis.job import Output, Record

MEANING: Final[Mapping[Fault, str]] = {
    Fault.TOMBSTONE: "The record has no value, on a topic where only events have a meaning.",
    Fault.TOO_LARGE: "The value is larger than this installation takes.",
    Fault.NOT_JSON: "The value is not JSON in UTF-8.",
    Fault.NOT_AN_EVENT: "The value is JSON, but no CloudEvent 1.0.",
    Fault.NO_TIME: "The event does not say when it happened.",
    Fault.NO_SUBJECT: "The event does not say whom it concerns.",
    Fault.MISSING_FIELD: "A field that the event's type requires is missing.",
    Fault.WRONG_TYPE: "A field has another type, or another value, than the event's type allows.",
    Fault.FUTURE_TIME: "The event lies more than five minutes in the future.",
    Fault.HOP_LIMIT: "The event was forwarded too often without arriving: workers disagree about its place.",
}
"""The closed list of codes, each with one sentence for whoever opens the topic."""

_MESSAGE_LIMIT: Final = 1000


class Stage(StrEnum):
    """Where the record was refused: the header `decisioning.error.stage`."""

    EVENT = "event"  # on a source topic
    RELAY = "relay"  # on its way from one customer to another
    BROADCAST = "broadcast"  # on a topic that every worker reads whole


def dead_letter(
    record: Record, rejected: EventRejected, *, topic: str, bound: int, stage: Stage = Stage.EVENT
) -> Output:
    """The record to publish on `topic`; it follows from the record alone, so a repetition is the same byte for byte.

    `bound` is the size in bytes up to which a value is kept (the largest that an event may have). Headers may take half
    of it and the key a quarter beside that, so that no record can be too large to be refused (T18).
    """
    cut: list[str] = []
    key = _shortened("key", record.key, bound // 4, cut)
    value = _shortened("value", record.value, bound, cut)
    headers = _fitting(record.headers, bound // 2, cut)
    said = " ".join(str(rejected).split())[:_MESSAGE_LIMIT]
    why = {
        "__streams.errors.exception": f"{type(rejected).__module__}.{type(rejected).__qualname__}",
        "__streams.errors.message": said or MEANING[rejected.fault],
        "__streams.errors.topic": record.topic,
        "__streams.errors.partition": str(record.partition),
        "__streams.errors.offset": str(record.offset),
        "decisioning.error.stage": stage.value,
        "decisioning.error.code": rejected.fault.value,
    }
    if cut:
        why["decisioning.error.cut"] = ", ".join(cut)
    return Output(
        topic,
        key,
        value,
        headers + tuple((name, content.encode()) for name, content in why.items()),
        partition=0 if key is None else None,  # without a key a producer would draw lots, and a repetition draw anew
        timestamp=record.timestamp if record.timestamp >= 0 else None,  # -1 means none, which no producer takes
    )


def _shortened(part: str, content: bytes | None, bound: int, cut: list[str]) -> bytes | None:
    """The beginning of what is too long, which tells more than nothing; what was cut is noted with its full length."""
    if content is None or len(content) <= bound:
        return content
    cut.append(f"{part} of {len(content)} bytes")
    return content[:bound]


def _fitting(headers: Sequence[tuple[str, bytes]], bound: int, cut: list[str]) -> tuple[tuple[str, bytes], ...]:
    """The headers, in order, that fit into `bound` bytes together; the others are counted."""
    kept = []
    room = bound
    for name, content in headers:
        size = len(name.encode()) + len(content or b"") + 10  # 10: the two lengths before them, at most
        if size <= room:
            kept.append((name, content))
            room -= size
    if len(kept) < len(headers):
        cut.append(f"{len(headers) - len(kept)} headers")
    return tuple(kept)
