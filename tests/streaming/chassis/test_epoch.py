"""Epochs: where each kind of record bears its writer's, and what another writer's records mean (T15)."""

from __future__ import annotations

import pytest

from decisioning.streaming.chassis.epoch import (
    BASE,
    HEARTBEAT,
    TAKEOVER,
    Superseded,
    beginning,
    epoch_of,
    intruders,
    pack_base,
    read_base,
    stamp,
)
from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.store import OUTBOX, TOPICS, raw_key
from tests.streaming.chassis.harness import Message


def logged(offset: int, key: bytes, value: bytes | None, epoch: int | None = None) -> Message:
    """A changelog record; `epoch` is that in its Kafka header."""
    return Message("changelog", 0, offset, 0, key, value, () if epoch is None else stamp(epoch))


def state(epoch: int) -> bytes:
    """A state record of an owner."""
    return pack(Header(epoch=epoch, forgotten=False), b"body")


def test_every_kind_of_record_bears_an_epoch() -> None:
    """States in their own header, whatever their key; all else in Kafka's; a takeover by its place; old ones none."""
    assert epoch_of(logged(9, b"k", state(7)), 0) == 7
    assert epoch_of(logged(9, raw_key(b""), state(7)), 0) == 7
    assert epoch_of(logged(9, raw_key(b"\0o"), state(7)), 0) == 7
    for name in (b"k", OUTBOX + bytes(16)):
        assert epoch_of(logged(9, name, None, 6), 0) == 6
    for name in (TOPICS, HEARTBEAT, OUTBOX + bytes(16), BASE):
        assert epoch_of(logged(9, name, b"x", 5), 0) == 5
        assert epoch_of(logged(9, name, b"x"), 0) == 0
    assert epoch_of(logged(9, TAKEOVER, b"w"), 0) == beginning(9, 0) == 10
    assert epoch_of(logged(9, TAKEOVER, b"w"), 100) == 110


def test_a_base_is_read_back() -> None:
    """None was written: nothing is added."""
    assert read_base(pack_base(1 << 40)) == 1 << 40
    assert read_base(None) == 0


def test_a_writer_of_a_higher_epoch_supersedes_us() -> None:
    """Its takeover says so, or anything that it wrote; the message names lane and offset."""
    for record in (logged(41, TAKEOVER, b"w"), logged(41, b"k", state(42)), logged(41, b"k", None, 42)):
        with pytest.raises(Superseded, match="lane 3 has another owner since changelog offset 41"):
            intruders([logged(40, b"x", state(5)), record], 20, 0, 3)


def test_what_a_stale_writer_wrote_is_named_once() -> None:
    """Every name but heartbeats, in the order in which they came."""
    records = [
        logged(30, b"b", state(5)), logged(31, b"a", None, 5), logged(32, b"b", state(5)),
        logged(33, HEARTBEAT, b"", 5), logged(34, OUTBOX + bytes(16), b"said", 5),
    ]  # fmt: skip
    assert intruders(records, 20, 0, 0) == [b"b", b"a", OUTBOX + bytes(16)]


def test_a_damaged_intruder_is_written_over() -> None:
    """Whoever wrote it: our own record is the right one."""
    assert intruders([logged(40, b"x", b"\x01")], 20, 0, 3) == [b"x"]
