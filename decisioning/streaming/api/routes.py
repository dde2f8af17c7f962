"""The addresses of the API as data: method, path, scope, what it is asked and what it answers.

Dispatch, the scope check, the metrics' labels and the OpenAPI document all come from this table, so an address that is
not in it does not exist, and one without a scope is open to no stranger either (`scope` None: any token that we know).
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote

from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.tokens import Scope

_LONGEST: Final = 512


class Query(NamedTuple):
    """A query parameter; `most` of a number, none: a text."""

    name: str
    says: str
    most: int | None = None


class Route(NamedTuple):
    """One address. `request` names the schema of its body, `answers` that of each good status; problems are the same
    everywhere. `headers` are those that mean something here and nowhere else."""

    name: str
    method: str
    path: str
    scope: Scope | None
    says: str
    answers: dict[int, str]
    more: str = ""
    queries: tuple[Query, ...] = ()
    problems: tuple[str, ...] = ()
    request: str = ""
    headers: tuple[str, ...] = ()


_BODY: Final = ("too-slow", "too-large", "unsupported-media-type")

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "decide", "POST", "/v1/decide", Scope.DECIDE, "May we speak to this customer, and with which of these?",
        {200: "Outcome", 202: "Outcome"},
        "A `contact.requested`; the attributes `specversion`, `type`, `source`, `id` and `time` may be left out. The"
        " request goes through the log, so it is durable; asking again with the same `source` and `id` gives the same"
        " answer. 202: not answered within the wait (`Prefer: wait=3`), look at `Location`. The answer to a request of"
        " long ago is no longer among the newest decisions of this worker: after the wait, unless that is 0, it is"
        " looked for on the topic, from the event's `time` on (where the body has none, among the newest before those),"
        " within bounds of records, bytes and some seconds. Where it is not found there it is 202 for as long as one"
        " asks, and `older` says so.",
        problems=(*_BODY, "not-an-event", "busy"), request="Request", headers=("Idempotency-Key", "Prefer"),
    ),
    Route(
        "context", "GET", "/v1/customers/{customer}/context", Scope.READ,
        "What somebody who speaks with this customer should see.", {200: "Context", 307: ""},
        "307: this subject became part of another customer. Where their history cannot be seen: `degraded`, service"
        " yes, marketing no.", problems=("not-found",),
    ),
    Route(
        "order", "GET", "/v1/customers/{customer}/orders/{order}", Scope.READ,
        "Where an order stands, and as of when.", {200: "OrderStatus", 307: ""}, problems=("not-found",),
    ),
    Route(
        "decisions", "GET", "/v1/customers/{customer}/decisions", Scope.READ,
        "The newest decisions about a customer, the newest first.", {200: "Decisions", 307: ""},
        "307: there are none, and this subject became part of another customer. With `request_id` those from before the"
        " newest are looked for too, where none of the newest is one: on the topic, within bounds of records, bytes and"
        " seconds; `older` says whether there may be more. One such look at a time is under way on a worker: 503.",
        queries=(
            Query("request_id", "Only the answers to this request."), Query("limit", "So many at most.", 50),
            Query("since", "The request is of this instant (RFC 3339) or later; the look begins there."),
        ),
        problems=("not-found", "busy"),
    ),
    Route(
        "why", "GET", "/v1/decisions/{decision}", Scope.READ,
        "One of the newest decisions, with its reasons in words.", {200: "Why"},
        "An id alone does not say where on the topic an older one lies: 404, ask with customer and request.",
        problems=("not-found",),
    ),
    Route(
        "stops", "GET", "/v1/stops", Scope.READ, "What people have stopped by hand, and what is over.",
        {200: "StopsShown"}, "By the time they were pulled; one that is over has `resumed`. What is pulled anywhere is"
        " here within two seconds. What a rulebook itself stops is not among them.",
    ),
    Route(
        "stop", "POST", "/v1/stops", Scope.ADMIN, "Stop a thing now, on every worker.", {200: "Stop"},
        "The token's name, the time and the reason go on record. What is live and named by it is taken back. To stop"
        " the same again is a new time and reason.", problems=(*_BODY, "not-a-stop", "unavailable"),
        request="StopRequest",
    ),
    Route(
        "resume", "POST", "/v1/stops/resume", Scope.ADMIN, "Take back one's own stop of a thing.", {200: "Resumed"},
        "Others' stops of it stand, unless `whose` names them; `left` are those that still stand.",
        problems=(*_BODY, "nothing-stands", "not-a-stop", "unavailable"), request="ResumeRequest",
    ),
    Route("openapi", "GET", "/v1/openapi.json", None, "This document.", {200: "Document"}),
)  # fmt: skip


class Matched(NamedTuple):
    """A route, and what its path names."""

    route: Route
    values: tuple[str, ...]


def match(method: str, raw_path: str) -> Matched:
    """The route of a request; `raw_path` is still percent-encoded. Problem where there is none."""
    parts = raw_path.split("/")
    found = [(route, values) for route in ROUTES if (values := _values(route.path.split("/"), parts)) is not None]
    if not found:
        raise Problem("not-found", "there is no such address; see /v1/openapi.json")
    for route, values in found:
        if method in _methods(route):
            return Matched(route, values)
    allowed = sorted({one for route, _ in found for one in _methods(route)})
    raise Problem("method-not-allowed", f"use {' or '.join(allowed)}", {"Allow": ", ".join(allowed)})


def _methods(route: Route) -> tuple[str, ...]:
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)


def _values(pattern: list[str], parts: list[str]) -> tuple[str, ...] | None:
    """What the parts of a path name; None where it is another path."""
    if len(pattern) != len(parts):
        return None
    values = []
    for wanted, part in zip(pattern, parts, strict=True):
        if not wanted.startswith("{"):
            if wanted != part:
                return None
            continue
        try:
            value = unquote(part, errors="strict")
        except UnicodeDecodeError:
            return None
        if not value or len(value) > _LONGEST or "\0" in value:
            return None
        values.append(value)
    return tuple(values)
