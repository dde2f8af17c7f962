"""`decisioning send`: events from the shell to their topics, each read first as a worker would read it.

The topic follows from the event's type and the key from its subject, so that nobody has to know either. What a worker
would make a dead letter is refused here in the same words, and what it would skip, an unknown type, is refused as well:
it has no topic. A file may be sent again after whatever went wrong: an event with the same source and id says nothing
new.
"""

from __future__ import annotations

import asyncio
import difflib
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple
from uuid import uuid4

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from decisioning.errors import EventRejected, Fault
from decisioning.instant import format_instant
from decisioning.payload import TYPES
from decisioning.streaming.admit import admit
from decisioning.streaming.settings import Settings, kafka_options, load
from decisioning.streaming.topics import TopicsError, connected, find_topics, missing_line, name_of

FINE, INPUT = 0, 1
SOURCE: Final = "/decisioning/send"
"""The `source` of an event that names none."""
_HEADERS: Final = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
_AT_ONCE: Final = 64 * 1024  # bytes of input whose events share one wait for acknowledgements
_ROOM: Final = 64 * 1024
_encode: Final = msgspec.json.Encoder().encode


class Letter(NamedTuple):
    """One event on its way: where it goes, under which key, as which bytes."""

    topic: str
    key: bytes
    value: bytes
    type: str
    id: str


def letter(settings: Settings, value: bytes, now: int) -> Letter:
    """Where the event in these bytes belongs; EventRejected, in a worker's words, for what a worker would not take."""
    event = admit(settings, value, (), now)
    if event.data is None:
        near = difflib.get_close_matches(event.type, TYPES, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(TYPES)}"
        raise EventRejected(Fault.WRONG_TYPE, f"no topic is known for events of type `{event.type}`: {hint}")
    return Letter(name_of(settings, TYPES[event.type][0]), event.subject.encode(), value, event.type, event.id)


def compose(attributes: Mapping[str, str | None], data: str | None, now: int) -> bytes:
    """A CloudEvent in structured JSON of what somebody typed; source, id and time are filled in where they are missing.

    EventRejected when the data is not JSON.
    """
    filled = {"specversion": "1.0", "source": SOURCE, "id": str(uuid4()), "time": format_instant(now)}
    told: dict[str, Any] = filled | {name: text for name, text in attributes.items() if text is not None}
    if data is not None:
        try:
            told["data"] = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise EventRejected(Fault.NOT_JSON, f"--data is not JSON: {error}") from None
    return _encode(told)


class Post:
    """Publishes letters, in order, between one `with` and its end; TopicsError when Kafka or a topic is not there.

    It works only while it is called: there is no thread, and Ctrl-C interrupts whatever it waits for. `patience`:
    seconds to wait for acknowledgements, because the library itself tries for ever.
    """

    def __init__(self, settings: Settings, patience: float = 30.0) -> None:
        self._settings, self._patience = settings, patience
        self._runner = asyncio.Runner()
        self._producer: AIOKafkaProducer | None = None
        self._topics: frozenset[str] = frozenset()

    def __enter__(self) -> Post:
        try:
            self._runner.run(self._start())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._runner, suppress(TimeoutError):
            if self._producer is not None:
                self._runner.run(asyncio.wait_for(self._producer.stop(), self._patience))

    def send(self, letters: Sequence[Letter], headers: Sequence[tuple[str, bytes]] = ()) -> list[tuple[int, int]]:
        """Partition and offset of each, once Kafka has acknowledged all of them; `headers` are further ones of each."""
        missing = missing_line(self._settings, sorted({one.topic for one in letters} - self._topics), {})
        if missing:
            raise TopicsError(*missing)
        return self._runner.run(self._send(letters, [*_HEADERS, *headers]))

    async def _start(self) -> None:
        async with connected(self._settings) as admin:
            self._topics = frozenset(await find_topics(admin))
        self._producer = AIOKafkaProducer(
            **kafka_options(self._settings), acks="all", enable_idempotence=True, linger_ms=5,
            max_request_size=self._settings.max_event_bytes + _ROOM,
        )  # fmt: skip
        await self._producer.start()

    async def _send(self, letters: Sequence[Letter], headers: Sequence[tuple[str, bytes]]) -> list[tuple[int, int]]:
        assert self._producer is not None
        try:
            async with asyncio.timeout(self._patience):
                waiting = [await self._producer.send(one.topic, one.value, one.key, headers=headers) for one in letters]
                taken = await asyncio.gather(*waiting, return_exceptions=True)
        except TimeoutError:
            why = f"Kafka at {self._settings.kafka} did not acknowledge within {self._patience:g} s"
            raise TopicsError(f"{why}: send all of it again, a repeat says nothing new") from None
        places = []
        for one, found in zip(letters, taken, strict=True):
            if isinstance(found, BaseException):
                mend = "; raise its max.message.bytes" if isinstance(found, MessageSizeTooLargeError) else ""
                raise TopicsError(
                    f"topic {one.topic} did not take {one.type} {one.id} ({type(found).__name__}){mend}"
                ) from found
            places.append((found.partition, found.offset))
        return places


def send_one(attributes: Mapping[str, str | None], data: str | None, *, check: bool = False) -> int:
    """Publish one event of these attributes and data, and say where it is; the exit code. `check`: only read it."""
    settings, now = load(), _now()
    try:
        one = letter(settings, compose(attributes, data, now), now)
    except EventRejected as error:
        _complain(str(error))
        return INPUT
    if check:
        _say(one.value.decode())
        return FINE
    with Post(settings) as post:
        [(partition, offset)] = post.send([one])
    _say(f"{one.type} {one.id} is at {one.topic}[{partition}]@{offset}")
    return FINE


def send_lines(path: Path | None, *, check: bool = False) -> int:
    """Publish the events of a file, or of standard input, as they come, one a line; the exit code.

    A line that is no event is named on stderr, the others go out, and the exit code is 1.
    """
    settings, counted, code = load(), Counter[str](), FINE
    with ExitStack() as ended:
        lines = sys.stdin.buffer if path is None else ended.enter_context(path.open("rb"))
        post = None if check else ended.enter_context(Post(settings))
        number = 0
        for chunk in _chunks(lines):
            letters = []
            for line in chunk:
                number += 1
                if not line.strip():
                    continue
                try:
                    letters.append(letter(settings, line, _now()))
                except EventRejected as error:
                    code = INPUT
                    _complain(f"line {number}: {error}")
            if post is not None and letters:
                post.send(letters)
            counted.update(one.topic for one in letters)
    total = f"{counted.total()} {'event' if counted.total() == 1 else 'events'}"
    found = ", ".join(f"{topic} {count}" for topic, count in sorted(counted.items()))
    _say(f"{'checked' if check else 'sent'} {total}{': ' if found else ''}{found}")
    return code


def _chunks(lines: BufferedReader | Any) -> Iterator[list[bytes]]:
    """The lines that are there, without waiting for more: what is typed or followed goes out at once."""
    rest = b""
    while got := lines.read1(_AT_ONCE):
        *whole, rest = (rest + got).split(b"\n")
        if whole:
            yield whole
    if rest:
        yield [rest]


def _now() -> int:
    return time.time_ns() // 1000


def _say(text: str) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(text + "\n")
