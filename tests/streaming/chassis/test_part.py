"""A slice's part in a lane: every record that it logs bears the owner's epoch and reaches log and store alike."""

from __future__ import annotations

from pathlib import Path

from rocksdict import Cache

from decisioning.streaming.chassis.epoch import HEARTBEAT, epoch_of
from decisioning.streaming.chassis.header import Header, pack
from decisioning.streaming.chassis.part import Part
from decisioning.streaming.chassis.store import OUTBOX, Store
from tests.streaming.chassis.harness import Message


def test_what_is_logged_bears_the_epoch_and_is_kept(tmp_path: Path) -> None:
    """A state by its own header, without a second one; tombstones and the chassis' own by Kafka's."""
    part: Part[None] = Part("changelog", 2, 9)
    part.log(b"k", pack(Header(epoch=9, forgotten=False), b"body"))
    part.log(OUTBOX + bytes(16), b"said")
    part.log(b"gone", None)
    part.log(HEARTBEAT, b"", keep=False)
    assert [(output.topic, output.partition) for output in part.changelog] == [("changelog", 2)] * 4
    assert part.changelog[0].headers == ()
    logged = [Message("changelog", 2, n, 0, one.key, one.value, one.headers) for n, one in enumerate(part.changelog)]
    assert [epoch_of(record, 0) for record in logged] == [9] * 4
    store = Store(tmp_path, cache=Cache(1 << 20), memtable_bytes=1 << 20)
    batch = store.batch()
    batch.put(b"gone", b"here")
    store.write(batch, 0)
    store.write(part.batch, 4)
    assert store.get(b"k") == part.changelog[0].value
    assert (store.get(b"gone"), store.get(HEARTBEAT)) == (None, None)
    assert store.get(OUTBOX + bytes(16)) == b"said"
