"""A channel, complete: reads the topic `decisions`, says what is to be said at most once, answers on `responses`.

Copy this file, put your provider in place of `show`, and keep the order of `serve`: take in all that was fetched, so
that a recall stops an act of the same batch; ask `dispatch` last of all, which writes before anything goes out; commit
only what is answered. So a record that comes again, a restart and a kill -9 say nothing twice and nothing too late.

    python -m decisioning.streaming.channel sms channel-sms.db

All processes that serve a channel must share its memory, because Kafka moves partitions between them: SQLite does for
one machine; for several put `Kept` into the database that they share. Its names hold decision ids, and customer ids
for as long as a hold stands.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from decisioning.inbox import Inbox, Received, Verdict, read, response
from decisioning.streaming.settings import Settings, client_options, load
from decisioning.streaming.topics import name_of

Send = Callable[[Received], bool]
"""Gives an act to the provider; False: it was refused and did not go out. An exception ends the process."""

_TIDY: Final = 60 * 1_000_000


class Kept(AbstractContextManager["Kept"]):
    """The memory of an `Inbox` in a SQLite file: every write is on the disk when it returns.

    Inside `with` all writes are one, and on the disk at its end.
    """

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._file.execute("pragma journal_mode = wal")
        self._file.execute("pragma synchronous = full")
        self._file.execute(
            "create table if not exists kept (name text primary key, value blob not null, until integer not null)"
        )
        self._file.execute("create index if not exists by_end on kept (until)")
        self._tidied = 0

    def get(self, name: str) -> bytes | None:
        """What stands under `name`."""
        found: tuple[bytes] | None = self._file.execute("select value from kept where name = ?", (name,)).fetchone()
        return None if found is None else found[0]

    def add(self, name: str, value: bytes, until: int) -> bool:
        """Put `value` where nothing stands; whether it did."""
        return self._file.execute("insert or ignore into kept values (?, ?, ?)", (name, value, until)).rowcount > 0

    def put(self, name: str, value: bytes, until: int) -> None:
        """Put `value`, whatever stood there."""
        self._file.execute("insert or replace into kept values (?, ?, ?)", (name, value, until))

    def forget(self, now: int) -> None:
        """Drop what may be forgotten by `now`, once a minute."""
        if now - self._tidied >= _TIDY:
            self._file.execute("delete from kept where until <= ?", (now,))
            self._tidied = now

    def __enter__(self) -> Kept:
        self._file.execute("begin immediate")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.execute("commit" if error is None else "rollback")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Channel:
    """One process that serves one channel in the group `decisioning-channel-<name>`."""

    def __init__(
        self, name: str, memory: Kept, send: Send, settings: Settings, clock: Callable[[], int], **options: Any
    ) -> None:
        self._name = name
        self._memory = memory
        self._inbox = Inbox(memory, {name})
        self._send = send
        self._clock = clock
        self._responses = name_of(settings, "responses")
        session = settings.session_timeout_ms
        group = {
            "group.id": f"decisioning-channel-{name}", "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "session.timeout.ms": session, "heartbeat.interval.ms": min(3000, session // 4),
        }  # fmt: skip
        self._consumer = Consumer(client_options(settings) | group | options)
        self._consumer.subscribe([name_of(settings, "decisions")])
        self._refused: list[KafkaError] = []
        self._producer = Producer(
            client_options(settings) | {"partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 5}
        )

    def serve(self, seconds: float = 1.0) -> int:
        """Wait so long for records, handle those that came; how many. KafkaException when Kafka refuses.

        EventRejected for a record that is no decision: stop and look, for what is not understood may be a recall.
        """
        fetched = self._consumer.consume(500, timeout=seconds)
        for message in fetched:
            if (error := message.error()) is not None:
                raise KafkaException(error)
        if fetched:
            self._handle([read(message.value(), message.headers() or ()) for message in fetched])
            self._consumer.commit(message=None, asynchronous=False)
        return len(fetched)

    def _handle(self, received: Sequence[Received]) -> None:
        with self._memory:
            found = [(one, self._inbox.take(one, self._clock())) for one in received]
        for one, verdict in found:
            went = True
            if verdict is Verdict.DELIVER:
                verdict = self._inbox.dispatch(one, self._clock())
                if verdict is Verdict.DELIVER:
                    went = self._send(one)
            self._answer(one, verdict, went)
        if self._producer.flush(30) or self._refused:
            raise TimeoutError(f"Kafka does not take our answers; they come again at the next start: {self._refused}")

    def _answer(self, one: Received, verdict: Verdict, went: bool) -> None:
        source = f"/channel/{self._name}"
        told = response(one, verdict, self._clock(), source=source, failed=not went)
        if told is not None:
            self._producer.produce(self._responses, told, one.subject, on_delivery=self._delivered)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._refused.append(error)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


def now() -> int:
    """The machine's clock as an instant (us)."""
    return time.time_ns() // 1000


def show(act: Received) -> bool:
    """In place of a provider: print it. What is returned says whether it went out."""
    sys.stdout.write(f"to {act.subject} by {act.channel}: {act.data['action']}\n")
    sys.stdout.flush()
    return True


def main(name: str, path: str) -> None:
    """Serve the channel `name` with the memory in the file `path` until Ctrl-C."""
    with closing(Kept(Path(path))) as memory, closing(Channel(name, memory, show, load(), now)) as channel:
        while True:
            channel.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
