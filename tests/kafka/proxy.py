"""A way through the network that a test can cut, slow down and heal: a TCP proxy in a thread of its own.

What a cut way holds back, it keeps: bytes and goodbyes arrive once it is healed, as they do when a network loses
packets and TCP sends them again, unless a side has given up by then. A new connection over a cut way is taken and gets
no answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Literal

Which = Literal["requests", "answers", "both"]
"""`requests` go to the server, `answers` come from it."""

_CHUNK: Final = 64 * 1024
_ROOM: Final = 64
"""Chunks under way in one direction of one connection; a sender of more waits, as at a full window."""


class _Way:
    """One direction for all connections: open or cut, and how slow."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.delay = 0.0
        self.rate: float | None = None
        self.passed = 0
        self._free_at = 0.0

    async def turn(self, size: int) -> None:
        """Wait until so many bytes may go on, all connections of the direction sharing its rate."""
        if self.rate is not None:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + size / self.rate
            await asyncio.sleep(self._free_at - now)
        await self.open.wait()


class Proxy:
    """Listens on a loopback port and passes everything on to `target`, until told otherwise.

    Also a context manager. All methods may be called from any thread; what they say holds when they return.
    """

    def __init__(self, target: tuple[str, int], port: int = 0) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self._ways = {"requests": _Way(), "answers": _Way()}
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", port))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def address(self) -> str:
        """Where it listens, host:port."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every connection and listen no more; twice is fine."""
        if not self._loop.is_closed():
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    # -- what a test says -------------------------------------------------------------------------------------------

    def cut(self, which: Which = "both") -> None:
        """Let nothing pass any more in this direction; it is kept, and nobody is told."""
        self._set(which, lambda way: way.open.clear())

    def delay(self, seconds: float, which: Which = "both") -> None:
        """Have everything arrive so much later in this direction; it does not lessen the bandwidth."""
        self._set(which, lambda way: setattr(way, "delay", seconds))

    def limit(self, bytes_per_second: float | None, which: Which = "both") -> None:
        """Let no more pass in a second, over all connections; None: as much as there is."""
        self._set(which, lambda way: setattr(way, "rate", bytes_per_second))

    def heal(self) -> None:
        """Open, at once, at full speed, in both directions; what was held back arrives now."""
        self._set("both", _heal)

    def reset(self) -> None:
        """Break every connection that there is, as a router does that forgets them; new ones are served."""
        self._do(self._end_connections())

    def passed(self, which: Literal["requests", "answers"]) -> int:
        """Bytes that have passed in this direction so far."""
        return self._ways[which].passed

    # -- how it is done, all in the thread of the loop ---------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _set(self, which: Which, change: Callable[[_Way], object]) -> None:
        async def apply() -> None:
            for name, way in self._ways.items():
                if which in (name, "both"):
                    change(way)

        self._do(apply())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        ends = [writer]
        try:
            await self._ways["requests"].open.wait()
            there, back = await asyncio.open_connection(*self._target)
            ends.append(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, back, self._ways["requests"]))
                both.create_task(_pass_on(there, writer, self._ways["answers"]))
        except* (OSError, asyncio.CancelledError):
            for end in ends:
                _reset(end)
        finally:
            self._connections.discard(task)
            for end in ends:
                end.close()

    async def _end_connections(self) -> None:
        ending = list(self._connections)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _close(self) -> None:
        self._server.close()
        await self._end_connections()


def _heal(way: _Way) -> None:
    way.delay, way.rate = 0.0, None
    way.open.set()


def _reset(end: asyncio.StreamWriter) -> None:
    """End with RST, not FIN: what is under way is lost, and the other side is told so."""
    with suppress(OSError):  # it is closed already: a broker that was killed hung up first
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: _Way) -> None:
    """Everything from one side to the other, its end or its breaking off (ConnectionResetError) included."""
    under_way: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(_ROOM)

    async def take() -> None:
        chunk: bytes | None = b"more"
        while chunk:
            try:
                chunk = await source.read(_CHUNK)
            except OSError:
                chunk = None
            await under_way.put((time.monotonic(), chunk))

    async def give() -> None:
        while True:
            began, chunk = await under_way.get()
            await asyncio.sleep(began + way.delay - time.monotonic())
            await way.turn(len(chunk or b""))
            if chunk is None:
                raise ConnectionResetError
            with suppress(OSError):  # it is gone: that goes the other way, at the pace of that one
                if not chunk:
                    sink.write_eof()
                    return
                sink.write(chunk)
                await sink.drain()
                way.passed += len(chunk)

    async with asyncio.TaskGroup() as both:
        both.create_task(take())
        both.create_task(give())
