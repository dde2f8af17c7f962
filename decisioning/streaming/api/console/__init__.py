"""A small read-only console in the server of the HTTP API: *Why?*, *Live*, *Rulebook*. No page changes anything.

In walking order: `words` (how things read), `told` (decisions), `timeline` (what silences a customer, on time), `tally`
(what is counted), `book` (the rulebook in words): all pure; `session` (a browser's way in), `draw` (templates and
places), `pages` (addresses; what a browser may do). Here it meets HTTP and the stream of decisions.

`static/` holds all that a browser loads; htmx 2.0.11 (0BSD) and uPlot 1.6.32 (MIT) are as npm has them, with their
licences, and their checksums are held by a test.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from decisioning.policy import Policy
from decisioning.streaming.api.console.pages import HEADERS, Asked, Pages, Sight
from decisioning.streaming.api.console.session import PATH, Sessions
from decisioning.streaming.api.console.tally import Tally
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.api.limits import STRANGER, Limits
from decisioning.streaming.api.tokens import Tokens
from decisioning.streaming.api.views import SILENT_SECONDS, Memory
from decisioning.streaming.chassis.watchdog import dismiss, supervise
from decisioning.streaming.http import Answer
from decisioning.streaming.worker import wall

_log: Final = logging.getLogger(__name__)
_MOST_BYTES: Final = 8 * 1024
_BODY_SECONDS: Final = 10.0
_FORM: Final = "application/x-www-form-urlencoded"

Answerer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Console:
    """The console of one worker; `around` puts it in front of another server, `start` begins to count."""

    def __init__(
        self, memory: Memory, journal: Journal, tokens: Tokens, limits: Limits, *, policy: Callable[[], Policy],
        now: Callable[[], int], shown: Callable[[], Mapping[str, Any]], secure: bool, by_event_time: bool,
        clock: Callable[[], int] = wall, count: Callable[[str], None] = lambda status: None,
    ) -> None:  # fmt: skip
        """`secure`: it is served by TLS; `by_event_time`: decisions bear the time of their events, not of the clock;
        `count` is told the status of every answer."""
        self._told = count
        self._journal, self._limits, self._by_event_time, self._clock = journal, limits, by_event_time, clock
        self._tally = Tally(self._at)
        self._sessions = Sessions(tokens.find, secure=secure)
        sight = Sight(memory, journal, self._tally, policy, now, clock, shown, self._silent)
        self._pages = Pages(sight, self._sessions)
        self._task: asyncio.Task[None] | None = None

    def _silent(self) -> bool:
        return self._journal.silent_for > SILENT_SECONDS or not self._journal.ready.is_set()

    def start(self) -> None:
        """Begin to count the decisions that the journal reads; before it begins."""
        self._task = supervise(self._count(), lambda: "the console's counting")

    async def stop(self) -> None:
        """Count no more. Stopping twice is stopping once."""
        task, self._task = self._task, None
        await dismiss(task)

    def around(self, otherwise: Answerer) -> Answerer:
        """Answers what is ours, and hands the rest on."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            path = request.rel_url.path
            return (
                await self.answer(request) if path == PATH or path.startswith(f"{PATH}/") else await otherwise(request)
            )

        return answer

    async def answer(self, request: web.BaseRequest) -> Answer:
        """The answer to one request for a page; it never raises but when the connection is gone."""
        try:
            found = await self._page(request)
        except Exception as error:  # ours, but no reason to stop deciding; it may hold a customer's words
            _log.error("a page of the console failed: %s", type(error).__name__)
            found = self._bare(500)
        self._told(str(found.status))
        return found

    async def _page(self, request: web.BaseRequest) -> Answer:
        asked = Asked(
            request.method,
            request.rel_url.path,
            cookie=self._sessions.read(request.headers.get("Cookie")),
            site=request.headers.get("Sec-Fetch-Site", "none"),
            partial=request.headers.get("HX-Request") == "true",
        )
        token = self._sessions.who(asked.cookie)
        if self._limits.take(token.name if token is not None else STRANGER) > 0:
            return self._bare(429)
        if request.method == "POST":
            form = await self._form(request)
            if form is None:
                return self._bare(400)
            asked = asked._replace(form=form)
        page = self._pages.answer(asked)
        found = Answer(page.status, page.body, page.content_type, more=page.headers)
        if request.can_read_body and not request.content.is_eof():
            found.force_close()
        return found

    @staticmethod
    def _bare(status: int) -> Answer:
        found = Answer(status, more=HEADERS)
        found.force_close()
        return found

    async def _form(self, request: web.BaseRequest) -> dict[str, str] | None:
        """The fields of a form; None where it is none, too large, or does not come."""
        if request.content_type != _FORM or (request.content_length or 0) > _MOST_BYTES:
            return None
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in request.content.iter_any():
                    body += part
                    if len(body) > _MOST_BYTES:
                        return None
            return dict(parse_qsl(body.decode(), max_num_fields=10, strict_parsing=bool(body)))
        except (TimeoutError, ValueError, web.RequestPayloadError, ConnectionError):
            return None

    async def _count(self) -> None:
        async for entry in self._journal.live():
            self._tally.add(entry.value)

    def _at(self, time: int) -> int | None:
        """Where a decision of this time is drawn: under the event clock when it is read, and not at all if it was
        published before we came."""
        if not self._by_event_time:
            return time
        return self._clock() if self._journal.ready.is_set() else None
