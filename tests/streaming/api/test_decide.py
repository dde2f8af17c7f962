"""A request on its way to the log: how it is read, what comes back when the log is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from decisioning.decision import dumps
from decisioning.streaming.api import decide as module
from decisioning.streaming.api.decide import Asked, Decide, wait_of
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.api.older import Older
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.broker import start_broker
from decisioning.streaming.settings import Settings
from tests.builders import Story, at, event
from tests.streaming.records import Rec

NOW = at("2026-03-02 12:00")
WELCOME: dict[str, object] = {"action": "hello", "class": "marketing", "channels": ["email"]}
STORY = Story()


async def nobody(customer: str) -> list[str]:
    """Nobody became part of another."""
    return []


def decide(
    journal: Journal | None = None, merged: Callable[[str], Awaitable[list[str]]] = nobody, **settings: Any
) -> Decide:
    """The way to a Kafka that is away, at noon."""
    chosen = Settings(**{"kafka": "127.0.0.1:1"} | settings)
    known = journal or Journal(chosen)
    older = Older(chosen, known, lambda customer: False)
    return Decide(chosen, known, lambda: STORY.policy, lambda: NOW, merged, older)


def body(*candidates: dict[str, object], **more: object) -> bytes:
    """A request as a client sends it; without candidates one plain offer."""
    data = {"request_id": "r-1", "candidates": list(candidates) or [WELCOME]}
    return json.dumps({"subject": "c-1", "data": data} | more).encode()


def read(text: bytes, key: str | None = None) -> Asked:
    """What is read of a body."""
    return decide().read(text, "crm", key)


def test_what_is_left_out_is_filled_in() -> None:
    """The caller's name is the source, the request id the id, now the time; what was given stands."""
    found = read(body()).event
    assert (found.source, found.id, found.time, found.subject) == ("/api/crm", "r-1", NOW, "c-1")
    assert read(body(), "key-1").event.id == "key-1"
    assert read(body(id="e-1", source="/crm", traceparent="00-a-b-01"), "key-1").event.id == "e-1"
    assert json.loads(read(body(more=1)).value)["more"] == 1


def test_how_many_answers_are_owed() -> None:
    """Marketing and survey together get one, each service and care candidate its own."""
    service, care, survey = ({**WELCOME, "class": one} for one in ("service", "care", "survey"))
    assert read(body()).expects == 1
    assert read(body(WELCOME, survey, service, service, care)).expects == 4


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        (b"", 400, "no JSON"),
        (b"\xff", 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b"[]", 422, "JSON object"),
        (b"{}", 422, "`id` is missing"),
        (body(subject=None), 422, "`subject` is missing"),
        (body(subject="a\0b"), 422, "must not contain NUL"),
        (body(type="customer.erased", data={}, id="e"), 422, "`type` must be contact.requested"),
        (body(type="nothing.known"), 422, "`type` must be contact.requested"),
        (body(data={"request_id": "r-1"}), 422, "candidates"),
        (body({**WELCOME, "class": "jane@example.com"}), 422, "class"),
        (body(specversion="0.3"), 422, "specversion"),
        (body(time="yesterday"), 422, "time"),
        (body(time="2026-03-02T12:06:00Z"), 422, "ahead of our clock"),
        (body(id="x" * 600), 422, "512"),
    ],
)
def test_what_is_no_request_is_refused_without_being_repeated(text: bytes, status: int, says: str) -> None:
    """Before it reaches the log: nobody else has to be told."""
    with pytest.raises(Problem, match=says) as raised:
        read(text)
    assert raised.value.status == status
    assert "jane" not in raised.value.detail


async def test_without_a_log_the_engine_gives_advice_and_no_decision() -> None:
    """Nothing was handed to Kafka: service yes, marketing no, and it says that nobody will answer this."""
    way = decide()
    outcome = await way.ask(way.read(body(WELCOME, {**WELCOME, "class": "service"}), "crm", None), 0.5)
    told = outcome.as_json()
    assert (told["status"], told["degraded"], told["decisions"]) == ("not_recorded", True, [])
    assert [(one["verdict"], one["reason"]) for one in outcome.advice] == [
        ("suppress", "degraded.state"),
        ("allow", "allowed.clear"),
    ]
    await way.stop()


async def test_the_same_again_is_answered_from_the_journal() -> None:
    """With Kafka away too; another customer's or another request's answer is not it."""
    journal = Journal(Settings())
    asked = event("contact.requested", "2026-03-02 12:00", {"request_id": "r-1", "candidates": [WELCOME]}, "r-1", "c-1")
    [said] = Story().run.feed(asked)
    journal.take([Rec("decisions", 0, 0, 0, b"c-1", dumps(said))])
    way = decide(journal)
    again = way.read(body(source=said.trigger.source, time="2026-03-02T11:00:00Z"), "crm", None)
    outcome = await way.ask(again, 0.5)
    assert (outcome.status, [one["id"] for one in outcome.decisions]) == ("answered", [said.id])
    for other in (body(source=said.trigger.source, subject="c-2"), body()):
        assert (await way.ask(way.read(other, "crm", None), 0.5)).status == "not_recorded"


async def test_an_answer_to_another_customer_is_not_ours() -> None:
    """A caller that counts its requests by customer gives two of them one id: each has its own answer.

    But where our customer became part of that one, it is the answer to us.
    """
    journal = Journal(Settings())
    asked = event("contact.requested", "2026-03-02 12:00", {"request_id": "r-1", "candidates": [WELCOME]}, "r-1", "c-2")
    [said] = Story().run.feed(asked)
    journal.take([Rec("decisions", 0, 0, 0, b"c-2", dumps(said))])
    again = decide().read(body(source=said.trigger.source), "crm", None)
    assert (await decide(journal).ask(again, 0.1)).status == "not_recorded"

    async def into(customer: str) -> list[str]:
        return ["c-7", "c-2"] if customer == "c-1" else []

    outcome = await decide(journal, into).ask(again, 0.1)
    assert (outcome.status, [one["subject"] for one in outcome.decisions]) == ("answered", ["c-2"])


async def test_taken_and_not_answered_is_pending_taken_and_not_acknowledged_is_uncertain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The two kinds of not knowing: the log has it and nobody decides yet; or nobody says whether the log has it.

    Also with `wait=0`, which is no hurry of handing over. Whatever came of it, the same again is on the log once more,
    with the same source and id, which the engine takes for one request.
    """
    monkeypatch.setattr(module, "_HAND_OVER_SECONDS", 1.0)
    with start_broker(["contact-requests", "decisions"], 1) as broker:
        settings = Settings(kafka=broker.address, partitions=1)
        journal = Journal(settings)
        way = decide(journal, kafka=broker.address, partitions=1)
        request = way.read(body(), "crm", None)
        journal.start()
        await asyncio.wait_for(journal.ready.wait(), 30)
        async with asyncio.timeout(30):
            while (found := await way.ask(request, 0)).status == "not_recorded":  # a producer needs a moment to begin
                pass
        assert (found.status, found.as_json()["degraded"], found.advice) == ("pending", False, [])
        broker.delay(4000)
        found = await way.ask(request, 0)
        assert (found.status, found.as_json()["degraded"], found.decisions) == ("uncertain", True, [])
        assert [one["reason"] for one in found.advice] == ["degraded.state"]
        broker.delay(0)
        async with asyncio.timeout(60):
            while (await way.ask(request, 0)).status != "pending":
                pass
        await way.stop()
        await journal.stop()


async def test_the_location_is_where_the_answer_will_be() -> None:
    """Ids are encoded: they may be anything."""
    way = decide()
    data = {"request_id": "a/b ?", "candidates": [WELCOME]}
    outcome = await way.ask(way.read(body(subject="tel:+44", data=data), "crm", None), 0.5)
    assert outcome.location == "/v1/customers/tel%3A%2B44/decisions?request_id=a%2Fb%20%3F"
    dated = body(subject="c-1", data=data, time="2026-03-02T11:00:00Z")
    outcome = await way.ask(way.read(dated, "crm", None), 0.5)
    assert outcome.location.endswith("&since=2026-03-02T11%3A00%3A00Z")


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 2), ("wait=3", 3), ("respond-async, wait=0", 0), ("wait=99999", 10), ("WAIT = 4", 4), ("wait=-1", 2),
        ("wait=1e9", 2), ("wait=999999", 2), ("wait", 2),
    ],
)  # fmt: skip
def test_a_caller_may_say_how_long_it_waits(prefer: str, seconds: float) -> None:
    """RFC 7240; never longer than ten seconds, and what makes no sense is passed over."""
    assert wait_of({"Prefer": prefer}, 2.0) == seconds
