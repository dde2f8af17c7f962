"""Customers move to re-created topics and to another cluster by the operator's own command, on a real Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest

from decisioning.streaming.topics import lane_topics
from tests.kafka.cluster import RealKafka
from tests.kafka.test_worker import command
from tests.streaming.live import Live, WorkerProcess, until
from tests.streaming.test_app import greet, request

pytestmark = [pytest.mark.kafka, pytest.mark.long]

_CUSTOMERS = [f"c-{n}" for n in range(12)]


def lived(live: Live) -> WorkerProcess:
    """Customers who agreed to marketing and had their one message of the day, and the worker that sent it."""
    worker = live.worker().ready()
    greet(live, *_CUSTOMERS)
    for one in _CUSTOMERS:
        live.publish("contact-requests", request(one, "2026-03-02T11:00:00Z", f"first-{one}"), one)
    live.flush()
    live.settle()
    assert {said["data"]["outcome"] for said in live.said()} == {"act"}
    return worker


def remembered(live: Live) -> None:
    """Fresh requests at low offsets are read, and refused for what was said before the move."""
    for one in _CUSTOMERS:
        live.publish("contact-requests", request(one, "2026-03-02T12:00:00Z", f"second-{one}"), one)
    live.flush()
    worker = live.worker("new").ready()
    asked = {f"of-second-{one}" for one in _CUSTOMERS}

    def answers() -> list[str]:
        said = [one["data"] for one in live.said() if one["data"].get("request_id") in asked]
        return [one["reason"] for one in said if one["outcome"] == "suppress"]

    until(lambda: len(answers()) == len(_CUSTOMERS), what="an answer to everybody")
    assert set(answers()) == {"frequency_cap.day"}
    assert worker.term() == 0, worker.output


def test_source_topics_that_were_made_anew(tmp_path: Path) -> None:
    """`adopt` waits for the workers to be gone, and then everybody is known as before."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        worker = lived(live)
        code, _, err = command(live.environment(), "topics", "adopt")
        assert (code, "stop its workers first" in err) == (3, True), err
        assert worker.term() == 0, worker.output
        sources = lane_topics(live.settings)
        kafka.delete_topics(sources)
        kafka.create_topics(live.settings)
        live.forget(*sources)
        code, out, err = command(live.environment(), "topics", "adopt")
        assert (code, err) == (0, "")
        assert "12 states adopted" in out
        remembered(live)


def test_another_cluster_from_the_stores_that_workers_left(tmp_path: Path) -> None:
    """Nothing was copied; the data directory is named."""
    with RealKafka(tmp_path / "one") as kafka, Live(tmp_path / "a", on=kafka) as live:
        assert lived(live).term() == 0
        left = live.data()
    with RealKafka(tmp_path / "two") as kafka, Live(tmp_path / "b", on=kafka) as live:
        code, out, err = command(live.environment("new"), "topics", "adopt", "--stores", str(left))
        assert (code, err) == (0, ""), err
        assert "12 states adopted" in out
        remembered(live)
