"""What a lane has said and Kafka has not yet been told that it was said.

Before a slice's states go to the changelog, its outbox record does: every record that the slice handled, as topic
index, offset and key, each with all its outputs as bytes. If the process dies, its successor begins by publishing
from here what was said and not committed, byte for byte and in the order in which it was said: the records themselves
come again in an order of their own, by which a recall could overtake what it takes back. When they come, each at or
below its key's watermark, nothing is left to say. Once the offsets are committed past, the record is removed from
changelog and store.

Entries above their key's watermark are void: the state that they belong to was never written, and the record is
redone. Long slices fill several records, so that none nears the broker's limit (trap T18).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from decisioning.streaming.chassis.header import FormatError
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.store import OUTBOX

__all__ = ["Entry", "Outbox", "decode", "encode"]

Entry = tuple[int, int, bytes, Sequence[Output]]
"""Topic index, offset, key, outputs."""

_VERSION = 1
_NUMBER = struct.Struct(">QQ")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[tuple[int, int, bytes, list[Output]]], list[bytes]]).decode


def encode(entries: Sequence[Entry], forgotten: Sequence[bytes]) -> bytes:
    """The value of an outbox record: its entries in order, and the keys that the slice left without a state."""
    return bytes((_VERSION,)) + _encode((entries, forgotten))


def decode(raw: bytes) -> tuple[list[Entry], list[bytes]]:
    """What `encode` was given. Raises `FormatError`."""
    if not raw or raw[0] != _VERSION:
        raise FormatError(
            f"an outbox record has format {raw[0] if raw else 'none'}, this program knows {_VERSION}:"
            " start the newer one again"
        )
    try:
        entries, forgotten = _decode(raw[1:])
    except msgspec.MsgspecError as error:
        raise FormatError(f"an outbox record is damaged: {error}") from error
    return [(topic, offset, key, outputs) for topic, offset, key, outputs in entries], forgotten


class _Live:
    """One outbox record that awaits its commit: its name, last offset by topic, keys without state, and size."""

    __slots__ = ("forgotten", "last", "name", "size")

    def __init__(self, name: bytes, last: dict[int, int], forgotten: Sequence[bytes], size: int) -> None:
        self.name = name
        self.last = last
        self.forgotten = forgotten
        self.size = size


class Outbox:
    """The outbox of one lane: the records that await a commit, and what the restored ones say.

    `epoch` is its owner's, so that no name is ever given twice. `limit` is the size in bytes up to which this run's own
    records may pile up before a commit is needed; `chunk` the size at which a slice continues in another record.
    Records of the topic indices that are `retired` cannot come again.
    """

    def __init__(self, *, epoch: int, limit: int, chunk: int, retired: frozenset[int] = frozenset()) -> None:
        self._retired = retired
        self._epoch = epoch
        self._limit = limit
        self._chunk = chunk
        self._next = 0
        self._unsaid: dict[tuple[int, int], tuple[bytes, Sequence[Output]]] = {}
        self._restored: list[_Live] = []
        self._own: deque[_Live] = deque()
        self._committed: dict[int, int] = {}
        self._own_bytes = 0
        self._restored_bytes = 0

    def __len__(self) -> int:
        return len(self._own) + len(self._restored)

    @property
    def size(self) -> int:
        """Bytes that await a commit."""
        return self._own_bytes + self._restored_bytes

    @property
    def full(self) -> bool:
        """Whether this run has said so much that nothing more may be said before a commit."""
        return self._own_bytes >= self._limit

    def load(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take over what an earlier run left, from the store, in the order of the names. Raises `FormatError`."""
        for name, value in records:
            entries, forgotten = decode(value)
            last: dict[int, int] = {}
            for topic, offset, key, outputs in entries:
                last[topic] = max(offset, last.get(topic, -1))
                # A redo stands in a later record and replaces what the void entry says, in its place too.
                self._unsaid.pop((topic, offset), None)
                self._unsaid[topic, offset] = key, outputs
            self._restored.append(_Live(name, last, forgotten, len(value)))
            self._restored_bytes += len(value)

    def unsaid(self, seen: Callable[[bytes, int], int]) -> list[Output]:
        """What an earlier run may not have published to the end, in the order in which it was said; only once.

        `seen` gives the watermark of a key for a topic index, -1 for none: what is above it is void.
        """
        outputs = [
            output
            for (topic, offset), (key, said) in self._unsaid.items()
            if not self.past(topic, offset) and offset <= seen(key, topic)
            for output in said
        ]
        self._unsaid = {}
        return outputs

    def put(self, entries: list[Entry], forgotten: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Take in what a slice says; the records to write for it, names and values, before any of its states."""
        part: list[Entry] = []
        size = 0
        for entry in entries:
            part.append(entry)
            size += sum(len(output.value or b"") for output in entry[3])
            if size >= self._chunk:
                yield self._write(part, ())
                part, size = [], 0
        if part or forgotten:
            yield self._write(part, forgotten)

    def _write(self, entries: list[Entry], forgotten: Sequence[bytes]) -> tuple[bytes, bytes]:
        name = OUTBOX + _NUMBER.pack(self._epoch, self._next)
        self._next += 1
        value = encode(entries, forgotten)
        # A later entry of a topic has the higher offset, so the last one stands.
        self._own.append(_Live(name, {entry[0]: entry[1] for entry in entries}, forgotten, len(value)))
        self._own_bytes += len(value)
        return name, value

    def committed(self, offsets: Mapping[int, int]) -> None:
        """Told what Kafka now knows: topic index to the offset that is delivered next after a restart."""
        self._committed.update(offsets)

    def past(self, topic: int, offset: int) -> bool:
        """Whether the record of topic index `topic` at `offset` can no longer be delivered again."""
        return offset < self._committed.get(topic, 0) or topic in self._retired

    def expired(self) -> list[tuple[bytes, Sequence[bytes]]]:
        """Records that nobody can ask for any more, now to be removed: their names, and keys left without a state."""
        gone: list[_Live] = []
        while self._own and self._is_past(self._own[0]):
            gone.append(self._own.popleft())
            self._own_bytes -= gone[-1].size
        if self._restored:
            past = [live for live in self._restored if self._is_past(live)]
            if past:
                self._restored = [live for live in self._restored if not self._is_past(live)]
                self._restored_bytes -= sum(live.size for live in past)
                gone += past
        return [(live.name, live.forgotten) for live in gone]

    def _is_past(self, live: _Live) -> bool:
        return all(self.past(topic, offset) for topic, offset in live.last.items())
