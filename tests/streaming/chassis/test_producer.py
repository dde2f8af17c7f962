"""The producer, on the embedded broker: settings, order, partitions, a flush that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.producer import Ack, Producer, hashed
from decisioning.streaming.chassis.transport import build
from tests.streaming.chassis.harness import Cluster
from tests.streaming.chassis.toy_worker import DEAD, OUT, Toy, config


@pytest.fixture
async def producer(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Producer]:
    """The producer of an app that is not started otherwise."""
    app = build(Toy(), config(bootstrap=cluster.address, data=tmp_path / "p", partitions=2))
    producer = cast(Producer, app.producer)
    await producer.start()
    yield producer
    await producer.stop()


async def test_the_producer_is_idempotent_and_waits_for_all_replicas(producer: Producer) -> None:
    """Idempotence, acks=all, and a send timeout below the session (T14, T15)."""
    inner: Any = producer._producer
    assert inner._txn_manager is not None
    assert inner._txn_manager.producer_id >= 0
    assert inner._sender._acks == -1
    assert inner._request_timeout_ms == 5000


async def test_records_arrive_in_order_and_where_they_belong(producer: Producer, cluster: Cluster) -> None:
    """A key goes where Java's murmur2 sends it, a partition that is named wins, headers and times survive."""
    outputs = [Output(OUT, b"k%d" % (i % 5), b"%d" % i) for i in range(100)]
    outputs.append(Output(DEAD, b"k0", None, (("h", b"v"), ("h", b"w")), 1, 1234))
    outputs.append(Output(DEAD, None, None))
    acks = await producer.post(outputs)
    await asyncio.gather(*acks)
    found = cluster.read(OUT)
    assert sorted(int(m.value or b"") for m in found) == list(range(100))
    for key in {m.key for m in found}:
        numbers = [int(m.value or b"") for m in found if m.key == key]
        assert numbers == sorted(numbers)
    assert {(m.key, m.partition) for m in found} == {(b"k%d" % i, hashed(b"k%d" % i) % 2) for i in range(5)}
    named = next(m for m in cluster.read(DEAD) if m.key is not None)
    assert (named.partition, named.value, named.timestamp) == (1, None, 1234)
    assert named.headers == (("h", b"v"), ("h", b"w"))


def test_the_hash_is_javas() -> None:
    """Values that Kafka's own clients give (org.apache.kafka.common.utils.UtilsTest), without their sign."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: hashed(key) for key in known} == {key: value & 0x7FFFFFFF for key, value in known.items()}


async def test_flush_waits_for_records_in_flight(producer: Producer) -> None:
    """After a flush every record that was handed over is acknowledged, however many there are (T7)."""
    acks = await producer.post(Output(OUT, b"k", b"x" * 1000) for _ in range(2000))
    assert not acks[-1].done()
    await producer.flush()
    assert all(ack.done() and ack.exception() is None for ack in acks)


async def test_an_acknowledgement_tells_the_records_own_offset(producer: Producer, cluster: Cluster) -> None:
    """Many records share a batch, and Kafka acknowledges that; each is still known by where it lies."""
    acks = await producer.post(Output(OUT, b"k", b"%d" % i) for i in range(50))
    offsets = [(await ack).offset for ack in acks]
    assert [m.offset for m in sorted(cluster.read(OUT), key=lambda m: int(m.value or b""))] == offsets
    assert sorted(set(offsets)) == offsets


async def test_who_no_longer_waits_for_a_record_does_not_end_the_wait_for_others(producer: Producer) -> None:
    """Dead letters and a lane's outputs may share a batch."""
    acks = await producer.post(Output(OUT, b"k", b"x") for _ in range(3))
    given_up = asyncio.ensure_future(acks[1])
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(acks[2])
    assert acks[1].done()
    assert acks[1].exception() is None


async def test_a_refused_batch_refuses_each_of_its_records() -> None:
    """Nobody is told that a record is safe when it is not."""
    batch = asyncio.get_running_loop().create_future()
    acks = [Ack(batch, place) for place in range(3)]
    waiting = asyncio.ensure_future(acks[0])
    await asyncio.sleep(0)
    batch.set_exception(RuntimeError("refused"))
    told: list[Any] = [waiting, *acks[1:]]
    for ack in told:
        with pytest.raises(RuntimeError, match="refused"):
            await ack
    with pytest.raises(RuntimeError, match="refused"):
        acks[2].result()
    assert isinstance(acks[2].exception(), RuntimeError)
