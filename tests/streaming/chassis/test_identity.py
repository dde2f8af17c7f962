"""Topics' ids, as the embedded broker gives them; a real one is asked in tests/kafka/test_belonging.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from decisioning.streaming.chassis.identity import topic_ids
from tests.streaming.chassis.harness import Cluster
from tests.streaming.chassis.toy_worker import SOURCES, config


async def test_every_topic_has_an_id_of_its_own(cluster: Cluster) -> None:
    """Of 32 hex digits, the same each time; what does not exist has none and does not come into being."""
    chassis = config(bootstrap=cluster.address, data=cluster.folder)
    found = await topic_ids(chassis, [*SOURCES, "nowhere"])
    assert list(found) == list(SOURCES)
    assert len(set(found.values())) == len(SOURCES)
    assert all(len(id_) == 32 and int(id_, 16) for id_ in found.values())
    assert await topic_ids(chassis, [*SOURCES, "nowhere"]) == found


async def test_a_broker_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    """Not an answer without ids."""
    with pytest.raises(KafkaError):
        await topic_ids(config(bootstrap="127.0.0.1:1", data=tmp_path), ["a"])
