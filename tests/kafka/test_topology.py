"""Kafka's coordinator keeps a worker of another topology out of the group, and those at work do not notice (T27)."""

from __future__ import annotations

from pathlib import Path

import pytest

from decisioning.streaming.chassis.watchdog import TOPICS
from tests.kafka.cluster import RealKafka
from tests.streaming.history import history, products
from tests.streaming.live import Live, until

pytestmark = [pytest.mark.kafka, pytest.mark.long]


def test_another_topology_is_kept_out_until_all_have_left(tmp_path: Path) -> None:
    """It ends with code 76 and the remedy; the group decides on; once the group is empty it may join."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        kafka.create_topics(live.settings.model_copy(update={"topic_prefix": "other."}))
        live.tell(products())
        facts = list(history(5, 200, 40, live.partitions))
        worker = live.worker().ready()
        live.tell(facts[:100])
        stranger = live.worker("stranger", topic_prefix="other.")
        until(lambda: stranger.process.poll() is not None, what="the refusal")
        assert stranger.process.returncode == TOPICS, stranger.output
        assert "stop them all before this one starts, or give it a group of its own" in stranger.output
        live.tell(facts[100:])
        live.settle()
        assert worker.metric("decisioning_lanes") == live.partitions
        assert worker.term() == 0, worker.output
        stranger = live.worker("stranger", topic_prefix="other.")
        until(lambda: stranger.process.poll() is not None, what="the next refusal")
        # Kafka has let it in; it has no changelog for what the group has committed.
        assert "but the changelog of that lane is empty: what was remembered is lost" in stranger.output
