"""The API over HTTP: who is let in, how often, how much, and that no fault says more than it must."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from decisioning.state import State
from decisioning.stops import Stops
from decisioning.streaming import http
from decisioning.streaming.api import openapi, server
from decisioning.streaming.api.decide import Decide
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.api.limits import Limits
from decisioning.streaming.api.merged import Merged
from decisioning.streaming.api.older import Older
from decisioning.streaming.api.peers import Peers
from decisioning.streaming.api.routes import ROUTES, Route
from decisioning.streaming.api.server import Api
from decisioning.streaming.api.switch import Switch
from decisioning.streaming.api.tokens import Scope, Tokens
from decisioning.streaming.api.views import Memory, Views
from decisioning.streaming.http import Listener
from decisioning.streaming.metrics import Labels, Metrics
from decisioning.streaming.settings import Settings
from tests.builders import CUSTOMER, Story, at, lives, placed
from tests.streaming.api.calls import TokenFile

CANARY: Final = "jane.doe@example.com"
MOST: Final = 64 * 1024


class Told(NamedTuple):
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Desk:
    """One worker's API over a story's memory, with Kafka away; `states` are the customers that it owns."""

    def __init__(self, folder: Path, *, rate: float = 10_000.0) -> None:
        story = Story()
        story.at("2026-03-02 10:00", lives(time_zone="UTC"), placed(promised="2026-03-05"))
        self.states: dict[str, State] = {CUSTOMER: story.state}
        self.file = TokenFile(
            folder, read=[Scope.READ], decide=[Scope.DECIDE], admin=[Scope.ADMIN], all=[*Scope]
        )  # fmt: skip
        self.owner: str | None = None
        settings = Settings(kafka="127.0.0.1:1")
        tokens = Tokens(self.file.path)
        journal = Journal(settings)
        journal.ready.set()
        memory = Memory(lambda name: name in self.states, lambda name: self.states[name], lambda name: self.owner)
        now = at("2026-03-02 12:00")
        self.registry = CollectorRegistry()
        self.peers = Peers(lambda: tokens.peer_key, None)
        self.views = views = Views(memory, journal, lambda: story.policy, lambda: now)
        merged = Merged(views, self.peers)
        older = Older(settings, journal, views.perhaps_erased)
        self.decide = Decide(settings, journal, lambda: story.policy, lambda: now, merged.into, older)
        self.api = Api(
            views, self.decide, older, tokens, Limits(rate), self.peers, merged,
            Switch(settings, Stops()), Metrics(self.registry, Labels((), [], (), ())), document=openapi.dumps(),
            most_bytes=MOST, wait_seconds=0.3,
        )  # fmt: skip
        self.listener = Listener("127.0.0.1", 0, self.api.answer, named="x", most=20)

    async def ask(
        self, path: str, token: str | None = "all", method: str = "GET", *, data: Any = None, **headers: str
    ) -> Told:  # fmt: skip
        """One request by the token of this name."""
        sent = {name.replace("_", "-"): content for name, content in headers.items()}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {self.file.tokens[token]}")
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"http://127.0.0.1:{self.listener.port}{path}", data=data, headers=sent, allow_redirects=False
            ) as answer,
        ):
            return Told(answer.status, answer.headers, await answer.read())

    async def post(self, what: Any, token: str = "all", **headers: str) -> Told:
        """POST /v1/decide."""
        text = what if isinstance(what, bytes) else json.dumps(what).encode()
        return await self.ask("/v1/decide", token, "POST", data=text, **{"Content_Type": "application/json"} | headers)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A running API."""
    made = Desk(tmp_path)
    async with made.listener:
        yield made
    await made.peers.close()
    await made.decide.stop()


def request(**more: Any) -> dict[str, Any]:
    """A request of the usual customer."""
    offer = {"action": "hello", "class": "marketing", "channels": ["email"]}
    return {"subject": CUSTOMER, "data": {"request_id": "r-1", "candidates": [offer]}} | more


def path_of(route: Route) -> str:
    """An address of a route, with ids that exist where there are such."""
    return route.path.format(customer=CUSTOMER, order="o-1", decision="d-1")


METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
ADDRESSES: Final = (*map(path_of, ROUTES), "/", "/metrics", "/healthz", "/v1/admin", "/v1/customers/x/context?a=b")


@pytest.mark.parametrize("method", METHODS)
async def test_a_stranger_gets_nothing_whatever_the_address(desk: Desk, method: str) -> None:
    """401 for what exists and for what does not, so that the addresses are not to be found out; no CORS header."""
    for path in ADDRESSES:
        for headers in (
            {}, {"Authorization": "Bearer "}, {"Authorization": "Bearer dcsn_wrong"}, {"Authorization": "Basic eDp5"},
            {"Authorization": "Peer a read 1 x"}, {"Origin": "https://evil.example"},
        ):  # fmt: skip
            told = await desk.ask(path, None, method, **headers)
            assert told.status == 401, (path, headers)
            assert told.headers["WWW-Authenticate"] == "Bearer"
            assert not [name for name in told.headers if name.lower().startswith("access-control-")]
            assert "Server" not in told.headers
            assert method == "HEAD" or told.json["code"] == "unauthenticated"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_a_token_opens_what_its_scope_says(desk: Desk, route: Route) -> None:
    """The whole matrix: no scope includes another."""
    for name in ("read", "decide", "admin"):
        told = await desk.ask(path_of(route), name, route.method)
        opens = route.scope is None or route.scope == name
        assert (told.status == 403) is not opens, (name, told)
        if not opens:
            assert told.json["code"] == "forbidden"
            assert f'scope="{route.scope}"' in told.headers["WWW-Authenticate"]


async def test_two_tokens_at_once_are_none(desk: Desk) -> None:
    """A proxy that adds one must not win over the caller, nor the other way round."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.listener.port)
    token = desk.file.tokens["all"]
    line = f"Authorization: Bearer {token}\r\n"
    writer.write(f"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n{line}{line}\r\n".encode())
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()


async def test_what_is_asked_is_answered(desk: Desk) -> None:
    """Context, order, decisions and the document; HEAD says the same without words."""
    context = await desk.ask(f"/v1/customers/{CUSTOMER}/context", "read")
    assert (context.status, context.json["customer"], context.json["degraded"]) == (200, CUSTOMER, False)
    order = await desk.ask(f"/v1/customers/{CUSTOMER}/orders/o-1", "read")
    assert (order.json["status"], order.json["promised_at"]) == ("placed", "2026-03-05T00:00:00Z")
    assert (await desk.ask(f"/v1/customers/{CUSTOMER}/orders/o-2", "read")).json["code"] == "not-found"
    said = await desk.ask(f"/v1/customers/{CUSTOMER}/decisions?limit=5", "read")
    assert said.json == {"customer": CUSTOMER, "degraded": False, "decisions": []}
    for bad in ("limit=0", "limit=51", "limit=x", "limit=-1", f"limit={'9' * 5000}", "limit=1&limit=2", "limits=1"):
        told = await desk.ask(f"/v1/customers/{CUSTOMER}/decisions?{bad}", "read")
        assert (told.status, told.json["code"]) == (400, "bad-request")
    assert (await desk.ask(f"/v1/customers/{CUSTOMER}/decisions?request_id={'x' * 513}", "read")).status == 400
    assert (await desk.ask(f"/v1/customers/{CUSTOMER}/decisions?since=yesterday", "read")).status == 400
    none = await desk.ask(f"/v1/customers/{CUSTOMER}/decisions?request_id=r-1&since=2026-03-02T10:00:00Z", "read")
    assert (none.status, none.json["decisions"], none.json["older"]) == (200, [], "none")
    assert (await desk.ask("/v1/openapi.json?a=b")).status == 400
    why = await desk.ask("/v1/decisions/none", "read")
    assert (why.status, "decisions?request_id=" in why.json["detail"]) == (404, True)
    assert (await desk.ask("/v1/openapi.json", "admin")).body == openapi.dumps()
    assert (await desk.ask("/v1/openapi.json", "admin", "HEAD")).body == b""
    assert (await desk.ask("/v1/nothing")).json["code"] == "not-found"
    assert (await desk.ask("/v1/decide")).headers["Allow"] == "POST"


async def test_a_moved_subject_leads_to_its_customer(desk: Desk) -> None:
    """307, as encoded as it must be."""
    desk.states["tel:1"] = State("tel:1", moved_to="c/7")
    told = await desk.ask("/v1/customers/tel:1/orders/o%2F1", "read")
    assert (told.status, told.headers["Location"]) == (307, "/v1/customers/c%2F7/orders/o%2F1")
    told = await desk.ask("/v1/customers/tel:1/decisions?request_id=a%26b", "read")  # where a 202 may have sent them
    assert (told.status, told.headers["Location"]) == (307, "/v1/customers/c%2F7/decisions?request_id=a%26b")


async def test_nobody_who_owns_a_customer_is_a_degraded_answer(desk: Desk) -> None:
    """Nobody says who owns it, or who does is not there: service yes, marketing no, never an error page."""
    for owner in (None, "http://127.0.0.1:1", f"http://127.0.0.1:{desk.listener.port}"):
        desk.owner = owner  # the last: a table that says it is us, who do not own it; asked once, and no loop
        context = await desk.ask("/v1/customers/c-far/context", "read")
        assert (context.status, context.json["degraded"]) == (200, True)
        order = await desk.ask("/v1/customers/c-far/orders/o-1", "read")
        assert (order.status, order.json["status"]) == (200, "unknown")
    count = desk.registry.get_sample_value("decisioning_api_requests_total", {"route": "context", "status": "200"})
    assert count == 4  # three callers, and ourselves once


async def test_the_owner_is_asked_for_the_caller(desk: Desk, tmp_path: Path) -> None:
    """Another worker's answer, be it one, none or a way on, comes back as it was; the key is shared by the file."""
    far = tmp_path / "far"
    far.mkdir()
    other = Desk(far)
    other.states = {"c-far": other.states[CUSTOMER], "tel:1": State("tel:1", moved_to="c-9")}
    async with other.listener:
        desk.owner = f"http://127.0.0.1:{other.listener.port}"
        context = await desk.ask("/v1/customers/c-far/context", "read")
        assert (context.status, context.json["degraded"], context.json["known"]) == (200, False, True)
        assert (await desk.ask("/v1/customers/c-far/orders/o-1", "read")).json["status"] == "placed"
        missing = await desk.ask("/v1/customers/c-far/orders/o-2", "read")
        assert (missing.status, missing.headers["Content-Type"]) == (404, "application/problem+json")
        moved = await desk.ask("/v1/customers/tel:1/context", "read")
        assert (moved.status, moved.headers["Location"]) == (307, "/v1/customers/c-9/context")


async def test_a_request_without_kafka_is_advice(desk: Desk) -> None:
    """200, `degraded`, and when to ask again."""
    told = await desk.post(request(), "decide")
    assert (told.status, told.json["status"], told.headers["Retry-After"]) == (200, "not_recorded", "5")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/plain"}, 415), ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "application/cloudevents+json; charset=utf-8"}, 200), ({"Idempotency_Key": "x" * 513}, 400),
        ({"Idempotency_Key": "k"}, 200), ({"Content_Encoding": "gzip"}, 400),
    ],
)  # fmt: skip
async def test_a_body_is_json(desk: Desk, headers: dict[str, str], status: int) -> None:
    """What a form of another origin can send is refused by its type alone."""
    assert (await desk.post(request(), "decide", **headers)).status == status


async def test_ten_megabytes_are_refused_unread(desk: Desk) -> None:
    """By the length that is announced; and where none is, as soon as it is too much."""
    body = b"x" * 10_000_000

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for sent in (body, chunks()):
        try:
            told = await desk.ask("/v1/decide", "decide", "POST", data=sent, Content_Type="application/json")
        except aiohttp.ClientOSError:
            continue  # closed while we still wrote, which is the point
        assert (told.status, told.json["code"]) == (413, "too-large")
    assert (await desk.ask("/v1/openapi.json")).status == 200


async def test_a_slow_head_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow loris: a connection that says nothing, and one that never ends its headers, are closed."""
    monkeypatch.setattr(http, "_HEAD_SECONDS", 0.2)
    for begun in (b"", b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\nX-A: "):
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.listener.port)
        writer.write(begun)
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_a_slow_body_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and the connection is closed."""
    monkeypatch.setattr(server, "_BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.listener.port)
    token = desk.file.tokens["decide"]
    head = "POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
    writer.write(f"{head}Authorization: Bearer {token}\r\n\r\n{{".encode())
    assert b" 408 " in (answer := await asyncio.wait_for(reader.read(), 20))
    assert b'"code":"too-slow"' in answer
    writer.close()


async def test_too_many_connections_do_not_pile_up(desk: Desk) -> None:
    """Beyond the bound a connection is closed unheard; those within it are served, and room that is freed is used."""
    open_ = [await asyncio.open_connection("127.0.0.1", desk.listener.port) for _ in range(20)]
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.listener.port)
    assert await asyncio.wait_for(reader.read(), http._HEAD_SECONDS / 2) == b""  # before patience would end it
    for _, one in (*open_, (reader, writer)):
        one.close()
        await one.wait_closed()
    assert (await desk.ask("/v1/openapi.json")).status == 200


async def test_a_caller_that_asks_too_often_waits(tmp_path: Path) -> None:
    """429 with `Retry-After`; others go on, and strangers share one limit."""
    made = Desk(tmp_path, rate=1)
    async with made.listener:
        told = [(await made.ask("/v1/openapi.json", "read")).status for _ in range(4)]
        assert told[:2] == [200, 200]
        assert told[-1] == 429
        assert (await made.ask("/v1/openapi.json", "admin")).status == 200
        strangers = [await made.ask("/v1/openapi.json", None) for _ in range(4)]
        assert [one.status for one in strangers][::3] == [401, 429]
        assert int(strangers[-1].headers["Retry-After"]) >= 1


async def test_a_fault_of_ours_says_nothing_and_is_counted(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """500 in the usual shape; the log has the kind of error and no customer in it."""

    caplog.set_level(logging.DEBUG)
    desk.states[CANARY] = State(CANARY, orders=(CANARY,))  # type: ignore[arg-type]  # as no state can be
    told = await desk.ask(f"/v1/customers/{CANARY}/orders/o-1", "read")
    assert (told.status, told.json["code"]) == (500, "internal")
    await desk.ask(f"/v1/customers/{CANARY}/orders/o-1", None)
    await desk.post(request(subject=CANARY, type=CANARY), "decide")
    await desk.post(CANARY.encode(), "decide")
    assert "the route order failed: AttributeError" in caplog.text
    assert CANARY not in caplog.text + told.body.decode()
    assert CANARY not in str([*desk.registry.collect()])
    count = desk.registry.get_sample_value
    assert count("decisioning_api_requests_total", {"route": "order", "status": "500"}) == 1
    assert count("decisioning_api_requests_total", {"route": "none", "status": "401"}) == 1
    assert count("decisioning_api_request_seconds_count", {"route": "order"}) == 1
