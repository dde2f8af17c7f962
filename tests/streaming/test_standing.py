"""The topic of holds: whatever happened and whoever was killed, it says what the memories say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from decisioning import holds
from decisioning.instant import HOUR, format_instant
from decisioning.state import loads
from decisioning.streaming import relay
from decisioning.streaming.chassis.header import unpack
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.topics import partition_of
from decisioning.streaming.worker import TIDY
from tests.streaming.history import history, products
from tests.streaming.live import Live, until
from tests.streaming.records import PARTITIONS, event, record
from tests.streaming.test_worker import NOON, Bench


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Live]:
    """A broker with every topic."""
    with Live(tmp_path) as running:
        yield running


def on_topic(broker: Live) -> dict[bytes, tuple[str, str | None]]:
    """What stands, as somebody who joins now reads it: key to hold and end."""
    found: dict[bytes, tuple[str, str | None]] = {}
    for one in broker.read("holds"):
        assert one.key is not None
        found.pop(one.key, None)
        if one.value is not None:
            said = json.loads(one.value)
            found[one.key] = said["data"]["hold"], said["data"].get("until")
            assert one.key.startswith(said["subject"].encode() + b"|")
            assert one.partition == partition_of(said["subject"].encode(), broker.partitions)
    return found


def in_memory(broker: Live) -> dict[bytes, tuple[str, str | None]]:
    """The same, as the stores of the stopped worker know it."""
    found: dict[bytes, tuple[str, str | None]] = {}
    for states in broker.stored("w").values():
        for key, raw in states.items():
            header, body = unpack(raw)
            if not header.forgotten:
                for scope, hold in holds.standing(loads(body).holds).items():
                    end = None if hold.until is None else format_instant(hold.until)
                    found[key + b"|" + scope.encode()] = hold.id, end
    return found


def test_the_topic_says_what_the_memories_say(broker: Live) -> None:
    """After days of a shop, merges and erasures among them, with kill -9 in the middle and once an empty store."""
    broker.tell(products())
    facts = list(history(5, 1500, 60, broker.partitions))
    for turn, wipe in enumerate((False, True, False)):
        worker = broker.worker(commit_interval_ms=1000).ready()
        known = broker.distinct()
        broker.tell(facts[turn * 500 : (turn + 1) * 500])
        until(partial(_more, broker, known), what="new decisions")
        if turn < 2:
            worker.kill()
        if wipe:
            broker.wipe()
    broker.settle()
    assert worker.term() == 0, worker.output
    stands = in_memory(broker)
    assert len(stands) > 30
    assert any(end is None for _, end in stands.values())
    assert on_topic(broker) == stands


def _more(broker: Live, known: int) -> bool:
    return broker.distinct() > known + 20


def told(outputs: list[Output]) -> list[tuple[str, Any]]:
    """Scope and data of what a step puts on the topic of holds."""
    found = []
    for output in outputs:
        if output.topic == "holds":
            assert output.key is not None
            assert output.partition == partition_of(b"c-1", PARTITIONS)
            said = None if output.value is None else json.loads(output.value)["data"]
            found.append((output.key.decode().removeprefix("c-1|"), said))
    return found


CALM = '{"classes":["marketing","survey"]}'


def test_of_several_holds_of_one_scope_the_longest_is_said() -> None:
    """The end of one is not the end of all; the last one's is a tombstone."""
    bench = Bench(clock="event")
    seen = []
    for number, (type_, data) in enumerate([
        ("support.case_opened", {"case_id": "k-1", "severity": "low"}),
        ("customer.life_event", {"kind": "bereavement", "until": "2026-03-20T00:00:00Z"}),
        ("support.case_resolved", {"case_id": "k-1"}),
    ]):  # fmt: skip
        time = f"2026-03-02T1{number}:00:00Z"
        outputs = bench.take(record(event(type_, time, id_=f"e-{number}", **data), offset=number))
        seen += [(scope, said and (said["reason"], said.get("until"))) for scope, said in told(outputs)]
    assert seen == [(CALM, ("hold.open_issue", None)), (CALM, ("empathy.bereavement", "2026-03-20T00:00:00Z"))]
    late = event("support.interaction", "2026-04-01T10:00:00Z", id_="i", interaction_id="i", channel="x")
    assert told(bench.take(record(late, offset=9))) == [(CALM, None)]


def test_an_erasure_leaves_nothing_of_what_was_bought_on_the_topic() -> None:
    """Every scope is tombstoned; that of everything stands, and says why."""
    bench = Bench(clock="event")
    lines = [{"sku": "SKU-canary", "quantity": 1, "unit_price": "1.00"}]
    bought = event("purchase.completed", id_="p", order_id="o-1", currency="GBP", lines=lines)
    [(scope, said)] = told(bench.take(record(bought)))
    assert "SKU-canary" in scope
    assert said["scope"]["skus"] == ["SKU-canary"]
    outputs = told(bench.take(record(event("customer.erased", "2026-03-03T10:00:00Z", id_="x"), offset=1)))
    assert outputs[0] == (scope, None)
    assert [(left, data["reason"], data["scope"]) for left, data in outputs[1:]] == [("{}", "dnc.erased", {})]


def test_what_has_ended_is_looked_for_now_and_then() -> None:
    """A sweep finds customers of whom nothing more is heard, and their record goes."""
    bench = Bench()
    bench.wall = NOON
    bench.take(record(event("support.case_opened", id_="o", case_id="k-1", severity="low")))
    bench.take(record(event("support.case_resolved", "2026-03-02T10:30:00Z", id_="r", case_id="k-1"), offset=1))
    assert bench.worker.sweep == 0
    body = bench.worker.dump(b"c-1", bench.states[b"c-1"])
    assert bench.worker.swept(1, b"c-1", body) is None
    bench.wall = NOON + 49 * HOUR
    assert bench.worker.sweep == bench.worker.sweep == 1
    found = bench.worker.swept(1, b"c-1", body)
    assert found is not None
    assert told(bench.take(bench.arrived(found))) == [(CALM, None)]
    assert bench.states[b"c-1"].holds == ()
    assert bench.worker.swept(1, b"c-1", bench.worker.dump(b"c-1", bench.states[b"c-1"])) is None
    bench.wall += TIDY
    assert bench.worker.sweep == 2
    assert isinstance(relay.read(bench.arrived(found)), relay.Swept)
