"""The loop's verdict on a run: what makes it a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from decisioning.streaming.broker import Broker, start_broker
from decisioning.streaming.demo.feeder import Watcher
from decisioning.streaming.demo.loop import Loop
from decisioning.streaming.demo.plain import Lines
from decisioning.streaming.demo.processes import Child, PartFailed
from decisioning.streaming.demo.shop import History
from decisioning.streaming.settings import Settings, client_options
from decisioning.streaming.topics import name_of, plan
from tests.streaming.demo.decided import decision


@pytest.fixture
def broker() -> Iterator[Broker]:
    """An embedded broker with every topic."""
    with start_broker([row.name for row in plan(Settings())]) as running:
        yield running


@pytest.fixture
def loop(broker: Broker, told: History, tmp_path: Path) -> Iterator[Loop]:
    """A loop over the first five requests of the history, whose worker has ended."""
    settings = Settings(kafka=broker.address)
    with Child(["--help"], os.environ, tmp_path / "log") as ended:
        ended.stop()
        requests = [one for one in told.facts if one.type == "contact.requested"][:5]
        watcher = Watcher(client_options(settings), [name_of(settings, "decisions")])
        yield Loop(told._replace(described=[], facts=requests), settings, watcher, Lines(), ended, stamped=True)
        watcher.close()


def test_a_lost_ctrl_c_ends_the_run_at_its_next_turn(broker: Broker, told: History, tmp_path: Path) -> None:
    """Kafka's client drops an exception that is raised inside its callbacks."""
    settings = Settings(kafka=broker.address)
    with Child(["--help"], os.environ, tmp_path / "log") as worker:
        watcher = Watcher(client_options(settings), [name_of(settings, "decisions")])
        loop = Loop(told, settings, watcher, Lines(), worker, stamped=True, interrupted=lambda: True)
        with pytest.raises(KeyboardInterrupt):
            loop.feed(60)
        watcher.close()


def test_a_worker_that_ends_under_way_ends_the_run(loop: Loop) -> None:
    """Nobody waits for answers that nobody gives."""
    with pytest.raises(PartFailed, match="the worker ended with exit code"):
        loop.feed(0)


def test_a_run_without_decisions_is_a_failure(loop: Loop) -> None:
    """Nothing asked and nothing answered proves nothing."""
    assert loop.problems() == ["no decision was seen"]


def test_a_request_without_an_answer_is_a_failure(loop: Loop, told: History) -> None:
    """The problem names the requests."""
    loop.tally.decide(decision("act"), 1.0)
    assert loop.problems() == []
    request = next(one for one in told.facts if one.type == "contact.requested")
    loop.tally.publish(request, 1.0)
    (problem,) = loop.problems()
    assert problem.startswith("1 answers are missing")
    assert request.id in problem


def test_an_id_with_two_payloads_is_a_failure(loop: Loop) -> None:
    """One decision id has one payload, for ever."""
    loop.tally.decide(decision("act"), 1.0)
    loop.tally.decide(decision("suppress", "consent.missing"), 1.0)
    assert loop.problems() == ["1 decision ids came with two payloads"]
