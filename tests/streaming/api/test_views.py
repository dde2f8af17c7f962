"""What can be looked up: from this worker's memory, or said to be elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from decisioning.context import Context, OrderStatus
from decisioning.state import State
from decisioning.streaming.api import views as module
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.api.views import Elsewhere, Memory, Moved, Views
from decisioning.streaming.settings import Settings
from tests.builders import CUSTOMER, Story, asked, at, granted, lives, offer, placed, shipped, uncapped
from tests.streaming.api.test_journal import record

NOON = "2026-03-02 12:00"


def views(story: Story, states: dict[str, State] | None = None, **more: Any) -> Views:
    """The views of a worker that owns these customers, whose journal has read the topic to its end."""
    known = {CUSTOMER: story.state} if states is None else states
    journal = Journal(Settings())
    journal.ready.set()
    memory = Memory(known.__contains__, lambda name: known[name], lambda name: "http://other:1")
    return Views(memory._replace(**more), journal, lambda: story.policy, lambda: at(NOON))


def met() -> Story:
    """The usual customer, with an order."""
    story = uncapped()
    story.at("2026-03-01 10:00", placed(promised="2026-03-05"), shipped())
    return story


def test_a_context_and_an_order_come_from_memory() -> None:
    """Of a customer of ours."""
    found = views(met()).context(CUSTOMER)
    assert isinstance(found, Context)
    assert (found.known, found.degraded) == (True, False)
    order = views(met()).order(CUSTOMER, "o-1")
    assert isinstance(order, OrderStatus)
    assert (order.status, order.degraded) == ("shipped", False)
    assert views(met()).order(CUSTOMER, "o-2") is None


def test_another_workers_customer_is_elsewhere() -> None:
    """Where that is, if somebody says so."""
    assert views(met()).context("c-other") == Elsewhere("http://other:1")
    assert views(met(), owner=lambda name: None).order("c-other", "o-1") == Elsewhere(None)


def test_a_subject_that_moved_says_where_to() -> None:
    """The agent asks about the customer that it is part of now."""
    moved = {"tel:1": State("tel:1", moved_to="c-42")}
    assert views(met(), moved).context("tel:1") == Moved("c-42")
    assert views(met(), moved).order("tel:1", "o-1") == Moved("c-42")


def test_a_silent_kafka_degrades_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts are told; marketing is not allowed, for a complaint may wait unread."""
    silent = views(met())
    monkeypatch.setattr(module, "SILENT_SECONDS", -1.0)
    found = silent.context(CUSTOMER)
    assert isinstance(found, Context)
    assert (found.known, found.degraded) == (True, True)
    assert {one.reason for one in found.may if one.class_ == "marketing"} == {"degraded.state"}
    order = silent.order(CUSTOMER, "o-1")
    assert isinstance(order, OrderStatus)
    assert (order.status, order.degraded, order.as_of) == ("shipped", True, "2026-03-01T10:00:00Z")


def test_a_journal_that_still_reads_is_silent_too() -> None:
    """At the start nothing is certain."""
    still = views(met())
    still.journal.ready.clear()
    assert still.silent


def test_what_cannot_be_seen_has_a_shape_too() -> None:
    """Service yes, marketing no; an order's status is unknown."""
    found = views(met())
    assert found.degraded_context("c-9").degraded
    assert not found.degraded_context("c-9").known
    order = found.degraded_order("c-9", "o-1")
    assert (order.status, order.degraded, order.as_of) == ("unknown", True, None)


def test_why_tells_every_reason_in_three_voices() -> None:
    """The decision as it was published beside the words of what was weighed."""
    story = Story()
    story.at("2026-01-05 09:00", lives(time_zone="UTC"), granted())
    [said] = story.at(NOON, asked(offer("hello", on=["email", "sms"]), offer("talk", kind="survey")))
    found = views(story)
    found.journal.take([record(said)])
    told = found.why(said.id)
    assert told is not None
    assert told["decision"]["id"] == said.id
    assert set(told["reasons"]) == {one.reason for one in said.considered}
    assert set(told["reasons"]["allowed.clear"]) == {"author", "agent", "customer"}
    assert found.why("x") is None
    assert [one["id"] for one in found.decisions(CUSTOMER, None, 5)] == [said.id]
