"""The console's addresses: who may see a page, what is on it, and what a browser may do with it. No HTTP in here.

Whoever has no session sees the sign-in page and the files that it needs, and nothing else. A customer is named in the
body of a form, never in an address, so that no log, history or Referer of anybody's repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

from decisioning.context import context
from decisioning.instant import parse_instant
from decisioning.policy import Policy
from decisioning.reasons import describe
from decisioning.state import State
from decisioning.streaming.api.console import book
from decisioning.streaming.api.console.draw import render, static
from decisioning.streaming.api.console.session import PATH, Sessions
from decisioning.streaming.api.console.tally import Tally
from decisioning.streaming.api.console.timeline import Mark, timeline
from decisioning.streaming.api.console.told import Event, told
from decisioning.streaming.api.console.words import OUTCOMES, moment
from decisioning.streaming.api.journal import Entry, Journal
from decisioning.streaming.api.tokens import Token
from decisioning.streaming.api.views import Memory

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may do: load our own files, ask us, send us forms. Nothing inline, nothing from elsewhere."""
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": CSP,
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
)
_HTML: Final = "text/html; charset=utf-8"
_SHOWN: Final = 20
_NEWEST: Final = 20
_LONGEST: Final = 512


class Asked(NamedTuple):
    """A request as far as a page is concerned; `site` is its Sec-Fetch-Site, `partial` asks for a part of a page."""

    method: str
    path: str
    form: Mapping[str, str] = MappingProxyType({})
    cookie: str | None = None
    site: str = "none"
    partial: bool = False


class Page(NamedTuple):
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = _HTML
    headers: Mapping[str, str] = HEADERS


class Sight(NamedTuple):
    """What the pages may look at: this worker's customers, the newest decisions, and what is counted of them.

    `shown` is what `/readyz` says of the rulebook; `silent` whether Kafka does not answer.
    """

    memory: Memory
    journal: Journal
    tally: Tally
    policy: Callable[[], Policy]
    now: Callable[[], int]
    wall: Callable[[], int]
    shown: Callable[[], Mapping[str, Any]]
    silent: Callable[[], bool]


class Pages:
    """The console, but for the wire."""

    def __init__(self, sight: Sight, sessions: Sessions) -> None:
        self._sight, self._sessions = sight, sessions
        self._routes: Mapping[tuple[str, str], Callable[[Asked, Token], Page]] = {
            ("GET", PATH): lambda asked, token: _to(f"{PATH}/why"),
            ("GET", f"{PATH}/"): lambda asked, token: _to(f"{PATH}/why"),
            ("GET", f"{PATH}/why"): self._why,
            ("POST", f"{PATH}/why"): self._why,
            ("GET", f"{PATH}/live"): self._live,
            ("GET", f"{PATH}/live/newest"): self._newest,
            ("GET", f"{PATH}/live/series"): self._series,
            ("GET", f"{PATH}/rulebook"): self._rulebook,
            ("POST", f"{PATH}/sign-out"): self._sign_out,
        }

    def answer(self, asked: Asked) -> Page:
        """The page of a request."""
        asked = asked._replace(method="GET") if asked.method == "HEAD" else asked
        if asked.path.startswith(f"{PATH}/static/"):
            return _file(asked)
        if asked.method == "POST" and asked.site not in ("same-origin", "none"):
            return self._nothing(403)
        if asked.path == f"{PATH}/sign-in":
            return self._sign_in(asked)
        token = self._sessions.who(asked.cookie)
        if token is None:
            return self._stranger(asked)
        found = self._routes.get((asked.method, asked.path))
        if found is None:
            return self._nothing(405 if any(path == asked.path for _, path in self._routes) else 404)
        return found(asked, token)

    # -- the way in ---------------------------------------------------------------------------------------------------

    def _stranger(self, asked: Asked) -> Page:
        if asked.partial or asked.path.startswith(f"{PATH}/live/"):
            return Page(401, b"signed out", "text/plain; charset=utf-8")
        if asked.method == "GET" and asked.site == "cross-site":
            # Who follows a link from a runbook comes without the cookie; asking once more from here brings it.
            return Page(200, render("again.html"))
        return _to(f"{PATH}/sign-in")

    def _sign_in(self, asked: Asked) -> Page:
        if asked.method == "GET":
            return Page(200, render("sign_in.html", token=None, page="sign-in", refused=False))
        if asked.method != "POST":
            return self._nothing(405)
        name = self._sessions.open(asked.form.get("token", "").strip())
        if name is None:
            return Page(403, render("sign_in.html", token=None, page="sign-in", refused=True))
        self._sessions.close(asked.cookie)
        return _to(f"{PATH}/why", self._sessions.set_cookie(name))

    def _sign_out(self, asked: Asked, token: Token) -> Page:
        self._sessions.close(asked.cookie)
        return _to(f"{PATH}/sign-in", self._sessions.set_cookie(None))

    def _nothing(self, status: int) -> Page:
        return Page(status, render("nothing.html", token=None, page="", status=status))

    # -- why ----------------------------------------------------------------------------------------------------------

    def _why(self, asked: Asked, token: Token) -> Page:
        sight, now = self._sight, self._sight.now()
        opened = asked.form.get("decision", "")
        entry = sight.journal.get(opened) if opened else None
        customer = entry.subject if entry is not None else asked.form.get("customer", "").strip()[:_LONGEST]
        shown: dict[str, Any] = {"token": token, "page": "why", "customer": customer, "now": moment(now, now)}
        shown |= {"opened": opened, "silent": sight.silent(), "reach": self._reach(now)}
        if customer:
            shown |= self._about(customer, now)
        return Page(200, render("answer.html" if asked.partial else "why.html", **shown))

    def _about(self, customer: str, now: int) -> dict[str, Any]:
        """All that is known of a customer, as the template wants it."""
        sight = self._sight
        events = [entry.event for entry in sight.journal.of_customer(customer, most=_SHOWN)]
        newest = max((parse_instant(event["time"]) for event in events), default=now)
        if not sight.memory.owns(customer):
            return {"told": told(events, max(now, newest)), "elsewhere": True, "moved": None, "line": None}
        policy, state = sight.policy(), sight.memory.look(customer)
        if state is not None and state.moved_to is not None:
            return {"told": told(events, max(now, newest)), "elsewhere": False, "moved": state.moved_to, "line": None}
        known = state or State(customer)
        now = max(now, known.now)
        seen = context(policy, known, customer, now)
        return {
            "told": told(events, max(now, newest)),
            "elsewhere": False,
            "moved": None,
            "seen": seen,
            "may": _matrix(seen.may),
            "line": timeline(policy, known, now, list(map(_mark, events))) if state is not None else None,
        }

    def _reach(self, now: int) -> dict[str, Any]:
        count, oldest = self._sight.journal.reach
        return {"count": count, "oldest": moment(parse_instant(oldest), now) if oldest else None}

    # -- live ---------------------------------------------------------------------------------------------------------

    def _live(self, asked: Asked, token: Token) -> Page:
        return Page(200, render("live.html", token=token, page="live", **self._news()))

    def _newest(self, asked: Asked, token: Token) -> Page:
        return Page(200, render("newest.html", **self._news()))

    def _news(self) -> dict[str, Any]:
        sight = self._sight
        now, wall = sight.now(), sight.wall()
        entries = sight.journal.newest(_NEWEST)
        outcomes, reasons = sight.tally.outcomes(wall), sight.tally.reasons(wall)
        most = max((count for _, count in reasons), default=1)
        ranked = [(code, describe(code).author, count, f"{100 * count / most:.1f}%") for code, count in reasons[:12]]
        return {
            "newest": [_short(entry, now) for entry in entries],
            "counted": outcomes,
            "reasons": ranked,
            "silent": sight.silent(),
            "reach": self._reach(now),
        }

    def _series(self, asked: Asked, token: Token) -> Page:
        sight = self._sight
        found = sight.tally.series(sight.wall())
        told = {"at": found.at, "outcomes": found.outcomes, "reasons": found.reasons, "silent": sight.silent()}
        return Page(200, orjson.dumps(told), "application/json")

    # -- the rulebook -------------------------------------------------------------------------------------------------

    def _rulebook(self, asked: Asked, token: Token) -> Page:
        sight, now = self._sight, self._sight.now()
        policy = sight.policy()
        found = book.page(policy, sight.shown(), sight.tally.of(policy.rulebook.digest))
        since = moment(found.since, now) if found.since is not None else None
        return Page(200, render("rulebook.html", token=token, page="rulebook", book=found, since=since))


class Short(NamedTuple):
    """A decision in one line of the stream; whose it is stands on the page behind it."""

    id: str
    at: Any
    outcome: str
    action: str
    class_: str
    channel: str
    reason: str
    sentence: str


def _short(entry: Entry, now: int) -> Short:
    data = entry.event["data"]
    return Short(
        entry.id,
        moment(parse_instant(entry.event["time"]), now),
        entry.outcome,
        data.get("action") or "",
        data.get("class") or "",
        data.get("channel") or "",
        data["reason"],
        describe(data["reason"]).author,
    )


def _mark(event: Event) -> Mark:
    data = event["data"]
    says = f"{OUTCOMES.get(data['outcome'], '')} {data.get('action') or ''}: {data['reason']}"
    return Mark(event["id"], data["outcome"], parse_instant(event["time"]), says)


def _matrix(may: list[Any]) -> dict[str, Any]:
    """Class x channel: `channels` in their order, and a row a class."""
    channels = list(dict.fromkeys(one.channel for one in may))
    rows: dict[str, list[Any]] = {}
    for one in may:
        rows.setdefault(one.class_, []).append(one)
    return {"channels": channels, "rows": rows}


def _to(path: str, cookie: str | None = None) -> Page:
    more = {"Set-Cookie": cookie} if cookie is not None else {}
    return Page(303, headers={**HEADERS, "Location": path, **more})


def _file(asked: Asked) -> Page:
    found = static(asked.path.removeprefix(f"{PATH}/static/"))
    if found is None or asked.method != "GET":
        return Page(404 if found is None else 405, b"", "text/plain; charset=utf-8")
    return Page(200, found[0], found[1], {**HEADERS, "Cache-Control": "max-age=86400"})
