"""Crash-only: what is not understood ends the process at once, with one clear line, before anything counts as done.

A normal shutdown would commit, so it is not taken: `os._exit` is. Restart is the repair. Exit codes:

    70  an exception that nobody expected        74  Kafka refused or lost a record that we sent (trap T6)
    72  offsets of a source topic are missing    75  work waits and nothing is finished any more (T28, T29)
    73  a local store or its format is wrong     76  the topics or the assignment are not what we need (T26, T27)
    77  Kafka's consumer group is lost (T28)     78  another worker has taken over a lane of ours (T15)
     3  Kafka cannot be reached at the start
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, NoReturn

from aiokafka.errors import InconsistentGroupProtocolError, KafkaConnectionError
from faust.exceptions import ConsistencyError

from decisioning.streaming.chassis.assignment import Refusal
from decisioning.streaming.chassis.epoch import Superseded
from decisioning.streaming.chassis.header import FormatError
from decisioning.streaming.chassis.lane import GapError
from decisioning.streaming.chassis.store import StoreError

__all__ = [
    "CONSUMER_GROUP", "FENCED", "FETCHING", "GAP", "GROUP", "SEND", "STALL", "STORE", "TOPICS", "UNKNOWN",
    "UNREACHABLE", "Watchdog", "crash", "dismiss", "explain", "say", "speak", "supervise",
]  # fmt: skip

UNREACHABLE, UNKNOWN, GAP, STORE, SEND, STALL, TOPICS, GROUP, FENCED = 3, 70, 72, 73, 74, 75, 76, 77, 78

CONSUMER_GROUP = "the consumer group"
"""Where an error of Kafka's group coordination comes from, for `explain`."""

FETCHING = "the fetch loop"
"""Where an error of reading comes from, for `explain`."""


_how: Callable[[str, str], str] = lambda level, line: line  # noqa: E731 - replaced by `speak`


def speak(how: Callable[[str, str], str]) -> None:
    """From now on lines look as `how` makes them of a level and a text. It must take no lock: a process that stands
    still says its last words, too."""
    global _how
    _how = how


def crash(code: int, line: str) -> NoReturn:
    """End this process now: `line` on stderr, exit code `code`, nothing committed, nothing flushed."""
    line = f"crash {code}: {line}"
    try:
        line = _how("critical", line)
    finally:
        print(line, file=sys.stderr, flush=True)
        os._exit(code)


def say(line: str, level: str = "info") -> None:
    """One line for the operator, on stderr: something that mends itself."""
    print(_how(level, line), file=sys.stderr, flush=True)


_OF_PROGRAMS = (TypeError, AttributeError, NameError, ImportError, AssertionError, MemoryError, OSError, RuntimeError)
"""Errors whose words are about a program and its machine."""


def explain(error: BaseException, where: str) -> tuple[int, str]:
    """Exit code and line for `error` that escaped from `where`."""
    text = " ".join(str(error).split()) or "no message"
    if isinstance(error, GapError):
        return GAP, text
    if isinstance(error, Refusal):
        return TOPICS, text
    if isinstance(error, Superseded):
        return FENCED, text
    if isinstance(error, StoreError | FormatError):
        return STORE, text
    kind = type(error)
    if isinstance(error, ConsistencyError):
        return STORE, (
            "a local store is ahead of the end of its changelog: the changelog was truncated or is another cluster's."
            " Start on the right cluster; or remove the data directory, and states are what the changelog says"
        )
    if isinstance(error, InconsistentGroupProtocolError):
        return TOPICS, (
            "workers of this consumer group run with other topics, another changelog or another number of partitions:"
            " stop them all before this one starts, or give it a group of its own"
        )
    if isinstance(error, KafkaConnectionError):
        return UNREACHABLE, f"Kafka cannot be reached ({text}): check the address and that the broker runs"
    if where == CONSUMER_GROUP:
        return GROUP, f"Kafka's consumer group is lost ({kind.__name__}: {text}); a restart joins it again"
    if kind.__module__.startswith("aiokafka") and where == FETCHING:
        return GROUP, f"reading from Kafka failed ({kind.__name__}: {text}); a restart reads on from the last commit"
    if kind.__module__.startswith("aiokafka"):
        return SEND, f"Kafka did not take a record ({kind.__name__}: {text}); after a restart it is sent again"
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    line = "" if frame is None else f" at {os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}"
    # What other kinds say may quote what was read, and that may be a person's.
    return UNKNOWN, f"{kind.__name__}{line} in {where}" + (f": {text}" if isinstance(error, _OF_PROGRAMS) else "")


def supervise(work: Coroutine[Any, Any, None], where: Callable[[], str]) -> asyncio.Task[None]:
    """Run `work`, which is to run for ever; whatever it raises ends the process, saying `where` it was."""

    async def watched() -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            crash(*explain(error, where()))

    return asyncio.create_task(watched())


async def dismiss(*tasks: asyncio.Task[None] | None) -> None:
    """End what `supervise` began, one after the other, and wait for it; None: it never began, or has been ended."""
    for task in tasks:
        if task is None:
            continue
        task.cancel()
        try:  # noqa: SIM105 - contextlib's word for it is one of the rooms above, which are not named here
            await task
        except asyncio.CancelledError:
            pass


class Watchdog:
    """A thread that ends the process when work waits and nothing is finished for `limit` seconds.

    A thread, because a job that never returns stops the event loop and every task on it. `busy` says whether there is
    work, `progress` returns a value that changes whenever something is finished, `where` names what is at hand.
    """

    def __init__(
        self, limit: float, *, busy: Callable[[], bool], progress: Callable[[], object], where: Callable[[], str]
    ) -> None:
        self._limit = limit
        self._busy = busy
        self._progress = progress
        self._where = where
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def _watch(self) -> None:
        interval = min(1.0, self._limit / 4)
        seen, since, looked = self._progress(), monotonic(), monotonic()
        while not self._stopped.wait(interval):
            now, late, looked = self._progress(), monotonic() - looked > interval + self._limit / 2, monotonic()
            if now != seen or late or not self._busy():
                seen, since = now, monotonic()  # late: the whole process stood still, and must be given time to go on
            elif monotonic() - since > self._limit:
                crash(STALL, f"nothing was finished for {self._limit:g} s though work waits; at hand: {self._where()}")
