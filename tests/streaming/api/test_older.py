"""Looking beyond the window: what is found on the topic, how far a look goes, and what it never shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from decisioning.decision import Decision, dumps
from decisioning.instant import HOUR
from decisioning.streaming.api.decide import Decide
from decisioning.streaming.api.journal import BEFORE, Journal
from decisioning.streaming.api.older import Looked, Older, Sought
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.tokens import Scope
from decisioning.streaming.settings import Settings
from decisioning.streaming.topics import name_of
from tests.builders import CUSTOMER, asked, at, erased, offer, uncapped
from tests.streaming.api.calls import TokenFile, address_of, call, decide
from tests.streaming.api.test_decide import STORY, WELCOME, body, nobody
from tests.streaming.api.test_journal import NOON, acts
from tests.streaming.live import Live
from tests.streaming.records import Rec

NEVER: Callable[[str], bool] = lambda customer: False  # noqa: E731  # a customer of whom it is known
PERHAPS: Callable[[str], bool] = lambda customer: True  # noqa: E731


def sought(said: Decision, *, enough: int = 1, since: int | None = None) -> Sought:
    """The answer to the request of this decision."""
    assert said.request_id is not None
    return Sought(said.subject, said.request_id, (said.trigger.source, said.trigger.id), since, enough)


def values(found: Looked) -> list[bytes]:
    """What was found, as it stands on the topic."""
    return [one.value for one in found.entries]


@asynccontextmanager
async def read(broker: Live, said: Sequence[Decision], *, most: int = 0) -> AsyncIterator[Journal]:
    """A journal that has read these and keeps so many bytes of them: none."""
    topic = name_of(broker.settings, "decisions")
    for one in said:
        broker.publish(topic, dumps(one), one.subject)
    await asyncio.to_thread(broker.flush)
    journal = Journal(broker.settings, most=most)
    journal.start()
    try:
        await asyncio.wait_for(journal.ready.wait(), 30)
        yield journal
    finally:
        await journal.stop()


async def test_what_left_the_window_is_found_byte_for_byte(tmp_path: Path) -> None:
    """By the event; by the request alone, the later answers too; what nobody ever answered is known to be none."""
    said = [*acts(4), *acts(2, of="c-other")]
    with Live(tmp_path, 1) as broker:
        async with read(broker, [*said, said[1]]) as journal:
            older = Older(broker.settings, journal, NEVER)
            assert journal.newest(9) == []
            assert values(await older.look(sought(said[1]))) == [dumps(said[1])]
            wanted = sought(said[2])._replace(trigger=None, enough=20)
            assert await older.look(wanted) == Looked((await older.look(sought(said[2]))).entries, whole=True)
            for nobodys in (wanted._replace(request_id="r-x"), sought(said[2])._replace(trigger=("/x", "q-2"))):
                assert await older.look(nobodys) == Looked([], whole=True)


async def test_a_look_is_bounded(tmp_path: Path) -> None:
    """In records and in bytes, from the window backwards; beyond, it is not known whether there is an answer."""
    said = acts(8)
    with Live(tmp_path, 1) as broker:
        async with read(broker, said) as journal:
            few = Older(broker.settings, journal, NEVER, records=2)
            assert values(await few.look(sought(said[7]))) == [dumps(said[7])]
            assert await few.look(sought(said[0])) == Looked([], whole=False)
            none = Older(broker.settings, journal, NEVER, size=0)
            assert await none.look(sought(said[0])) == Looked([], whole=False)


async def test_nothing_from_before_an_erasure_is_shown(tmp_path: Path) -> None:
    """The hold lies on the topic after the answer, still in the window, or further on than a look goes."""
    story = uncapped()
    before = story.at(NOON, asked(offer("hello"), request="r-1").named("q-1"))
    holds = story.at("2026-03-02 13:00", erased())
    after = story.at("2026-03-02 14:00", asked(offer("hello"), request="r-2").named("q-2"))
    with Live(tmp_path, 1) as broker:
        async with read(broker, [*before, *holds, *after]) as journal:
            older = Older(broker.settings, journal, PERHAPS)
            assert await older.look(sought(before[0])) == Looked([], whole=True)
            assert values(await older.look(sought(after[0]))) == [dumps(after[0])]
            short = Older(broker.settings, journal, PERHAPS, size=0)
            assert await short.look(sought(before[0])) == Looked([], whole=False)
    kept = Journal(Settings(), most=1)
    kept.take([Rec("decisions", 0, 0, 0, b"", dumps(before[0]))])
    kept._most = 1 << 20  # only what came first has left
    kept.take([Rec("decisions", 0, 1, 0, b"", dumps(one)) for one in holds])
    assert kept.erased(CUSTOMER)
    assert await Older(Settings(partitions=1), kept, NEVER).look(sought(before[0])) == Looked([], whole=True)


async def test_one_look_at_a_time(tmp_path: Path) -> None:
    """Who comes meanwhile is told to come again, and can."""
    said = acts(2)
    with Live(tmp_path, 1) as broker:
        async with read(broker, said) as journal:
            older = Older(broker.settings, journal, NEVER)
            first = asyncio.create_task(older.look(sought(said[0])))
            await asyncio.sleep(0)
            with pytest.raises(Problem) as raised:
                await older.look(sought(said[1]))
            assert (raised.value.status, raised.value.headers["Retry-After"]) == (503, "1")
            assert values(await first) == [dumps(said[0])]
            assert values(await older.look(sought(said[1]))) == [dumps(said[1])]


async def test_what_was_asked_just_now_costs_no_look() -> None:
    """Kafka is away here: what was asked after the window began is in it, and nothing is read for what is older."""
    [said] = acts(1)
    settings = Settings(kafka="127.0.0.1:1", partitions=1)
    journal = Journal(settings, most=1)
    older = Older(settings, journal, NEVER)
    assert await older.look(sought(said)) == Looked([], whole=False)  # the window has not begun
    journal.ready.set()
    assert await older.look(sought(said)) == Looked([], whole=True)  # it holds all that there is
    journal.take([Rec("decisions", 0, 0, said.time // 1000, b"", dumps(said))])
    assert await older.look(sought(said, since=said.time + HOUR)) == Looked([], whole=True)
    assert await older.look(sought(said, since=said.time)) == Looked([], whole=False)  # it asks, and nobody answers


@pytest.mark.parametrize("busy", [False, True])
async def test_a_request_of_long_ago_is_pending_where_it_is_not_found(tmp_path: Path, *, busy: bool) -> None:
    """It is on the log, so it is 202 and no 503, and says whether its answer was looked for, and how far."""
    said = acts(8)
    with Live(tmp_path, 1) as broker:
        async with read(broker, said) as journal:
            older = Older(broker.settings, journal, NEVER, records=2)
            way = Decide(broker.settings, journal, lambda: STORY.policy, lambda: at(NOON), nobody, older)
            again = body(subject=CUSTOMER, source=said[0].trigger.source, id="q-0", data={
                "request_id": "r-0", "candidates": [WELCOME],
            })  # fmt: skip
            if busy:
                await older._looking.acquire()
            async with asyncio.timeout(60):
                while (found := await way.ask(way.read(again, "crm", None), 0.1)).status == "not_recorded":
                    pass
            says = "not_looked" if busy else "unknown"
            assert (found.status, found.as_json()["older"], "since=" in found.location) == ("pending", says, not busy)
            await way.stop()


def test_a_worker_answers_again_what_its_window_has_not(tmp_path: Path) -> None:
    """Through HTTP, after a restart from behind the answer: the same bytes, whether the body is dated or not; what
    only the request's id names is found too, and what a decision's id alone names is not."""
    tokens = TokenFile(tmp_path, crm=[Scope.READ, Scope.DECIDE])
    token = tokens.tokens["crm"]
    welcome = {"action": "hello", "class": "marketing", "channels": ["email"]}
    request = {"subject": "c-1", "data": {"request_id": "r-1", "candidates": [welcome]}}
    dated = request | {"time": "2026-03-02T12:00:00Z", "id": "q-2"}
    with Live(tmp_path, 1, api_tokens_file=tokens.path, api_port=0) as broker:
        worker = broker.worker().ready()
        first = [decide(address_of(worker), token, one, Prefer="wait=10") for one in (request, dated)]
        assert [one.status for one in first] == [200, 200], first
        assert worker.term() == 0
        for _ in range(BEFORE):
            broker.publish("decisions", b"{}", "c-1")
        broker.flush()
        address = address_of(broker.worker().ready())
        looked = "/v1/customers/c-1/decisions?request_id="
        [decision] = first[0].json["decisions"]
        assert call(address, f"/v1/decisions/{decision['id']}", token).status == 404
        assert call(address, f"{looked}r-1", token).json["decisions"][-1] == decision
        for asked_again, before in zip((request, dated), first, strict=True):
            again = decide(address, token, asked_again, Prefer="wait=1")
            assert (again.status, again.body) == (200, before.body)
        hurried = decide(address, token, dated, Prefer="wait=0")
        assert (hurried.status, hurried.json["older"]) == (202, "not_looked")
        assert hurried.headers["Location"] == f"{looked}r-1&since=2026-03-02T12%3A00%3A00Z"
        assert call(address, f"{looked}r-9", token).json == {
            "customer": "c-1", "degraded": False, "decisions": [], "older": "none",
        }  # fmt: skip
