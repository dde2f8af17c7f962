"""Rulebooks that change under a running worker: real processes, from the file or the topic to the decisions."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from decisioning.catalogue import Catalogue
from decisioning.streaming.app import publish_rulebook, withdraw_rulebook
from decisioning.streaming.rulebooks import build, publish
from tests.streaming.history import history, products
from tests.streaming.live import Live, WorkerProcess, until
from tests.streaming.test_app import greet, request
from tests.streaming.test_rulebooks import BROKEN, faults_of
from tests.streaming.verifier import verify

RESTARTS = 2
STOP = b"respect: {stopped: {marketing: true}}\n"


def book(version: str, more: bytes = b"") -> bytes:
    """A rulebook of the defaults, and what else it says."""
    return b'rulebook: retail\nversion: "%s"\n%s' % (version.encode(), more)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker with every topic, and an end to every worker on it."""
    with Live(tmp_path) as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The rulebook file that workers follow."""
    path = tmp_path / "retail.yaml"
    path.write_bytes(book("1"))
    return path


def worker_of(broker: Live, file: Path, **more: Any) -> WorkerProcess:
    """A worker that looks at its file often; wait for `ready`."""
    return broker.worker(rulebook=file, rulebook_poll_ms=20, **more)


def put(file: Path, text: bytes) -> None:
    """Replace a file as a careful tool does: whole or not at all."""
    beside = file.with_suffix(".new")
    beside.write_bytes(text)
    beside.replace(file)


def readyz(worker: WorkerProcess) -> tuple[int, dict[str, Any]]:
    """Status of `/readyz` and what it says of the rulebook."""
    status, body = worker.page("/readyz")
    return status, json.loads(body)["rulebook"] if body else {}


def decides(worker: WorkerProcess, version: str, source: str) -> bool:
    """Whether this rulebook decides and nothing is wrong with a newer one."""
    shown = readyz(worker)[1]
    return (shown.get("version"), shown.get("source"), shown.get("errors")) == (version, source, [])


def refuses(worker: WorkerProcess, where: str, version: str) -> bool:
    """Whether the worker is ready with this version all the same, and shows every fault of the newer one."""
    status, shown = readyz(worker)
    faults = shown.get("errors", [])
    assert status == 200
    return bool(faults) and faults == faults_of(BROKEN, where) and shown["version"] == version


def answers(broker: Live, customer: str, number: int, at: str) -> list[dict[str, Any]]:
    """Ask for one customer, and return what is said to it: outcome, reason and version of the rulebook."""
    known = broker.distinct()
    value = request(customer, at, f"r-{customer}-{number}")
    broker.publish("contact-requests", value, customer)
    broker.flush()
    until(lambda: broker.distinct() > known, what="an answer")
    broker.settle()
    return [
        {"outcome": one["data"]["outcome"], "reason": one["data"]["reason"], **one["data"]["rulebook"]}
        for one in broker.said()
        if one["subject"] == customer and one["time"] == at
    ]


def stamped(said: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Outcome, reason and version of each."""
    return [(one["outcome"], one["reason"], one["version"]) for one in said]


def recalled(broker: Live) -> list[dict[str, Any]]:
    """All that was taken back."""
    return [one for one in broker.said() if one["type"] == "decision.recall"]


def test_a_broken_rulebook_is_refused_at_the_start(broker: Live, file: Path) -> None:
    """Exit 1 and every fault by its place, before anything is read."""
    file.write_bytes(BROKEN)
    worker = worker_of(broker, file)
    assert worker.process.wait(30) == 1
    assert worker.output.splitlines() == faults_of(BROKEN, str(file))
    file.unlink()
    worker = worker_of(broker, file)
    assert worker.process.wait(30) == 1
    assert worker.output == f"{file}: cannot be read (No such file or directory)\n"


def test_the_file_is_followed(broker: Live, file: Path) -> None:
    """A broken change is counted and shown, and the last good one decides; a stop takes back what
    may still go out without waiting for an event."""
    greet(broker, "c-1", "c-2")
    worker = worker_of(broker, file).ready()
    assert stamped(answers(broker, "c-1", 1, "2026-03-02T11:00:00Z")) == [("act", "allowed.clear", "1")]
    put(file, BROKEN)
    until(lambda: refuses(worker, str(file), "1"), what="the refusal")
    assert worker.metric("decisioning_rulebook_error", source="file") == 1
    assert worker.metric("decisioning_rulebook_loads_total", result="refused") == 1
    assert stamped(answers(broker, "c-2", 2, "2026-03-02T11:00:01Z")) == [("act", "allowed.clear", "1")]
    put(file, book("2", STOP))
    until(lambda: decides(worker, "2", "file"), what="the swap")
    assert worker.metric("decisioning_rulebook_error") == 0
    assert worker.metric("decisioning_rulebook_info", version="2") == 1
    taken_back = until(lambda: recalled(broker)[1:], what="two recalls")
    assert taken_back[0]["data"]["trigger"] == {"source": "/decisioning", "type": "stop", "id": "rulebook retail 2"}
    said = answers(broker, "c-1", 3, "2026-03-02T11:00:02Z")
    assert stamped(said) == [("suppress", "stopped.marketing", "2")]
    assert said[0]["digest"] == readyz(worker)[1]["digest"]
    assert worker.term() == 0, worker.output
    lines = [line for line in worker.output.splitlines() if "rulebook" in line]
    assert [line.split(" (")[0] for line in lines] == ["a rulebook is refused, rulebook retail 1", "rulebook retail 2"]


def test_the_topic_is_followed_over_the_file(broker: Live, file: Path) -> None:
    """One record reaches every worker, also one that starts later; withdrawn, the file decides again."""
    greet(broker, "c-1")
    worker = worker_of(broker, file).ready()
    asyncio.run(publish(broker.settings, "retail", book("7", STOP)))
    until(lambda: decides(worker, "7", "topic"), what="the swap")
    put(file, book("2"))
    assert stamped(answers(broker, "c-1", 1, "2026-03-02T11:00:00Z")) == [("suppress", "stopped.marketing", "7")]
    asyncio.run(publish(broker.settings, "retail", BROKEN))
    until(lambda: refuses(worker, where_of(broker), "7"), what="the refusal")
    assert worker.metric("decisioning_rulebook_error", source="topic") == 1
    assert worker.term() == 0, worker.output
    worker = worker_of(broker, file).ready()
    assert refuses(worker, where_of(broker), "7")
    asyncio.run(publish(broker.settings, "retail", None))
    until(lambda: decides(worker, "2", "file"), what="the file's turn")
    assert stamped(answers(broker, "c-1", 2, "2026-03-02T11:00:01Z")) == [("act", "allowed.clear", "2")]
    deaf = worker_of(broker, file, rulebooks_topic=False)
    assert worker.term() == 0, worker.output
    assert decides(deaf.ready(), "2", "file")
    assert deaf.metric("decisioning_rulebook_loads_total", source="topic") == 0


def where_of(broker: Live) -> str:
    """The place of the newest record that has a value."""
    last = [record for record in broker.read("rulebooks") if record.value is not None][-1]
    return f"rulebooks[{last.partition}]@{last.offset}"


def test_a_topic_whose_only_rulebook_is_broken_is_refused_at_the_start(broker: Live, file: Path) -> None:
    """What it should say is not known, and the file may allow what it forbids: somebody has to look."""
    asyncio.run(publish(broker.settings, "retail", BROKEN))
    worker = worker_of(broker, file)
    assert worker.process.wait(30) == 1
    lines = faults_of(BROKEN, where_of(broker))
    assert worker.output.splitlines()[-len(lines) - 1 :] == [
        *lines,
        "publish a good rulebook `retail`, or withdraw this one",
    ]
    asyncio.run(publish(broker.settings, "retail", None))
    assert decides(worker_of(broker, file).ready(), "1", "file")


def test_an_operator_publishes_and_withdraws(
    broker: Live, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A good file becomes a record under its name; a broken one is refused here, where its author can mend it."""
    monkeypatch.setenv("DECISIONING_KAFKA", broker.address)
    assert publish_rulebook(file) == 0
    digest = build(file.read_bytes(), "", Catalogue()).rulebook.digest
    assert capsys.readouterr().out == f"published retail 1 {digest}\n"
    file.write_bytes(BROKEN)
    assert publish_rulebook(file) == 1
    assert capsys.readouterr().err.splitlines() == faults_of(BROKEN, str(file))
    assert publish_rulebook(file.with_name("none")) == 1
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err
    assert withdraw_rulebook("retail") == 0
    assert [(record.key, record.value) for record in broker.read("rulebooks")] == [
        (b"retail", book("1")),
        (b"retail", None),
    ]


class Swapper(threading.Thread):
    """Puts one version after the other into the file until it is stopped; all of them have the same rules."""

    def __init__(self, file: Path, pause: float) -> None:
        super().__init__(daemon=True)
        self._file, self._pause = file, pause
        self.stopped = threading.Event()

    def run(self) -> None:
        for number in count(2):
            if self.stopped.wait(self._pause):
                return
            put(self._file, book(str(number)))


STAMP = re.compile(rb'"version":"\d+","digest":"sha256:[0-9a-f]{64}"')


@pytest.mark.long
def test_kill_amid_swaps(broker: Live, file: Path) -> None:
    """Whatever version a worker died with and its successor began with: each decision has one payload, stamp
    included, nothing is lost, and all else is what one run under one version says."""
    draw = Random(11)
    broker.tell(products())
    parts = list(history(11, 2000, 200, broker.partitions))
    swapper = Swapper(file, 0.1)
    swapper.start()
    worker = worker_of(broker, file, commit_interval_ms=1000).ready()
    share = len(parts) // RESTARTS
    for turn in range(RESTARTS):
        known = broker.distinct()
        broker.tell(parts[turn * share : (turn + 1) * share])
        until(partial(_has_more, broker, known), what="new decisions")
        assert worker.run_for(draw.uniform(0.05, 0.5)), worker.output
        worker.kill()
        worker = worker_of(broker, file, commit_interval_ms=1000).ready()
    broker.settle()
    swapper.stopped.set()
    swapper.join()
    assert worker.term() == 0, worker.output
    payloads: dict[str, set[bytes]] = defaultdict(set)
    for record in broker.read("decisions"):
        payloads[json.loads(record.value or b"")["id"]].add(record.value or b"")
    assert [number for number, values in payloads.items() if len(values) > 1] == []
    stamps = {found for values in payloads.values() for value in values for found in STAMP.findall(value)}
    assert len(stamps) > RESTARTS
    evidence = broker.evidence("w")
    policy = build(book("1"), "retail.yaml", Catalogue())
    told = json.dumps({name: policy.stamp[name] for name in ("version", "digest")}, separators=(",", ":"))[1:-1]
    same = [record._replace(value=STAMP.sub(told.encode(), record.value or b"")) for record in evidence.decisions]
    report = verify(evidence._replace(decisions=same), policy)
    assert not report.problems(), "\n".join(report.problems()[:20])
    assert report.repeats > 0


def _has_more(broker: Live, known: int) -> bool:
    return broker.distinct() > known
