"""The API over HTTP: who asks, may they, how often, how much; then the answer, which is never an error page.

    token? ─ no ─▶ 401, whatever the address    scope? ─ no ─▶ 403    too often? ─▶ 429    else the route's answer

Every fault has one shape (`problem.py`) and repeats nothing of the request. Nothing is logged of a request either: what
was asked, by whom and for whom is on the log in Kafka where it had an effect, and in the metrics by route and status.
There is no CORS header, so no page of another origin may read an answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from decisioning.context import Context, OrderStatus
from decisioning.instant import parse_instant
from decisioning.streaming.api.decide import ASK_AGAIN_SECONDS, Decide, wait_of
from decisioning.streaming.api.limits import STRANGER, Limits
from decisioning.streaming.api.merged import Merged
from decisioning.streaming.api.older import Older, Sought
from decisioning.streaming.api.peers import SCHEME, Peers
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.routes import Matched, Route, match
from decisioning.streaming.api.switch import Switch
from decisioning.streaming.api.tokens import Scope, Token, Tokens
from decisioning.streaming.api.views import Elsewhere, Moved, Views
from decisioning.streaming.http import Answer
from decisioning.streaming.metrics import Metrics

_log: Final = logging.getLogger(__name__)
_JSON: Final = "application/json"
_TAKEN: Final = frozenset({_JSON, "application/cloudevents+json"})
_BODY_SECONDS: Final = 10.0
_LONGEST_ID: Final = 512
Found = Context | OrderStatus | Moved | Elsewhere | None


class Api:
    """Answers requests; `answer` is what a `Listener` is given."""

    def __init__(
        self, views: Views, decide: Decide, older: Older, tokens: Tokens, limits: Limits, peers: Peers, merged: Merged,
        switch: Switch, metrics: Metrics, *, document: bytes, most_bytes: int, wait_seconds: float,
    ) -> None:  # fmt: skip
        self._views, self._decide, self._older, self._tokens, self._limits = views, decide, older, tokens, limits
        self._peers, self._merged, self._switch, self._metrics = peers, merged, switch, metrics
        self._document, self._most_bytes, self._wait = document, most_bytes, wait_seconds
        self._routes: dict[str, Callable[[web.BaseRequest, Matched, Token, bool], Awaitable[Answer]]] = {
            "decide": self._ask,
            "context": self._context,
            "order": self._order,
            "decisions": self._decisions,
            "why": self._why,
            "stops": self._stops,
            "stop": self._stop,
            "resume": self._resume,
            "openapi": self._openapi,
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to one request; it never raises but when the connection is gone."""
        began, name = perf_counter(), "none"
        try:
            token, vouched = self._caller(request)
            matched = match(request.method, request.rel_url.raw_path)
            name = matched.route.name
            self._admit(token, matched.route.scope)
            _check(request, matched.route)
            found = await self._routes[name](request, matched, token, vouched)
        except Problem as problem:
            found = problem.answer()
        except Exception as error:  # ours, but no reason to stop deciding; it may hold a customer's words
            _log.error("the route %s failed: %s", name, type(error).__name__)
            found = Problem("internal", "it was not written down what you asked; ask the operator").answer()
        if request.can_read_body and not request.content.is_eof():
            found.force_close()  # what was not read of it is not waited for
        self._metrics.api_requests.inc(name, str(found.status))
        self._metrics.api_seconds.observe(perf_counter() - began, name)
        return found

    # -- who may ------------------------------------------------------------------------------------------------------

    def _caller(self, request: web.BaseRequest) -> tuple[Token, bool]:
        """Whose request it is, and whether another worker vouches for that. Problem for a stranger."""
        given = request.headers.getall("Authorization", [])
        if len(given) == 1:
            scheme, _, secret = given[0].partition(" ")
            if scheme.lower() == "bearer" and (token := self._tokens.find(secret.strip())) is not None:
                return token, False
            if scheme == SCHEME and (token := self._peers.vouched(given[0], request.rel_url.raw_path_qs)) is not None:
                return token, True
        if (seconds := self._limits.take(STRANGER)) > 0:
            raise _too_often(seconds)
        raise Problem("unauthenticated", "send `Authorization: Bearer <token>`", {"WWW-Authenticate": "Bearer"})

    def _admit(self, token: Token, scope: Scope | None) -> None:
        if scope is not None and scope not in token.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise Problem("forbidden", f"it needs the scope `{scope}`", {"WWW-Authenticate": challenge})
        if (seconds := self._limits.take(token.name)) > 0:
            raise _too_often(seconds)

    # -- the routes ---------------------------------------------------------------------------------------------------

    async def _ask(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        _check_type(request)
        key = request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= _LONGEST_ID:
            raise Problem("bad-request", f"an Idempotency-Key has up to {_LONGEST_ID} characters")
        asked = self._decide.read(await self._body(request), token.name, key)
        outcome = await self._decide.ask(asked, wait_of(request.headers, self._wait))
        body = msgspec.json.encode(outcome.as_json())
        if outcome.status == "answered":
            return Answer(200, body, _JSON)
        more = {"Retry-After": "1" if outcome.status == "pending" else str(ASK_AGAIN_SECONDS)}
        if outcome.status == "pending":
            return Answer(202, body, _JSON, more=more | {"Location": outcome.location})
        return Answer(200, body, _JSON, more=more)

    async def _body(self, request: web.BaseRequest) -> bytes:
        most, body = self._most_bytes, bytearray()
        if (request.content_length or 0) > most:
            raise Problem("too-large", f"a body has up to {most} bytes")
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in request.content.iter_any():
                    body += part
                    if len(body) > most:
                        raise Problem("too-large", f"a body has up to {most} bytes")
        except TimeoutError:
            raise Problem("too-slow", f"a body takes up to {_BODY_SECONDS:g} seconds") from None
        except (web.RequestPayloadError, ConnectionError):
            raise Problem("bad-request", "the body cannot be read to its end") from None
        return bytes(body)

    async def _context(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        [customer] = matched.values
        found = self._views.context(customer)
        return await self._told(request, found, token, vouched, lambda: self._views.degraded_context(customer))

    async def _order(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        customer, order = matched.values
        found = self._views.order(customer, order)
        return await self._told(request, found, token, vouched, lambda: self._views.degraded_order(customer, order))

    async def _told(
        self, request: web.BaseRequest, found: Found, token: Token, vouched: bool,
        degraded: Callable[[], Context | OrderStatus],
    ) -> Answer:  # fmt: skip
        """What a view found; from the worker that has it; else the degraded answer."""
        if found is None:
            raise Problem("not-found", "we never heard of this order")
        if isinstance(found, Moved):
            return _way_on(request, found.to)
        if isinstance(found, Elsewhere):
            if found.address is not None and not vouched:
                told = await self._peers.ask(found.address, request.rel_url.raw_path_qs, token)
                if told is not None and told.status in (200, 307, 404):
                    more = {} if told.location is None else {"Location": told.location}
                    return Answer(told.status, told.body, told.content_type, more=more)
            found = degraded()
        return Answer(200, msgspec.json.encode(found), _JSON)

    async def _decisions(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        [customer] = matched.values
        query = request.rel_url.query
        limit = query.get("limit", "20")
        if not limit.isdecimal() or not 1 <= int(limit[:4]) <= 50 or len(limit) > 4:
            raise Problem("bad-request", "`limit` is a number from 1 to 50")
        request_id = query.get("request_id")
        if request_id is not None and len(request_id) > _LONGEST_ID:
            raise Problem("bad-request", f"`request_id` has up to {_LONGEST_ID} characters")
        since = _since(query.get("since"))
        found, more = self._views.decisions(customer, request_id, int(limit)), {}
        if not found and request_id is not None:
            looked = await self._older.look(Sought(customer, request_id, None, since, int(limit)))
            found, more = [one.event for one in reversed(looked.entries)][: int(limit)], {"older": looked.says}
        if not found and not vouched and (into := await self._merged.into(customer)):
            query_string = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
            return _way_on(request, into[-1], query_string)
        told: dict[str, Any] = {"customer": customer, "degraded": self._views.silent, "decisions": found}
        told |= {} if found else more
        return Answer(200, msgspec.json.encode(told), _JSON)

    async def _why(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        found = self._views.why(matched.values[0])
        if found is None:
            raise Problem(
                "not-found",
                "it is not among the newest decisions; of an older one ask with customer and request:"
                " /v1/customers/{customer}/decisions?request_id=",
            )
        return Answer(200, msgspec.json.encode(found), _JSON)

    async def _stops(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        return Answer(200, msgspec.json.encode(self._switch.shown(degraded=self._views.silent)), _JSON)

    async def _stop(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        _check_type(request)
        return Answer(200, msgspec.json.encode(await self._switch.stop(await self._body(request), token.name)), _JSON)

    async def _resume(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        _check_type(request)
        return Answer(200, msgspec.json.encode(await self._switch.resume(await self._body(request), token.name)), _JSON)

    async def _openapi(self, request: web.BaseRequest, matched: Matched, token: Token, vouched: bool) -> Answer:
        return Answer(200, self._document, _JSON)


def _since(text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError:
        raise Problem("bad-request", "`since` is an instant as in RFC 3339") from None


def _way_on(request: web.BaseRequest, customer: str, query: str = "") -> Answer:
    """The same of another customer."""
    rest = request.rel_url.raw_path.split("/")[4:]
    return Answer(
        307, b"", _JSON, more={"Location": "/".join(["/v1/customers", quote(customer, safe=""), *rest]) + query}
    )


def _check_type(request: web.BaseRequest) -> None:
    """What a form of another origin can send is refused unread."""
    if request.content_type not in _TAKEN:
        raise Problem("unsupported-media-type", f"send {' or '.join(sorted(_TAKEN))}")


def _check(request: web.BaseRequest, route: Route) -> None:
    """A misspelt parameter that were passed over would answer another question."""
    known = [query.name for query in route.queries]
    asked = [name for name, _ in request.rel_url.query.items()]
    if len(set(asked)) < len(asked) or not set(asked) <= set(known):
        raise Problem("bad-request", f"parameters, each once: {', '.join(known) or 'none'}")


def _too_often(seconds: float) -> Problem:
    return Problem("too-many-requests", "ask less often", {"Retry-After": str(max(1, round(seconds + 0.5)))})
