"""What an application tells the chassis, and what it gets from it.

A `Job` is pure and in memory: it reads a record, applies it to the state of one key and says what to publish.
Everything that can fail, wait or be repeated (Kafka, RocksDB, commits, restarts) is the chassis' business.

Times are integer microseconds since the Unix epoch (instants); only Kafka's own record timestamps are milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

__all__ = ["Applied", "Job", "Output", "Record"]

M = TypeVar("M")
S = TypeVar("S")


class Record(Protocol):
    """A record as it was fetched; aiokafka's `ConsumerRecord` satisfies it."""

    @property
    def topic(self) -> str:
        """Where it was fetched from."""
        ...

    @property
    def partition(self) -> int:
        """Number of the partition, and so of the lane."""
        ...

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since the Unix epoch, set by the producer or the broker."""
        ...

    @property
    def key(self) -> bytes | None:
        """What the producer chose; None: none."""
        ...

    @property
    def value(self) -> bytes | None:
        """What it says; None: a tombstone."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values, in order, names may repeat."""
        ...


class Output(NamedTuple):
    """One record to publish. All outputs of a lane are published in the order in which its records were handled."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None
    """None: by Java's murmur2 of the key."""
    timestamp: int | None = None
    """Milliseconds since the Unix epoch; None: when it is sent."""


class Applied(NamedTuple, Generic[S]):
    """What one message did to one key."""

    state: S | None
    """None: the key is forgotten."""
    wake_at: int | None
    """Instant (us) at which this key wants to be woken; None: never."""
    outputs: Sequence[Output]
    clock: int = 0
    """Newest event-time instant (us) this key has seen; the newest of a lane is given back by `Job.restored`."""


class Job(Protocol[M, S]):
    """The application: pure in memory, no I/O, no awaiting. An exception from any method ends the process."""

    def read(self, record: Record) -> tuple[bytes, M] | Sequence[Output]:
        """The key whose state `record` concerns and what it says; or, where it concerns none, only outputs.

        Outputs alone are a dead letter or a forward, and may be none at all. They must follow from the record alone:
        a redelivered record is read again.
        """
        ...

    def apply(self, key: bytes, state: S | None, message: M) -> Applied[S] | None:
        """The new state of `key` and what to say; None: nothing changed and nothing to say.

        `state` is the object that the last call returned, or one that `load` made; it may be changed in place.
        """
        ...

    def load(self, key: bytes, body: bytes) -> S:
        """The state that `dump` wrote."""
        ...

    def damaged(self, key: bytes) -> S:
        """The state of a key of which nothing can be read any more, not even which records it has seen."""
        ...

    def dump(self, key: bytes, state: S) -> bytes:
        """The bytes of `state`."""
        ...

    def wake(self, lane: int, key: bytes, due: int) -> Output:
        """The relay record that a due wake becomes; the chassis publishes it to partition `lane` of its topic."""
        ...

    @property
    def sweep(self) -> int:
        """The number of the sweep that every key has to go through (`sweep.py`); 0: none. Another begins anew."""
        ...

    def swept(self, lane: int, key: bytes, body: bytes) -> Output | None:
        """The relay record, of partition `lane`, that a key with this `body` is to be told by in the sweep; None: none.

        Only looks: the state may be newer than the body when the record comes.
        """
        ...

    def now(self) -> int:
        """The instant (us) by which wakes are due: a wall clock or an event clock, the chassis does not care."""
        ...

    def restored(self, clock: int) -> None:
        """Told at assignment: the newest `Applied.clock` of a lane, 0 where it has none."""
        ...
