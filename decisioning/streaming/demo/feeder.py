"""Facts into Kafka at a pace, decisions and dead letters out of it: the demo's only way to the broker.

Producer and consumer are librdkafka's, as another team's service might use them, not the worker's own client.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from decisioning.errors import DecisioningError
from decisioning.streaming.demo.fact import Fact

_PATIENCE: Final = 15.0


class BrokerLost(DecisioningError):
    """The broker does not answer or refuses: look at its address, its log and the security settings."""


class Publisher:
    """Publishes facts under their subject, to the partition that Java's murmur2 gives.

    Kafka timestamps are the facts' own instants where `stamped` (lanes read by them), else the time of publishing:
    a broker that expires records by age would throw away a history of 2010. `arrived` is told where a fact lies.
    """

    def __init__(
        self, options: Mapping[str, Any], *, stamped: bool, arrived: Callable[[Fact, tuple[str, int, int]], None]
    ) -> None:
        # The embedded broker answers a fetch with one batch a partition: without a linger every record is one.
        self._producer = Producer(
            {**options, "partitioner": "murmur2_random", "linger.ms": 25, "enable.idempotence": True}
        )
        self._stamped = stamped
        self._arrived = arrived
        self._stamp = 0
        self._lost: KafkaError | None = None

    def publish(self, one: Fact) -> None:
        """Hand one fact to the producer; BrokerLost when an earlier one could not be delivered."""
        if self._stamped:
            self._stamp = one.at // 1000
        else:  # strictly later than the one before, so that a lane reads them in this order
            self._stamp = max(self._stamp + 1, time.time_ns() // 1_000_000)

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._lost = error
            else:
                self._arrived(one, (message.topic() or "", message.partition() or 0, message.offset() or 0))

        self._producer.produce(one.topic, key=one.key, value=one.value, timestamp=self._stamp, on_delivery=delivered)
        self.poll()

    def poll(self) -> None:
        """Serve delivery reports; BrokerLost when one says that a fact is lost."""
        self._producer.poll(0)
        if self._lost is not None:
            raise BrokerLost(f"an event could not be published: {self._lost.str()}")

    def flush(self) -> None:
        """Wait until everything is with the broker; BrokerLost when it is not within 15 s."""
        if self._producer.flush(_PATIENCE):
            raise BrokerLost(f"events are still unpublished after {_PATIENCE:.0f} s")
        self.poll()


class Pace:
    """When each of `facts` is due: evenly over `seconds`, the order being that of the history."""

    def __init__(self, facts: Sequence[Fact], seconds: float) -> None:
        self._facts = facts
        self._rate = len(facts) / max(seconds, 1e-9)
        self.sent = 0

    @property
    def done(self) -> bool:
        """Whether everything has been given out."""
        return self.sent == len(self._facts)

    @property
    def clock(self) -> int:
        """The instant that the history has reached."""
        return self._facts[max(self.sent - 1, 0)].at

    def due(self, elapsed: float) -> Sequence[Fact]:
        """The facts whose turn has come `elapsed` seconds after the start and that were not given out before."""
        upto = min(len(self._facts), int(elapsed * self._rate) + 1)
        found = self._facts[self.sent : upto]
        self.sent = max(self.sent, upto)
        return found


class Watcher:
    """Reads whole topics as they grow, in no group: every record that is published from the beginning on."""

    def __init__(self, options: Mapping[str, Any], topics: Iterable[str]) -> None:
        self._consumer = Consumer(
            {**options, "group.id": "decisioning-demo-watch", "enable.auto.commit": False, "fetch.wait.max.ms": 5}
        )
        self._consumer.assign(
            [TopicPartition(topic, number, OFFSET_BEGINNING) for topic in topics for number in self._partitions(topic)]
        )

    def _partitions(self, topic: str) -> list[int]:
        try:
            found = self._consumer.list_topics(topic, timeout=_PATIENCE).topics[topic]
        except KafkaException as error:
            raise BrokerLost(f"Kafka cannot be reached: {error.args[0].str()}") from None
        if found.error is not None:
            raise BrokerLost(f"topic {topic}: {found.error.str()}")
        return list(found.partitions)

    def take(self, seconds: float) -> list[Message]:
        """What has arrived, waiting at most so long for the first of it; BrokerLost on an error of the broker."""
        found = self._consumer.consume(500, timeout=seconds)
        for message in found:
            error = message.error()
            if error is not None and error.fatal():
                raise BrokerLost(f"decisions cannot be read: {error.str()}")
        return [message for message in found if message.error() is None]

    def occupied(self, topics: Iterable[str]) -> str | None:
        """The first of the topics that already holds records; None when all are empty."""
        for topic in topics:
            for number in self._partitions(topic):
                low, high = self._watermarks(TopicPartition(topic, number))
                if high > low:
                    return topic
        return None

    def _watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        """Where its log begins and ends; asked again while a topic just created has no leader yet."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                found: tuple[int, int] = self._consumer.get_watermark_offsets(partition, timeout=_PATIENCE)
                return found
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise BrokerLost(f"{partition.topic} cannot be read: {error.args[0].str()}") from None
                time.sleep(0.1)

    def close(self) -> None:
        """Give the connections back."""
        self._consumer.close()
