"""The worker as operators run it: real processes on the embedded broker, from records in to decisions out."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from decisioning.decision import dumps
from decisioning.errors import EventRejected, Fault
from decisioning.event import parse
from decisioning.instant import MINUTE, format_instant
from decisioning.replay import Replay
from decisioning.streaming.app import WAKES_AT_ONCE, config_of
from decisioning.streaming.chassis.watchdog import GROUP
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import lane_topics, partition_of
from decisioning.streaming.worker import wall
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


def moves(fact: Fact) -> bool:
    """Whether it makes one subject a part of another."""
    return any(type_ in (fact.value or b"") for type_ in (b'"identity.linked"', b'"customer.merged"'))


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


@pytest.mark.parametrize("partitions", [1, 8, 20, 64])
def test_wakes_under_way_are_bounded_for_the_whole_worker(partitions: int) -> None:
    """However many lanes it owns: an event waits for so many at most (chassis/test_wakes.py counts them)."""
    config = config_of(Settings(partitions=partitions))
    assert 0 < config.wake_share <= config.wakes_in_flight
    assert config.wakes_in_flight * partitions <= WAKES_AT_ONCE


def test_records_become_what_decide_says(broker: Live) -> None:
    """Under the event clock every customer is told, byte for byte, what the pure engine says of the same events.

    Moves are left out: `decide` carries them out at once, a worker when their record is read (test_identities.py).
    """
    drawn = list(history(5, 1500, 120, broker.partitions))
    kept = (fact for fact in drawn if fact.partition is None and fact.key is not None and not moves(fact))
    facts = [*products(), *kept]
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
    "deep": (b"[" * 100_000, Fault.NOT_AN_EVENT),
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


@pytest.mark.mock("Kafka itself refuses the record that is too large")
def test_rubbish_becomes_dead_letters_and_stalls_nothing(tmp_path: Path) -> None:
    """On every topic: one dead letter for each unreadable record, as it came, and good records around it go through."""
    with Live(tmp_path, 8) as broker:
        topics = (*lane_topics(broker.settings), "products")
        worker = broker.worker()
        for lane, topic in enumerate(topics):  # a lane each: the embedded broker keeps 5 MB of dead letters a partition
            one = next(name for name in map("c-{}".format, count()) if partition_of(name.encode(), 8) == lane)
            greet(broker, one)
            for number, (value, _) in enumerate(RUBBISH.values()):
                broker.publish(topic, value, one, headers=HEADERS if number % 2 else ())
                broker.publish("contact-requests", request(one, "2026-03-02T11:00:00Z", f"r-{number}"), one)
            for forged in FORGED if topic == "relay" else ():
                broker.publish(topic, b"{}", one, headers=forged)
        broker.flush()
        worker.ready()
        refused = len(RUBBISH) * len(topics) + len(FORGED)
        until(lambda: len(broker.read("dead-letters")) == refused, what="the dead letters")
        broker.settle()
        assert [len(said) for said in published(broker).values()] == [len(RUBBISH)] * len(topics)
        for topic in topics:
            if topic == topics[-2]:
                continue
            assert codes(broker, topic) == {value: fault.value.encode() for value, fault in RUBBISH.values()}
        assert worker.metric("decisioning_dead_letters_total") == refused
        assert "crash" not in worker.output
        ended_well(broker, worker)


def codes(broker: Live, topic: str) -> dict[bytes | None, bytes]:
    """Values of a topic's dead letters and why they are there."""
    letters = [(letter.value, dict(letter.headers)) for letter in broker.read("dead-letters")]
    return {
        value: told["decisioning.error.code"]
        for value, told in letters
        if told["__streams.errors.topic"] == topic.encode()
    }


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


@pytest.mark.long
def test_sigterm_in_a_backlog(broker: Live) -> None:
    """A worker finishes what it began and exits 0; the next goes on there, with its store or without: nothing is lost,
    nothing said twice."""
    broker.tell(products())
    broker.tell(history(6, 4000, 200, broker.partitions))
    for _ in range(2):
        done = broker.distinct()
        worker = broker.worker().ready()
        until(partial(_has_more, broker, done), what="new decisions")
        assert worker.term() == 0, worker.output
    done = broker.distinct()
    broker.wipe()
    last = broker.worker().ready()
    broker.settle()
    assert broker.distinct() > done, "the first two were through before they were stopped: make the backlog larger"
    ended_well(broker, last)


def _has_more(broker: Live, known: int) -> bool:
    return broker.distinct() > known


def test_promises_are_kept_once_over_restarts(broker: Live) -> None:
    """What waits for the morning is answered once when another customer's event says that it is morning, by a worker
    that found its store and by one that had to restore it."""
    for day in (2, 3):
        sleepers = [f"c-{day}-{number}" for number in range(20)]
        greet(broker, *sleepers)
        for one in sleepers:
            broker.publish("contact-requests", request(one, f"2026-03-0{day}T23:00:00Z", f"r-{one}-{day}"), one)
        broker.flush()
        evening = broker.worker().ready()
        broker.settle()
        assert evening.term() == 0, evening.output
        if day == 3:
            broker.wipe()
        morning = broker.worker().ready()
        called = event("support.interaction", f"2026-03-0{day + 1}T08:00:01Z", of="c-early", id_=f"i-{day}",
                       interaction_id="i", channel="phone")  # fmt: skip
        broker.publish("support", called, "c-early")
        broker.flush()
        until(partial(_has_more, broker, (2 * day - 2) * len(sleepers) - 1), what="the kept promises")
        broker.settle()
        woken = [one for one in broker.said() if one["data"]["trigger"]["type"] == "wake"]
        today = [one["subject"] for one in woken if one["time"] == f"2026-03-0{day + 1}T08:00:00Z"]
        assert sorted(today) == sorted(sleepers)
        assert len(woken) == (day - 1) * len(sleepers)
        if day == 2:
            assert morning.term() == 0, morning.output
    ended_well(broker, morning)


def test_a_promise_is_kept_when_nothing_more_comes(broker: Live) -> None:
    """The last event has just the time of the promise and the worker is killed: the next one keeps it all the same."""
    greet(broker, "c-1", "c-2")
    broker.publish("contact-requests", request("c-1", _NIGHT, "r-1"), "c-1")
    first = broker.worker().ready()
    until(lambda: broker.distinct() == 1, what="the promise")
    for due in (1, 10**18):  # wakes that nobody waits for change nothing
        broker.publish("relay", json.dumps({"due": due}).encode(), "c-1", headers=((_KIND, b"wake"),))
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
    seen: set[int] = set()

    def ready() -> bool:
        seen.add(worker.page("/readyz")[0])
        return 200 in seen

    until(ready, what="/readyz")
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


def test_a_worker_without_room_is_not_ready_and_says_why(broker: Live) -> None:
    """Nothing is decided while the disk is almost full; with room again all of it is, without a restart (T20)."""
    disk = broker.data()
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    try:
        worker = broker.worker(disk_free_percent=50).ready()
        assert until(lambda: worker.metric("decisioning_disk_free_bytes"), what="a first look") > 16 * 1024 * 1024
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(24 * 1024 * 1024))
        until(lambda: worker.page("/readyz")[0] == 503, what="503")
        assert json.loads(worker.page("/readyz")[1])["disk"].endswith("16 MiB are wanted: make room")
        greet(broker, "c-1")
        assert worker.run_for(1), worker.output
        assert broker.committed("customers") == 0
        ballast.unlink()
        until(lambda: worker.page("/readyz")[0] == 200, what="200")
        broker.settle()
        assert worker.term() == 0, worker.output
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of every socket on which a process listens (Linux)."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed; what listens stays open
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


def joined(broker: Live, name: str) -> WorkerProcess:
    """A worker that has joined others, started again as often as an operator's supervisor would.

    The embedded broker refuses a member that syncs after the leader has (INVALID_REQUEST; Kafka answers it): exit 77.
    """
    for _ in range(10):
        worker = broker.worker(name)
        while worker.run_for(0.05):
            if worker.is_ready():
                return worker
        assert worker.process.returncode == GROUP, worker.output
    raise AssertionError(f"never joined: {worker.output}")


@pytest.mark.long
def test_two_workers_share_the_lanes(broker: Live) -> None:
    """A second worker joins and leaves in order, a third joins and is killed: all is answered and states are right."""
    broker.tell(products())
    parts = list(history(7, 3200, 250, broker.partitions))
    first = broker.worker().ready()
    broker.tell(parts[:800])
    second = joined(broker, "x")
    broker.tell(parts[800:1600])
    until(lambda: second.metric("decisioning_lanes") > 0, what="lanes of the second worker")
    assert second.term() == 0, second.output
    broker.tell(parts[1600:2400])
    third = joined(broker, "y")
    broker.tell(parts[2400:])
    assert third.run_for(0.3), third.output
    third.kill()
    broker.settle()
    until(lambda: first.metric("decisioning_lanes") == broker.partitions, what="all lanes at the first worker")
    ended_well(broker, first, repeats=10_000)
