"""Whole workers that meet a Kafka which is not the one they knew: they refuse, and touch nothing."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer, TopicPartition

from decisioning.streaming.chassis.epoch import HEARTBEAT
from tests.streaming.chassis.harness import Cluster, until
from tests.streaming.chassis.toy_worker import CHANGELOG


def tell(cluster: Cluster, count: int) -> None:
    """So many events for 20 keys."""
    for i in range(count):
        cluster.send("a", f"k{i % 20}", {"id": f"e{i}"})
    cluster.flush()


def run(cluster: Cluster, count: int, name: str = "w") -> None:
    """A worker that answers so many events and ends."""
    tell(cluster, count)
    worker = cluster.worker(name).ready()
    cluster.answered(count)
    assert worker.term() == 0, worker.errors


def copied(cluster: Cluster, other: Cluster) -> None:
    """The changelog of one cluster, record by record, into another."""
    producer = Producer({"bootstrap.servers": other.address, "log_level": 2})
    for m in cluster.read(CHANGELOG):
        producer.produce(CHANGELOG, m.value, m.key, partition=m.partition, headers=list(m.headers))
    assert producer.flush(20) == 0


def test_a_store_of_another_changelog_is_refused(cluster: Cluster) -> None:
    """Also where that one is longer than the store (T33); the store is left as it is, the changelog too."""
    run(cluster, 50)
    with Cluster(cluster.folder) as other:
        run(other, 400, "x")
        for number in range(2 * 400):  # longer than the store, however the slices fell
            other.send(CHANGELOG, HEARTBEAT.decode(), b"beat", partition=number % other.partitions)
        other.flush()
        before = other.count(CHANGELOG)
        stranger = other.worker("w")
        assert stranger.exit_code() == 73, stranger.errors
        assert "belongs to a changelog that was deleted and created anew" in stranger.errors
        assert other.count(CHANGELOG) == before
    assert cluster.worker("w").ready().term() == 0


def test_a_source_that_was_created_anew_is_refused(cluster: Cluster) -> None:
    """The changelog knows the ids of the topics whose offsets stand in the watermarks."""
    run(cluster, 50)
    with Cluster(cluster.folder) as other:
        copied(cluster, other)
        tell(other, 200)
        worker = other.worker("new")
        assert worker.exit_code() == 76, worker.errors
        assert "topic a was deleted and created anew: bring back the old one" in worker.errors


def test_commits_without_a_changelog_are_refused(cluster: Cluster) -> None:
    """Something was answered and nothing is remembered: no silent start with empty states."""
    tell(cluster, 50)
    group = Consumer({"bootstrap.servers": cluster.address, "group.id": "toy", "log_level": 2})
    until(lambda: cluster.count("a") == 50)
    group.commit(offsets=[TopicPartition("a", number, 5) for number in range(2)], asynchronous=False)
    group.close()
    worker = cluster.worker()
    assert worker.exit_code() == 76, worker.errors
    assert "but the changelog of that lane is empty: what was remembered is lost" in worker.errors
    assert cluster.count(CHANGELOG) == 0
