"""The API under attack by those who have no token, and by those who have one of another purpose."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from decisioning.streaming.api.peers import Peers
from decisioning.streaming.api.tokens import Scope, Token
from tests.builders import CUSTOMER
from tests.streaming.api.test_server import CANARY, Desk, request

PATHS: Final = (b"/v1/customers/\xff/context", b"/v1/customers/%00/context", b"/v1/customers/%ff/context",
                b"/v1/customers/%E2%80%AE/context", b"/v1/customers/a%2F..%2F..%2Fb/context", b"/v1/../metrics",
                b"http://x/v1/openapi.json", b"*", b"/v1/customers/%0d%0aX-Evil:1/context",
                b"/v1/openapi.json?\xff=1", b"/v1/openapi.json#a")  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A running API."""
    made = Desk(tmp_path)
    async with made.listener:
        yield made
    await made.peers.close()
    await made.decide.stop()


async def raw(desk: Desk, sent: bytes) -> bytes:
    """All that comes back for these bytes until the connection is closed, which they ask for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.listener.port)
    writer.write(sent)
    found = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return found


def head(line: bytes, *headers: bytes) -> bytes:
    """A request without a body, after which the connection is closed."""
    return b"\r\n".join([line + b" HTTP/1.1", b"Host: x", b"Connection: close", *headers, b"", b""])


@pytest.mark.parametrize("path", PATHS)
async def test_bytes_in_a_path_are_no_fault_of_ours(desk: Desk, path: bytes) -> None:
    """Stranger or not: an answer of the closed list, never a 500, no header of the sender's making."""
    token = desk.file.tokens["all"].encode()
    for given in (b"X-A: b", b"Authorization: Bearer " + token, b"Authorization: Peer a read 1 x"):
        found = await raw(desk, head(b"GET " + path, given))
        status = int(found.split(b" ", 2)[1])
        assert status in (200, 400, 401, 404), found
        assert b"\r\nX-Evil" not in found


@pytest.mark.parametrize("secret", [b"\xff", b"\xf0\x9f\x98\x80", b"a" * 7000, b"dcsn_\xed\xa0\x80", b"a b c d"])
async def test_bytes_in_a_token_are_a_stranger(desk: Desk, secret: bytes) -> None:
    """401 for all of them, of either scheme."""
    peer = (b"Peer %s", b"Peer %s read 1 x", b"Peer a %s 1 x", b"Peer a read %s x", b"Peer a read 1 %s")
    for given in (b"Bearer %s", *peer):
        found = await raw(desk, head(b"GET /v1/openapi.json", b"Authorization: " + given.replace(b"%s", secret)))
        assert found.startswith(b"HTTP/1.1 401 "), found


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /v1/decide HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"POST /v1/decide HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"POST /v1/decide HTTP/1.1\r\nHost: x\r\n%s\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/decide HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: -1\r\n\r\n",
        b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n%s\r\nX-A: b\r\n folded\r\n\r\n",
        b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n%s\r\nX A: b\r\n\r\n",
        b"GET /v1/openapi.json\r\n%s\r\n\r\n",
        b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n%s\r\nX-A: " + b"b" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_two_readings_of_one_request_are_none(desk: Desk, sent: bytes) -> None:
    """Smuggling: what a proxy before us and we could take for two different requests is refused, and no second follows.

    The connection is closed and the answer holds nothing of what was sent.
    """
    token = b"Authorization: Bearer " + desk.file.tokens["all"].encode()
    found = await raw(desk, sent.replace(b"%s", token) + head(b"GET /v1/openapi.json", token))
    assert found.split(b" ")[1] == b"400", found[:100]
    assert found.count(b"HTTP/1.") == 1
    assert desk.file.tokens["all"].encode() not in found


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
        (b'{"subject":"c","data":' + b'{"a":' * 900 + b"1" + b"}" * 901, 422),
        (b'{"subject":"c","data":{"request_id":"r","candidates":[],"x":' + b"9" * 5000 + b"}}", 400),
        (b'{"subject":"c","data":{"request_id":"r","candidates":[],"x":1e400}}', 400),
        (b'{"subject":"\\ud800","data":{}}', 400),
        (b'{"subject":"c","subject":"d","data":{},"data":[]}', 422),
        (b"[" + b"{}," * 20_000 + b"{}]", 422),
        (b'{"subject":"c","data":{"request_id":"r","candidates":[' + b"{}," * 10_000 + b"{}]}}", 422),
        (b"\xef\xbb\xbf{}", 400),
    ],
    ids=range(9),
)
async def test_json_bombs_are_refused(desk: Desk, body: bytes, status: int) -> None:
    """Depth, digits, exponents, half characters, the same key twice, many of everything: never a 500."""
    told = await desk.post(body, "decide")
    assert told.status == status, told


async def test_the_same_key_twice_means_one_thing_to_everybody(desk: Desk) -> None:
    """The last holds, and only it goes to the log: whoever reads there cannot take the other."""
    offer = {"action": "hello", "class": "marketing", "channels": ["email"]}
    data = json.dumps({"request_id": "r-1", "candidates": [offer]})
    asked = desk.decide.read(f'{{"subject": "c-1", "subject": "c-2", "data": {data}}}'.encode(), "crm", None)
    assert asked.event.subject == "c-2"
    assert asked.value.count(b'"subject"') == 1


async def test_nobody_asks_in_anothers_name(desk: Desk) -> None:
    """Sources under /api/ are the tokens' own: or one caller could use up another's ids, or read its answers."""
    assert (await desk.post(request(source="/api/decide"), "decide")).status == 200
    for source in ("/api/crm", "/api/", "/api/decide/x"):
        told = await desk.post(request(source=source), "decide")
        assert (told.status, told.json["code"]) == (422, "not-an-event"), source


def test_a_worker_vouches_for_reads_alone() -> None:
    """Whatever the caller may do besides: neither does it send more, nor does the other one take more."""
    peers = Peers(lambda: b"k" * 32, None, lambda: 1000.0)
    voucher = peers.vouch(Token("crm", frozenset(Scope)), "/v1/x")
    assert voucher is not None
    assert voucher.split(" ")[2] == "read"
    assert peers.vouched(voucher, "/v1/x") == Token("crm", frozenset({Scope.READ}))


async def test_a_voucher_opens_no_door_but_reading(desk: Desk) -> None:
    """A stolen voucher for an address stops nothing there and asks nothing."""
    voucher = desk.peers.vouch(Token("crm", frozenset(Scope)), "/v1/stops")
    assert voucher is not None
    assert (await desk.ask("/v1/stops", None, Authorization=voucher)).status == 200
    assert (await desk.ask("/v1/stops", None, "POST", Authorization=voucher)).status == 403  # it names no method
    assert (await desk.ask("/v1/decide", None, "POST", Authorization=voucher)).status == 401


async def test_no_answer_and_no_log_repeats_what_was_sent(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Every route, with a customer's address in path, query, headers and body; by strangers and by callers."""
    caplog.set_level(logging.DEBUG)
    about = f"/v1/customers/{CUSTOMER}"
    gets = (f"/v1/{CANARY}", f"/v1/openapi.json?{CANARY}=1", f"/v1/decisions/{CANARY}", f"{about}/orders/{CANARY}",
            f"{about}/decisions?limit={CANARY}")  # fmt: skip
    posts = ("/v1/decide", "/v1/stops", "/v1/stops/resume")
    bodies: tuple[object, ...] = (
        CANARY,
        {CANARY: CANARY, "subject": CANARY},
        dict.fromkeys(("what", "name", "why"), CANARY),
    )
    said = {"Content_Type": "application/json", "Idempotency_Key": CANARY}
    callers = (None, "read", "all")
    found = [await desk.ask(path, one, X_Name=CANARY) for one, path in product(callers, gets)] + [
        await desk.ask(path, one, "POST", data=json.dumps(body).encode(), **said)
        for one, path, body in product(callers, posts, bodies)
    ]
    assert {one.status for one in found} <= {400, 401, 403, 404, 422}
    told = " ".join(f"{one.body!r} {one.headers}" for one in found) + caplog.text + str([*desk.registry.collect()])
    assert CANARY not in told
    assert not [one for one in desk.file.tokens.values() if one in told]


async def test_the_metrics_of_a_scan_are_few(desk: Desk) -> None:
    """Whatever is asked, `route` is one of the table's names or `none`."""
    for number in range(50):
        await desk.ask(f"/v1/{number}", "all", "GET")
        await desk.ask(f"/v1/customers/{number}/decisions", "all", "GET")
    series = [one for row in desk.registry.collect() for one in row.samples if "api_requests_total" in one.name]
    assert {one.labels["route"] for one in series} == {"none", "decisions"}
