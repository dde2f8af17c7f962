"""Broadcast topics: read whole before `ready`, followed afterwards, one bad record never in the way of the others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from decisioning.errors import EventRejected, Fault
from decisioning.streaming.broadcast import Broadcast
from decisioning.streaming.broker import Broker, start_broker
from decisioning.streaming.chassis.job import Record
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import TopicsError


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """An embedded broker with a topic for each test, so that they share its start."""
    with start_broker(["whole", "empty", "other", "bad", "hole", "tomb", "grown", "crash"], partitions=3) as running:
        yield running


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[AIOKafkaProducer]:
    """A producer on that broker."""
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as running:
        yield running


class Shelf:
    """What was handed over: applied records in order, and refused ones with their fault."""

    def __init__(self, broker: Broker, *topics: str) -> None:
        self.applied: list[Record] = []
        self.refused: list[tuple[Record, Fault]] = []
        self.settings = Settings(kafka=broker.address, fetch_wait_ms=10)
        self.reader = Broadcast(self.settings, topics, apply=self.apply, refuse=self.refuse)

    def apply(self, record: Record) -> None:
        """Takes what is not called `bad`."""
        if record.value == b"bad":
            raise EventRejected(Fault.NOT_JSON, "bad")
        self.applied.append(record)

    def refuse(self, record: Record, error: EventRejected) -> None:
        """Notes what could not be read."""
        self.refused.append((record, error.fault))

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until something is true of this shelf, ten seconds at most."""
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0.01)

    async def read_whole(self) -> None:
        """Starts the reader and waits until it is ready, ten seconds at most."""
        self.reader.start()
        await asyncio.wait_for(self.reader.ready.wait(), 10)


async def _send(producer: AIOKafkaProducer, topic: str, values: list[tuple[bytes, bytes | None]]) -> None:
    sent = [await producer.send(topic, value, key=key) for key, value in values]
    await asyncio.gather(*sent)


async def test_everything_is_applied_before_ready_and_then_followed(broker: Broker, producer: AIOKafkaProducer) -> None:
    """A ready worker holds the whole catalogue, in the order of each key; later records arrive by themselves."""
    values: list[tuple[bytes, bytes | None]] = [(f"sku-{n % 97}".encode(), str(n).encode()) for n in range(2000)]
    await _send(producer, "whole", values)
    await _send(producer, "other", [(b"r", b"rulebook")])
    shelf = Shelf(broker, "whole", "other")
    assert shelf.reader.remaining == {"whole": None, "other": None}
    await shelf.read_whole()
    assert shelf.reader.remaining == {}
    whole = [record for record in shelf.applied if record.topic == "whole"]
    assert sorted((record.key, record.value) for record in whole) == sorted(values)
    assert {record.partition for record in whole} == {0, 1, 2}
    for partition in range(3):
        offsets = [record.offset for record in whole if record.partition == partition]
        assert offsets == list(range(len(offsets)))
    assert [record.value for record in shelf.applied if record.topic == "other"] == [b"rulebook"]
    await _send(producer, "whole", [(b"sku-1", b"later")])
    await shelf.until(lambda: shelf.applied[-1].value == b"later")
    await shelf.reader.stop()
    await shelf.reader.stop()


async def test_an_empty_topic_is_ready_at_once(broker: Broker, producer: AIOKafkaProducer) -> None:
    """A shop without a catalogue decides too; what comes later is followed from its first record."""
    shelf = Shelf(broker, "empty")
    await shelf.read_whole()
    assert shelf.applied == []
    await _send(producer, "empty", [(b"k", b"first")])
    await shelf.until(lambda: bool(shelf.applied))
    await shelf.reader.stop()


async def test_a_bad_record_is_refused_and_the_others_applied(broker: Broker, producer: AIOKafkaProducer) -> None:
    """One wrong line of the catalogue must not keep the shop silent."""
    await _send(producer, "bad", [(b"k", b"1"), (b"k", b"bad"), (b"k", b"2")])
    shelf = Shelf(broker, "bad")
    await shelf.read_whole()
    assert [record.value for record in shelf.applied] == [b"1", b"2"]
    assert [(record.offset, fault) for record, fault in shelf.refused] == [(1, Fault.NOT_JSON)]
    await shelf.reader.stop()


async def test_a_tombstone_is_handed_over(broker: Broker, producer: AIOKafkaProducer) -> None:
    """On a compacted topic it means that the key is gone: the applier's to understand."""
    await _send(producer, "tomb", [(b"k", b"1"), (b"k", None)])
    shelf = Shelf(broker, "tomb")
    await shelf.read_whole()
    assert [(record.key, record.value) for record in shelf.applied] == [(b"k", b"1"), (b"k", None)]
    await shelf.reader.stop()


async def test_an_end_that_compaction_emptied_is_reached(broker: Broker, producer: AIOKafkaProducer) -> None:
    """The last records below the end may be gone: then no offset comes, and waiting for it would be for ever."""
    await _send(producer, "hole", [(b"k", b"1"), (b"k", b"2")])
    shelf = Shelf(broker, "hole")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.address, enable_auto_commit=False, auto_offset_reset="none", fetch_max_wait_ms=10
    )
    await consumer.start()
    partitions = [TopicPartition("hole", number) for number in range(3)]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)
    beyond = {tp: end + 5 for tp, end in (await consumer.end_offsets(partitions)).items()}
    await asyncio.wait_for(shelf.reader._catch_up(consumer, beyond), 10)
    await consumer.stop()
    assert [record.value for record in shelf.applied] == [b"1", b"2"]
    assert shelf.reader.remaining == {}


async def test_new_partitions_ask_for_a_restart(broker: Broker, producer: AIOKafkaProducer) -> None:
    """A partition that was not there at the start would never be read."""
    await _send(producer, "grown", [(b"k", b"1")])
    async with AIOKafkaConsumer("grown", bootstrap_servers=broker.address) as consumer:
        reader = Shelf(broker, "grown").reader
        reader._check_partitions(consumer, {"grown": 3})
        with pytest.raises(TopicsError, match="topic grown went from 2 to 3 partitions; a restart reads them all"):
            reader._check_partitions(consumer, {"grown": 2})


def _worker(address: str, topic: str, body: str) -> subprocess.CompletedProcess[str]:
    """A process that reads `topic` with `body` as its applier; it ends by itself or after 20 seconds."""
    program = f"""
        import asyncio
        from decisioning.streaming.broadcast import Broadcast
        from decisioning.streaming.settings import Settings

        def apply(record):
            {body}

        async def main():
            reader = Broadcast(Settings(kafka={address!r}), [{topic!r}], apply=apply, refuse=print)
            reader.start()
            await asyncio.sleep(20)

        asyncio.run(main())
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )


async def test_what_is_not_understood_ends_the_process(broker: Broker, producer: AIOKafkaProducer) -> None:
    """Crash-only: an unexpected error of the applier is one line and an exit code, not a catalogue with a hole."""
    await _send(producer, "crash", [(b"k", b"1")])
    ended = await asyncio.to_thread(_worker, broker.address, "crash", "raise ZeroDivisionError('quotient')")
    assert ended.returncode == 70
    assert ended.stderr.startswith("crash 70: ZeroDivisionError")
    assert "the reader of crash" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_missing_topic_ends_the_process_with_the_remedy(broker: Broker) -> None:
    """The line names the topic and the command that makes it."""
    ended = _worker(broker.address, "products", "pass")
    assert (ended.returncode, ended.stderr) == (
        76,
        "crash 76: missing topics: products; run `decisioning topics create`\n",
    )
