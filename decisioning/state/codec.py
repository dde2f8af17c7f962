"""The bytes of a state: a byte of format, a byte of growth, a byte of packing, then msgpack, packed where it is long.

The format's number comes first, so that an older one can be read and a newer one is refused. A format may grow
without a new number, by fields appended to `State`: the second byte counts how often it has. A program that knows
fewer of them keeps the rest as it is and writes it back, so that an upgrade can be taken back and made again, and
nothing is lost (`Grown`). Any other change, one within a field too, needs a new number.

Formats 1 and 2 were JSON behind their number. A customer of half a year has 3.5 KB of it, 2.1 KB of msgpack and 1.2 KB
packed with zstd, at the same cost to the processor: what packing takes, msgpack and fewer bytes to send give back.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import zstandard
from msgspec.structs import astuple

from decisioning.errors import StateTooNew, StateUnreadable
from decisioning.state.model import Act, Hold, State

VERSION: Final = 3
GROWTH: Final = 1
"""How often format 3 has grown: once, by `unsaid`."""
_OLDEST_PACKED: Final = 3
_PLAIN, _PACKED = 0, 1
_LONG: Final = 512  # bytes; below, packing gains little
_MOST: Final = 16 * 1024 * 1024  # a state is bounded far below; a damaged record may claim anything
_FIELDS: Final = len(State.__struct_fields__)

_from_json: Final = msgspec.json.Decoder(State).decode
_decode: Final = msgspec.msgpack.Decoder(State).decode
_items: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.msgpack.Encoder().encode
# One of each for all: they are not to be used by two threads at once, and the engine has one.
_pack: Final = zstandard.ZstdCompressor(level=1).compress
_unpack: Final = zstandard.ZstdDecompressor().decompress


class Grown(State, frozen=True, array_like=True, gc=False):
    """A state by a newer program of the same format: what it knows more is kept, as msgpack, until it comes back.

    Whatever changes a state with `replace` keeps that; `erase`, which begins anew, does not.
    """

    growth: int = 0
    rest: tuple[bytes, ...] = ()


def loads(body: bytes) -> State:
    """The state in a stored record; StateUnreadable when it does not parse, StateTooNew when a newer version wrote
    it."""
    if not body:
        raise StateUnreadable("the stored state is empty")
    if body[0] > VERSION:
        raise StateTooNew(
            f"the stored state has format {body[0]}, this version reads up to {VERSION}: run the newer one"
        )
    try:
        if body[0] < _OLDEST_PACKED:
            return _from_json(body[1:])
        plain = _plain(body)
        return _grown(plain, body[1]) if body[1] > GROWTH else _decode(plain)
    except (msgspec.MsgspecError, zstandard.ZstdError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise StateUnreadable(f"the stored state does not parse ({type(error).__name__})") from None


def dumps(state: State) -> bytes:
    """The record to store; the same bytes for the same state."""
    if type(state) is Grown:
        known = _items(_encode(State(*astuple(state)[:_FIELDS])))
        plain, growth = _encode([*known, *map(msgspec.Raw, state.rest)]), state.growth
    else:
        plain, growth = _encode(state), GROWTH
    if len(plain) < _LONG:
        return bytes((VERSION, growth, _PLAIN)) + plain
    return bytes((VERSION, growth, _PACKED)) + _pack(plain)


class Glance(NamedTuple):
    """The acts of a customer that are live, and whether any hold of theirs has `ended` and is remembered still."""

    live: tuple[Act, ...]
    ended: bool


class _Glance(msgspec.Struct, array_like=True, frozen=True):
    """The first fields of a state, of which only the newest instant, the acts and the holds are looked at."""

    subject: msgspec.Raw
    now: int = 0
    erased_at: msgspec.Raw = msgspec.Raw()
    erased: msgspec.Raw = msgspec.Raw()
    deceased: msgspec.Raw = msgspec.Raw()
    degraded: msgspec.Raw = msgspec.Raw()
    profile: msgspec.Raw = msgspec.Raw()
    consents: msgspec.Raw = msgspec.Raw()
    orders: msgspec.Raw = msgspec.Raw()
    orders_floor: msgspec.Raw = msgspec.Raw()
    bought_at: msgspec.Raw = msgspec.Raw()
    acts: tuple[Act, ...] = ()
    deferred: msgspec.Raw = msgspec.Raw()
    requests: msgspec.Raw = msgspec.Raw()
    seen: msgspec.Raw = msgspec.Raw()
    seen_floor: msgspec.Raw = msgspec.Raw()
    marks: msgspec.Raw = msgspec.Raw()
    cases: msgspec.Raw = msgspec.Raw()
    promises: msgspec.Raw = msgspec.Raw()
    life: msgspec.Raw = msgspec.Raw()
    repetitions: msgspec.Raw = msgspec.Raw()
    attributes: msgspec.Raw = msgspec.Raw()
    lost: msgspec.Raw = msgspec.Raw()
    holds: tuple[Hold, ...] = ()


_glance: Final = msgspec.msgpack.Decoder(_Glance).decode


def glance(body: bytes, now: int | None) -> Glance:
    """What of a stored record can be looked for in all of them, at `now` (None: at the newest instant it was handed),
    without reading the rest where the format allows; nothing in a record that cannot be read."""
    try:
        found = loads(body) if body[0] < _OLDEST_PACKED else _glance(_plain(body))
    except (msgspec.MsgspecError, zstandard.ZstdError, StateUnreadable, UnicodeDecodeError, ValueError, IndexError):
        return Glance((), ended=False)
    at = found.now if now is None else now
    ended = any(hold.until is not None and hold.until <= at for hold in found.holds)
    return Glance(tuple(act for act in found.acts if act.live(at)), ended)


def _plain(body: bytes) -> bytes:
    packing, rest = body[2:3], body[3:]
    if packing == b"\0":
        return rest
    if packing != b"\1" or zstandard.frame_content_size(rest) not in range(_MOST):
        raise ValueError("packed in no way that we know")
    return _unpack(rest)


def _grown(plain: bytes, growth: int) -> Grown:
    items = _items(plain)
    fields = [*astuple(_decode(_encode(items[:_FIELDS]))), growth, tuple(bytes(item) for item in items[_FIELDS:])]
    return Grown(*fields)


__all__ = ["GROWTH", "VERSION", "Glance", "Grown", "dumps", "glance", "loads"]
