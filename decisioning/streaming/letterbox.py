"""The dead letters, for people: which there are, and back to where they came from once their cause is mended.

A replay publishes key, value and the sender's own headers as they were, on the topic that they came from, with one more
header, `decisioning.replayed`, that names the place of the first attempt. Its Kafka timestamp is that of the replay,
for it enters the log now and lanes read by it; the event's own `time` stays, because that is when it happened. So facts
fold as late facts do, and nobody is spoken to about the past: a request older than its time is answered as expired, one
of 7 days ago as a repeat.

A letter is replayed once. When the record is in the log again, a marker on `dead-letters` says so: empty, with the
header `decisioning.replayed` with the letter's place. A crash between the two replays it once more, and the event's
source and id make that a repeat. What fails again is another letter, with a place of its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from decisioning.errors import DecisioningError, EventRejected, Fault
from decisioning.instant import format_instant
from decisioning.streaming import relay
from decisioning.streaming.broadcast import Broadcast
from decisioning.streaming.chassis.job import Output, Record
from decisioning.streaming.dead_letter import Stage
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.topics import TopicsError, lane_topics, name_of, partition_of, plan

REPLAYED: Final = "decisioning.replayed"
"""The header of a replayed record, and of the marker that a letter was replayed: `topic[partition]@offset`."""
HELD_BYTES: Final = 256 * 1024 * 1024
"""How much of keys, values and headers is held at once; more asks for a narrower choice."""

_FIRST: Final = "__streams.errors.exception"  # ours begin with it (`dead_letter`)
_AT_ONCE: Final = 500


class TooMany(DecisioningError):
    """More letters than fit into memory; the line says what to narrow."""


class Choice(NamedTuple):
    """Which letters: each part None = all. `since` and `until` are instants (us), from and before."""

    code: Fault | None = None
    topic: str | None = None
    since: int | None = None
    until: int | None = None
    replayed: bool = False
    """Whether also those that were replayed."""


class Letter(NamedTuple):
    """One record that could not be read, as it came, and why."""

    place: str
    """Where it came from: `topic[partition]@offset`."""
    topic: str
    partition: int
    at: int
    """Kafka timestamp of the record (ms)."""
    code: str
    stage: str
    message: str
    cut: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    """The sender's own."""
    size: int

    def row(self, *, show: bool) -> dict[str, Any]:
        """For a program; key, value and headers, which may say who somebody is, only with `show`."""
        said: dict[str, Any] = {
            "place": self.place, "at": format_instant(self.at * 1000), "code": self.code, "stage": self.stage,
            "message": self.message, "bytes": self.size, "cut": self.cut,
        }  # fmt: skip
        if show:
            said["key"] = None if self.key is None else self.key.decode(errors="replace")
            said["value"] = None if self.value is None else self.value.decode(errors="replace")
            said["headers"] = [[name, content.decode(errors="replace")] for name, content in self.headers]
        return said


async def letters(settings: Settings, choice: Choice, *, contents: bool) -> list[Letter]:
    """The letters of a choice by time, each once; without `contents` their keys, values and headers are left out.

    TopicsError where Kafka does not let us read, TooMany where they do not fit into memory.
    """
    found: dict[str, Letter] = {}
    gone: set[str] = set()
    held = 0

    def take(record: Record) -> None:
        nonlocal held
        marked = _replayed(record)
        if marked is not None:
            gone.add(marked)
            return
        letter = _read(record)
        if letter is None or not _chosen(letter, choice) or letter.place in found:
            return
        found[letter.place] = letter if contents else letter._replace(key=None, value=None, headers=())
        held += letter.size if contents else 0
        if held > HELD_BYTES:
            raise TooMany("these letters are too many to hold at once: narrow them by code, topic or time")

    await Broadcast(settings, [name_of(settings, "dead-letters")], apply=take, refuse=_never).read_once()
    rows = (letter for place, letter in found.items() if choice.replayed or place not in gone)
    return sorted(rows, key=lambda letter: (letter.at, letter.place))


def again(settings: Settings, letter: Letter, at: int) -> Output | str:
    """The record that replays a letter at Kafka timestamp `at` (ms); or why it cannot be replayed."""
    if letter.cut:
        return f"{letter.cut} did not fit into the letter: its producer has to send it again"
    if letter.value is None:
        return "it has no value, and never will"
    compacted = {row.name for row in plan(settings) if row.topic.retention_ms is None}
    if letter.stage == Stage.BROADCAST or letter.topic in compacted:
        return f"{letter.topic} keeps the last record of a key: publish what is true now"
    headers, lanes = letter.headers, lane_topics(settings)
    if letter.topic not in lanes:
        return f"{letter.topic} is none of our source topics any more"
    if letter.topic == lanes[-1]:
        if dict(headers).get(relay.KIND) != relay.EVENT:
            return "it is a message of a worker to itself, and no event"
        headers = tuple((name, b"0" if name in (relay.HOPS, relay.MOVES) else content) for name, content in headers)
    headers = (*(pair for pair in headers if pair[0] != REPLAYED), (REPLAYED, letter.place.encode()))
    partition = letter.partition if letter.key is None else partition_of(letter.key, settings.partitions)
    return Output(letter.topic, letter.key, letter.value, headers, partition, at)


async def replay(settings: Settings, outputs: Sequence[Output], clock: Callable[[], float] = time.time) -> int:
    """Publish what `again` made, and mark each letter once its record is in the log; how many. TopicsError where Kafka
    refuses."""
    topic, done = name_of(settings, "dead-letters"), 0
    try:
        async with AIOKafkaProducer(
            **kafka_options(settings), acks="all", enable_idempotence=True, max_request_size=16 * 1024 * 1024
        ) as producer:
            for start in range(0, len(outputs), _AT_ONCE):
                batch = outputs[start : start + _AT_ONCE]
                await _send(producer, batch)
                now = int(clock() * 1000)
                await _send(producer, [Output(topic, None, b"", (output.headers[-1],), 0, now) for output in batch])
                done += len(batch)
    except KafkaError as error:
        raise TopicsError(f"{done} were replayed, then Kafka refused ({type(error).__name__}); run it again") from error
    return done


def render(found: Sequence[Letter], *, show: bool) -> str:
    """For a person: how many of each code and topic, then one line each."""
    counts = Counter((letter.code, letter.topic) for letter in found)
    lines = [f"{count:7,}  {code} from {topic}" for (code, topic), count in sorted(counts.items())]
    for letter in found:
        lines.append(f"{format_instant(letter.at * 1000)}  {letter.place}  {letter.code}: {letter.message}")
        if show:
            lines += [f"    {name}: {content}" for name, content in letter.row(show=True).items() if name in _CONTENTS]
    return "\n".join(lines)


_CONTENTS: Final = ("key", "headers", "value")


def as_json(found: Sequence[Letter], *, show: bool) -> str:
    """For a program: one JSON object a line."""
    return "\n".join(json.dumps(letter.row(show=show)) for letter in found)


async def _send(producer: AIOKafkaProducer, outputs: Sequence[Output]) -> None:
    sent = [
        await producer.send(
            one.topic, one.value, one.key, one.partition, timestamp_ms=one.timestamp, headers=list(one.headers)
        )
        for one in outputs
    ]
    await asyncio.gather(*sent)


def _replayed(record: Record) -> str | None:
    """The place of the letter that this marker is about; None where it is no marker."""
    if record.key is not None or record.value or len(record.headers) != 1:
        return None
    [(name, content)] = record.headers
    return content.decode(errors="replace") if name == REPLAYED else None


def _read(record: Record) -> Letter | None:
    names = [name for name, _ in record.headers]
    if _FIRST not in names:
        return None  # somebody else's
    begin = len(names) - 1 - names[::-1].index(_FIRST)
    why = {name: content.decode(errors="replace") for name, content in record.headers[begin:]}
    topic, partition = why.get("__streams.errors.topic", ""), why.get("__streams.errors.partition", "")
    if not partition.isdecimal():
        return None
    own = tuple((name, content or b"") for name, content in record.headers[:begin])
    size = len(record.key or b"") + len(record.value or b"") + sum(len(name) + len(content) for name, content in own)
    return Letter(
        place=f"{topic}[{partition}]@{why.get('__streams.errors.offset', '')}",
        topic=topic,
        partition=int(partition),
        at=max(record.timestamp, 0),
        code=why.get("decisioning.error.code", ""),
        stage=why.get("decisioning.error.stage", ""),
        message=why.get("__streams.errors.message", ""),
        cut=why.get("decisioning.error.cut", ""),
        key=record.key,
        value=record.value,
        headers=own,
        size=size,
    )


def _chosen(letter: Letter, choice: Choice) -> bool:
    at = letter.at * 1000
    return (
        (choice.code is None or letter.code == choice.code)
        and (choice.topic is None or letter.topic == choice.topic)
        and (choice.since is None or at >= choice.since)
        and (choice.until is None or at < choice.until)
    )


def _never(record: Record, error: EventRejected) -> None:
    raise AssertionError(f"{record.topic}: a letter is never refused") from error
