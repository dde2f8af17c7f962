"""A worker for the tests: a counter a key that says something for every record and wants to be woken now and then.

    python toy_worker.py '{"bootstrap": "127.0.0.1:9092", "data": "/somewhere", ...}'

Prints ``ready`` once it takes records, and its progress at SIGUSR1; with "die_at": [step, times] it kills itself
there. State: how many records and wakes the key has seen, and a hash chained over them, so that two runs that saw
other records, or the same in another order, differ for ever after.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.job import Applied, Output, Record
from decisioning.streaming.chassis.slices import Slicer
from decisioning.streaming.chassis.steps import Step
from decisioning.streaming.chassis.transport import build, run

RELAY = "relay"
OUT = "out"
DEAD = "dead"
CHANGELOG = "changelog"
SOURCES = ("a", "b", RELAY)
TOPICS = (*SOURCES, OUT, DEAD, CHANGELOG)


class State(msgspec.Struct):
    """What the toy remembers of a key."""

    count: int = 0
    wakes: int = 0
    chain: str = ""
    wake_at: int | None = None


class Toy:
    """The job. A message: {"id": str, "wake_in": ms?, "forget": bool?, "silent": bool?}; or a wake: {"due": us}; or of
    a sweep: {"sweep": its number}."""

    def __init__(self) -> None:
        self._load = msgspec.json.Decoder(State).decode
        self.clocks: list[int] = []
        self.sweep = 0

    def read(self, record: Record) -> tuple[bytes, dict[str, Any]] | Sequence[Output]:
        """A message for the record's key; what is no JSON object or has no key goes to the dead letters."""
        try:
            message = orjson.loads(record.value or b"")
            if record.key is None or type(message) is not dict:
                raise ValueError
        except ValueError:
            origin = (("origin", f"{record.topic}/{record.partition}/{record.offset}".encode()),)
            return [Output(DEAD, record.key, record.value, origin)]
        if record.topic != RELAY:
            message["origin"] = f"{record.topic}/{record.partition}/{record.offset}"
        return record.key, message

    def apply(self, key: bytes, state: State | None, message: dict[str, Any]) -> Applied[State] | None:
        """Count, chain, say so."""
        if "due" in message:
            return self._wake(key, state, message["due"])
        if "sweep" in message:
            said = orjson.dumps({"id": f"sweep-{key.decode()}-{message['sweep']}"})
            return Applied(state, None if state is None else state.wake_at, [Output(OUT, key, said)])
        if message.get("silent"):
            return None
        if message.get("explode"):
            raise RuntimeError("the toy was told to")
        while message.get("hang"):
            time.sleep(0)
        if message.get("forget"):
            said = orjson.dumps({"id": message["id"], "origin": message["origin"], "forgot": state is not None})
            return Applied(None, None, [Output(OUT, key, said)])
        state = state or State()
        state.count += 1
        state.chain = hashlib.blake2b((state.chain + message["id"]).encode(), digest_size=8).hexdigest()
        if "wake_in" in message:
            state.wake_at = self.now() + message["wake_in"] * 1000
        said = orjson.dumps(
            {"id": message["id"], "origin": message["origin"], "n": state.count, "chain": state.chain,
             "t": message.get("t")}
        )  # fmt: skip
        return Applied(state, state.wake_at, [Output(OUT, key, said)], clock=message.get("time", 0))

    def _wake(self, key: bytes, state: State | None, due: int) -> Applied[State] | None:
        if state is None or state.wake_at != due:
            return None
        state.wake_at = None
        state.wakes += 1
        said = orjson.dumps({"id": f"wake-{key.decode()}-{due}", "woken": due})
        return Applied(state, None, [Output(OUT, key, said)])

    def load(self, key: bytes, body: bytes) -> State:
        """From JSON."""
        return self._load(body)

    def damaged(self, key: bytes) -> State:
        """One that shows it."""
        return State(chain="damaged")

    def dump(self, key: bytes, state: State) -> bytes:
        """To JSON."""
        return msgspec.json.encode(state)

    def wake(self, lane: int, key: bytes, due: int) -> Output:
        """A wake on the relay topic."""
        return Output(RELAY, key, orjson.dumps({"due": due}), partition=lane)

    def swept(self, lane: int, key: bytes, body: bytes) -> Output | None:
        """Every key that has seen a record is told."""
        return Output(RELAY, key, orjson.dumps({"sweep": self.sweep}), partition=lane)

    def now(self) -> int:
        """The wall clock."""
        return time.time_ns() // 1000

    def restored(self, clock: int) -> None:
        """Kept for the tests."""
        self.clocks.append(clock)


def config(**given: Any) -> ChassisConfig:
    """The configuration of a toy worker; `given` says what differs."""
    given["data"] = Path(given["data"])
    given.setdefault("sparse", ())
    settings: dict[str, Any] = {
        "group": "toy", "topics": SOURCES, "relay": RELAY, "changelog": CHANGELOG, "partitions": 4,
        "fetch_wait_ms": 10, "commit_ms": 200, "session_ms": 6000, "send_ms": 5000, **given,
    }  # fmt: skip
    settings["sparse"] = frozenset(settings["sparse"])
    return ChassisConfig(**settings)


def die_at(step: Step, times: int) -> None:
    """End this process without a goodbye when a slice passes `step` for the nth time."""
    left = times

    def passed(now: Step) -> None:
        nonlocal left
        left -= now is step
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    Slicer.step = staticmethod(passed)  # type: ignore[assignment,method-assign]  # what it is there for


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if "die_at" in given:
        name, times = given.pop("die_at")
        die_at(Step[name], times)
    app = build(Toy(), config(**given))
    signal.signal(signal.SIGUSR1, lambda *_: print(app.progress, flush=True))
    run(app, on_ready=lambda: print("ready", flush=True))
