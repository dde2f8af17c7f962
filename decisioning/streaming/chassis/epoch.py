"""No stale writer wins: who may write a lane's changelog, and what becomes of a record by somebody who may not (T15).

Kafka compacts by offset and fences nobody: a worker that was paused or cut off, and replaced meanwhile, may still have
records on their way, and they land after those of its successor. So every owner of a lane begins by appending a
*takeover* to its changelog partition. Its place in that log is the owner's *epoch*, and stands in all that it writes:
of a state in the state's own header, of anything else in a Kafka header. From that follow three rules:

- Who reads the log drops a record whose epoch is below one already seen. Standbys do the same.
- Who writes it checks that its acknowledgements leave no hole. A hole is another writer: of a higher epoch, then we
  are superseded and stop, before the local store or anything published could know better (`Superseded`,
  test_fencing.py); of a lower one, then its keys are written once more, so that compaction keeps our record and not
  the later one that everybody drops. What is owed is kept in the local store until it is done, over a crash too.
- An owner that has nothing to write writes a *heartbeat* now and then, so that it notices as well. Compaction must not
  be faster than that (`min.compaction.lag.ms`).

An epoch is ``base + offset of the takeover + 1``; 0 is a record from before there were epochs. The base is 0 until a
changelog moves to another cluster, where offsets begin anew.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from decisioning.streaming.chassis import header
from decisioning.streaming.chassis.job import Record

__all__ = [
    "BASE", "HEARTBEAT", "TAKEOVER", "Superseded", "beginning", "epoch_of", "intruders", "pack_base", "read_base",
    "stamp",
]  # fmt: skip

TAKEOVER: Final = b"\0e"
"""Name of the record by which an owner begins; its value names the owner's client, for a person who reads the log."""
HEARTBEAT: Final = b"\0h"
"""Name of the record that an owner writes when it has nothing else to write."""
BASE: Final = b"\0b"
"""Name of the record that says what is added to offsets, so that epochs grow over a change of cluster."""
_HEADER: Final = "epoch"
_NUMBER: Final = struct.Struct(">Q")


class Superseded(RuntimeError):
    """Another worker has taken over a lane of ours; the message says which and since when."""


def beginning(offset: int, base: int) -> int:
    """The epoch of the owner whose takeover stands at changelog `offset`."""
    return base + offset + 1


def stamp(epoch: int) -> tuple[tuple[str, bytes], ...]:
    """The Kafka headers of a record that is no state: a tombstone or one of the chassis' own."""
    return ((_HEADER, _NUMBER.pack(epoch)),)


def pack_base(base: int) -> bytes:
    """The value of a `BASE` record."""
    return _NUMBER.pack(base)


def read_base(value: bytes | None) -> int:
    """The base that the value of a `BASE` record says; 0 for none."""
    return 0 if value is None else int(_NUMBER.unpack(value)[0])


def epoch_of(record: Record, base: int) -> int:
    """The epoch of whoever wrote `record` of a changelog. Raises `header.FormatError`."""
    key, value = record.key, record.value
    if key == TAKEOVER:
        return beginning(record.offset, base)
    if value is not None and key is not None and (key[:1] != b"\0" or key[:2] == b"\0k"):
        return header.peek(value)[2]
    for name, content in record.headers:
        if name == _HEADER:
            return int(_NUMBER.unpack(content)[0])
    return 0


def intruders(records: Iterable[Record], epoch: int, base: int, lane: int) -> Sequence[bytes]:
    """Names under which others have written among our own records; all is well once we write these again.

    `epoch` is ours. Raises `Superseded` where one of them is of a higher one.
    """
    names: dict[bytes, None] = {}
    for record in records:
        try:
            theirs = epoch_of(record, base)
        except header.DamagedError:
            theirs = 0  # whoever wrote it, ours is the right one
        if theirs > epoch:
            raise Superseded(
                f"lane {lane} has another owner since changelog offset {record.offset}: this worker was paused or cut"
                " off for longer than its session and stops before it says anything; a restart joins the group again"
            )
        if record.key is not None and record.key not in (TAKEOVER, HEARTBEAT):
            names[record.key] = None
    return list(names)
