"""The window on the decisions: what is found in it, how it forgets, and how it follows the topic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from decisioning.decision import Decision, dumps, dumps_binary
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import name_of
from tests.builders import CUSTOMER, asked, bought, erased, granted, lives, offer, only, uncapped
from tests.streaming.live import Live, until
from tests.streaming.records import Rec

NOON = "2026-03-02 12:00"


def record(decision: Decision, *, binary: bool = False) -> Rec:
    """A decision as it is fetched."""
    value, headers = dumps_binary(decision) if binary else (dumps(decision), ())
    return Rec("decisions", 0, 0, 0, decision.subject.encode(), value, headers)


def journal(decisions: Sequence[Decision] = (), **more: Any) -> Journal:
    """A journal that has read these."""
    found = Journal(Settings(), **more)
    found.take(map(record, decisions))
    return found


def acts(count: int, of: str = CUSTOMER) -> list[Decision]:
    """So many acts of one customer, each its own request."""
    story = uncapped()
    story.at("2026-01-05 09:00", lives(time_zone="UTC").by(of), granted().by(of))
    return [
        only(story.at(NOON, asked(offer(f"a{n}"), request=f"r-{n}").named(f"q-{n}").by(of))) for n in range(count)
    ]  # fmt: skip


def test_a_decision_is_found_by_id_customer_request_and_trigger() -> None:
    """The newest first; as the CloudEvent that was published."""
    said = acts(3)
    known = journal(said)
    found = known.get(said[1].id)
    assert found is not None
    assert (found.event["id"], found.event["data"]["outcome"]) == (said[1].id, "act")
    assert [one.id for one in known.of_customer(CUSTOMER)] == [one.id for one in reversed(said)]
    assert [one.id for one in known.of_customer(CUSTOMER, most=1)] == [said[2].id]
    assert [one.id for one in known.of_customer(CUSTOMER, request_id="r-1")] == [said[1].id]
    assert [one.id for one in known.answers(said[0].trigger.source, "q-0")] == [said[0].id]
    assert [one.id for one in known.newest(2)] == [said[2].id, said[1].id]
    assert known.of_customer("nobody") == known.answers("x", "y") == []
    assert known.get("x") is None


def test_binary_records_read_the_same() -> None:
    """However the worker publishes."""
    [said] = acts(1)
    known = journal()
    known.take([record(said, binary=True)])
    [found] = known.newest(1)
    assert found.event == json.loads(dumps(said))


def test_a_hold_answers_nothing() -> None:
    """A purchase brings a hold, which has a trigger too."""
    [hold] = uncapped().at(NOON, bought("A"))
    known = journal([hold])
    assert known.answers(hold.trigger.source, hold.trigger.id) == []
    assert len(known.of_customer(CUSTOMER)) == 1


def test_what_is_no_decision_is_passed_over_and_a_repeat_is_one() -> None:
    """This is only a window."""
    [said] = acts(1)
    known = journal([said, said])
    known.take([Rec("decisions", 0, 0, 0, b"k", value) for value in (None, b"", b"[]", b"{}", b'{"id": 1}')])
    assert [one.id for one in known.newest(10)] == [said.id]


def test_the_oldest_are_forgotten() -> None:
    """By bytes, and out of every index."""
    said = acts(10)
    room = sum(one.size for one in journal(said[:4]).newest(9))
    known = journal(said, most=room)
    kept = [one.id for one in known.newest(99)]
    assert kept == [one.id for one in reversed(said[6:])]
    assert [one.id for one in known.of_customer(CUSTOMER)] == kept
    assert known.answers(said[0].trigger.source, "q-0") == []


def test_an_erased_customer_leaves_it_at_once() -> None:
    """All but the hold that says so; others stay."""
    story = uncapped()
    before = story.at(NOON, asked(offer("hello")))
    other = acts(1, of="c-other")
    after = story.at("2026-03-02 13:00", erased())
    known = journal([*before, *other, *after])
    assert known.get(before[0].id) is None
    assert [one.event["data"]["reason"] for one in known.of_customer(CUSTOMER)] == ["dnc.erased"]
    assert len(known.of_customer("c-other")) == 1


def test_an_erasure_that_is_repeated_erases_again() -> None:
    """A crash repeats what came before it too; what came after it is repeated after it."""
    story = uncapped()
    before = story.at(NOON, asked(offer("hello")))
    *recalls, hold = story.at("2026-03-02 13:00", erased())
    after = story.at("2026-03-02 14:00", asked(offer("hello"), request="r-2").named("q-2"))
    run = [*before, *recalls, hold, *after]
    known = journal([*run, *run])
    assert [one.id for one in known.of_customer(CUSTOMER)] == [one.id for one in reversed([hold, *after])]


def test_it_says_where_it_begins() -> None:
    """Where something has left it: behind the last that has, whose time it still knows."""
    said = acts(3)
    room = sum(one.size for one in journal(said[1:]).newest(9))
    records = [record(one)._replace(offset=place, timestamp=place * 10) for place, one in enumerate(said)]
    known = journal(most=room)
    known.take(records[:2])
    assert known.begins(0) is None
    known.take(records[2:])
    assert known.begins(0) == (1, 0)
    assert known.begins(1) is None
    assert not known.erased(CUSTOMER)


async def test_who_waits_is_told() -> None:
    """As soon as there are enough; else what there is when the time is up."""
    said = acts(2)
    known = journal(said[:1])
    source = said[0].trigger.source
    assert [one.id for one in await known.wait(source, "q-0", 1, 10)] == [said[0].id]
    assert await known.wait(source, "q-1", 1, 0.01) == []
    waiting = asyncio.create_task(known.wait(source, "q-1", 1, 30))
    await asyncio.sleep(0)
    known.take([record(said[1])])
    assert [one.id for one in await waiting] == [said[1].id]


async def test_decisions_are_heard_as_they_come() -> None:
    """Who listens hears what comes from then on, and may leave."""
    said = acts(3)
    known = journal(said[:1])
    live = known.live()
    heard = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    known.take(map(record, said[1:]))
    assert (await heard).id == said[1].id
    assert (await anext(live)).id == said[2].id
    await live.aclose()  # type: ignore[attr-defined]  # a generator is one
    known.take([record(one) for one in acts(5)])


async def test_it_follows_the_topic_from_before_its_end(tmp_path: Path) -> None:
    """What was said before it began, and what is said later; a broker that is away is waited for."""
    said = acts(4)
    with Live(tmp_path) as broker:
        topic = name_of(broker.settings, "decisions")
        for one in said[:2]:
            broker.publish(topic, dumps(one), one.subject)
        broker.flush()
        known = Journal(broker.settings)
        known.start()
        try:
            await asyncio.wait_for(known.ready.wait(), 30)
            assert [one.id for one in known.newest(9)] == [said[1].id, said[0].id]
            for one in said[2:]:
                broker.publish(topic, dumps(one), one.subject)
            await asyncio.to_thread(broker.flush)
            assert len(await known.wait(said[3].trigger.source, "q-3", 1, 30)) == 1
            assert known.silent_for < 30
            await asyncio.to_thread(broker.stop_broker)
            await asyncio.to_thread(until, lambda: known.silent_for > 1.5, 30, "the silence being noticed")
            assert len(known.newest(9)) == 4
        finally:
            await known.stop()
            await known.stop()
