"""The audit in the worker: a count that stays 0 until a suppressor is broken, and never in the way of an event."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from decisioning.audit import RULES
from decisioning.catalogue import Catalogue
from decisioning.instant import parse_instant
from decisioning.policy import Policy
from decisioning.rulebook import parse
from decisioning.state import State
from decisioning.streaming.auditor import Auditor
from decisioning.streaming.chassis.job import Output
from decisioning.streaming.metrics import Labels, Metrics
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import lane_topics, partition_of
from decisioning.streaming.worker import EVENT_TYPES, Worker
from decisioning.suppress.empathy import NotInDistress
from tests.builders import RETAIL
from tests.streaming.history import history, products
from tests.streaming.records import PARTITIONS, Rec, event, record

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOON = parse_instant("2026-03-02T12:00:00Z")
POLICY = Policy(parse(RETAIL.read_bytes(), "retail.yaml"), Catalogue())


class Watched:
    """A worker whose contacts are looked at, and what the audit counts and says."""

    def __init__(self, most: int = 20_000, **settings: Any) -> None:
        self.registry = CollectorRegistry()
        chosen = Settings(partitions=PARTITIONS, clock="event", **settings)
        metrics = Metrics(self.registry, Labels(EVENT_TYPES, [], [], lane_topics(chosen), RULES))
        self.auditor = Auditor(metrics, most)
        self.worker = Worker(POLICY, chosen, metrics, lambda: NOON, audit=self.auditor.sent)
        self.states: dict[bytes, State] = {}

    def take(self, arrived: Rec) -> list[Output]:
        """What one record makes the worker publish."""
        found = self.worker.read(arrived)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], bytes)):
            return list(found)
        key, message = found
        applied = self.worker.apply(key, self.states.get(key), message)
        if applied is None or applied.state is None:
            return []
        self.states[key] = applied.state
        return list(applied.outputs)

    def count(self, name: str, **labels: str) -> float:
        """The value of a counter."""
        return self.registry.get_sample_value(f"decisioning_{name}", labels) or 0.0

    @property
    def forbidden(self) -> dict[str, float]:
        """Contacts that must not have been, by rule."""
        found = {rule: self.count("forbidden_contacts_total", rule=rule) for rule in RULES}
        return {rule: times for rule, times in found.items() if times}


def mourner(watched: Watched) -> list[Output]:
    """A marketing request for someone who agreed to marketing and is in mourning."""
    for one in (
        event("consent.granted", "2026-03-02T09:00:00Z", id_="c", purpose="marketing"),
        event("customer.updated", "2026-03-02T09:00:00Z", id_="u", time_zone="UTC"),
        event("customer.life_event", "2026-03-02T10:00:00Z", id_="l", kind="bereavement"),
    ):
        watched.take(record(one))
    offer = {"action": "hello", "class": "marketing", "channels": ["email"]}
    asked = event("contact.requested", "2026-03-02T12:00:00Z", id_="q", request_id="r", candidates=[offer])
    return watched.take(record(json.dumps({**json.loads(asked), "traceparent": TRACE}).encode()))


@pytest.mark.parametrize("output_mode", ["structured", "binary"])
def test_a_broken_suppressor_is_counted(output_mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter stays 0 while the engine is right; one check that lets all through, and it counts and says so."""
    watched = Watched(output_mode=output_mode)
    mourner(watched)
    watched.auditor.look()
    assert watched.forbidden == {}
    monkeypatch.setattr(NotInDistress, "check", lambda self, ask: None)
    watched = Watched(output_mode=output_mode)
    (output,) = mourner(watched)
    with capture_logs() as lines:
        watched.auditor.look()
    assert watched.forbidden == {"distress": 1}
    assert watched.count("audited_contacts_total", result="checked") == 1
    (line,) = lines
    assert (line["event"], line["log_level"], line["rule"]) == ("FORBIDDEN CONTACT", "critical", "distress")
    assert line["traceparent"] == TRACE
    assert line["decision"].encode() in (output.value or b"") + b"".join(text for _, text in output.headers)


def test_a_random_history_is_never_found_wrong() -> None:
    """Everything that the worker says of 1500 facts, wakes and moves apart, is looked at and nothing found."""
    watched = Watched()
    for fact in [*products(), *history(11, 1500, 60, PARTITIONS)]:
        lane = partition_of(fact.key or b"", PARTITIONS) if fact.partition is None else fact.partition
        watched.take(Rec(fact.topic, lane, 0, fact.at // 1000, fact.key, fact.value, ()))
    with capture_logs() as lines:
        watched.auditor.look()
    assert watched.count("audited_contacts_total", result="checked") > 20
    assert watched.forbidden == {}
    assert lines == []


def test_what_is_too_much_is_counted_and_not_kept() -> None:
    """A flood of contacts costs memory up to a bound; the rest is left out, and that is no secret."""
    watched = Watched(most=2)
    said = Output("decisions", b"c-1", b"{}")
    for _ in range(5):
        watched.auditor.sent(said, State("c-1"), POLICY)
    assert watched.count("audited_contacts_total", result="missed") == 3


def test_a_decision_that_is_none_is_counted_as_missed() -> None:
    """It says so without a word of the content."""
    watched = Watched()
    watched.auditor.sent(Output("decisions", b"c-1", b'{"secret": 1}'), State("c-1"), POLICY)
    with capture_logs() as lines:
        watched.auditor.look()
    assert watched.count("audited_contacts_total", result="missed") == 1
    assert [set(line.values()) for line in lines] == [{"error", "the audit cannot read a decision of ours"}]


async def test_it_looks_by_itself_and_lets_others_go_on() -> None:
    """A task in the worker's event loop: whatever waits is looked at soon, a few contacts between two turns."""
    watched = Watched()
    for number in range(100):
        watched.auditor.sent(Output("decisions", b"c-1", b"%d" % number), State("c-1"), POLICY)
    task = asyncio.create_task(watched.auditor.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = watched.count("audited_contacts_total", result="missed")
    assert first < 100
    end = time.monotonic() + 20
    while watched.count("audited_contacts_total", result="missed") < 100:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    task.cancel()
