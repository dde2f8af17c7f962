"""The examples that people copy, each as it stands, on a real Kafka: what they publish, and what they dare to say.

The Java and Node ones run where Maven and npm are; what these fetch is kept beside Kafka's own jars.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from decisioning.event import parse
from decisioning.instant import HOUR, MINUTE, format_instant
from decisioning.streaming.channel import now
from decisioning.streaming.topics import partition_of
from tests.kafka.cluster import RealKafka
from tests.kafka.jars import CHECKOUT, locked
from tests.streaming.live import Live, until

pytestmark = pytest.mark.kafka

EXAMPLES = CHECKOUT / "examples"
KINDS = ("python-confluent", "python-aiokafka", "java", "node")
CUSTOMERS = ["tel:+441632960001", "kunde-ü", "顧客-7", *(f"c-{number}" for number in range(12))]
STORY = {"consent.granted": "customers", "purchase.completed": "purchases", "contact.requested": "contact-requests"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One broker with every topic for all of them; an odd number of partitions tells a wrong partitioner."""
    folder = tmp_path_factory.mktemp("examples")
    with RealKafka(folder / "kafka") as kafka, Live(folder, 5, on=kafka, clock="wall") as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each of the examples that can run here; all of them have a real Kafka, so Java and Maven are there."""
    name = str(request.param)
    if name == "node":
        told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False) if _npm() else None
        if told is None or tuple(map(int, told.stdout.strip("v\n").split("."))) < (20, 19, 4):
            pytest.skip("the Node examples need npm and Node 20.19.4 or newer")
    return name


def _npm() -> bool:
    return shutil.which("npm") is not None and shutil.which("node") is not None


def command(kind: str, program: str) -> list[str]:
    """How `examples/README.md` starts a program; what it needs is fetched once for this checkout."""
    here = EXAMPLES / kind
    if kind == "java":
        libraries = _fetched(here / "pom.xml", ["mvn", "-q", "-B", "dependency:copy-dependencies"], "target/dependency")
        names = {"producer": "EventProducer.java", "consumer": "ChannelConsumer.java"}
        return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*", str(here / names[program])]
    if kind == "node":
        modules = _fetched(here / "package-lock.json", ["npm", "ci", "--no-audit", "--no-fund"], "")
        shutil.copy(here / f"{program}.mjs", modules)
        return ["node", str(modules / f"{program}.mjs")]
    return [sys.executable, str(here / f"{program}.py")]


def _fetched(named_in: Path, fetch: list[str], inside: str) -> Path:
    """The folder with what a file of dependencies names."""
    digest = hashlib.sha256(named_in.read_bytes()).hexdigest()[:12]
    home = CHECKOUT / ".kafka" / f"{named_in.parent.name}-{digest}"
    with locked("examples"):
        if not home.exists():
            half = home.with_suffix(".part")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(named_in.parent, half, ignore=shutil.ignore_patterns("node_modules", "libs", "target"))
            done = subprocess.run(fetch, cwd=half, capture_output=True, text=True, check=False, timeout=240)
            assert done.returncode == 0, done.stdout + done.stderr
            half.rename(home)
    return home / inside


def environment(live: Live, **more: str) -> dict[str, str]:
    """What an example is told."""
    return {**os.environ, "KAFKA": live.address, **more}


# -- producers --------------------------------------------------------------------------------------------------------


def test_what_a_producer_publishes_is_read_and_lies_right(live: Live, kind: str, tmp_path: Path) -> None:
    """Each event by its type on its topic, under its customer, on the partition that all agree on."""
    customers = [f"{kind}-{name}" for name in CUSTOMERS]
    done = subprocess.run(
        [*command(kind, "producer"), *customers], env=environment(live), cwd=tmp_path, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    published = {topic: live.read(topic) for topic in STORY.values()}
    for customer, (type_, topic) in product(customers, STORY.items()):
        [record] = [one for one in published[topic] if one.key == customer.encode()]
        event = parse(record.value, record.headers)
        assert (event.type, event.subject, event.source) == (type_, customer, "/shop")
        assert event.data is not None
        assert abs(event.time - now()) < 5 * MINUTE
        assert record.partition == partition_of(customer.encode(), live.partitions)


# -- consumers --------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """Publishes decisions for one channel."""

    live: Live
    channel: str

    def act(self, id_: str, *, valid: int = HOUR, binary: bool = False, channel: str | None = None) -> None:
        """An act that is valid for so long from now (us)."""
        data = {"action": id_, "class": "marketing", "channel": channel or self.channel}
        self._say("act", id_, {**data, "valid_until": format_instant(now() + valid)}, binary=binary)

    def recall(self, id_: str, of: str) -> None:
        """A recall."""
        self._say("recall", id_, {"channel": self.channel, "recalls": self._id(of)})

    def _id(self, name: str) -> str:
        return f"{self.channel}.{name}"

    def _say(self, outcome: str, id_: str, data: dict[str, Any], *, binary: bool = False) -> None:
        told = {"specversion": "1.0", "id": self._id(id_), "source": "/decisioning", "type": f"decision.{outcome}",
                "time": format_instant(now()), "subject": "c-ü"}  # fmt: skip
        data = {"outcome": outcome, "reason": "allowed.clear", **data}
        headers: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
        value: dict[str, Any] = {**told, "data": data}
        if binary:
            value = data
            headers = [(f"ce_{name}", text.encode()) for name, text in told.items()]
            headers.append(("content-type", b"application/json"))
        self.live.publish("decisions", json.dumps(value).encode(), "c-ü", headers=headers)

    def answers(self) -> dict[str, Any]:
        """The answers of this channel by their ids, as the engine reads them."""
        found = {}
        for record in self.live.read("responses"):
            event = parse(record.value, record.headers)
            if event.source == f"/channel/{self.channel}":
                assert (event.subject, record.key) == ("c-ü", "c-ü".encode())
                assert record.partition == partition_of("c-ü".encode(), self.live.partitions)
                found[event.id.removeprefix(f"{self.channel}.")] = event.data
        return found

    def answered(self, *ids: str) -> bool:
        """Whether just these answers are there."""
        return set(self.answers()) == set(ids)


class Running:
    """A consumer as a process; what it prints is what went out."""

    def __init__(self, live: Live, kind: str, channel: str, folder: Path, **more: str) -> None:
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.process = subprocess.Popen(
                [*command(kind, "consumer"), channel], env=environment(live, **more), cwd=folder, stdout=out, stderr=err
            )

    def until(self, told: Told, *ids: str) -> None:
        """Wait for just these answers."""

        def there() -> bool:
            assert self.process.poll() is None, self.errors
            return told.answered(*ids)

        until(there, 60, f"the answers {ids}")

    @property
    def said(self) -> list[str]:
        """What went out, its predecessors' included."""
        return [line.split(": ")[-1] for line in self._out.read_text().splitlines()]

    @property
    def errors(self) -> str:
        """What it complained of."""
        return self._err.read_text()

    def end(self) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(30)


def test_what_a_consumer_says(live: Live, kind: str, tmp_path: Path) -> None:
    """Each act once, in time, and not after its recall, whether this comes before or after it in the batch; killed and
    shown everything again it says nothing again. It answers what became of each, and ends in order."""
    told = Told(live, f"ch-{kind}")
    told.act("a-once")
    told.act("a-once")
    told.act("a-late", valid=-MINUTE)
    told.act("a-other", channel="somebody else's")
    told.recall("r-1", of="a-back")
    told.act("a-back")
    told.act("a-called-back-at-once")
    told.recall("r-2", of="a-called-back-at-once")
    told.act("a-binary", binary=True)
    live.flush()
    first = ["a-once-delivered", "a-late-expired", "a-back-recalled", "a-called-back-at-once-recalled",
             "a-binary-delivered"]  # fmt: skip
    consumer = Running(live, kind, told.channel, tmp_path)
    try:
        consumer.until(told, *first)
        assert consumer.said == ["a-once", "a-binary"]
        consumer.process.kill()
        consumer.process.wait()
        told.act("a-once")
        told.recall("r-3", of="a-once")
        told.act("a-again")
        live.flush()
        consumer = Running(live, kind, told.channel, tmp_path, GROUP=f"another-{kind}")
        consumer.until(told, *first, "a-once-recalled", "a-again-delivered")
        assert consumer.said == ["a-once", "a-binary", "a-again"]
        answers = told.answers()
        assert answers["a-back-recalled"].in_time is True
        assert answers["a-once-recalled"].in_time is False
        assert answers["a-once-delivered"].channel == told.channel
        assert consumer.end() in (0, 143), consumer.errors  # 143: a JVM that was told to end
    finally:
        consumer.process.kill()
        consumer.process.wait()


# -- the whole way ----------------------------------------------------------------------------------------------------


def test_a_worker_answers_what_an_example_asked(live: Live, tmp_path: Path) -> None:
    """From the producer to a decision about the customer, seen with `decisioning watch`; the same from the shell."""
    worker = live.worker("examples", http_port=0).ready()
    subprocess.run(
        [*command("python-confluent", "producer"), "whole-way"], env=environment(live), cwd=tmp_path, check=True,
        timeout=60,
    )  # fmt: skip
    watch = [sys.executable, "-m", "decisioning", "watch", "--customer", "whole-way", "--last", "9", "--no-follow"]

    def seen() -> list[str]:
        done = subprocess.run(watch, env=live.environment(), capture_output=True, text=True, check=True, timeout=60)
        return [line for line in done.stdout.splitlines() if "ereader_sale" in line]

    assert len(until(seen, what="the answer")) == 1
    offer = {"action": "ereader_sale", "class": "service", "channels": ["sms"]}
    asked = json.dumps({"request_id": "r-shell", "candidates": [offer]})
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "send", "--type", "contact.requested", "--customer", "whole-way",
         "--data", asked],
        env=live.environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: "request r-shell" in "".join(seen()), what="the answer to the shell")
    assert worker.term() == 0
