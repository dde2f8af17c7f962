"""What one slice does to one lane: what it writes, what it says, and how far the lane then is."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from decisioning.streaming.chassis.epoch import stamp
from decisioning.streaming.chassis.header import Header
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.store import Batch, Store, user_key

__all__ = ["Held", "Part"]

S = TypeVar("S")


class Held(Generic[S]):
    """A key's state while it is newer than the store."""

    __slots__ = ("body", "due", "header", "key", "pending", "state", "weight")

    def __init__(self, key: bytes, header: Header, state: S | None, body: bytes | None) -> None:
        self.key = key
        self.header = header
        self.state = state
        self.body = body
        """What `state` was dumped to or loaded from; None: it changed since."""
        self.due = header.wake_at
        """The wake that the index holds once all sealed slices are written."""
        self.pending = 0
        """Sealed slices that hold this key and are not in the store yet."""
        self.weight = 0
        """Bytes of memory that it counts for while it is kept at hand."""


class Part(Generic[S]):
    """One slice's part in one lane. `changelog` and `lane` name the log, `epoch` is ours in it."""

    __slots__ = (
        "_changelog", "_lane", "_stamp", "acks", "batch", "changelog", "clock", "count", "finished", "held", "outputs",
        "replayed", "taken", "wakes",
    )  # fmt: skip

    def __init__(self, changelog: str, lane: int, epoch: int) -> None:
        self._changelog = changelog
        self._lane = lane
        self._stamp = stamp(epoch)
        self.changelog: list[Output] = []
        """What goes to the log, in order."""
        self.batch: Batch = Store.batch()
        """What goes to the local store, once the log has it."""
        self.outputs: list[Output] = []
        self.held: list[Held[S]] = []
        self.wakes: list[bytes] = []
        """Index entries that the batch adds."""
        self.finished: dict[int, int] = {}
        """Topic's place to the last offset that was handled."""
        self.taken: dict[int, int] = {}
        """Topic's place to the number of records that were handled."""
        self.count = 0
        self.replayed = 0
        self.clock = 0
        self.acks: list[Any] = []
        """Acknowledgements of `changelog`, in its order."""

    def log(self, name: bytes, value: bytes | None, *, keep: bool = True) -> None:
        """Write `value` (None: a tombstone) under `name` to the log and, unless it is not to `keep`, to the store."""
        state = value is not None and user_key(name) is not None  # its own header bears the epoch
        self.changelog.append(Output(self._changelog, name, value, () if state else self._stamp, self._lane))
        if keep and value is None:
            self.batch.delete(name)
        elif keep and value is not None:
            self.batch.put(name, value)
