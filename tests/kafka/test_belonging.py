"""Topics that are deleted and created anew under a stopped worker, on a real Kafka: refused, then adopted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from decisioning.streaming.chassis.watchdog import STORE, TOPICS
from tests.kafka.cluster import RealKafka
from tests.kafka.test_worker import command
from tests.streaming.history import history, products
from tests.streaming.live import Live, until

pytestmark = [pytest.mark.kafka, pytest.mark.long]


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[tuple[RealKafka, Live]]:
    """A worker has decided a history, and stopped."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        live.tell(products())
        live.tell(list(history(3, 200, 40, live.partitions)))
        worker = live.worker().ready()
        live.settle()
        assert worker.term() == 0, worker.output
        yield kafka, live


def anew(kafka: RealKafka, live: Live, topic: str) -> None:
    """Delete a topic and create it as the table has it."""
    kafka.delete_topics([topic])

    def made() -> bool:
        return topic in kafka.create_topics(live.settings)

    until(made, what="the topic's end and beginning")


def refusal(live: Live, name: str = "w") -> tuple[int, str]:
    """Exit code and words of a worker that must not start."""
    worker = live.worker(name)
    until(lambda: worker.process.poll() is not None, what="the refusal")
    return worker.process.returncode, worker.output


def test_a_source_created_anew_is_refused_until_it_is_adopted(stopped: tuple[RealKafka, Live]) -> None:
    """Its commits went with it, its offsets begin at 0: only the id tells, and the watermarks would hide what comes."""
    kafka, live = stopped
    anew(kafka, live, "orders")
    code, said = refusal(live)
    assert code == TOPICS, said
    assert "topic orders was deleted and created anew" in said
    code, _, err = command(live.environment(), "topics", "adopt", "--from", "end")
    assert code == 0, err
    live.wipe()
    assert live.worker().ready().term() == 0


def test_a_changelog_created_anew_is_refused(stopped: tuple[RealKafka, Live]) -> None:
    """With the old store beside it, and without: no silent start on nothing."""
    kafka, live = stopped
    anew(kafka, live, "state-changelog")
    code, said = refusal(live)
    assert code == STORE, said
    assert "is ahead of the end of its changelog" in said
    code, said = refusal(live, "new")
    assert code == TOPICS, said
    assert "is empty: what was remembered is lost" in said
