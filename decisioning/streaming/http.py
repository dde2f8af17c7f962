"""Three pages for machines: `/metrics`, `/healthz` (alive), `/readyz` (may take traffic, or why not).

It runs in the worker's event loop, on loopback unless told otherwise, and is the only server there: Faust's own is off,
because it listens on every address and hands out state (T36). It knows no other route and tells nothing else: no
version of a program, no detail of an error but those of a rulebook, no log line that repeats a request. aiohttp's
low-level server is enough for that, and its error pages, which do tell, are replaced. `Listener` and `Answer` are
also what the API (`api/`) stands on, at an address of its own.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple, Self

import orjson
from aiohttp import web

from decisioning.errors import DecisioningError
from decisioning.streaming.metrics import CONTENT_TYPE

_log: Final = logging.getLogger(__name__)
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_KEEP_ALIVE_SECONDS: Final = 75.0  # longer than scrapers pause; aiohttp's own hour keeps dead connections
_HEAD_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 1.0


class AddressTaken(DecisioningError):
    """The address cannot be listened on: the operator's to mend, in one line (exit code 3)."""


class Readiness(NamedTuple):
    """Whether the worker may take traffic, and what it waits for.

    `why` holds names, numbers and the faults of rulebooks, never customers.
    """

    ready: bool
    why: Mapping[str, object]


Answerer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Listener:
    """A listening address that says no more than it must; an async context manager.

    `port` is the one it listens on, also where 0 was asked for. `named` are the variables to mend where it cannot; at
    most `most` connections are open at once, others are closed unheard. `fault` answers what is no HTTP that we read.
    """

    def __init__(
        self, host: str, port: int, answer: Answerer, *, named: str, tls: ssl.SSLContext | None = None,
        most: int = 1024, fault: Callable[[int], web.Response] | None = None,
    ) -> None:  # fmt: skip
        self.host, self.port = host, port
        self._fault = fault or Answer
        self._answer_with, self._named, self._tls, self._most = answer, named, tls, most
        self._connections: web.Server | None = None
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens; AddressTaken when it cannot."""
        loop = asyncio.get_running_loop()
        connections = self._connections = web.Server(self._answer_with)
        try:
            self._listener = await loop.create_server(
                lambda: _Protocol(
                    connections, self._most, self._fault, loop=loop, keepalive_timeout=_KEEP_ALIVE_SECONDS
                ),
                self.host, self.port, ssl=self._tls,
            )  # fmt: skip
        except OSError as error:
            raise AddressTaken(
                f"cannot listen on {self.host}:{self.port} ({error.strerror or type(error).__name__}); "
                f"set {self._named} to a free address of this machine"
            ) from None
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stops listening; open requests have a second to end. Stopping twice is stopping once."""
        listener, self._listener = self._listener, None
        if listener is None or self._connections is None:
            return
        listener.close()
        self._connections.pre_shutdown()
        await self._connections.shutdown(_STOP_SECONDS)
        await listener.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class HttpServer(Listener):
    """The server of the three pages."""

    def __init__(
        self, host: str, port: int, *, render: Callable[[], bytes], readiness: Callable[[], Readiness]
    ) -> None:
        """`render` gives the page of `/metrics` (it runs in a thread), `readiness` the answer of `/readyz`."""
        super().__init__(host, port, self._answer, named="DECISIONING_HTTP_HOST and DECISIONING_HTTP_PORT")
        self._render, self._readiness = render, readiness

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.path
        if path not in ("/metrics", "/healthz", "/readyz"):
            return Answer(404)
        if request.method not in ("GET", "HEAD"):
            return Answer(405, allow=True)
        try:
            if path == "/metrics":
                # Some milliseconds of work, for which the events need not wait.
                return Answer(200, await asyncio.to_thread(self._render), CONTENT_TYPE)
            if path == "/readyz":
                ready, why = self._readiness()
                return Answer(200 if ready else 503, orjson.dumps({"ready": ready, **why}) + b"\n", _JSON)
        except Exception as error:  # a page that fails is our fault, but no reason to stop deciding
            _log.error("the page %s failed: %s", path, type(error).__name__)
            return Answer(500)
        return Answer(200, b"ok\n", _TEXT)


class Answer(web.Response):
    """A response that does not say which software gave it."""

    def __init__(
        self, status: int, body: bytes = b"", content_type: str = _TEXT, *, allow: bool = False,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        headers = {"Content-Type": content_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        headers |= {"Allow": "GET, HEAD"} if allow else {}
        super().__init__(status=status, body=body, headers=headers | dict(more))

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class _Protocol(web.RequestHandler):
    """The wire; errors below HTTP get a bare status, where aiohttp would quote the request and our versions.

    Who connects has some seconds for a first whole head (aiohttp waits for ever), and later as long as a connection is
    kept alive; what a request sends after its head is waited for by whoever reads it.
    """

    def __init__(self, server: web.Server, most: int, fault: Callable[[int], web.Response], **options: Any) -> None:
        # None is aiohttp's own word for no access log, whatever the type says: a line of it holds the path.
        super().__init__(server, access_log=None, **options)  # type: ignore[arg-type]
        self._server, self._most, self._fault = server, most, fault
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request, unless there are too many who do."""
        super().connection_made(transport)
        if len(self._server.connections) > self._most:
            self.force_close()
            return
        self._patience = asyncio.get_running_loop().call_later(_HEAD_SECONDS, self._lose_patience)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is there any more."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _lose_patience(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A bare status, after which the connection is closed; ConnectionError when an answer has begun already."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun; only closing the connection is left")
        answer = self._fault(status)
        answer.force_close()
        return answer
