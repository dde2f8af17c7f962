"""The fixed header that stands before every state, in the changelog and in the store.

It is what the chassis itself needs to know about a key, so that it never has to understand a state: whether the key
still exists, when it wants to be woken, and which records it has already seen (its watermarks). Layout, big-endian:

    version u8 | flags u8 | epoch u64 | sequence u64 | wake_at i64 | clock i64 | n u8 | n x (topic u8, offset i64)
"""

from __future__ import annotations

import struct

__all__ = ["VERSION", "DamagedError", "FormatError", "Header", "pack", "peek", "read", "unpack"]

VERSION = 1
"""Format that this code writes, and the newest that it reads."""

_FIXED = struct.Struct(">BBQQqqB")
_MARKS = [struct.Struct(">" + "Bq" * n) for n in range(256)]
_NEVER = -(1 << 63)
_FORGOTTEN = 1


class FormatError(ValueError):
    """Bytes that are no record of ours, or of a newer program; the message says which and what to do."""


class DamagedError(FormatError):
    """Bytes under a key that never were a record of ours: that key is lost, and no other."""


class Header:
    """What the chassis remembers of one key.

    `epoch` is that of the owner who wrote it (`epoch.py`), `sequence` counts the key's writes, `wake_at` and `clock`
    are instants (us), `marks` maps a topic's index to the last offset of it that this key has handled. `forgotten`:
    the key has no state, only marks that replays still need.
    """

    __slots__ = ("clock", "epoch", "forgotten", "marks", "sequence", "wake_at")

    def __init__(
        self,
        *,
        epoch: int = 0,
        sequence: int = 0,
        wake_at: int | None = None,
        clock: int = 0,
        marks: dict[int, int] | None = None,
        forgotten: bool = True,
    ) -> None:
        self.epoch = epoch
        self.sequence = sequence
        self.wake_at = wake_at
        self.clock = clock
        self.marks: dict[int, int] = {} if marks is None else marks
        self.forgotten = forgotten

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Header) and all(getattr(self, x) == getattr(other, x) for x in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return "Header(" + ", ".join(f"{x}={getattr(self, x)!r}" for x in self.__slots__) + ")"


def pack(header: Header, body: bytes) -> bytes:
    """The record of a key: header, then `body` (empty where the key is forgotten)."""
    marks = header.marks
    flat = [number for mark in marks.items() for number in mark]
    wake_at = header.wake_at
    return (
        _FIXED.pack(
            VERSION,
            _FORGOTTEN if header.forgotten else 0,
            header.epoch,
            header.sequence,
            _NEVER if wake_at is None else wake_at,
            header.clock,
            len(marks),
        )
        + _MARKS[len(marks)].pack(*flat)
        + body
    )


def unpack(raw: bytes) -> tuple[Header, bytes]:
    """Header and body of a record that `pack` wrote. Raises `DamagedError`, or `FormatError` of a newer one."""
    try:
        version, flags, epoch, sequence, wake_at, clock, count = _FIXED.unpack_from(raw)
        _check(version)
        flat = _MARKS[count].unpack_from(raw, _FIXED.size)
    except struct.error as error:
        raise DamagedError(f"a state record of {len(raw)} bytes is too short to be one") from error
    header = Header.__new__(Header)
    header.epoch = epoch
    header.sequence = sequence
    header.wake_at = None if wake_at == _NEVER else wake_at
    header.clock = clock
    header.marks = dict(zip(flat[::2], flat[1::2], strict=True))
    header.forgotten = bool(flags & _FORGOTTEN)
    return header, raw[_FIXED.size + 9 * count :]


def read(raw: bytes) -> tuple[Header, bytes | None]:
    """As `unpack`; of a damaged record a header that knows nothing, and no body. Raises `FormatError` of a newer."""
    try:
        return unpack(raw)
    except DamagedError:
        return Header(forgotten=False), None


def peek(raw: bytes) -> tuple[int | None, int, int]:
    """Only `wake_at`, `clock` and `epoch` of a record: what a restore needs of each. Raises as `unpack`."""
    try:
        version, _, epoch, _, wake_at, clock, _ = _FIXED.unpack_from(raw)
    except struct.error as error:
        raise DamagedError(f"a state record of {len(raw)} bytes is too short to be one") from error
    _check(version)
    return None if wake_at == _NEVER else wake_at, clock, epoch


def _check(version: int) -> None:
    if version > VERSION:
        raise FormatError(
            f"a state record has format {version}, this program knows up to {VERSION}: start the newer program again"
        )
    if version < 1:
        raise DamagedError(f"a state record has format {version}, which never existed: its bytes are damaged")
