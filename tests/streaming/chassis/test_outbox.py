"""What was said and not yet committed: kept byte for byte, found again, and let go in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisioning.streaming.chassis.header import FormatError
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.outbox import Entry, Outbox, decode, encode

_BYTES = st.binary(max_size=20)
_OUTPUTS = st.builds(
    Output,
    topic=st.text(max_size=5),
    key=st.none() | _BYTES,
    value=st.none() | _BYTES,
    headers=st.lists(st.tuples(st.text(max_size=5), _BYTES), max_size=2).map(tuple),
    partition=st.none() | st.integers(0, 100),
    timestamp=st.none() | st.integers(0, 1 << 50),
)
_ENTRIES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 1 << 60), _BYTES, st.lists(_OUTPUTS, max_size=2)), max_size=4
)


@given(_ENTRIES, st.lists(_BYTES, max_size=3))
def test_what_is_encoded_is_decoded(
    entries: list[tuple[int, int, bytes, list[Output]]], forgotten: list[bytes]
) -> None:
    """Entries, outputs with all their fields, and forgotten keys survive, in order."""
    assert decode(encode(entries, forgotten)) == (entries, forgotten)


@pytest.mark.parametrize("raw", [b"", b"\x02\x92\x90\x90", b"\x01\xff", b"\x01\x93"])
def test_what_is_no_outbox_record_is_refused(raw: bytes) -> None:
    """Damaged bytes and a newer format raise FormatError."""
    with pytest.raises(FormatError):
        decode(raw)


def said(text: str) -> list[Output]:
    """One output."""
    return [Output("out", b"k", text.encode())]


def box(limit: int = 1000, chunk: int = 1000, epoch: int = 0) -> Outbox:
    """An empty outbox."""
    return Outbox(epoch=epoch, limit=limit, chunk=chunk)


def test_a_restart_finds_what_was_said() -> None:
    """Loaded from its records, an outbox says it again in order, once, and the later of two slices counts."""
    first = box()
    records = [*first.put([(0, 5, b"k", said("void")), (1, 3, b"j", said("one"))], [])]
    records += first.put([(0, 5, b"k", said("redone"))], [])
    second = box(epoch=7)
    second.load(records)
    assert second.unsaid(lambda key, topic: {b"k": 5, b"j": 3}[key]) == [*said("one"), *said("redone")]
    assert second.unsaid(lambda key, topic: 9) == [], "only once"
    name, _ = next(second.put([(0, 6, b"k", ())], []))
    assert name > max(name for name, _ in records), "a new record never takes an old one's name"


def test_a_record_expires_when_all_of_it_is_committed_past() -> None:
    """Only once every offset in a record lies before what is committed is it let go, restored or own."""
    first = box()
    records = list(first.put([(0, 5, b"k", said("a")), (1, 3, b"j", said("b"))], [b"j"]))
    second = box()
    second.load(records)
    own = list(second.put([(0, 6, b"k", said("c"))], []))
    second.committed({0: 6})
    assert second.expired() == [], "offset 3 of topic 1 may still come again"
    second.committed({0: 7})
    assert second.expired() == [(own[0][0], [])], "the own record does not wait for the restored one"
    second.committed({1: 4})
    assert second.expired() == [(records[0][0], [b"j"])]
    assert second.unsaid(lambda key, topic: 9) == []
    assert (len(second), second.size) == (0, 0)


def test_only_what_this_run_said_fills_it() -> None:
    """Restored records do not make it full, or a replay that must come first could never be handled."""
    first = box()
    records = list(first.put([(0, 5, b"k", said("x" * 2000))], []))
    second = box()
    second.load(records)
    full = second.full
    assert not full
    assert second.size > 2000
    list(second.put([(0, 6, b"k", said("x" * 2000))], []))
    assert second.full
    second.committed({0: 7})
    assert len(second.expired()) == 2
    assert second.size == 0


def test_a_long_slice_fills_several_records() -> None:
    """No record grows far beyond the chunk; together they hold all entries in order, the forgotten keys in the last."""
    entries: list[Entry] = [(0, i, b"k", said("x" * 300)) for i in range(10)]
    records = [decode(value) for _, value in box(chunk=1000).put(entries, [b"f"])]
    assert [len(part) for part, _ in records] == [4, 4, 2]
    assert [entry for part, _ in records for entry in part] == entries
    assert [forgotten for _, forgotten in records] == [[], [], [b"f"]]
