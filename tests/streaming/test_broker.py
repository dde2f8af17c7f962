"""The embedded broker: up in a moment, with the topics and partitions asked for, and gone when it should be."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from decisioning.streaming.broker import PRODUCE, Broker, BrokerError, start_broker


def producer(address: str) -> Producer:
    """A producer that takes 2 MB records and gives up soon."""
    return Producer({"bootstrap.servers": address, "message.max.bytes": 4_000_000, "log_level": 2, "retries": 0})


def test_topics_have_the_partitions_asked_for() -> None:
    """Each topic exists from the start, with any number of partitions."""
    with start_broker(["orders", "decisions"], 7) as broker:
        topics = producer(broker.address).list_topics(timeout=5).topics
        assert {name: len(topic.partitions) for name, topic in topics.items()} == {"orders": 7, "decisions": 7}


def test_what_is_produced_can_be_read() -> None:
    """Keys, headers and a value of 2 MB survive."""
    with start_broker(["orders"], 1) as broker:
        sender = producer(broker.address)
        sender.produce("orders", b"x" * 2_000_000, b"k", headers=[("h", b"v")])
        assert sender.flush(10) == 0
        reader = Consumer({"bootstrap.servers": broker.address, "group.id": "g", "fetch.message.max.bytes": 4_000_000})
        reader.assign([TopicPartition("orders", 0, 0)])
        message = reader.poll(10)
        reader.close()
        assert message is not None
        assert (message.key(), len(message.value() or b""), message.headers()) == (b"k", 2_000_000, [("h", b"v")])


def test_it_refuses_when_it_is_told_to() -> None:
    """An error that is queued answers the next request of that kind, and only so many."""
    with start_broker(["orders"], 1) as broker:
        sender, answers = producer(broker.address), []
        sender.produce("orders", b"1", on_delivery=lambda error, _: answers.append(error))
        sender.flush(10)
        broker.fail(PRODUCE, 10)
        while not answers[-1]:
            sender.produce("orders", b"2", on_delivery=lambda error, _: answers.append(error))
            assert len(answers) < 500, "the error never came"
            sender.flush(10)
        assert answers[-1].code() == 10
        sender.produce("orders", b"3", on_delivery=lambda error, _: answers.append(error))
        sender.flush(10)
        assert answers[-1] is None


def test_it_refuses_writes_to_one_partition() -> None:
    """Only that partition, only so often; then it takes them again."""
    with start_broker(["orders"], 2) as broker:
        sender, answers = producer(broker.address), []
        broker.refuse("orders", 1, 87)
        for partition in (0, 1, 0, 1):
            sender.produce("orders", b"1", partition=partition, on_delivery=lambda error, _: answers.append(error))
            assert sender.flush(10) == 0
        assert [error and error.code() for error in answers] == [None, 87, None, None]


def count(broker: Broker, topic: str = "orders") -> int:
    """Records in partition 0 of a topic."""
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "g", "log_level": 2})
    try:
        return int(reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])
    finally:
        reader.close()


def test_it_goes_down_and_comes_back_with_its_data() -> None:
    """Nobody is answered while it is down; what it held it still holds."""
    with start_broker(["orders"], 1) as broker:
        sender = producer(broker.address)
        sender.produce("orders", b"1")
        assert sender.flush(10) == 0
        broker.down()
        late = producer(broker.address)
        late.produce("orders", b"2")
        assert late.flush(0.5) == 1
        broker.up()
        assert count(broker) == 1
        assert late.flush(30) == 0
        assert count(broker) == 2


def test_leaders_and_coordinators_move() -> None:
    """A partition's records are taken by its new leader, and a group is found at its new coordinator."""
    with start_broker(["orders"], 1, brokers=3) as broker:
        assert len(broker.address.split(",")) == 3
        sender = producer(broker.address)
        for number in (1, 2, 3):
            broker.lead("orders", 0, number)
            broker.coordinate("g", number)
            sender.produce("orders", b"1")
            assert sender.flush(10) == 0
        assert count(broker) == 3
        leader = sender.list_topics("orders", timeout=5).topics["orders"].partitions[0].leader
        assert leader == 3


def test_it_answers_late_when_it_is_told_to() -> None:
    """A produce waits for the round trip that was asked for."""
    with start_broker(["orders"], 1) as broker:
        broker.delay(400)
        sender, began = producer(broker.address), time.monotonic()
        sender.produce("orders", b"1")
        assert sender.flush(20) == 0
        assert time.monotonic() - began > 0.4


def test_a_topic_made_anew_is_empty() -> None:
    """With as many partitions as are asked for."""
    with start_broker(["orders"], 1) as broker:
        sender = producer(broker.address)
        sender.produce("orders", b"1")
        assert sender.flush(10) == 0
        broker.recreate("orders", 3)
        assert count(broker) == 0
        assert len(producer(broker.address).list_topics(timeout=5).topics["orders"].partitions) == 3


def test_what_librdkafka_refuses_is_said() -> None:
    """A broker that there is not, or a line that means nothing, is an error at once."""
    with start_broker(["orders"], 1) as broker:
        with pytest.raises(BrokerError, match="down: librdkafka refused it"):
            broker.down(7)
        broker.up(1)
    with pytest.raises(ValueError, match="closed"):
        broker.up(1)


def test_it_ends_with_its_input_or_at_sigterm() -> None:
    """It outlives neither whoever started it nor a SIGTERM, and a stop may come twice."""
    broker = start_broker(["orders"], 1)
    broker.stop()
    broker.stop()
    assert broker.process.returncode == 0
    other = start_broker(["orders"], 1)
    other.process.send_signal(signal.SIGTERM)
    assert other.process.wait(5) == 0
    other.stop()


@pytest.mark.parametrize(("arguments", "says"), [(["--topics", "a,a"], "refused"), ([], "--topics")])
def test_what_it_cannot_do_it_says(arguments: list[str], says: str) -> None:
    """A topic named twice, or none at all, is said on stderr with an exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning.streaming.broker", *arguments],
        capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode in (2, 3)
    assert says in done.stderr
