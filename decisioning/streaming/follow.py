"""`decisioning watch`: the decisions as they come, those that somebody asked for, readable or as JSON lines.

It reads the topic without a consumer group, so it moves nobody's offsets and rebalances nothing; a customer's
decisions lie on one partition, so to follow one customer is to read one partition. A crash of a worker repeats records
byte for byte, and they are shown as they stand on the topic; whoever acts on decisions uses an `Inbox`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from decisioning.errors import EventRejected
from decisioning.event import Headers
from decisioning.inbox import Received, read
from decisioning.instant import format_instant
from decisioning.streaming.chassis.job import Record
from decisioning.streaming.settings import Settings, kafka_options, load
from decisioning.streaming.topics import TopicsError, name_of, partition_counts, partition_of

FINE: Final = 0
_LOOK_BACK: Final = 32  # records of a partition at first; eightfold while too few of them are wanted
_WAIT_MS: Final = 200
_WHOLE: Final = 17 * 1024 * 1024  # the largest decision


_Offsets = Mapping[TopicPartition, int]


class Wanted(NamedTuple):
    """Which decisions: of each list any, of all lists that name something, all. A reason may be only its family."""

    customers: Collection[str] = ()
    outcomes: Collection[str] = ()
    classes: Collection[str] = ()
    channels: Collection[str] = ()
    reasons: Collection[str] = ()
    actions: Collection[str] = ()

    def takes(self, one: Received) -> bool:
        """Whether this decision is among them."""
        asked = (
            (self.customers, one.subject),
            (self.outcomes, one.outcome),
            (self.classes, one.data.get("class")),
            (self.channels, one.data.get("channel")),
            (self.actions, one.data.get("action")),
        )
        if any(names and found not in names for names, found in asked):
            return False
        return not self.reasons or one.reason in self.reasons or one.reason.partition(".")[0] in self.reasons


def in_a_line(one: Received) -> str:
    """A decision for a person, in one line without control characters."""
    told = one.data
    words = [told["action"]] if "action" in told else []
    words += [f"by {told['channel']}"] if "channel" in told else []
    words += [f"({told['class']})"] if "class" in told else []
    if one.outcome == "hold":
        words.append(_scope(told.get("scope") or {}))
    parts = [" ".join(words), one.reason]
    for name, said in _ENDINGS.items():
        if name in told:
            parts.append(f"{said} {told[name]}")
    line = f"{format_instant(one.time)}  {one.outcome:<8}  {one.subject}  {', '.join(part for part in parts if part)}"
    return line if line.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


_ENDINGS: Final = {
    "valid_until": "until",
    "until": "until",
    "not_before": "not before",
    "allowed_from": "allowed from",
    "replaces": "in place of",
    "recalls": "takes back",
    "releases": "ends",
    "request_id": "request",
}


def _scope(scope: Mapping[str, Any]) -> str:
    listed = [f"{name.replace('_', ' ')} {' '.join(map(str, names))}" for name, names in scope.items() if names]
    return f"nothing of {'; '.join(listed) or 'nothing'}" if scope else "nothing at all"


def structured(value: bytes, headers: Headers) -> bytes:
    """A decision as one structured CloudEvent, whichever way it came."""
    attributes = {name[3:]: (content or b"").decode() for name, content in headers if name.startswith("ce_")}
    if not attributes:
        return msgspec.json.format(value, indent=-1) if b"\n" in value else value
    return msgspec.json.encode({**attributes, "data": msgspec.Raw(value)})


def watch(wanted: Wanted, *, last: int | None, beginning: bool, follow: bool, as_json: bool) -> int:
    """Show the decisions that are wanted until Ctrl-C; the exit code. TopicsError when Kafka or the topic is not there.

    `last`: so many that are there already come first; `beginning`: all of them do; not `follow`: then it ends.
    """
    try:
        asyncio.run(_watch(load(), wanted, last, beginning, follow, as_json))
    except BrokenPipeError:  # who read us has gone: the rest is for nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FINE


async def _watch(
    settings: Settings, wanted: Wanted, last: int | None, beginning: bool, follow: bool, as_json: bool
) -> None:
    topic, show = name_of(settings, "decisions"), _Show(wanted, as_json)
    async with _ended_by_signal():
        count = (await partition_counts(settings, [topic]))[topic]
        lanes = {partition_of(name.encode(), count) for name in wanted.customers} or range(count)
        places = [TopicPartition(topic, lane) for lane in sorted(lanes)]
        async with _reader(settings) as reader:
            first, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
            if last is not None:
                await _last(reader, first, ends, show, last)
            begin = first if beginning else ends
            if follow:
                sys.stderr.write(f"following {topic} at {settings.kafka}; Ctrl-C ends\n")
            await _go_on(reader, begin, None if follow else ends, show)


async def _go_on(reader: AIOKafkaConsumer, begin: _Offsets, ends: _Offsets | None, show: _Show) -> None:
    """Show what there is from `begin`, up to `ends` or for ever."""
    reader.assign(list(begin))
    for place, offset in begin.items():
        reader.seek(place, offset)
    while ends is None or any([await reader.position(place) < end for place, end in ends.items()]):
        for records in (await reader.getmany(timeout_ms=_WAIT_MS)).values():
            for record in records:
                if (told := show.told(record)) is not None:
                    show.write(told)
        sys.stdout.flush()


class _Show:
    """Reads records, picks those that are wanted, and writes them."""

    def __init__(self, wanted: Wanted, as_json: bool) -> None:
        self._wanted, self._as_json = wanted, as_json

    def told(self, record: Record) -> bytes | None:
        """What there is to write of a record; None when it is not wanted, or is no decision, which stderr is told."""
        try:
            one = read(record.value, record.headers)
        except EventRejected as error:
            sys.stderr.write(f"{record.topic}[{record.partition}]@{record.offset}: {error}\n")
            return None
        if not self._wanted.takes(one):
            return None
        return structured(record.value or b"", record.headers) if self._as_json else in_a_line(one).encode()

    def write(self, line: bytes) -> None:
        """Write what `told` answered."""
        sys.stdout.buffer.write(line + b"\n")


async def _last(reader: AIOKafkaConsumer, first: _Offsets, ends: _Offsets, show: _Show, count: int) -> None:
    """The last `count` that are wanted, oldest first: each partition is read backwards as far as it takes."""
    found: list[tuple[int, int, int, bytes]] = []
    for place, end in ends.items():
        size = max(count, _LOOK_BACK)
        while True:
            begin = max(first[place], end - size)
            told = [one async for one in _between(reader, place, begin, end, show)]
            if len(told) >= count or begin == first[place]:
                found += told[-count:]
                break
            size *= 8
    for *_, line in sorted(found)[-count:]:
        show.write(line)
    sys.stdout.flush()


async def _between(
    reader: AIOKafkaConsumer, place: TopicPartition, begin: int, end: int, show: _Show
) -> AsyncIterator[tuple[int, int, int, bytes]]:
    reader.assign([place])
    reader.seek(place, begin)
    while await reader.position(place) < end:
        for record in (await reader.getmany(place, timeout_ms=_WAIT_MS)).get(place, ()):
            if record.offset < end and (told := show.told(record)) is not None:
                yield record.timestamp, record.partition, record.offset, told


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(
        **kafka_options(settings), enable_auto_commit=False, auto_offset_reset="earliest",
        max_partition_fetch_bytes=_WHOLE, fetch_max_wait_ms=_WAIT_MS,
    )  # fmt: skip
    try:
        await reader.start()
        yield reader
    except KafkaError as error:
        raise TopicsError(
            f"Kafka at {settings.kafka} stopped answering or refuses us ({type(error).__name__}); "
            "let our user read and describe the topic"
        ) from error
    finally:
        await reader.stop()


@asynccontextmanager
async def _ended_by_signal() -> AsyncIterator[None]:
    """Ends what is inside at Ctrl-C and SIGTERM, in order: that is how to leave, and no failure."""
    task, loop, asked = asyncio.current_task(), asyncio.get_running_loop(), False
    assert task is not None

    def end() -> None:
        nonlocal asked
        asked = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    try:
        yield
    except asyncio.CancelledError:
        if not asked:
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
