"""The worker as operators run it: real processes on the embedded broker, from records in to decisions out."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from decisioning.decision import dumps
from decisioning.errors import EventRejected, Fault
from decisioning.event import parse
from decisioning.instant import MINUTE, format_instant
from decisioning.replay import Replay
from decisioning.streaming.topics import lane_topics, partition_of
from decisioning.streaming.worker import wall
from tests.builders import at
from tests.streaming.history import Fact, history, products
from tests.streaming.live import Live, WorkerProcess, policy, until
from tests.streaming.records import event

_KIND, _HOPS = "decisioning.relay", "decisioning.hops"
_NIGHT = "2026-03-02T23:00:00Z"
_MORNING = "2026-03-03T08:00:00Z"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker with every topic, and an end to every worker on it."""
    with Live(tmp_path) as running:
        yield running


def request(of: str, time_: str, id_: str, **more: object) -> bytes:
    """One plain marketing request by email."""
    offer = {"action": "sale", "class": "marketing", "channels": ["email"], **more}
    return event("contact.requested", time_, of=of, id_=id_, request_id=f"of-{id_}", candidates=[offer])


def greet(broker: Live, *customers: str) -> None:
    """Customers who agreed to marketing and live in UTC."""
    for one in customers:
        broker.publish("customers", event("customer.updated", of=one, id_=f"z-{one}", time_zone="UTC"), one)
        broker.publish("customers", event("consent.granted", of=one, id_=f"g-{one}", purpose="marketing"), one)


def replayed(facts: Iterable[Fact]) -> dict[bytes, list[bytes]]:
    """What `decide` says of these records, by customer."""
    run, said = Replay(policy()), defaultdict(list)
    for fact in facts:
        try:
            happened = parse(fact.value)
        except EventRejected:
            continue
        for decision in run.feed(happened):
            said[decision.subject.encode()].append(dumps(decision))
    for decision in run.finish():
        said[decision.subject.encode()].append(dumps(decision))
    return dict(said)


def published(broker: Live) -> dict[bytes, list[bytes]]:
    """What the topic holds, by customer."""
    said = defaultdict(list)
    for record in broker.read("decisions"):
        said[record.key or b""].append(record.value or b"")
    return dict(said)


def ended_well(broker: Live, worker: WorkerProcess, *, repeats: int = 0) -> None:
    """Stop the last worker in order and let the verifier look at all that is left."""
    assert worker.term() == 0, worker.output
    report = broker.verified("w")
    assert not report.problems(), "\n".join(report.problems()[:20])
    assert report.repeats <= repeats


def test_records_become_what_decide_says(broker: Live) -> None:
    """Under the event clock every customer is told, byte for byte, what the pure engine says of the same events."""
    drawn = list(history(5, 1500, 120, broker.partitions))
    facts = [*products(), *(fact for fact in drawn if fact.partition is None and fact.key is not None)]
    broker.tell(facts, stamped=True)
    worker = broker.worker(idle_wait_ms=20_000).ready()
    expected = replayed(facts)
    until(lambda: broker.distinct() >= sum(map(len, expected.values())), what="all decisions")
    broker.settle()
    assert published(broker) == expected
    ended_well(broker, worker)


def envelope(**fields: object) -> bytes:
    """A grant, with these fields in place of its own; None leaves one out."""
    whole = json.loads(event("consent.granted", purpose="marketing")) | fields
    return json.dumps({name: content for name, content in whole.items() if content is not None}).encode()


RUBBISH: dict[str, tuple[bytes | None, Fault]] = {
    "half an object": (b'{"specversion":', Fault.NOT_JSON),
    "bad UTF-8": (b'{"specversion":"1.0","id":"\xff"}', Fault.NOT_JSON),
    "empty": (b"", Fault.NOT_JSON),
    "null": (b"null", Fault.NOT_AN_EVENT),
    "a list": (b"[]", Fault.NOT_AN_EVENT),
    "a text": (b'"text"', Fault.NOT_AN_EVENT),
    "a tombstone": (None, Fault.TOMBSTONE),
    "an object": (b"{}", Fault.NOT_AN_EVENT),
    "a wrong type": (envelope(id=5), Fault.WRONG_TYPE),
    "a wrong type within": (envelope(data={"purpose": 5}), Fault.WRONG_TYPE),
    "an unlisted value": (envelope(data={"purpose": "spying"}), Fault.WRONG_TYPE),
    "a missing field": (envelope(data={}), Fault.MISSING_FIELD),
    "no data": (envelope(data=None), Fault.MISSING_FIELD),
    "no time": (envelope(time=None), Fault.NO_TIME),
    "time without offset": (envelope(time="2026-03-02T10:00:00"), Fault.WRONG_TYPE),
    "no subject": (envelope(subject=None), Fault.NO_SUBJECT),
    "NUL in the subject": (envelope(subject="c\0"), Fault.WRONG_TYPE),
    "2 MB": (envelope(data={"purpose": "marketing", "padding": "x" * 2_000_000}), Fault.TOO_LARGE),
    "deep": (b"[" * 100_000, Fault.NOT_JSON),
    "deep within": (envelope(data="@").replace(b'"@"', b'{"a":' * 50_000 + b"1" + b"}" * 50_000), Fault.NOT_JSON),
    "NaN": (envelope(data="@").replace(b'"@"', b'{"purpose":NaN}'), Fault.NOT_JSON),
}
HEADERS: Sequence[tuple[str, bytes | None]] = (("nothing", None), ("content-type", None), ("bytes", b"\xff\x00"))
FORGED: Sequence[Sequence[tuple[str, bytes | None]]] = (
    ((_KIND, b"wake"),),
    ((_KIND, b"event"),),
    ((_KIND, None),),
    ((_KIND, b"event"), (_HOPS, None)),
    ((_KIND, b"event"), (_HOPS, b"many")),
)


def test_rubbish_becomes_dead_letters_and_stalls_nothing(broker: Live) -> None:
    """On every topic: one dead letter for each unreadable record, as it came, and good records around it go through."""
    topics = lane_topics(broker.settings)
    refused = 0
    greet(broker, "c-1")
    worker = broker.worker()
    for number, (value, _) in enumerate(RUBBISH.values()):
        for topic in (*topics, "products"):
            headers = HEADERS if number % 2 else ()
            broker.publish(topic, value, "c-1", headers=headers)
            refused += topic != "products"
        broker.publish("contact-requests", request("c-1", "2026-03-02T11:00:00Z", f"r-{number}"), "c-1")
    for forged in FORGED:
        broker.publish("relay", b"{}", "c-1", headers=forged)
    broker.flush()
    worker.ready()
    until(lambda: len(broker.read("dead-letters")) == refused + len(FORGED), what="the dead letters")
    broker.settle()
    assert len(published(broker)[b"c-1"]) == len(RUBBISH)
    codes = {letter.value: dict(letter.headers)["decisioning.error.code"] for letter in broker.read("dead-letters")
             if dict(letter.headers)["__streams.errors.topic"] == b"purchases"}  # fmt: skip
    assert codes == {value: fault.value.encode() for value, fault in RUBBISH.values()}
    assert worker.metric("decisioning_dead_letters_total") == refused + len(FORGED) + len(RUBBISH)
    assert "crash" not in worker.output
    ended_well(broker, worker)


def test_records_out_of_place_find_their_way(broker: Live) -> None:
    """Without a key, under a wrong key or on a wrong partition: forwarded through the relay, and answered once."""
    greet(broker, "c-1")
    home = partition_of(b"c-1", broker.partitions)
    places: Sequence[tuple[str | None, int | None]] = ((None, None), ("c-2", None), ("c-1", (home + 1) % 4), ("", None))
    worker = broker.worker().ready()
    for number, (key, partition) in enumerate(places):
        value = request("c-1", "2026-03-02T11:00:00Z", f"r-{number}")
        broker.publish(
            "contact-requests", value, key, partition=partition, headers=[("trace", b"t"), ("nothing", None)]
        )
    broker.flush()
    until(lambda: broker.distinct() >= len(places), what="the answers")
    broker.settle()
    assert {one["data"]["request_id"] for one in broker.said()} == {f"of-r-{n}" for n in range(len(places))}
    assert worker.metric("decisioning_misrouted_records_total") == len(places)
    assert not broker.read("dead-letters")
    ended_well(broker, worker)


def test_a_product_on_a_source_topic_reaches_the_catalogue(broker: Live) -> None:
    """`product.described` is forwarded to where every worker reads it."""
    worker = broker.worker().ready()
    fact = products()[0]
    broker.publish("orders", fact.value, fact.key)
    broker.flush()
    until(lambda: [record.value for record in broker.read("products")] == [fact.value], what="the product")
    until(lambda: worker.metric("decisioning_broadcast_records_total", topic="products") == 1, what="reading it")
    assert worker.term() == 0


@pytest.mark.parametrize("wipe", [False, True], ids=["store kept", "store wiped"])
def test_sigterm_in_a_backlog(broker: Live, wipe: bool) -> None:
    """The worker finishes what it began and exits 0; the next goes on there: nothing lost, nothing said twice."""
    broker.tell(products())
    broker.tell(history(6, 4000, 200, broker.partitions))
    first = broker.worker().ready()
    until(lambda: broker.distinct() > 50, what="the first decisions")
    assert first.term() == 0, first.output
    done = broker.distinct()
    if wipe:
        broker.wipe()
    second = broker.worker().ready()
    broker.settle()
    assert broker.distinct() > done, "the first worker was through before it was stopped: make the backlog larger"
    ended_well(broker, second)


@pytest.mark.parametrize("wipe", [False, True], ids=["store kept", "store wiped"])
def test_a_promise_is_kept_once_over_a_restart(broker: Live, wipe: bool) -> None:
    """What waits for the morning is answered once when another customer's event says that it is morning."""
    sleepers = [f"c-{number}" for number in range(20)]
    greet(broker, *sleepers, "c-early")
    for one in sleepers:
        broker.publish("contact-requests", request(one, _NIGHT, f"r-{one}"), one)
    broker.flush()
    first = broker.worker().ready()
    until(lambda: broker.distinct() == len(sleepers), what="the promises")
    assert first.term() == 0, first.output
    assert {one["data"]["not_before"] for one in broker.said()} == {_MORNING}
    if wipe:
        broker.wipe()
    second = broker.worker().ready()
    broker.publish("support", event("support.interaction", "2026-03-03T08:00:01Z", of="c-early", id_="i-1",
                                    interaction_id="i", channel="phone"), "c-early")  # fmt: skip
    broker.flush()
    until(lambda: broker.distinct() == 2 * len(sleepers), what="the kept promises")
    broker.settle()
    woken = [one for one in broker.said() if one["data"]["trigger"]["type"] == "wake"]
    assert sorted(one["subject"] for one in woken) == sorted(sleepers)
    assert {one["time"] for one in woken} == {_MORNING}
    ended_well(broker, second)


def test_a_promise_is_kept_when_nothing_more_comes(broker: Live) -> None:
    """The last event has just the time of the promise and the worker is killed: the next one keeps it all the same."""
    greet(broker, "c-1", "c-2")
    broker.publish("contact-requests", request("c-1", _NIGHT, "r-1"), "c-1")
    first = broker.worker().ready()
    until(lambda: broker.distinct() == 1, what="the promise")
    broker.publish("contact-requests", request("c-2", _MORNING, "r-2"), "c-2")
    broker.flush()
    until(lambda: broker.distinct() == 2, what="the answer to the last event")
    first.kill()
    second = broker.worker().ready()
    until(lambda: broker.distinct() == 3, what="the kept promise")
    broker.settle()
    ended_well(broker, second, repeats=3)


def moment(ahead: int) -> str:
    """So many microseconds from now."""
    return format_instant(wall() + ahead)


def test_wall_clock_and_pages(broker: Live) -> None:
    """In production the clock is the machine's: what lies too far ahead is refused; the pages tell what goes on."""
    worker = broker.worker(clock="wall")
    seen = []
    until(lambda: seen.append(worker.page("/readyz")[0]) or seen[-1] == 200, what="/readyz")
    assert 503 in seen
    assert worker.page("/healthz") == (200, "ok\n")
    for one, ahead in (("c-now", 0), ("c-soon", 4 * MINUTE), ("c-late", 6 * MINUTE)):
        broker.publish("contact-requests", request(one, moment(ahead), f"r-{one}"), one)
    broker.flush()
    until(lambda: broker.distinct() == 2 and broker.read("dead-letters"), what="two answers and a dead letter")
    assert {one["subject"] for one in broker.said()} == {"c-now", "c-soon"}
    assert dict(broker.read("dead-letters")[0].headers)["decisioning.error.code"] == b"future_time"
    assert worker.metric("decisioning_events_total", type="contact.requested", result="applied") == 2
    assert worker.metric("decisioning_decisions_total", outcome="suppress") == 2
    assert worker.metric("decisioning_dead_letters_total", code="future_time") == 1
    until(lambda: worker.metric("decisioning_lanes") == broker.partitions, what="the gauges")
    assert 'decisioning_lag_records{topic="purchases"} 0.0' in worker.page("/metrics")[1]
    assert worker.page("/")[0] == 404
    assert listening(worker.process.pid) == {("127.0.0.1", worker.port)}
    assert worker.term() == 0, worker.output


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of every socket on which a process listens (Linux)."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
        inodes |= {found[1]} if found else set()
    places = set()
    for table, size in (("tcp", 4), ("tcp6", 16)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                packed = bytes.fromhex(address)
                plain = socket.inet_ntop(socket.AF_INET, packed[::-1]) if size == 4 else address
                places.add((plain, int(port, 16)))
    return places


def refused(environment: dict[str, str]) -> tuple[int, list[str]]:
    """Exit code and lines of a worker that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "run"], env=environment, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One broker for workers that do not start; its relay is missing."""
    with Live(tmp_path_factory.mktemp("shared"), without=("relay",)) as running:
        yield running


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        pytest.param({}, 3, "missing topics: relay; run `decisioning topics create`", id="a missing topic"),
        pytest.param({"kafka": "127.0.0.1:1"}, 3, "Kafka at 127.0.0.1:1 cannot be reached", id="no broker"),
        pytest.param({"rulebook": "nowhere.yaml"}, 1, "nowhere.yaml cannot be read", id="no rulebook"),
        pytest.param({"fetch_wait_ms": "soon"}, 3, "DECISIONING_FETCH_WAIT_MS", id="a bad setting"),
        pytest.param({"session_timeout_ms": 40_000}, 3, "missing topics", id="a long session is fine"),
        pytest.param({"kafka": "user:word@host:1"}, 3, "holds credentials", id="credentials in the address"),
    ],
)
def test_a_worker_that_must_not_start_says_why(shared: Live, settings: dict[str, Any], code: int, words: str) -> None:
    """One clear line and an exit code, no traceback."""
    left, lines = refused(shared.environment(**settings))
    assert left == code
    assert len(lines) == 1
    assert words in lines[0]


def test_a_bad_rulebook_is_refused_with_line_and_column(shared: Live, tmp_path: Path) -> None:
    """Each fault of a rulebook stands on a line of its own with its place; exit code 1."""
    rules = tmp_path / "bad.yaml"
    rules.write_text('rulebook: bad\nversion: "1"\nrespekt: {}\n')
    code, lines = refused(shared.environment(rulebook=rules))
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"{rules}:3:1: ")


def test_wrong_partitions_are_refused(broker: Live) -> None:
    """Topics with another number of partitions than configured would lose state: not one record is taken."""
    code, lines = refused(broker.environment(partitions=5))
    assert code == 3
    assert lines == ["partitions: 5 expected, but all customer topics have 4; set DECISIONING_PARTITIONS=4"]


def test_a_taken_port_is_refused(broker: Live) -> None:
    """The port of the pages belongs to someone else."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, lines = refused(broker.environment(http_port=other.getsockname()[1]))
    assert code == 3
    assert len(lines) == 1
    assert "DECISIONING_HTTP_PORT" in lines[0]


def test_two_workers_share_the_lanes(broker: Live) -> None:
    """A second worker joins and leaves in order, a third joins and is killed: all is answered and states are right."""
    broker.tell(products())
    parts = list(history(7, 4000, 250, broker.partitions))
    first = broker.worker().ready()
    broker.tell(parts[:1000])
    second = broker.worker("x").ready()
    broker.tell(parts[1000:2000])
    until(lambda: second.metric("decisioning_lanes") > 0, what="lanes of the second worker")
    assert second.term() == 0, second.output
    broker.tell(parts[2000:3000])
    third = broker.worker("y").ready()
    broker.tell(parts[3000:])
    assert third.run_for(0.3), third.output
    third.kill()
    broker.settle()
    until(lambda: first.metric("decisioning_lanes") == broker.partitions, what="all lanes at the first worker")
    ended_well(broker, first, repeats=10_000)


def test_a_worker_with_a_broker_that_goes_away_ends(broker: Live) -> None:
    """A broker that is lost for good ends the worker with a line, so that whoever runs it can act."""
    worker = broker.worker().ready()
    greet(broker, "c-1")
    broker.flush()
    broker.settle()
    broker.lose()
    began = time.monotonic()
    until(lambda: worker.process.poll() is not None, 60, "the end of the worker")
    assert worker.process.returncode not in (0, None)
    assert time.monotonic() - began < 60
    assert "Traceback" not in worker.output
