"""The worker as operators run it, on a real Kafka: topics made by its own command, two workers, restarts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from decisioning.streaming.topics import TOPICS
from tests.kafka.cluster import RealKafka
from tests.streaming.history import history, products
from tests.streaming.live import Live, until
from tests.streaming.test_app import ended_well, greet, request

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """One broker for the tests that leave it as they find it."""
    with RealKafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def command(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command of ours."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", *arguments], env=environment, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_topics_are_created_listed_and_left_alone(kafka: RealKafka, tmp_path: Path) -> None:
    """`topics list` says what is missing, `topics create` makes it as the table has it, and a second time nothing."""
    names = [topic.name for topic in TOPICS]
    with Live(tmp_path, on=kafka, without=names) as live:
        environment = live.environment()
        assert command(environment, "topics", "list")[1].count("(missing)") == len(names)
        code, out, err = command(environment, "topics", "create")
        assert (code, err, out.splitlines()[-1]) == (0, "", f"created {len(names)}")
        assert kafka.configuration("state-changelog")["cleanup.policy"] == "compact"
        assert kafka.configuration("decisions")["retention.ms"] == str(7 * 86_400_000)
        code, out, err = command(environment, "topics", "create")
        assert (code, err, out.splitlines()[-1]) == (0, "", "nothing was missing")
        code, out, _ = command(environment, "topics", "list")
        assert (code, "missing" in out, "(is" in out) == (0, False, False)
        kafka.delete_topics(names)


def test_a_first_start_on_a_backlog_and_a_restart(tmp_path: Path) -> None:
    """What waited is decided, SIGTERM is exit 0, the next worker goes on; nothing is lost and nothing said twice."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        live.tell(products())
        facts = list(history(11, 900, 90, live.partitions))
        live.tell(facts[:600])
        first = live.worker().ready()
        live.settle()
        assert first.term() == 0, first.output
        decided = live.distinct()
        live.tell(facts[600:])
        second = live.worker().ready()
        live.settle()
        assert live.distinct() > decided > 0
        ended_well(live, second)


@pytest.mark.long
def test_two_workers_share_the_lanes(tmp_path: Path) -> None:
    """One joins and leaves in order, one joins and is killed: all is answered, and states are right."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        live.tell(products())
        parts = list(history(12, 3200, 250, live.partitions))
        first = live.worker().ready()
        live.tell(parts[:800])
        second = live.worker("x").ready()
        live.tell(parts[800:1600])
        until(lambda: second.metric("decisioning_lanes") > 0, what="lanes of the second worker")
        assert second.term() == 0, second.output
        live.tell(parts[1600:2400])
        third = live.worker("y").ready()
        until(lambda: third.metric("decisioning_lanes") > 0, what="lanes of the third worker")
        live.tell(parts[2400:])
        third.kill()
        live.settle()
        until(lambda: first.metric("decisioning_lanes") == live.partitions, what="all lanes at the first worker")
        ended_well(live, first, repeats=10_000)


@pytest.mark.long
def test_the_loss_of_one_broker_of_three_loses_nothing(tmp_path: Path) -> None:
    """The leader of a lane is killed while its worker works; the worker goes on by itself or its restart does."""
    with RealKafka(tmp_path / "kafka", 3) as kafka, Live(tmp_path, on=kafka, replication=3) as live:
        live.tell(products())
        facts = list(history(13, 1600, 150, live.partitions))
        worker = live.worker().ready()
        live.tell(facts[:800])
        leader = kafka.leader("decisions", 0)
        kafka.kill(leader)
        live.tell(facts[800:])
        live.settle()
        kafka.start(leader)
        ended_well(live, worker, repeats=10_000)


def test_a_purchase_silences_an_offer(tmp_path: Path) -> None:
    """The smallest story that a newcomer tries: consent, and a request that is answered."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        worker = live.worker()
        greet(live, "c-1")
        live.publish("contact-requests", request("c-1", "2026-03-02T11:00:00Z", "r-1"), "c-1")
        live.flush()
        worker.ready()
        until(lambda: live.distinct() == 1, what="the answer")
        assert [one["data"]["outcome"] for one in live.said()] == ["act"]
        assert worker.term() == 0, worker.output
