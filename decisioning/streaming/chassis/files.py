"""Looks at RocksDB's own files before it opens them, for the damage that it goes past in silence (trap T19).

RocksDB checks what it reads. What is not there any more it may take for the end: of a MANIFEST that is cut short, and
then of the tables that it no longer names, while a log that is newer than they are is still applied; or of a log that
is empty or gone, and then the next one is applied. Both leave a hole in the middle of what is known: a store that says
that it is true up to some offset, and is not. Measured over every kind of cut: a third of the torn MANIFESTs and most
of the empty or missing logs open without a word (test_files.py).

Read here, of RocksDB 8 to 10: logs and MANIFEST are records in blocks of 32 KiB; a batch in a log begins with its
sequence number and the count of its entries, without gaps from log to log; an edit in the MANIFEST says which log is
the first that is needed, and how far sequences had come.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["hole"]

_BLOCK: Final = 32 * 1024
_RECORD: Final = struct.Struct("<IHB")  # checksum, length, type
_BATCH: Final = struct.Struct("<QI")  # sequence number of the first entry, entries
_FULL, _FIRST, _LAST = 1, 2, 4
_LOG_NUMBER, _LAST_SEQUENCE = 2, 4
_NUMBERS: Final = {_LOG_NUMBER, _LAST_SEQUENCE, 3, 9, 10, 203}
_TEXTS: Final = {1, (1 << 13) + 1}
"""Tags of what an edit begins with: numbers (of logs, files, sequences), and texts (comparator, identity)."""


class _Torn(Exception):
    """The file ends within a record."""


def hole(path: Path) -> str | None:
    """Why RocksDB would open the directory at `path` with something missing in the middle; None: it would not."""
    try:
        name = (path / "CURRENT").read_text(encoding="ascii").strip()
        raw = (path / name).read_bytes() if name.startswith("MANIFEST-") else b""
        logs = {int(file.stem): file.read_bytes() for file in path.glob("*.log") if file.stem.isdigit()}
    except (OSError, ValueError):
        return None  # RocksDB itself says what is wrong with it
    try:
        first = flushed = 0
        for edit in _records(raw):
            told = _numbers(edit)
            first = max(first, told.get(_LOG_NUMBER, 0))
            flushed = max(flushed, told.get(_LAST_SEQUENCE, 0))
    except _Torn:
        return "the end of its MANIFEST is torn"
    return _gap({number: logs[number] for number in sorted(logs) if number >= first}, flushed)


def _gap(logs: dict[int, bytes], flushed: int) -> str | None:
    """The first place at which something before or between logs is missing; `flushed`: the last sequence in tables."""
    reached = flushed
    for number, raw in logs.items():
        try:
            for record in _records(raw):
                sequence, count = _BATCH.unpack_from(record)
                if sequence > reached + 1:
                    return f"something before its log {number:06} is missing"
                reached = sequence + count - 1
        except (_Torn, struct.error):
            return None  # RocksDB stops there, and applies a later log only where it goes on from there
    return None


def _records(raw: bytes) -> Iterator[bytes]:
    """The records of a log or MANIFEST, whole again where they were divided. Raises `_Torn`."""
    at, parts = 0, b""
    while at < len(raw):
        room = _BLOCK - at % _BLOCK
        if room < _RECORD.size:
            at += room  # the end of a block that no record fits in
            continue
        if at + _RECORD.size > len(raw):
            raise _Torn
        _, length, kind = _RECORD.unpack_from(raw, at)
        start, at = at + _RECORD.size, at + _RECORD.size + length
        if not kind or length > room - _RECORD.size or at > len(raw):
            raise _Torn
        parts = raw[start:at] if kind in (_FULL, _FIRST) else parts + raw[start:at]
        if kind in (_FULL, _LAST):
            yield parts


def _numbers(edit: bytes) -> dict[int, int]:
    """The numbers with which an edit of the MANIFEST begins, by their tags."""
    found, at = {}, 0
    while at < len(edit):
        tag, at = _varint(edit, at)
        value, at = _varint(edit, at)
        if tag in _TEXTS:
            at += value
        elif tag in _NUMBERS:
            found[tag] = value
        else:
            break  # tables, which come after
    return found


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw):
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return value, at
