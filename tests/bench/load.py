"""Events into Kafka, all at once or at a pace, and answers out of it; librdkafka, as another team's service would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.bench.engine import PARTITIONS
from tests.streaming.live import patiently

_LOOK: Final = 0.001
"""Seconds to wait for an answer before looking whether an event is due: the least that librdkafka can wait. Less is no
wait at all, and the load would take a core from the engines."""


class Sent(NamedTuple):
    """An event to publish. `id` is what an answer to it bears; None: it has none. `at`: milliseconds, None: now."""

    topic: str
    key: bytes
    value: bytes
    id: bytes | None
    at: int | None = None


def _producer(kafka: str, linger: int) -> Producer:
    return Producer(
        {"bootstrap.servers": kafka, "partitioner": "murmur2_random", "linger.ms": linger, "log_level": 2,
         "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 2_000_000}
    )  # fmt: skip


def fill(kafka: str, events: Iterable[Sent], partition: int | None = None) -> None:
    """Publish all of them as fast as can be and wait until they are in the log."""
    producer = _producer(kafka, 50)
    for count, one in enumerate(events):
        more: dict[str, Any] = {} if one.at is None else {"timestamp": one.at}
        if partition is not None:
            more["partition"] = partition
        producer.produce(one.topic, one.value, one.key, **more)
        if not count % 5000:
            producer.poll(0)
            while len(producer) > 500_000:
                producer.poll(0.1)
    assert producer.flush(120) == 0


def _end(consumer: Consumer, place: TopicPartition) -> int:
    """Where a partition ends; a topic that was just made has no leader yet."""
    return int(patiently(lambda: consumer.get_watermark_offsets(place, timeout=30))[1])


class Ends:
    """How many records topics hold, told by where their partitions end."""

    def __init__(self, kafka: str, *topics: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": kafka, "group.id": "bench-ends", "log_level": 2})
        self._places = [TopicPartition(name, n) for name in topics for n in range(PARTITIONS)]

    def count(self) -> int:
        """Up to now."""
        return sum(_end(self._consumer, place) for place in self._places)

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


class Answer(NamedTuple):
    """An answer: when its event was published, the seconds until it was read, the partition that it was read from."""

    asked: float
    taken: float
    partition: int
    value: bytes


class Live:
    """Publishes at a pace and sees the answers come, in one thread, so that both are timed by one clock."""

    def __init__(self, kafka: str, answers: str, mark: bytes) -> None:
        self._producer = _producer(kafka, 0)
        self._consumer = Consumer(
            {"bootstrap.servers": kafka, "group.id": "bench-live", "enable.auto.commit": False, "log_level": 2,
             "isolation.level": "read_committed", "fetch.wait.max.ms": 100}
        )  # fmt: skip
        places = [TopicPartition(answers, n) for n in range(PARTITIONS)]
        for place in places:
            place.offset = _end(self._consumer, place)
        self._consumer.assign(places)
        self._mark = mark
        self._sent: dict[bytes, float] = {}
        self._asked: set[bytes] = set()
        self.answered: list[Answer] = []
        """The answers that came."""

    def pace(
        self, events: Iterator[Sent], rate: float, seconds: float, *,
        until: Callable[[], bool] | None = None, between: Callable[[float], None] | None = None,
    ) -> None:  # fmt: skip
        """Publish so many a second for so long, or until something is so; `between` is told the time on the way."""
        begun = time.perf_counter()
        sent = 0
        while True:
            now = time.perf_counter()
            elapsed = now - begun
            if elapsed >= seconds or (until is not None and until()):
                return
            if between is not None:
                between(elapsed)
            while sent < elapsed * rate:
                self._publish(next(events))
                sent += 1
            self._producer.poll(0)
            self._take(_LOOK)

    def settle(self, seconds: float) -> int:
        """Wait so long for what is still unanswered; how many are in the end. Those are forgotten."""
        end = time.perf_counter() + seconds
        while self._sent and time.perf_counter() < end:
            self._take(0.01)
        left = len(self._sent)
        self._sent.clear()
        return left

    def _publish(self, one: Sent) -> None:
        if one.id is not None and one.id not in self._asked:
            self._asked.add(one.id)
            self._sent[one.id] = time.perf_counter()
        self._producer.produce(one.topic, one.value, one.key)

    def _take(self, seconds: float) -> None:
        message = self._consumer.poll(seconds)
        while message is not None:
            value = message.value()
            if message.error() is None and value is not None:
                self._read(value, message.partition() or 0, time.perf_counter())
            message = self._consumer.poll(0)

    def _read(self, answer: bytes, partition: int, now: float) -> None:
        place = answer.find(self._mark) + len(self._mark)
        end = place
        while answer[end] not in b',"}':
            end += 1
        begun = self._sent.pop(answer[place:end], None)
        if begun is not None:
            self.answered.append(Answer(begun, now - begun, partition, answer))

    def close(self) -> None:
        """Let go of the connections."""
        self._producer.flush(10)
        self._consumer.close()


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which so large a share of an ordered sequence lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
