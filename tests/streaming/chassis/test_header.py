"""The header before every state: what goes in comes out, and what is no header is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisioning.streaming.chassis.header import VERSION, FormatError, Header, pack, peek, unpack

_INSTANT = st.integers(-(1 << 62), 1 << 62)
_HEADERS = st.builds(
    Header,
    epoch=st.integers(0, (1 << 64) - 1),
    sequence=st.integers(0, (1 << 64) - 1),
    wake_at=st.none() | _INSTANT,
    clock=_INSTANT,
    marks=st.dictionaries(st.integers(0, 255), st.integers(-1, 1 << 62), max_size=255),
    forgotten=st.booleans(),
)


@given(_HEADERS, st.binary(max_size=200))
def test_what_is_packed_is_unpacked(header: Header, body: bytes) -> None:
    """Header and body survive, and peek says the same as unpack."""
    raw = pack(header, body)
    assert unpack(raw) == (header, body)
    assert peek(raw) == (header.wake_at, header.clock, header.epoch)


@given(_HEADERS)
def test_marks_do_not_touch_the_packed_record(header: Header) -> None:
    """The unpacked marks are the owner's to change."""
    raw = pack(header, b"")
    other, _ = unpack(raw)
    other.marks[0] = 7
    assert unpack(raw)[0] == header


@given(st.binary(max_size=36))
def test_what_is_too_short_is_refused(raw: bytes) -> None:
    """Fewer bytes than a header raise FormatError, whatever they are."""
    for read in (unpack, peek):
        with pytest.raises(FormatError):
            read(raw[:33])


def test_a_newer_format_is_refused_with_the_remedy() -> None:
    """A record of a later program says so, instead of being misread."""
    raw = bytes((VERSION + 1,)) + pack(Header(), b"x")[1:]
    for read in (unpack, peek):
        with pytest.raises(FormatError, match="start the newer program again"):
            read(raw)
    with pytest.raises(FormatError, match="never existed"):
        unpack(b"\0" + raw[1:])
