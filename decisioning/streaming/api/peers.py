"""A request to the wrong worker finds the right one: it is asked there for the caller, once, and for reads only.

Where another is reached stands in the group's own table (`chassis/whereabouts.py`), which any member of the group could
falsify. So nothing goes there that a stranger could use: never the caller's token, but a voucher under a key that the
workers share (the line `peer` of the token file), which holds for one address, one caller and half a minute. A voucher
is never passed on: who gets one answers, or says that it cannot. So there are no loops, and a wrong table costs a
degraded answer at worst.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import aiohttp
from yarl import URL

from decisioning.streaming.api.tokens import Scope, Token

SCHEME: Final = "Peer"
_VALID_SECONDS: Final = 30
_PATIENCE: Final = aiohttp.ClientTimeout(total=2.0, sock_connect=0.5)
_MOST_BYTES: Final = 4 * 1024 * 1024


class Told(NamedTuple):
    """What the other worker answered."""

    status: int
    content_type: str
    body: bytes
    location: str | None


class Peers:
    """The way to other workers, and the check of those who come that way."""

    def __init__(
        self, key: Callable[[], bytes | None], tls: ssl.SSLContext | None, clock: Callable[[], float] = time.time
    ) -> None:
        """`key` is the workers' shared key, None: nobody vouches; `tls` by which their certificates are checked."""
        self._key, self._tls, self._clock = key, tls, clock
        self._session: aiohttp.ClientSession | None = None

    def vouch(self, token: Token, path: str) -> str | None:
        """The header by which this worker says who asks to read `path`; None without a key, or who may not read."""
        key = self._key()
        if key is None or Scope.READ not in token.scopes:
            return None
        claim = f"{quote(token.name, safe='')} {Scope.READ} {int(self._clock())}"
        return f"{SCHEME} {claim} {_signature(key, claim, path)}"

    def vouched(self, header: str, path: str) -> Token | None:
        """Who asks to read, if a worker of ours vouches for them and this path, and did so just now.

        The token has no other scope, whatever the voucher says: who steals one or learns the key can look, not act.
        """
        key, words = self._key(), header.split(" ")
        if key is None or len(words) != 5 or words[0] != SCHEME:
            return None
        _, name, scopes, at, signature = words
        good = hmac.compare_digest(
            _signature(key, f"{name} {scopes} {at}", path).encode(), signature.encode(errors="replace")
        )
        if not good or not abs(self._clock() - int(at)) <= _VALID_SECONDS:
            return None
        return Token(unquote(name), frozenset({Scope.READ}.intersection(scopes.split(","))))

    async def ask(self, address: str, path: str, token: Token) -> Told | None:
        """What the worker at `address` answers to this token's request for `path`; None when it does not."""
        voucher = self.vouch(token, path)
        if voucher is None:
            return None
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=_PATIENCE, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with self._session.get(
                URL(address + path, encoded=True), headers={"Authorization": voucher}, allow_redirects=False,
                ssl=self._tls if self._tls is not None else True,
            ) as answer:  # fmt: skip
                body = bytearray()
                async for part in answer.content.iter_any():
                    body += part
                    if len(body) > _MOST_BYTES:
                        return None
                return Told(answer.status, answer.content_type, bytes(body), answer.headers.get("Location"))
        except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
            return None

    async def close(self) -> None:
        """Let go of the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _signature(key: bytes, claim: str, path: str) -> str:
    # A stranger's header or path may hold bytes that are no UTF-8; they sign nothing, and are no fault of ours.
    return hmac.new(key, f"{claim}\n{path}".encode(errors="surrogateescape"), hashlib.sha256).hexdigest()
