"""A lane: partition n of all source topics together, with one writer.

It keeps the records that wait, in one queue a topic, and hands them out as Kafka Streams does: the next one is that
with the smallest Kafka timestamp over the heads of the queues, at a tie the topic named first. Where a topic is
known to have more but nothing of it has been fetched, the lane waits a bounded time before it goes on without
(KIP-695).

Around the job it keeps the overlay: decoded states that are newer than the local store. `take` runs records over it,
`seal` turns what they did into what is to be written, `written` lets go of what the store has.

Trap T3: offsets of a topic that jump are taken for compaction by Faust, so that every loss is invisible. Here a jump
in a topic that is not declared sparse is a `GapError` (test_lane.py::test_a_jump_in_offsets_is_an_error).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import Generic, TypeVar, cast

import msgspec

from decisioning.streaming.chassis.assignment import POSITIONS, Positions, topic_names
from decisioning.streaming.chassis.cache import AtHand
from decisioning.streaming.chassis.config import ChassisConfig
from decisioning.streaming.chassis.epoch import HEARTBEAT, intruders
from decisioning.streaming.chassis.header import Header, pack, read, unpack
from decisioning.streaming.chassis.job import Job, Output, Record
from decisioning.streaming.chassis.outbox import Entry, Outbox
from decisioning.streaming.chassis.part import Held, Part
from decisioning.streaming.chassis.store import OUTBOX, RETIRED, TOPICS, Store, raw_key, user_key, wake_key
from decisioning.streaming.chassis.sweep import Sweep

__all__ = ["GapError", "Lane"]

M = TypeVar("M")
S = TypeVar("S")

_LOOK_AT_CLOCK = 15  # records between two looks at the clock, as a bit mask
_FAR = 1 << 62
_NO_DUE = -1  # told by a sweep, and not woken


class GapError(RuntimeError):
    """Offsets of a source topic are missing; the message says which, and what that means."""


class Lane(Generic[M, S]):
    """One lane. `starts` gives for each source topic, in their order, the next offset to come and the log's end, `ids`
    the topics' own ids where they have any."""

    def __init__(
        self, number: int, store: Store, job: Job[M, S], config: ChassisConfig, starts: Sequence[tuple[int, int]],
        ids: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self.number = number
        self.store = store
        self._job = job
        self._config = config
        self._queues: list[deque[Record]] = [deque() for _ in config.topics]
        self._next = [start for start, _ in starts]
        self._end = [end for _, end in starts]
        self._since: list[float | None] = [None for _ in config.topics]
        self.unfinished = [0 for _ in config.topics]
        """Records of each topic that are taken in and not finished."""
        self._overlay: dict[bytes, Held[S]] = {}
        self.at_hand: AtHand[S] = AtHand(config.cached_bytes, config.decoded_ratio)
        """What the overlay let go of: the same as the store has, already decoded."""
        self._woken: dict[bytes, int] = {}
        self.sweep = Sweep(number, store, job)
        self._cursor: bytes | None = None
        self._expired: list[tuple[bytes, Sequence[bytes]]] = []
        self._index, self._retired, self._announce = self._read_names()
        self._relay = self._index[-1]
        self.epoch = store.epoch
        """Ours, since we took the store over."""
        self.head = 0 if store.offset is None else store.offset + 1
        """Changelog offset that the next record we write will have, unless another writes there, too."""
        self._beat = perf_counter()
        self.outbox = Outbox(
            epoch=self.epoch, limit=config.outbox_bytes, chunk=config.outbox_record_bytes, retired=self._retired
        )
        self._positions = Positions(store.get(POSITIONS), ids)
        self.outbox.load(store.scan(OUTBOX))
        self.committed({i: start for i, (start, _) in enumerate(starts)})
        self.current: Record | None = None
        """The record that the job has in hand: what a crash line names."""
        self._reset()
        self._part.outputs += self.outbox.unsaid(lambda key, index: self._header(key).marks.get(index, -1))

    def _reset(self) -> None:
        self._part: Part[S] = Part(self._config.changelog, self.number, self.epoch)
        self._dirty: dict[bytes, Held[S]] = {}
        self._entries: list[Entry] = []

    def _read_names(self) -> tuple[list[int], frozenset[int], bytes | None]:
        """Index of each source topic in this lane's marks, for ever the same; those that mean nothing any more; and the
        new table where it has grown."""
        names, new = topic_names(self.store.get(TOPICS), self._config.topics, self.number)
        retired = frozenset(index for index, name in enumerate(names) if name == RETIRED)
        index = [names.index(topic) for topic in self._config.topics]
        return index, retired, msgspec.msgpack.encode(names) if new else None

    def put(self, place: int, records: Sequence[Record]) -> None:
        """Take in fetched `records` of the topic at `place`. Raises `GapError` where some are missing."""
        expected = self._next[place]
        if records[0].offset < expected:
            records = [record for record in records if record.offset >= expected]
            if not records:
                return
        if records[-1].offset - expected + 1 != len(records) and self._config.topics[place] not in self._config.sparse:
            raise GapError(self._describe(place, expected, records))
        self._next[place] = records[-1].offset + 1
        self._since[place] = None
        self.unfinished[place] += len(records)
        self._queues[place].extend(records)

    def _describe(self, place: int, expected: int, records: Sequence[Record]) -> str:
        for record in records:
            if record.offset != expected:
                break
            expected += 1
        return (
            f"{record.topic}[{self.number}]: offsets {expected} to {record.offset - 1} are missing; a restart reads"
            " them again. If this topic is compacted or written by transactions, declare it sparse"
        )

    def saw(self, place: int, end: int) -> None:
        """The log of the topic at `place` is known to end at offset `end`."""
        self._end[place] = end

    @property
    def waiting(self) -> bool:
        """Whether any record waits to be taken."""
        return any(self._queues)

    def lag(self) -> list[int]:
        """Records of each topic that are in the log and not finished."""
        return [max(0, end - n) + u for end, n, u in zip(self._end, self._next, self.unfinished, strict=True)]

    def hold(self, now: float) -> float:
        """Seconds to wait for a topic that lags before others are taken from; 0: none. `now` is a perf_counter."""
        wait = 0.0
        for place, queue in enumerate(self._queues):
            if queue or self._end[place] <= self._next[place]:
                continue
            since = self._since[place]
            if since is None:
                since = self._since[place] = now
            wait = max(wait, since + self._config.idle_wait_ms / 1000 - now)
        return wait

    def take(self, limit: int, deadline: float) -> int:
        """Handle up to `limit` records until `deadline` (perf_counter); how many. Any exception is the job's."""
        taken = 0
        while taken < limit and (now := perf_counter()) < deadline:
            place, bound = self._pick()
            if place < 0 or self.hold(now) > 0:
                break
            queue, index, before = self._queues[place], self._index[place], taken
            while queue and queue[0].timestamp < bound and taken < limit:
                record = self.current = queue.popleft()
                self._handle(record, index)
                taken += 1
                if not taken & _LOOK_AT_CLOCK and perf_counter() > deadline:
                    break
            self._part.finished[place] = record.offset
            self._part.taken[place] = self._part.taken.get(place, 0) + taken - before
        self.current = None
        self._part.count += taken
        return taken

    def _pick(self) -> tuple[int, int]:
        """The topic whose record is next (its place, -1: none waits), and the timestamp below which it stays so."""
        best, first, bound = -1, _FAR, _FAR
        for place, queue in enumerate(self._queues):
            if not queue:
                continue
            stamp = queue[0].timestamp
            if stamp < first:
                # The one that led so far is named before this one: it comes first again at a tie.
                best, first, bound = place, stamp, first
            elif stamp < bound - 1:
                # This one is named later: at a tie `best` still goes first.
                bound = stamp + 1
        return best, bound

    def _handle(self, record: Record, index: int) -> None:
        said = self._job.read(record)
        if not (type(said) is tuple and len(said) == 2 and type(said[0]) is bytes):
            self._part.outputs.extend(cast(Sequence[Output], said))
            return
        key, message = said
        if index == self._relay and key in self._woken:
            del self._woken[key]  # its wake has arrived, whatever the job makes of it
        held = self._dirty.get(key) or self._overlay.get(key) or self.at_hand.get(key) or self._fetch(key)
        header = held.header
        if record.offset <= header.marks.get(index, -1):
            self._part.replayed += 1
            return
        applied = self._job.apply(key, held.state, message)
        header.marks[index] = record.offset
        header.sequence += 1
        self._dirty[key] = held
        if applied is None:
            self._entries.append((index, record.offset, key, ()))
            return
        held.state, header.wake_at, outputs, clock = applied
        held.body = None
        header.forgotten = held.state is None
        if header.forgotten:
            header.wake_at = None
        if clock > header.clock:
            header.clock = clock
        self._entries.append((index, record.offset, key, outputs))
        self._part.outputs.extend(outputs)

    def look(self, key: bytes) -> S | None:
        """The state of `key` as of the last record taken, to be read and not changed; None: it has none."""
        return (self._dirty.get(key) or self._overlay.get(key) or self.at_hand.get(key) or self._fetch(key)).state

    def _fetch(self, key: bytes) -> Held[S]:
        raw = self.store.get(raw_key(key))
        if raw is None:
            return Held(key, Header(), None, b"")
        header, body = read(raw)
        if body is None:
            return Held(key, header, self._job.damaged(key), None)
        for index in self._retired & header.marks.keys():
            del header.marks[index]
        return Held(key, header, None if header.forgotten else self._job.load(key, body), body)

    def _header(self, key: bytes) -> Header:
        held = self._dirty.get(key) or self._overlay.get(key) or self.at_hand.get(key)
        if held is not None:
            return held.header
        raw = self.store.get(raw_key(key))
        return Header() if raw is None else read(raw)[0]

    def seal(self, *, idle: bool = False) -> Part[S] | None:
        """Close the slice for this lane: all that is to be written; None: nothing. `idle` also tidies without work."""
        part, forgotten = self._part, []
        beat = idle and perf_counter() - self._beat > self._config.beat_ms / 1000
        if not (part.count or part.outputs or beat or (idle and (self._expired or self.store.stale))):
            return None
        if self._announce is not None:
            part.log(TOPICS, self._announce)
            self._announce = None
        positions = self._positions.news()
        if positions is not None:
            part.log(POSITIONS, positions)
        states: list[tuple[bytes, bytes]] = []
        for key, held in self._dirty.items():
            if held.header.forgotten:
                forgotten.append(key)
            states.append((raw_key(key), self._write(held, part)))
        for name, value in self.outbox.put(self._entries, forgotten):
            part.log(name, value)
        for name, value in states:
            part.log(name, value)
        self._tidy(part)
        if self.store.stale:
            self._write_again(part)
        if part.changelog:
            self._beat = perf_counter()
        elif beat:
            part.log(HEARTBEAT, b"", keep=False)
            self._beat = perf_counter()
        self._reset()
        self.sweep.sealed()
        return part

    def _write(self, held: Held[S], part: Part[S]) -> bytes:
        header, key = held.header, held.key
        if held.body is None:
            held.body = b"" if held.state is None else self._job.dump(key, held.state)
        header.epoch = self.epoch
        raw = pack(header, held.body)
        if header.wake_at != held.due:
            if held.due is not None:
                part.batch.delete(wake_key(held.due, key))
            if header.wake_at is not None:
                entry = wake_key(header.wake_at, key)
                part.batch.put(entry, b"")
                part.wakes.append(entry)
            held.due = header.wake_at
            self._woken.pop(key, None)
        if header.clock > part.clock:
            part.clock = header.clock
        held.pending += 1
        self._overlay[key] = held
        part.held.append(held)
        return raw

    def _tidy(self, part: Part[S]) -> None:
        """Remove what a commit has made superfluous: outbox records, and marks of keys that have no state."""
        for name, forgotten in self._expired:
            part.log(name, None)
            for key in forgotten:
                if self._is_over(self._header(key)):
                    part.log(raw_key(key), None)
        self._expired = []

    def _is_over(self, header: Header) -> bool:
        return header.forgotten and all(self.outbox.past(*mark) for mark in header.marks.items())

    # -- other writers ------------------------------------------------------------------------------------------------

    def intruded(self, records: Sequence[Record], part: Part[S]) -> None:
        """`records` stand among our own in the changelog: raises `Superseded`, or notes with `part` what we owe."""
        for name in intruders(records, self.epoch, self.store.base, self.number):
            self.store.owe(name, part.batch)

    def _write_again(self, part: Part[S]) -> None:
        """Put our own record after a stale writer's, so that compaction keeps the right one."""
        written = {output.key for output in part.changelog}
        for name in sorted(self.store.stale):
            self.store.settle(name, part.batch)
            if name not in written:
                part.log(name, self._latest(name))

    def _latest(self, name: bytes) -> bytes | None:
        """What the changelog ought to say under `name`, in our epoch; None: nothing."""
        key, raw = user_key(name), self.store.get(name)
        if key is None:
            return raw
        held = self._overlay.get(key)
        if held is not None and held.body is not None:
            header, body = held.header, held.body
        elif raw is not None:
            header, body = unpack(raw)
            header.epoch = self.epoch
        else:
            return None
        return None if self._is_over(header) else pack(header, body)

    def committed(self, offsets: Mapping[int, int]) -> None:
        """Kafka was told, by topic's place, the offset that is next to be delivered after a restart."""
        self.outbox.committed({self._index[place]: offset for place, offset in offsets.items()})
        self._expired += self.outbox.expired()
        for place, offset in offsets.items():
            self._positions.move(self._config.topics[place], offset)

    def written(self, part: Part[S], offset: int | None) -> None:
        """Write `part` to the store, true up to changelog `offset`, and let go of what is no longer newer than it."""
        self.store.write(part.batch, offset, part.clock)
        self.sweep.stored()
        for held in part.held:
            held.pending -= 1
            if not held.pending and held.key not in self._dirty:
                self._overlay.pop(held.key, None)
                self.at_hand.keep(held)
        if part.wakes and self._cursor is not None:
            earliest = min(part.wakes)
            if earliest < self._cursor:
                self._cursor = earliest

    def finished(self, part: Part[S]) -> None:
        """All that `part` said is acknowledged."""
        for place, count in part.taken.items():
            self.unfinished[place] -= count

    def wake(self, now: int) -> int:
        """Add relay records of wakes due by instant `now` (us) to the slice at hand; how many."""
        woken = 0
        share = min(self._config.wake_share, self._config.wakes_in_flight - len(self._woken))
        if share <= 0:
            return 0
        for entry, due, key in self.store.wakes(self._cursor, now):
            if woken >= share:
                break
            self._cursor = entry + b"\0"  # the first name after it
            if self._woken.get(key) == due:
                continue
            if self._header(key).wake_at != due:
                if key not in self._overlay and key not in self._dirty:
                    self._part.batch.delete(entry)  # left over from a restore; the others go with a slice on its way
                continue
            self._woken[key] = due
            self._part.outputs.append(self._job.wake(self.number, key, due))
            woken += 1
        return woken

    def tell(self, deadline: float) -> None:
        """Add what the job's sweep tells some more keys to the slice at hand, until `deadline` (perf_counter)."""
        share = min(self._config.wake_share, self._config.wakes_in_flight - len(self._woken))
        for key, output in self.sweep.turn(share, deadline):
            self._woken.setdefault(key, _NO_DUE)
            self._part.outputs.append(output)
