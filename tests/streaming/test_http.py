"""The server: three pages, nothing else, and no word more than needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from decisioning.streaming.http import AddressTaken, Answer, HttpServer, Listener, Readiness
from decisioning.streaming.metrics import Labels, Metrics


class Worker:
    """What a worker hands to the server: its metrics and how far it has come."""

    def __init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry(), Labels((), [], (), ()))
        self.readiness = Readiness(False, {"waiting_for": ["products"]})

    def ready(self) -> Readiness:
        """What `/readyz` says now."""
        return self.readiness


@pytest.fixture
def worker() -> Worker:
    """A worker that is not ready yet."""
    return Worker()


@pytest.fixture
async def server(worker: Worker) -> AsyncIterator[HttpServer]:
    """A server on a free port of loopback."""
    async with HttpServer("127.0.0.1", 0, render=worker.metrics.render, readiness=worker.ready) as running:
        yield running


async def _ask(server: HttpServer, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{server.port}{path}") as response,
    ):
        return response.status, dict(response.headers), await response.read()


async def test_metrics_are_served_as_prometheus_reads_them(server: HttpServer, worker: Worker) -> None:
    """The page is the registry's text, under the content type that scrapers ask for."""
    worker.metrics.wakes.inc(by=3)
    status, headers, body = await _ask(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"\ndecisioning_wakes_total 3.0\n" in body


async def test_health_is_alive_and_nothing_more(server: HttpServer) -> None:
    """A worker that still restores is alive: a probe must not kill it."""
    assert (await _ask(server, "/healthz"))[::2] == (200, b"ok\n")


async def test_readiness_says_why_not(server: HttpServer, worker: Worker) -> None:
    """503 with one line of JSON until the worker says otherwise."""
    status, headers, body = await _ask(server, "/readyz")
    assert (status, body) == (503, b'{"ready":false,"waiting_for":["products"]}\n')
    assert headers["Content-Type"].startswith("application/json")
    worker.readiness = Readiness(True, {})
    assert (await _ask(server, "/readyz"))[::2] == (200, b'{"ready":true}\n')


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/table/state/c-42/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/..%2f..%2fetc/passwd", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/healthz", 405),
        ("OPTIONS", "/readyz", 405),
    ],
)
async def test_everything_else_is_refused_without_a_word(
    server: HttpServer, method: str, path: str, status: int
) -> None:
    """T36: no other route, no detail, no sign of what software answers."""
    answered, headers, body = await _ask(server, path, method)
    assert (answered, body) == (status, b"")
    assert "Server" not in headers


async def test_good_answers_carry_no_server_header(server: HttpServer) -> None:
    """The version of a library is an invitation."""
    for path in ("/metrics", "/healthz", "/readyz"):
        assert "Server" not in (await _ask(server, path))[1]


async def test_a_failing_page_tells_its_kind_to_the_log_alone(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    """An error may hold a customer's words; neither the answer nor the log repeats them."""

    def broken() -> Readiness:
        raise KeyError("jane.doe@example.com")

    async with HttpServer("127.0.0.1", 0, render=worker.metrics.render, readiness=broken) as server:
        assert (await _ask(server, "/readyz"))[::2] == (500, b"")
        assert (await _ask(server, "/healthz"))[0] == 200
    assert "the page /readyz failed: KeyError" in caplog.text
    assert "jane" not in caplog.text


async def test_rubbish_on_the_wire_names_no_software(server: HttpServer) -> None:
    """A request that is no HTTP is refused by the library itself, before any handler of ours."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\x00\x01 rubbish\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.splitlines()[0].split()[1] == b"400"
    assert answer.endswith(b"\r\n\r\n")
    assert b"aiohttp" not in answer.lower()
    assert b"rubbish" not in answer


async def test_rubbish_is_answered_in_the_words_of_whoever_listens() -> None:
    """An API has one shape for every fault, also for a line that is too long to be read."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return Answer(204)

    async with Listener("127.0.0.1", 0, answer, named="", fault=lambda status: Answer(status, b"mine")) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        told = await reader.read()
        writer.close()
    assert told.split()[1] == b"400"
    assert told.endswith(b"\r\n\r\nmine")


async def test_a_taken_address_is_one_line(server: HttpServer, worker: Worker) -> None:
    """A second worker on the same machine reads which variable to set."""
    second = HttpServer("127.0.0.1", server.port, render=worker.metrics.render, readiness=worker.ready)
    with pytest.raises(AddressTaken, match=rf"cannot listen on 127.0.0.1:{server.port} .*DECISIONING_HTTP_PORT"):
        await second.start()


async def test_it_stops_listening(worker: Worker) -> None:
    """After stop the port is free for the next worker; stopping twice is fine."""
    server = HttpServer("127.0.0.1", 0, render=worker.metrics.render, readiness=worker.ready)
    await server.start()
    await server.stop()
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await _ask(server, "/healthz")


async def test_a_head_request_gets_the_status_alone(server: HttpServer) -> None:
    """Some load balancers probe with HEAD."""
    assert (await _ask(server, "/readyz", "HEAD"))[::2] == (503, b"")


async def test_stop_does_not_wait_for_an_idle_connection(worker: Worker) -> None:
    """A scraper keeps its connection open between scrapes; the worker ends all the same."""
    server = HttpServer("127.0.0.1", 0, render=worker.metrics.render, readiness=worker.ready)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"ok\n"), 10)
    await asyncio.wait_for(server.stop(), 5)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
