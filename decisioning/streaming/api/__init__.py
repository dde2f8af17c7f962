"""The HTTP API of a worker, for those who must ask and wait; off unless there is a token file.

In walking order: `tokens` and `limits` (who, how often), `problem` (how a fault looks), `journal` (the newest
decisions), `views` (what can be looked up, as plain functions), `older` (answers from before the journal's window),
`decide` (a request through the log), `peers` (another worker's customers), `merged` (who became part of whom),
`switch` (what people stop by hand), `routes` and `openapi` (the addresses as data), `tls`, `server` (all of it over
HTTP). Here it is put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from decisioning.state import State
from decisioning.stops import Stops
from decisioning.streaming.api import openapi
from decisioning.streaming.api.console import Console
from decisioning.streaming.api.console.session import PATH
from decisioning.streaming.api.decide import Decide
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.api.limits import Limits
from decisioning.streaming.api.merged import Merged
from decisioning.streaming.api.older import Older
from decisioning.streaming.api.peers import Peers
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.server import Api
from decisioning.streaming.api.switch import Switch
from decisioning.streaming.api.tls import ServerTls, for_peers
from decisioning.streaming.api.tokens import Tokens, TokensError
from decisioning.streaming.api.views import Memory, Views
from decisioning.streaming.chassis import whereabouts
from decisioning.streaming.chassis.transport import App
from decisioning.streaming.chassis.watchdog import dismiss
from decisioning.streaming.http import Listener
from decisioning.streaming.metrics import Metrics
from decisioning.streaming.settings import PREFIX, Settings, SettingsError
from decisioning.streaming.topics import partition_of
from decisioning.streaming.worker import Worker

_LOOK_SECONDS: Final = 60.0
_ANYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # what nobody can be reached at


class Service:
    """The API of one worker; an async context manager around the worker's run. Without a token file it does nothing."""

    def __init__(
        self, settings: Settings, app: App, worker: Worker, stops: Stops, metrics: Metrics,
        say: Callable[[str], None], shown: Callable[[], Mapping[str, object]],
    ) -> None:  # fmt: skip
        """`stops` is what the worker follows of the switch, `shown` what `/readyz` says of the rulebook.

        SettingsError for a token or TLS file that is no good.
        """
        self._settings, self._app, self._say = settings, app, say
        self._tasks: list[asyncio.Task[None]] = []
        self.listener: Listener | None = None
        """What listens; None where the API is off."""
        if settings.api_tokens_file is None:
            return
        try:
            tokens = Tokens(settings.api_tokens_file, say)
        except TokensError as error:
            raise SettingsError(f"{PREFIX}API_TOKENS_FILE: {error}") from None
        self._tls = ServerTls(settings)
        self.journal = Journal(settings)
        self._peers = Peers(lambda: tokens.peer_key, for_peers(settings))
        memory, limits = _memory(settings, app), Limits(settings.api_rate)
        self.views = Views(memory, self.journal, lambda: worker.policy, worker.now)
        merged = Merged(self.views, self._peers)
        older = Older(settings, self.journal, self.views.perhaps_erased)
        self._decide = Decide(settings, self.journal, lambda: worker.policy, worker.now, merged.into, older)
        self._console = Console(
            memory, self.journal, tokens, limits, policy=lambda: worker.policy, now=worker.now, shown=shown,
            secure=self._tls.context is not None, by_event_time=settings.clock == "event",
            count=lambda status: metrics.api_requests.inc("console", status),
        )  # fmt: skip
        api = Api(
            self.views, self._decide, older, tokens, limits, self._peers, merged, Switch(settings, stops), metrics,
            document=openapi.dumps(), most_bytes=settings.max_event_bytes, wait_seconds=settings.api_wait_ms / 1000,
        )  # fmt: skip
        answer = self._console.around(api.answer) if settings.api_console else api.answer
        self.listener = Listener(
            settings.api_host, settings.api_port, answer, named=f"{PREFIX}API_HOST and {PREFIX}API_PORT",
            tls=self._tls.context, fault=lambda status: Problem("bad-request", "this is no HTTP that we read").answer(),
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        if self.listener is not None:
            if self._settings.api_console:
                self._console.start()
            self.journal.start()
            await self.listener.start()
            self._tasks = [asyncio.create_task(self._renew())]
            address = self._address(self.listener)
            self._say(f"{address}/v1/openapi.json")
            if self._settings.api_console:
                self._say(f"{address}{PATH}")
            if self._settings.api_url is not None or self.listener.host not in _ANYWHERE:
                whereabouts.announce(self._app, address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.listener is None:
            return
        await self.listener.stop()
        await dismiss(*self._tasks)
        await self._peers.close()
        await self._decide.stop()
        await self.journal.stop()
        await self._console.stop()

    def _address(self, listener: Listener) -> str:
        if self._settings.api_url is not None:
            return self._settings.api_url
        host = f"[{listener.host}]" if ":" in listener.host else listener.host
        return f"{'http' if self._tls.context is None else 'https'}://{host}:{listener.port}"

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not await asyncio.to_thread(self._tls.refresh):
                self._say(f"{PREFIX}API_TLS_CERT_FILE: the new certificate is no good, the old one stays")


def _memory(settings: Settings, app: App) -> Memory:
    """The states of this worker's lanes, by customer."""

    def lane(customer: str) -> int:
        return partition_of(customer.encode(), settings.partitions)

    def look(customer: str) -> State | None:
        found: State | None = whereabouts.look(app, lane(customer), customer.encode())
        return found

    return Memory(
        owns=lambda customer: whereabouts.owns(app, lane(customer)),
        look=look,
        owner=lambda customer: whereabouts.owner(app, lane(customer)),
    )
