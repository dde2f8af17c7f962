"""One dead letter for each record of a broadcast topic that cannot be read, whoever reads it and however often."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerClosed
from aiokafka.structs import OffsetAndMetadata

from decisioning.errors import EventRejected, Fault
from decisioning.streaming.broadcast import Broadcast
from decisioning.streaming.broker import Broker, start_broker
from decisioning.streaming.chassis.job import Output, Record
from decisioning.streaming.letters import KEPT_BYTES, KEPT_LETTERS, Letters
from decisioning.streaming.settings import Settings
from decisioning.streaming.vitals import SILENT_SECONDS
from tests.streaming.live import Live, until
from tests.streaming.records import Rec, record

GROUPS = ("once", "again", "middle", "owner", "crash", "renew", "closed", "bounds")


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """An embedded broker; each test has its own group, its own topic to read and its own prefix to write to."""
    names = [f"products-{group}" for group in GROUPS] + [f"{group}.dead-letters" for group in GROUPS]
    with start_broker(names, partitions=2) as running:
        yield running


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[AIOKafkaProducer]:
    """A producer as idempotent as the chassis'."""
    async with AIOKafkaProducer(bootstrap_servers=broker.address, enable_idempotence=True) as running:
        yield running


async def so(condition: Callable[[], bool]) -> None:
    """Waits until a condition holds, ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


class Shop:
    """One worker's reader of its products topic, which refuses what says `bad`, and its letters."""

    def __init__(self, broker: Broker, group: str, producer: AIOKafkaProducer, *, owner: bool = True) -> None:
        self.settings = Settings(kafka=broker.address, group_id=group, topic_prefix=f"{group}.", fetch_wait_ms=10)
        self.topic = f"products-{group}"
        self.owner = owner
        self.refused = 0
        self.acknowledged = True
        self.posted: list[Output] = []
        self._producer = producer
        self.letters = Letters(self.settings, self.post, lambda: self.owner, 1_000_000)
        self.reader = Broadcast(self.settings, [self.topic], apply=self.apply, refuse=self.refuse)

    def apply(self, record: Record) -> None:
        """Refuses what says `bad`."""
        if (record.value or b"").startswith(b"bad"):
            raise EventRejected(Fault.NOT_JSON, "bad")

    def refuse(self, record: Record, error: EventRejected) -> None:
        """Counts and remembers."""
        self.refused += 1
        self.letters.refused(record, error)

    async def post(self, outputs: Sequence[Output]) -> Sequence[asyncio.Future[Any]]:
        """Publishes; where the test wants it so, the acknowledgements never arrive here."""
        acks = [
            await self._producer.send(
                out.topic, out.value, out.key, out.partition, out.timestamp, headers=list(out.headers)
            )
            for out in outputs
        ]
        await asyncio.gather(*acks)
        self.posted += outputs
        return acks if self.acknowledged else [asyncio.get_running_loop().create_future()]

    async def __aenter__(self) -> Shop:
        self.letters.start()
        self.reader.start()
        await asyncio.wait_for(self.reader.ready.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reader.stop()
        await self.letters.stop()
        await self.letters.stop()

    async def written(self) -> list[Record]:
        """All dead letters there are, by partition and offset."""
        return await everything(self.settings, f"{self.settings.group_id}.dead-letters")

    async def committed(self) -> dict[int, OffsetAndMetadata]:
        """What the letters' group has committed of its topic, by partition."""
        async with AIOKafkaConsumer(bootstrap_servers=self.settings.kafka, group_id=self.letters.group) as consumer:
            places = [TopicPartition(self.topic, number) for number in range(2)]
            found = await consumer._coordinator.fetch_committed_offsets(places)
            return {place.partition: found[place] for place in places if place in found and found[place].offset >= 0}


async def everything(settings: Settings, topic: str) -> list[Record]:
    """All records of a topic up to its present end."""
    found: list[Record] = []
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka, fetch_max_wait_ms=10) as consumer:
        places = [TopicPartition(topic, number) for number in range(2)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = sum((await consumer.end_offsets(places)).values())
        async with asyncio.timeout(10):
            while len(found) < ends:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += records
    return sorted(found, key=lambda one: (one.partition, one.offset))


async def send(producer: AIOKafkaProducer, group: str, values: Sequence[bytes], partition: int = 0) -> None:
    """Publishes values to a group's products, in order, each with a header of its sender."""
    for value in values:
        await producer.send_and_wait(
            f"products-{group}", value, b"sku", partition, 1_772_445_600_000, headers=[("trace", b"t")]
        )


async def test_one_letter_as_it_came(broker: Broker, producer: AIOKafkaProducer) -> None:
    """Value, key, timestamp and headers are the record's own, and the added headers say where it lies and why."""
    await send(producer, "once", [b"good", b"bad 1", b"good"])
    await send(producer, "once", [b"bad 2"], partition=1)
    async with Shop(broker, "once", producer) as shop:
        await so(lambda: shop.letters.waiting == 0 and len(shop.posted) == 2)
        letters = {letter.value or b"": letter for letter in await shop.written()}
        assert sorted(letters) == [b"bad 1", b"bad 2"]
        one = letters[b"bad 1"]
        assert (one.key, one.timestamp, one.headers[0]) == (b"sku", 1_772_445_600_000, ("trace", b"t"))
        told = dict(one.headers)
        assert told["decisioning.error.stage"] == b"broadcast"
        assert told["decisioning.error.code"] == b"not_json"
        assert told["__streams.errors.topic"] == b"products-once"
        assert (told["__streams.errors.partition"], told["__streams.errors.offset"]) == (b"0", b"1")
        assert {part: found.offset for part, found in (await shop.committed()).items()} == {0: 2, 1: 1}


async def test_a_restart_without_news_publishes_nothing(broker: Broker, producer: AIOKafkaProducer) -> None:
    """The next run meets the old bad records again and keeps silent; of a new one it speaks once."""
    await send(producer, "again", [b"bad 1", b"bad 2"])
    async with Shop(broker, "again", producer) as first:
        await so(lambda: len(first.posted) == 2 and first.letters.waiting == 0)
    async with Shop(broker, "again", producer) as second:
        assert second.refused == 2
        await so(lambda: second.letters.waiting == 0)
        await send(producer, "again", [b"good", b"bad 3"])
        await so(lambda: second.refused == 3 and second.letters.waiting == 0)
        assert [output.value for output in second.posted] == [b"bad 3"]
        assert [letter.value for letter in await second.written()] == [b"bad 1", b"bad 2", b"bad 3"]


async def test_a_refusal_from_a_new_place_in_the_middle_of_a_round_waits_for_the_next(
    broker: Broker, producer: AIOKafkaProducer
) -> None:
    """Its commits are not known yet, and Kafka's client refuses to commit for a place that it was not told of."""
    shop = Shop(broker, "middle", producer, owner=False)
    late = [record(b"bad 2", topic=shop.topic)._replace(partition=1, offset=0)]

    def owner() -> bool:
        while late:
            shop.letters.refused(late.pop(), EventRejected(Fault.NOT_JSON, "bad"))
        return True

    shop.letters = Letters(shop.settings, shop.post, owner, 1_000_000)
    await send(producer, "middle", [b"bad 1"])
    async with shop:
        await so(lambda: len(shop.posted) == 2 and shop.letters.waiting == 0)
        assert [output.value for output in shop.posted] == [b"bad 1", b"bad 2"]
        assert {part: found.offset for part, found in (await shop.committed()).items()} == {0: 1, 1: 1}


async def test_only_the_owner_speaks(broker: Broker, producer: AIOKafkaProducer) -> None:
    """Of several workers that refuse a record one publishes it, and its successor goes on where it stopped."""
    await send(producer, "owner", [b"bad 1"])
    async with Shop(broker, "owner", producer, owner=False) as other:
        assert other.letters.waiting == 1
        async with Shop(broker, "owner", producer) as owner:
            await so(lambda: owner.letters.waiting == other.letters.waiting == 0)
            assert (len(owner.posted), other.posted) == (1, [])
            owner.owner = False
            await send(producer, "owner", [b"bad 2"])
            await so(lambda: owner.letters.waiting == other.letters.waiting == 1)
            other.owner = True
            await so(lambda: owner.letters.waiting == other.letters.waiting == 0)
        assert [letter.value for letter in await other.written()] == [b"bad 1", b"bad 2"]


async def test_a_crash_before_the_commit_repeats_the_letter(broker: Broker, producer: AIOKafkaProducer) -> None:
    """Nothing is committed before the acknowledgement; what is published twice is the same byte for byte."""
    await send(producer, "crash", [b"bad 1"])
    async with Shop(broker, "crash", producer) as first:
        first.acknowledged = False
        await so(lambda: len(first.posted) == 1)
    assert await first.committed() == {}
    async with Shop(broker, "crash", producer) as second:
        await so(lambda: second.letters.waiting == 0)
        one, two = await second.written()
        assert (one.key, one.value, one.timestamp, one.headers) == (two.key, two.value, two.timestamp, two.headers)


async def test_the_owner_renews_its_commit(broker: Broker, producer: AIOKafkaProducer) -> None:
    """Kafka forgets the commit of a memberless group after a week, and old letters would be published anew."""
    await send(producer, "renew", [b"bad 1"])
    shop = Shop(broker, "renew", producer)
    async with AIOKafkaConsumer(
        bootstrap_servers=broker.address, group_id=shop.letters.group, enable_auto_commit=False
    ) as earlier:
        place = TopicPartition(shop.topic, 0)
        earlier.assign([place])
        await earlier.commit({place: (1, "last week")})
    assert (await shop.committed())[0] == OffsetAndMetadata(1, "last week")
    async with shop, asyncio.timeout(10):
        while (await shop.committed())[0] != OffsetAndMetadata(1, ""):
            await asyncio.sleep(0.01)
        assert shop.posted == []


async def test_a_producer_that_stops_ends_the_letters_in_peace(broker: Broker, producer: AIOKafkaProducer) -> None:
    """At SIGTERM the producer goes first: that is no crash, and nothing counts as published."""
    asked = asyncio.Event()

    async def closed(outputs: Sequence[Output]) -> Sequence[asyncio.Future[Any]]:
        asked.set()
        raise ProducerClosed

    shop = Shop(broker, "closed", producer)
    letters = Letters(shop.settings, closed, lambda: True, 1_000_000)
    letters.start()
    letters.refused(_bad(0, topic=shop.topic), EventRejected(Fault.NOT_JSON, "bad"))
    await asyncio.wait_for(asked.wait(), 10)
    task = letters._task
    assert task is not None
    await asyncio.wait_for(task, 10)
    await letters.stop()
    assert letters.waiting == 1
    assert await shop.committed() == {}


def _bad(offset: int, value: bytes = b"bad", topic: str = "products-bounds") -> Rec:
    return record(value, topic=topic, offset=offset)._replace(partition=0)


async def test_the_newest_letters_are_kept(
    broker: Broker, producer: AIOKafkaProducer, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory is bounded in letters and in bytes; what is dropped is the oldest, and the log says so once."""
    shop = Shop(broker, "bounds", producer)
    for offset in range(KEPT_LETTERS + 5):
        shop.refuse(_bad(offset), EventRejected(Fault.NOT_JSON, "bad"))
    assert shop.letters.waiting == KEPT_LETTERS
    assert len(caplog.records) == 1
    shop.letters.start()
    await so(lambda: shop.letters.waiting == 0)
    await shop.letters.stop()
    offsets = [int(dict(out.headers)["__streams.errors.offset"]) for out in shop.posted]
    assert offsets == list(range(5, KEPT_LETTERS + 5))
    for offset in range(100):
        shop.refuse(_bad(offset, b"x" * 1_000_000), EventRejected(Fault.NOT_JSON, "bad"))
    assert KEPT_BYTES // 1_100_000 < shop.letters.waiting <= KEPT_BYTES // 1_000_000


def test_what_is_not_understood_ends_the_process(broker: Broker) -> None:
    """Crash-only: an error that nobody expected is one line and an exit code, not a letter less."""
    program = f"""
        import asyncio
        from decisioning.errors import EventRejected, Fault
        from decisioning.streaming.letters import Letters
        from decisioning.streaming.settings import Settings
        from tests.streaming.records import record

        async def post(outputs):
            raise ZeroDivisionError("quotient")

        async def main():
            letters = Letters(Settings(kafka={broker.address!r}, group_id="ends"), post, lambda: True, 1000)
            letters.start()
            letters.refused(record(b"bad", topic="products-crash")._replace(partition=0),
                            EventRejected(Fault.NOT_JSON, "bad"))
            await asyncio.wait_for(asyncio.Event().wait(), 20)

        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert ended.returncode == 70, ended.stderr
    assert ended.stderr.startswith("crash 70: ZeroDivisionError")
    assert "the dead letters of the topics read whole" in ended.stderr


def test_a_worker_writes_each_letter_once_over_restarts(tmp_path: Path) -> None:
    """The whole worker with the chassis' producer: rubbish among the products is one letter each, restarts add none."""
    with Live(tmp_path) as broker:
        for number in range(3):
            broker.publish("products", b"rubbish %d" % number, f"sku-{number}", at=1_772_445_600_000 + number)
        broker.publish("products", None, None, partition=0)
        broker.flush()
        first = broker.worker().ready()
        until(lambda: len(broker.read("dead-letters")) == 4, what="the letters")
        assert first.term() == 0, first.output
        second = broker.worker().ready()
        until(lambda: second.metric("decisioning_dead_letters_total") == 4, what="counting them again")
        broker.publish("products", b"rubbish 3", "sku-3", at=1_772_445_600_003)
        broker.flush()
        until(lambda: len(broker.read("dead-letters")) > 4, what="the last letter")
        assert second.term() == 0, second.output
        letters = broker.read("dead-letters")
        given = {(one.key, one.value, one.timestamp) for one in broker.read("products")}
        assert len(letters) == len(given) == 5
        assert {(one.key, one.value, one.timestamp) for one in letters} == given
        assert {dict(one.headers)["decisioning.error.stage"] for one in letters} == {b"broadcast"}


def test_readyz_notices_a_lost_broker(tmp_path: Path) -> None:
    """A ready and idle worker whose broker is gone says 503 and why, within about 15 seconds."""
    with Live(tmp_path) as broker:
        worker = broker.worker().ready()
        well = until(lambda: found if (found := worker.page("/readyz"))[0] == 200 else None, what="200")
        assert '"broker":"answers"' in well[1]
        broker.stop_broker()
        lost = until(lambda: found if (found := worker.page("/readyz"))[0] == 503 else None, SILENT_SECONDS + 5, "503")
        assert '"ready":false' in lost[1]
        assert '"broker":"silent"' in lost[1]
        assert worker.process.poll() is None
