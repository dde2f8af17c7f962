"""The embedded broker: up in a moment, with the topics and partitions asked for, and gone when it should be."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from decisioning.streaming.broker import PRODUCE, start_broker


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
