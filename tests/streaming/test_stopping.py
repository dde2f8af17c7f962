"""The stop switch from end to end: two workers, two people, a restart, and how long it takes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from decisioning.instant import parse_instant
from decisioning.stops import What
from decisioning.streaming.settings import Settings
from decisioning.streaming.stopping import StopRefused, resume, stop, stops
from decisioning.streaming.topics import partition_of
from tests.streaming.crew import Crew
from tests.streaming.live import Live, WorkerProcess, until
from tests.streaming.test_app import greet, request

NOON = "2026-03-02T12:00:00Z"
CUSTOMERS = [f"c-{number}" for number in range(40)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker with every topic, and an end to every worker on it."""
    with Live(tmp_path) as running:
        yield running


def said(broker: Live, outcome: str) -> dict[str, dict[str, Any]]:
    """The last decision of this outcome by customer."""
    return {one["subject"]: one["data"] for one in broker.said() if one["data"]["outcome"] == outcome}


def speak(broker: Live, customers: list[str], **offer: object) -> None:
    """Each of them is told something, and it is live."""
    greet(broker, *customers)
    for one in customers:
        broker.publish("contact-requests", request(one, NOON, f"q-{one}", **offer), one)
    broker.flush()
    until(lambda: said(broker, "act").keys() >= set(customers), what="an act for everybody")


def stopped(worker: WorkerProcess) -> list[str]:
    """What this worker shows as stopped by hand."""
    body = worker.page("/readyz")[1]
    shown: list[str] = json.loads(body)["rulebook"]["stops"] if body else []
    return shown


def stopped_there(worker: WorkerProcess) -> bool:
    """Whether this worker shows anything as stopped by hand."""
    return bool(stopped(worker))


def test_two_workers_stop_at_once_and_take_live_words_back(broker: Live) -> None:
    """Within two seconds both have seen it, and every live word that it names is recalled, without an event."""
    with Crew(broker) as crew:
        crew.join("a", "b")
        stop_at_once(broker, crew)


def stop_at_once(broker: Live, crew: Crew) -> None:
    """What two workers do when somebody pulls the switch."""
    speak(broker, CUSTOMERS)
    speak(broker, ["s-1", "s-2"], **{"class": "service"})
    began = time.monotonic()
    asyncio.run(stop(broker.settings, What.MARKETING, "", by="anna", why="wrong prices"))
    until(lambda: crew.all(stopped_there), 10, "the stop on both workers")
    seen = time.monotonic() - began
    until(lambda: said(broker, "recall").keys() == set(CUSTOMERS), 20, "a recall for everybody")
    took = time.monotonic() - began
    print(f"seen by both workers after {seen:.2f} s, all of {len(CUSTOMERS)} recalled after {took:.2f} s")
    acts, recalls = said(broker, "act"), said(broker, "recall")
    for one in CUSTOMERS:
        assert recalls[one]["reason"] == "stopped.marketing"
        assert recalls[one]["trigger"]["type"] == "stop"
    ids = {one["id"]: one["subject"] for one in broker.said() if one["data"]["outcome"] == "act"}
    assert {ids[recall["recalls"]] for recall in recalls.values()} == set(CUSTOMERS)
    assert acts.keys() - recalls.keys() == {"s-1", "s-2"}
    broker.publish("contact-requests", request("c-0", "2026-03-02T12:30:00Z", "late"), "c-0")
    broker.flush()
    until(lambda: "c-0" in said(broker, "suppress"), what="the answer")
    assert said(broker, "suppress")["c-0"]["reason"] == "stopped.marketing"
    crew.settle()
    assert len([one for one in broker.said() if one["data"]["outcome"] == "recall"]) == len(CUSTOMERS)


def test_a_stop_that_came_while_nobody_worked_takes_back_at_the_start(broker: Live) -> None:
    """The sweep begins with every lane that opens; an older stop that is over is not remembered as one."""
    worker = broker.worker("a").ready()
    speak(broker, ["c-1", "c-2"])
    broker.settle()
    worker.kill()
    asyncio.run(stop(broker.settings, What.CHANNEL, "email", by="anna", why="x"))
    worker = broker.worker("a").ready()
    until(lambda: said(broker, "recall").keys() == {"c-1", "c-2"}, what="the recalls")
    assert stopped(worker) == ["channel email, by anna: x"]
    asyncio.run(resume(broker.settings, What.CHANNEL, "email", by="anna", why="y"))
    until(lambda: not stopped(worker), 10, "the end of the stop")
    broker.wipe("a")
    worker.kill()
    worker = broker.worker("a").ready()
    assert stopped(worker) == []
    broker.publish("contact-requests", request("c-1", "2026-03-04T12:00:00Z", "again"), "c-1")
    broker.flush()
    until(lambda: len([one for one in broker.said() if one["data"]["outcome"] == "act"]) == 3, what="an act again")
    assert worker.term() == 0, worker.output


def test_a_stop_outlives_the_worker_that_takes_back(broker: Live) -> None:
    """Killed amid its sweep, it or another does the rest; nobody's words are taken back twice."""
    worker = broker.worker("a").ready()
    many = [f"k-{number}" for number in range(400)]
    speak(broker, many)
    broker.settle()
    asyncio.run(stop(broker.settings, What.MARKETING, "", by="anna", why="x"))
    until(partial(said, broker, "recall"), what="the first recall")
    worker.kill()
    worker = broker.worker("b").ready()
    until(lambda: said(broker, "recall").keys() == set(many), what="every recall")
    broker.settle()
    recalls = [(one["id"], one["data"]["recalls"]) for one in broker.said() if one["data"]["outcome"] == "recall"]
    assert len(set(recalls)) == len(many)
    assert worker.term() == 0, worker.output


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Live]:
    """A broker and nobody on it: the switch needs no worker."""
    with Live(tmp_path, partitions=1) as running:
        yield running


def test_two_people_do_not_undo_one_another(alone: Live) -> None:
    """Own stops are taken back, others' by name; whoever asks for what is not there is told what is."""
    settings = alone.settings
    for person in ("anna", "bob", "anna"):
        asyncio.run(stop(settings, What.CHANNEL, "sms", by=person, why=f"{person} knows"))
    over, left = asyncio.run(resume(settings, What.CHANNEL, "sms", by="anna", why="done"))
    assert [[one.stopped.by for one in found] for found in (over, left)] == [["anna"], ["bob"]]
    with pytest.raises(StopRefused, match="it is stopped by bob: name them"):
        asyncio.run(resume(settings, What.CHANNEL, "sms", by="anna", why="done"))
    with pytest.raises(StopRefused, match="nobody has stopped it by hand"):
        asyncio.run(resume(settings, What.MARKETING, "", by="anna", why="done"))
    assert [one.stopped.by for one in asyncio.run(stops(settings)).standing] == ["bob"]
    asyncio.run(resume(settings, What.CHANNEL, "sms", by="anna", why="bob is away", whose=["bob"]))
    known = asyncio.run(stops(settings))
    assert known.standing == []
    words = [(one.stopped.by, one.resumed and (one.resumed.by, one.resumed.why)) for one in known.known]
    assert sorted(words) == [("anna", ("anna", "done")), ("bob", ("anna", "bob is away"))]
    assert all(parse_instant(one.stopped.at) <= parse_instant(one.resumed.at) for one in known.known if one.resumed)


@pytest.mark.parametrize(
    ("name", "by", "why"), [("sms\x1b[2J", "anna", "x"), ("sms", "an\x1bna", "x"), ("sms", "anna", "x\u202e")]
)
async def test_what_is_on_record_can_be_shown_on_any_terminal(name: str, by: str, why: str) -> None:
    """No control character, no text that runs the other way: it is refused before Kafka is asked."""
    with pytest.raises(StopRefused, match="printable"):
        await stop(Settings(kafka="127.0.0.1:1"), What.CHANNEL, name, by=by, why=why)


def test_customers_of_the_test_live_in_every_lane() -> None:
    """Or the first test would not try what it says."""
    assert {partition_of(one.encode(), 4) for one in CUSTOMERS} == set(range(4))
