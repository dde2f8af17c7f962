"""Workers vouch for each other's callers: for one address, one caller, half a minute, and never further."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp import web

from decisioning.streaming.api.peers import Peers, Told
from decisioning.streaming.api.tokens import Scope, Token
from decisioning.streaming.http import Answer, Listener

KEY: Final = b"k" * 32
CALLER: Final = Token("on call ☎", frozenset({Scope.READ}))
PATH: Final = "/v1/customers/c-1/context?x=1"


class Clock:
    """A clock that the test sets."""

    now = 1_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Both sides' clock."""
    return Clock()


@pytest.fixture
async def peers(clock: Clock) -> AsyncIterator[Peers]:
    """A worker that knows the key."""
    found = Peers(lambda: KEY, None, clock)
    yield found
    await found.close()


def test_a_voucher_says_who_asks(peers: Peers) -> None:
    """Name and scopes arrive as they were."""
    header = peers.vouch(CALLER, PATH)
    assert header is not None
    assert peers.vouched(header, PATH) == CALLER


def test_a_voucher_is_good_for_one_address_and_half_a_minute(peers: Peers, clock: Clock) -> None:
    """Not for another path, another key, another time, other scopes; and rubbish is none."""
    header = peers.vouch(Token("crm", frozenset({Scope.READ})), PATH) or ""
    assert peers.vouched(header, "/v1/customers/c-2/context") is None
    assert Peers(lambda: b"x" * 32, None, clock).vouched(header, PATH) is None
    assert peers.vouched(header.replace("read", "admin,read"), PATH) is None
    assert peers.vouched(header.replace("crm", "ops"), PATH) is None
    for rubbish in ("", "Peer", "Peer a b c d", "Peer a b c d e", header + " x", header[:-1] + "\udc80"):
        assert peers.vouched(rubbish, PATH) is None
    clock.now += 31
    assert peers.vouched(header, PATH) is None
    clock.now -= 62
    assert peers.vouched(header, PATH) is None


def test_without_a_key_nobody_vouches(clock: Clock) -> None:
    """Neither one's own word nor another's counts."""
    alone = Peers(lambda: None, None, clock)
    assert alone.vouch(CALLER, PATH) is None
    assert alone.vouched(Peers(lambda: KEY, None, clock).vouch(CALLER, PATH) or "", PATH) is None


async def test_another_worker_is_asked_with_a_voucher_and_no_token(peers: Peers) -> None:
    """The path arrives as it was written; a redirect is an answer and not followed."""
    seen: list[tuple[str, str | None]] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.raw_path, request.headers.get("Authorization")))
        return Answer(307, b"{}", "application/json", more={"Location": "/v1/elsewhere"})

    async with Listener("127.0.0.1", 0, answer, named="x") as listener:
        path = "/v1/customers/a%2Fb/context"
        told = await peers.ask(f"http://127.0.0.1:{listener.port}", path, CALLER)
    assert told == Told(307, "application/json", b"{}", "/v1/elsewhere")
    [(asked, header)] = seen
    assert asked == path
    assert header is not None
    assert peers.vouched(header, path) == CALLER


async def test_who_does_not_answer_is_none(peers: Peers) -> None:
    """Nobody there, or an answer without end."""

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        return Answer(200, b"x" * (5 * 1024 * 1024))

    async with Listener("127.0.0.1", 0, endless, named="x") as listener:
        address = f"http://127.0.0.1:{listener.port}"
        assert await peers.ask(address, PATH, CALLER) is None
    assert await peers.ask(address, PATH, CALLER) is None
