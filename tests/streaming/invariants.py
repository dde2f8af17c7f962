"""What the logs say for themselves, without asking the engine: the second half of the offline verifier.

I4 each store is its changelog up to the offset that it claims; I5 a key's sequence rises; I6 nobody is spoken to after
they said no, in the order in which their lane took records; I9 nothing is committed before its work is done; I10 no
log line, page or header names a customer. Numbers are those of reliability.md, section 3.2.
"""

from __future__ import annotations

import json
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from decisioning.errors import EventRejected
from decisioning.event import Event, parse
from decisioning.instant import parse_instant
from decisioning.streaming.chassis.header import unpack
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.outbox import decode
from decisioning.streaming.chassis.store import OUTBOX, TOPICS, user_key
from tests.streaming.records import Rec

_NAMES: Final = msgspec.msgpack.Decoder(list[str])
_EPOCH: Final = struct.Struct(">Q")
_PERSON: Final = re.compile(rb"(?<![0-9A-Za-z-])(?:c-\d{4}|tel:\d{4})(?![0-9A-Za-z-])")
"""The customers and identities of a drawn history: canaries that must sing nowhere."""
_OURS: Final = ("__streams.errors.", "decisioning.")


class Handled(NamedTuple):
    """A record that a lane took, and what was said for it, in the lane's order."""

    topic: str
    offset: int
    key: bytes
    outputs: Sequence[Output]


def lane_records(changelog: Iterable[Rec], number: int) -> Iterator[tuple[Rec, int]]:
    """A lane's changelog with the epoch of each record, without what a writer of an older epoch wrote too late."""
    newest = 0
    for record in changelog:
        if record.partition != number or record.key is None:
            continue
        epoch = newest
        if record.key.startswith(OUTBOX):
            epoch = _EPOCH.unpack_from(record.key, len(OUTBOX))[0]
        elif user_key(record.key) is not None and record.value is not None:
            epoch = unpack(record.value)[0].epoch
        if epoch < newest and record.value is not None:
            continue
        newest = max(newest, epoch)
        yield record, epoch


def handled(changelog: Iterable[Rec], number: int) -> list[Handled]:
    """What a lane did, in its order; of a record that was begun and redone, the redo."""
    names: list[str] = []
    found: dict[tuple[int, int], Handled] = {}
    for record, _ in lane_records(changelog, number):
        if record.key == TOPICS and record.value is not None:
            names = _NAMES.decode(record.value)
        elif (record.key or b"").startswith(OUTBOX) and record.value is not None:
            for topic, offset, key, outputs in decode(record.value)[0]:
                found.pop((topic, offset), None)
                found[topic, offset] = Handled(names[topic], offset, key, outputs)
    return list(found.values())


def falling_sequences(changelog: Sequence[Rec], partitions: int) -> list[str]:
    """I5: keys whose sequence does not rise from one state record to the next of the same writer. The same bytes once
    more are no fall: an owner may write again what a stale writer covered."""
    found = []
    for number in range(partitions):
        last: dict[bytes, tuple[int, int, bytes]] = {}
        for record, _ in lane_records(changelog, number):
            key = user_key(record.key or b"")
            if key is None:
                continue
            if record.value is None:
                last.pop(key, None)
                continue
            header, _ = unpack(record.value)
            epoch, sequence, value = last.get(key, (-1, -1, b""))
            if header.epoch == epoch and header.sequence <= sequence and record.value != value:
                found.append(f"lane {number}, changelog {record.offset}: sequence {header.sequence} after {sequence}")
            last[key] = header.epoch, header.sequence, record.value
    return found


def torn_stores(
    changelog: Sequence[Rec], kept: Iterable[tuple[str, int, int | None, Mapping[bytes, bytes]]]
) -> list[str]:
    """I4: stores (worker, lane, offset, records) that are not what the changelog says up to that offset. It holds at
    any instant, after any kill, for every worker that ever had the lane."""
    found = []
    for worker, number, offset, states in kept:
        upto = -1 if offset is None else offset
        told: dict[bytes, bytes] = {}
        for record, _ in lane_records(changelog, number):
            key = user_key(record.key or b"")
            if key is None or record.offset > upto:
                continue
            if record.value is None:
                told.pop(key, None)
            else:
                told[key] = record.value
        wrong = sorted(key for key in told.keys() | states.keys() if told.get(key) != states.get(key))
        found += [f"worker {worker}, lane {number}, customer {key!r}: not the changelog up to {upto}" for key in wrong]
    return found


def swollen(changelog: Sequence[Rec], limit: int) -> list[str]:
    """F16: keys whose state grew above `limit` bytes."""
    largest: dict[bytes, int] = {}
    for record in changelog:
        key = user_key(record.key or b"")
        if key is not None and len(record.value or b"") > limit:
            largest[key] = max(len(record.value or b""), largest.get(key, 0))
    return [f"customer {key!r} has a state of {size} bytes" for key, size in largest.items()]


class _Silence:
    """What one customer asked of us: only what nobody could read otherwise."""

    def __init__(self) -> None:
        self.gone = False
        self.granted: dict[str, int] = {}
        self.withdrawn: dict[str, int] = {}
        self.united = False
        """Another subject became part of it: consents may have come along, which nothing here tells."""
        self._erased_at = 0
        self._heard: set[tuple[str, str]] = set()

    def hear(self, event: Event) -> None:
        """An event of the customer was taken; one that is sent again says nothing."""
        data: Any = event.data
        if (event.source, event.id) in self._heard:
            return
        self._heard.add((event.source, event.id))
        if event.type == "customer.erased":
            self.gone = True
            self.granted, self.withdrawn, self.united = {}, {}, False
            self._erased_at = max(self._erased_at, event.time)
        elif event.type == "customer.life_event" and data.kind == "deceased":
            self.gone = self.gone or event.time > self._erased_at  # nothing from before an erasure folds
        elif event.type in ("consent.granted", "purchase.completed"):
            self.gone = False  # leniently: what is older than the erasure would not revive, nor anything the dead
        if event.type in ("consent.granted", "consent.withdrawn") and data.purpose == "marketing":
            times = self.granted if event.type == "consent.granted" else self.withdrawn
            for channel in data.channels or ("*",):
                times[channel] = max(event.time, times.get(channel, 0))

    def objects(self, class_: str, channel: str) -> str | None:
        """Why nothing of this class may go out on this channel; None: it may, for all that is known here."""
        if self.gone:
            return "erased or deceased"
        if class_ != "marketing" or self.united:
            return None
        granted = max(self.granted.get("*", 0), self.granted.get(channel, 0))
        withdrawn = max(self.withdrawn.get("*", 0), self.withdrawn.get(channel, 0))
        if not granted:
            return "never agreed"
        return "withdrew" if withdrawn >= granted else None


def spoken_to_in_silence(changelog: Sequence[Rec], sources: Mapping[str, Sequence[Rec]], partitions: int) -> list[str]:
    """I6: acts for someone who was erased, died, or had not agreed, by what stood before it in the lane's order."""
    found = []
    records = {(one.topic, one.partition, one.offset): one for topic in sources.values() for one in topic}
    for number in range(partitions):
        known: dict[bytes, _Silence] = defaultdict(_Silence)
        for one in handled(changelog, number):
            record, silence = records.get((one.topic, number, one.offset)), known[one.key]
            event = None if record is None else _event(record, one.key)
            before = [_act(output) for output in one.outputs]
            for act in before:
                # A wake that was due earlier spoke before the event was taken.
                if act is not None and event is not None and act[0] < event.time and act[3]:
                    found += _broken(one, number, silence, act)
            if event is not None:
                silence.hear(event)
            elif record is not None and b"wake" not in dict(record.headers).values():
                silence.united = True
            for act in before:
                if act is not None and not (event is not None and act[0] < event.time and act[3]):
                    found += _broken(one, number, silence, act)
    return found


def _broken(one: Handled, number: int, silence: _Silence, act: tuple[int, str, str, bool]) -> list[str]:
    reason = silence.objects(act[1], act[2])
    return [] if reason is None else [f"customer {one.key!r} {reason}, yet {one.topic}[{number}]@{one.offset} spoke"]


def _act(output: Output) -> tuple[int, str, str, bool] | None:
    """Instant, class and channel of an act that is to go out, and whether a wake made it; None for anything else."""
    if b'"decision.act"' not in (output.value or b""):
        return None
    said = json.loads(output.value or b"")
    data = said["data"]
    return parse_instant(said["time"]), data["class"], data["channel"], data["trigger"]["type"] == "wake"


def _event(record: Rec, key: bytes) -> Event | None:
    """The event that a record holds, also one that was forwarded to this customer."""
    try:
        event = parse(record.value, record.headers)
    except EventRejected:
        return None
    return event if event.data is not None and (event.subject.encode() == key or record.key == key) else None


class Moment(NamedTuple):
    """What was committed and what stood in the logs when nobody was at work: offsets by topic and partition."""

    committed: Mapping[str, Mapping[int, int]]
    ends: Mapping[str, Mapping[int, int]]


def committed_too_far(
    moment: Moment, changelog: Sequence[Rec], written: Mapping[str, Sequence[Rec]], partitions: int
) -> list[str]:
    """I9: records below a commit of that moment whose outputs did not yet stand in the logs. `written`: by topic."""

    def there(records: Sequence[Rec]) -> Iterator[Rec]:
        for record in records:
            if record.offset < moment.ends.get(record.topic, {}).get(record.partition, 0):
                yield record

    said = {(topic, one.key, one.value) for topic, records in written.items() for one in there(records)}
    known = list(there(changelog))
    return [
        f"{one.topic}[{number}]@{one.offset} was committed before what it said was written to {output.topic}"
        for number in range(partitions)
        for one in handled(known, number)
        if one.offset < moment.committed.get(one.topic, {}).get(number, 0)
        for output in one.outputs
        if output.topic in written and (output.topic, output.key, output.value) not in said
    ]


def leaks(texts: Mapping[str, bytes], dead_letters: Sequence[Rec], secrets: Sequence[bytes] = ()) -> list[str]:
    """I10: customers, or secrets, in what everybody may read: logs and pages by name, our headers of dead letters."""
    read = list(texts.items())
    for letter in dead_letters:
        ours = b"\n".join(content or b"" for name, content in letter.headers if name.startswith(_OURS))
        read.append((f"a header of dead letter [{letter.partition}]@{letter.offset}", ours))
    found = [f"{name} names {told.group().decode()}" for name, text in read for told in _PERSON.finditer(text)]
    return found + [f"{name} holds a secret" for name, text in read for secret in secrets if secret in text]
