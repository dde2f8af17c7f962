"""The same job on this project's chassis, with all that it promises."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka.admin import NewTopic

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.job import Applied, Output, Record
from decisioning.streaming.chassis.store import raw_key
from decisioning.streaming.chassis.transport import build, run
from tests.bench.engine import PARTITIONS, Engine, Promise, Run, python, topic
from tests.bench.job import step

State = dict[str, Any]
SAFE = Promise(
    "changelog before the store and any answer, answers before the commit",
    "1 s, of what is acknowledged",
    "1 a key and slice, and an outbox record a slice",
    "its defaults, linger 0",
)


class Chassis(Engine):
    """The chassis with the trivial job."""

    name = "chassis"
    promise = SAFE

    def topics(self, run: Run) -> list[NewTopic]:
        """Also the relay, which stays empty: nobody wants to be woken."""
        return [*super().topics(run), topic(f"{run.name}-relay")]

    def record(self, key: bytes, state: bytes) -> tuple[bytes, bytes]:
        """With the header that stands before each state."""
        return raw_key(key), pack(Header(sequence=1, forgotten=False), state)

    def command(self, run: Run, member: int) -> tuple[list[str], dict[str, str]]:
        """This module."""
        told = {"bootstrap": run.kafka, "group": run.name, "source": run.source, "decisions": run.decisions,
                "changelog": self.changelog(run), "relay": f"{run.name}-relay", "data": run.data(member)}  # fmt: skip
        return python(__name__, told), {}


class Counting:
    """The job, as the chassis wants it said."""

    def __init__(self, decisions: str, relay: str) -> None:
        self._decisions, self._relay = decisions, relay

    def read(self, record: Record) -> tuple[bytes, State]:
        """The event."""
        assert record.key is not None
        return record.key, orjson.loads(record.value or b"")

    def apply(self, key: bytes, state: State | None, message: State) -> Applied[State]:
        """Count it."""
        after, answer = step(state, message)
        return Applied(after, None, (Output(self._decisions, key, answer),))

    def load(self, key: bytes, body: bytes) -> State:
        """From JSON."""
        loaded: State = orjson.loads(body)
        return loaded

    def damaged(self, key: bytes) -> State:
        """Never: nobody damages a bench's store."""
        raise AssertionError(key)

    def dump(self, key: bytes, state: State) -> bytes:
        """To JSON."""
        return orjson.dumps(state)

    def wake(self, lane: int, key: bytes, due: int) -> Output:
        """Never: nobody wants to be woken."""
        raise AssertionError(key)

    sweep = 0
    """Nobody changes what it decides by."""

    def swept(self, lane: int, key: bytes, body: bytes) -> None:
        """Never: there is no sweep."""

    def now(self) -> int:
        """No wakes, so no time."""
        return 0

    def restored(self, clock: int) -> None:
        """Nothing to it."""


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    source, decisions = told.pop("source"), told.pop("decisions")
    told["data"] = Path(told["data"])
    config = ChassisConfig(topics=(source, told["relay"]), partitions=PARTITIONS, **told)
    run(build(Counting(decisions, config.relay), config))
