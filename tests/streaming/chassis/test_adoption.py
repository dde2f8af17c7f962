"""States that move to topics whose offsets begin anew go on as if nothing had been."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from decisioning.streaming.chassis.adoption import Adopted, adopt
from decisioning.streaming.chassis.epoch import TAKEOVER, epoch_of
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.chassis.store import StoreError
from tests.streaming.chassis.harness import Cluster, Message
from tests.streaming.chassis.toy_worker import CHANGELOG, config


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Cluster]:
    """Another cluster, whose offsets begin anew."""
    with Cluster(tmp_path / "elsewhere") as running:
        yield running


def moved(cluster: Cluster, left_behind: Sequence[Path] = ()) -> list[Adopted]:
    """Adopt every partition of a cluster."""

    async def all_of_them() -> list[Adopted]:
        async with AIOKafkaProducer(bootstrap_servers=cluster.address, acks="all") as producer:

            async def send(output: Output) -> int:
                done = await producer.send_and_wait(
                    output.topic, output.value, output.key, output.partition, headers=list(output.headers)
                )
                return int(done.offset)

            settings = config(bootstrap=cluster.address, data=cluster.folder, partitions=cluster.partitions)
            return [await adopt(settings, number, send, left_behind) for number in range(cluster.partitions)]

    return asyncio.run(all_of_them())


def lived(cluster: Cluster, turns: int = 3) -> dict[str, int]:
    """A worker that was started several times, handled events of twelve keys and stopped; how often each key came."""
    for turn in range(turns):
        worker = cluster.worker().ready()
        for i in range(60):
            cluster.send("ab"[i % 2], f"k{i % 12}", {"id": f"e{turn}-{i}", "forget": i == 59})
        cluster.flush()
        cluster.answered(60 * (turn + 1))
        assert worker.term() == 0, worker.errors
    return {f"k{key}": 5 * turns for key in range(12)}


def goes_on(cluster: Cluster, before: Cluster) -> None:
    """Fresh events at low offsets are no replays there, and states count on from where they were."""
    known = {key: state.count for key, (_, state) in before.states().items() if state is not None}
    worker = cluster.worker("new").ready()
    for i in range(24):
        cluster.send("ab"[i % 2], f"k{i % 12}", {"id": f"new{i}"})
    cluster.flush()
    cluster.answered(24)
    assert worker.term() == 0, worker.errors
    now = {key: state.count for key, (_, state) in cluster.states("new").items() if state is not None}
    assert now == {f"k{n}".encode(): known.get(f"k{n}".encode(), 0) + 2 for n in range(12)}
    cluster.wipe("new")
    worker = cluster.worker("new").ready()
    assert worker.term() == 0, worker.errors
    assert {key: state.count for key, (_, state) in cluster.states("new").items() if state is not None} == now


def test_from_the_stores_of_stopped_workers(cluster: Cluster, elsewhere: Cluster) -> None:
    """Nothing was copied to the new cluster: the states are written to it, and go on there."""
    lived(cluster)
    adopted = moved(elsewhere, [cluster.folder / "w"])
    assert all(one.copied for one in adopted)
    assert sum(one.states for one in adopted) >= 11
    goes_on(elsewhere, cluster)


@pytest.mark.long
def test_from_a_copy_of_the_changelog(cluster: Cluster, elsewhere: Cluster) -> None:
    """Copied as a mirror does, compacted, so that all its offsets are lower: nothing is taken for stale."""
    lived(cluster)
    last: dict[tuple[int, bytes | None], Message] = {(m.partition, m.key): m for m in cluster.read(CHANGELOG)}
    for m in sorted(last.values(), key=lambda m: m.offset):
        elsewhere.send(CHANGELOG, (m.key or b"").decode("latin-1"), m.value, partition=m.partition, headers=m.headers)
    elsewhere.flush()
    adopted = moved(elsewhere)
    assert not any(one.copied for one in adopted)
    goes_on(elsewhere, cluster)


@pytest.mark.long
def test_a_second_move_adds_to_the_first(cluster: Cluster, elsewhere: Cluster) -> None:
    """Epochs only grow: of the new owner they are above all that were ever given."""
    lived(cluster)
    moved(elsewhere, [cluster.folder / "w"])
    moved(elsewhere)
    goes_on(elsewhere, cluster)
    highest = max(epoch_of(m, 0) for m in cluster.read(CHANGELOG))
    ours = [m for m in elsewhere.read(CHANGELOG) if m.key not in (TAKEOVER, b"\0b")]
    assert min(epoch_of(m, 0) for m in ours[-5:]) > highest


def test_with_nothing_to_adopt_it_says_so(elsewhere: Cluster, tmp_path: Path) -> None:
    """An empty changelog and directories that hold no store of it are refused with the remedy."""
    with pytest.raises(StoreError, match="name the data directories of all stopped workers"):
        moved(elsewhere, [tmp_path])
