"""The proxy of the harness: what passes, what waits, what is slow, and that healing brings everything."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.kafka.proxy import Proxy
from tests.streaming.live import until

_SILENCE = 0.3
"""Seconds in which nothing must arrive."""


class Shouter:
    """A server that answers every byte with its capital, and remembers what it heard."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target: tuple[str, int] = self._listener.getsockname()
        self.heard = b""
        self.farewells = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self._listener.accept()[0],), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while chunk := connection.recv(65536):
                self.heard += chunk
                connection.sendall(chunk.upper())
        self.farewells += 1

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Shouter]:
    shouter = Shouter()
    yield shouter
    shouter.close()


@pytest.fixture
def proxy(server: Shouter) -> Iterator[Proxy]:
    with Proxy(server.target) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        yield connection


def say(client: socket.socket, text: bytes) -> bytes:
    """Send and read the whole answer."""
    client.sendall(text)
    return hear(client, len(text))


def hear(client: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    found = b""
    while len(found) < size:
        chunk = client.recv(size - len(found))
        assert chunk, f"ended after {found!r}"
        found += chunk
    return found


def is_silent(client: socket.socket) -> bool:
    """Whether nothing comes, neither a byte nor an end."""
    client.settimeout(_SILENCE)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)
    return False


def until_heard(server: Shouter, text: bytes) -> None:
    """Wait until the server has heard exactly this."""
    end = time.monotonic() + 10
    while server.heard != text:
        assert time.monotonic() < end, f"heard {server.heard!r}"
        threading.Event().wait(0.01)


def test_everything_passes_both_ways(client: socket.socket, proxy: Proxy) -> None:
    """A megabyte there and back, byte for byte, and counted."""
    text = b"abcdefgh" * 131_072
    threading.Thread(target=client.sendall, args=(text,)).start()
    assert hear(client, len(text)) == text.upper()
    # Counted a moment after it is passed on.
    until(lambda: (proxy.passed("requests"), proxy.passed("answers")) == (len(text), len(text)), what="the count")


def test_a_client_that_ends_its_half_still_gets_its_answer(client: socket.socket) -> None:
    """The end of one direction is passed on as just that."""
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert hear(client, 10) == b"LAST WORDS"
    assert client.recv(1) == b""


def test_cut_both_ways(client: socket.socket, proxy: Proxy, server: Shouter) -> None:
    """Nothing is heard on either side, and all of it after the healing."""
    assert say(client, b"one") == b"ONE"
    proxy.cut()
    client.sendall(b"two")
    assert is_silent(client)
    assert server.heard == b"one"
    proxy.heal()
    assert hear(client, 3) == b"TWO"
    assert say(client, b"three") == b"THREE"


def test_cut_answers_lets_requests_pass(client: socket.socket, proxy: Proxy, server: Shouter) -> None:
    """The server acts on what the client believes lost."""
    proxy.cut("answers")
    client.sendall(b"pay")
    until_heard(server, b"pay")
    assert is_silent(client)
    proxy.heal()
    assert hear(client, 3) == b"PAY"


def test_cut_requests_lets_answers_pass(client: socket.socket, proxy: Proxy, server: Shouter) -> None:
    """An answer that was under way arrives; the next request does not."""
    proxy.cut("answers")
    client.sendall(b"one")
    until_heard(server, b"one")
    proxy.heal()
    proxy.cut("requests")
    assert hear(client, 3) == b"ONE"
    client.sendall(b"two")
    assert is_silent(client)
    assert server.heard == b"one"


@pytest.mark.parametrize("breaks_off", [False, True])
def test_a_goodbye_does_not_pass_a_cut(
    client: socket.socket, proxy: Proxy, server: Shouter, *, breaks_off: bool
) -> None:
    """Who dies behind a cut seems alive: that is what session timeouts are for."""
    assert say(client, b"one") == b"ONE"
    proxy.cut()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", breaks_off, 0))
    client.close()
    threading.Event().wait(_SILENCE)
    assert server.farewells == 0
    proxy.heal()
    end = time.monotonic() + 10
    while not server.farewells:
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def test_a_new_connection_over_a_cut_way_waits(proxy: Proxy, server: Shouter) -> None:
    """It is taken, gets no answer, and is served after the healing."""
    proxy.cut()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as late:
        late.sendall(b"hello")
        assert is_silent(late)
        assert server.heard == b""
        proxy.heal()
        assert hear(late, 5) == b"HELLO"


def test_delay_is_latency(client: socket.socket, proxy: Proxy) -> None:
    """Every answer is that much later, and what is sent together arrives together."""
    proxy.delay(0.2, "answers")
    began = time.monotonic()
    assert say(client, b"one") == b"ONE"
    assert time.monotonic() - began >= 0.2
    began = time.monotonic()
    for _ in range(20):
        client.sendall(b"x")
        threading.Event().wait(0.01)
    assert hear(client, 20) == b"X" * 20
    assert time.monotonic() - began < 20 * 0.2  # one after the other it would take that long


def test_limit_is_bandwidth(client: socket.socket, proxy: Proxy) -> None:
    """So many bytes a second, and no more."""
    proxy.limit(100_000, "answers")
    began = time.monotonic()
    assert say(client, b"y" * 50_000) == b"Y" * 50_000
    assert time.monotonic() - began >= 0.4
    proxy.heal()
    assert say(client, b"z" * 50_000) == b"Z" * 50_000


def test_reset_breaks_what_there_is(client: socket.socket, proxy: Proxy) -> None:
    """The client is told at once, and its next connection works."""
    assert say(client, b"one") == b"ONE"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as again:
        assert say(again, b"two") == b"TWO"


def test_no_server_ends_the_connection() -> None:
    """A broker that is down is a connection that breaks, not one that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        target: tuple[str, int] = gone.getsockname()
    with Proxy(target) as proxy:
        # While it is made, or after it.
        with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
            client.recv(1)
        proxy.close()
        proxy.close()
