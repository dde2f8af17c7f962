"""A stretch of the changelog, read beside the group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from decisioning.streaming.chassis.job import Record
from decisioning.streaming.chassis.reader import read_stretch
from tests.streaming.chassis.harness import Cluster
from tests.streaming.chassis.toy_worker import CHANGELOG, config


def stretch(cluster: Cluster, path: Path, first: int, last: int) -> Sequence[Record]:
    """Read it."""
    return asyncio.run(read_stretch(config(bootstrap=cluster.address, data=path), 1, first, last))


def test_a_stretch_is_read_to_its_end(cluster: Cluster, tmp_path: Path) -> None:
    """All records of that partition from the first offset to the last, headers included, and no other."""
    for n in range(50):
        cluster.send(CHANGELOG, f"k{n}", {"n": n}, partition=1)
    cluster.send(CHANGELOG, "elsewhere", {"n": 0}, partition=0)
    cluster.flush()
    found = stretch(cluster, tmp_path, 3, 41)
    assert [record.offset for record in found] == list(range(3, 42))
    assert found[0].key == b"k3"


def test_an_offset_that_is_not_there_is_an_error(cluster: Cluster, tmp_path: Path) -> None:
    """It is never taken for another place."""
    cluster.send(CHANGELOG, "k", {}, partition=1)
    cluster.flush()
    with pytest.raises(KafkaError):
        stretch(cluster, tmp_path, 7, 9)
