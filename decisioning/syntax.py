"""What a checked condition is made of: its parts, what each of them reads, and whether its types are certain.

The CEL library hands out its checked expression only as bytes, a Protocol Buffers message `cel.expr.CheckedExpr`
(cel-spec, `checked.proto` and `syntax.proto`). The few fields that we need are read here by their numbers, so that no
second library is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_DEPTH: Final = 24
"""How deep a condition may nest; a person loses the thread long before, and the library's own bound is 32."""

_ANY_TYPE: Final = 1
_ANY_VALUE: Final = 2
_CHECKED_NAMES: Final = 2
_CHECKED_TYPES: Final = 3
_CHECKED_EXPRESSION: Final = 4
_CHECKED_SOURCE: Final = 5
_SOURCE_PLACES: Final = 4
_CERTAIN: Final = {3: (), 5: (), 6: (1,), 7: (1, 2)}
"""Kinds of `cel.expr.Type` that leave nothing open (primitive, well known, list, map), and where they name others."""
_Fields = list[tuple[int, int | bytes]]


class TooDeep(ValueError):
    """A condition that nests deeper than `MAX_DEPTH`."""


class Part(NamedTuple):
    """One part of a condition and what it is made of.

    `kind` is `constant`, `name`, `select`, `call`, `list`, `map`, `message` or `loop`; `name` is that of a name or
    function; `text` a constant text; `zero` whether it is the whole number 0; `offset` its place in the condition, in
    characters; `code` its own bytes.
    """

    kind: str
    name: str
    parts: tuple[Part, ...]
    offset: int
    code: bytes
    text: str | None = None
    zero: bool = False

    def walk(self) -> Iterator[Part]:
        """This part and all that it is made of, from the outside in."""
        yield self
        for part in self.parts:
            yield from part.walk()


class Checked(NamedTuple):
    """A checked condition: its outermost part, and where a type stays open (offsets, in characters)."""

    root: Part
    open_types: tuple[int, ...]
    code: bytes

    def only(self, part: Part) -> bytes:
        """One part as a checked condition of its own, in the library's bytes."""
        outer = _fields(self.code)
        kept = b"".join(
            _field(number, content)
            for number, content in _fields(_bytes(outer, _ANY_VALUE))
            if number in (_CHECKED_NAMES, _CHECKED_TYPES, _CHECKED_SOURCE)
        )
        inner = kept + _field(_CHECKED_EXPRESSION, part.code)
        return _field(_ANY_TYPE, _bytes(outer, _ANY_TYPE)) + _field(_ANY_VALUE, inner)


def read(code: bytes) -> Checked:
    """The parts of a serialized `CheckedExpr`, which comes wrapped in an `Any`; `TooDeep` where it nests too deep."""
    places: dict[int, int] = {}
    types: list[tuple[int, bytes]] = []
    root = b""
    for number, content in _fields(_bytes(_fields(code), _ANY_VALUE)):
        if number == _CHECKED_EXPRESSION and isinstance(content, bytes):
            root = content
        elif number == _CHECKED_SOURCE and isinstance(content, bytes):
            entries = [_fields(entry) for found, entry in _fields(content) if found == _SOURCE_PLACES]
            places = {_number(entry, 1): _number(entry, 2) for entry in entries}
        elif number == _CHECKED_TYPES and isinstance(content, bytes):
            entry = _fields(content)
            types.append((_number(entry, 1), _bytes(entry, 2)))
    loose = sorted(places.get(id_, 0) for id_, type_ in types if not _certain(type_))
    return Checked(_part(root, places, 0), tuple(loose), code)


def _part(code: bytes, places: dict[int, int], depth: int) -> Part:
    if depth > MAX_DEPTH:
        raise TooDeep
    fields = _fields(code)
    offset = places.get(_number(fields, 2), 0)

    def parts(found: _Fields, *numbers: int) -> tuple[Part, ...]:
        return tuple(
            _part(item, places, depth + 1) for number, item in found if number in numbers and isinstance(item, bytes)
        )

    kind, inner = next(((number, content) for number, content in fields if number != 2), (3, b""))
    found = _fields(inner) if isinstance(inner, bytes) else []
    match kind:
        case 4:
            return Part("name", _text(found, 1), (), offset, code)
        case 5:
            return Part("select", _text(found, 2), parts(found, 1), offset, code)
        case 6:
            return Part("call", _text(found, 2), parts(found, 1, 3), offset, code)
        case 7:
            return Part("list", "", parts(found, 1), offset, code)
        case 8:
            entries = [_fields(entry) for number, entry in found if number == 2 and isinstance(entry, bytes)]
            inside = tuple(part for entry in entries for part in parts(entry, 3, 4))
            return Part("message" if _text(found, 1) else "map", _text(found, 1), inside, offset, code)
        case 9:
            return Part("loop", "", parts(found, 2, 4, 5, 6, 7), offset, code)
        case _:
            text = _text(found, 6) if any(number == 6 for number, _ in found) else None
            return Part("constant", "", (), offset, code, text, zero=(3, 0) in found or (4, 0) in found)


def _certain(type_: bytes) -> bool:
    for number, content in _fields(type_):
        if number not in _CERTAIN:
            return False
        inner = _fields(content) if isinstance(content, bytes) else []
        if not all(_certain(_bytes(inner, place)) for place in _CERTAIN[number]):
            return False
    return True


def _fields(code: bytes | int) -> _Fields:
    """Number and content of each field of a message, in the order of its bytes."""
    assert isinstance(code, bytes)
    found: _Fields = []
    at = 0
    while at < len(code):
        tag, at = _varint(code, at)
        content: int | bytes
        match tag & 7:
            case 0:
                content, at = _varint(code, at)
            case 1:
                content, at = code[at : at + 8], at + 8
            case 2:
                length, at = _varint(code, at)
                content, at = code[at : at + length], at + length
            case _:
                content, at = code[at : at + 4], at + 4
        found.append((tag >> 3, content))
    return found


def _varint(code: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = code[at]
        at += 1
        found |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return found, at


def _field(number: int, content: int | bytes) -> bytes:
    assert isinstance(content, bytes)
    return _as_varint(number << 3 | 2) + _as_varint(len(content)) + content


def _as_varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _number(fields: _Fields, place: int) -> int:
    return next((content for number, content in fields if number == place and isinstance(content, int)), 0)


def _bytes(fields: _Fields, place: int) -> bytes:
    return next((content for number, content in fields if number == place and isinstance(content, bytes)), b"")


def _text(fields: _Fields, place: int) -> str:
    return _bytes(fields, place).decode()
