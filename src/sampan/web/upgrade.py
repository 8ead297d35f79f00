"""A connection that HTTP has given away: after `101 Switching Protocols` its bytes are a handler's own.

A server that can do so puts `EXTENSION` into the scope of a request that asks for another protocol
(`app.connections`); such a request passes guards, routes and authorisation as any other. A handler that is content
calls `take_over` instead of answering.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from starlette.types import Scope

from sampan.kube.errors import BadRequestError

EXTENSION = "sampan.upgrade"
_UNREAD_BYTES = 256 * 1024
"""Beyond them the connection is not read until the handler has taken some."""
_LOOK_SECONDS = 2.0
_PING_SECONDS = 3.0
_NOT_READ_EVENTS = select.POLLRDHUP | select.POLLERR | select.POLLHUP

Headers = Sequence[tuple[bytes, bytes]]


class UpgradedStream(asyncio.Protocol):
    """The connection. Implements client.streams.Duplex; one task reads, one writes at a time."""

    def __init__(self, on_lost: Callable[[UpgradedStream], None]) -> None:
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._ended = False
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_paused = False
        self._look: asyncio.TimerHandle | None = None
        self.lost = asyncio.Event()
        """Set when the connection is gone, or the other side has left while we do not read."""

    async def read(self) -> bytes:
        while not self._unread and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._unread)
        self._unread.clear()
        if self._is_paused and self._transport is not None and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        await self._writable.wait()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._transport.write(data)
        await self._writable.wait()

    async def until_lost(self, ping: Callable[[], Awaitable[None]]) -> None:
        """While nothing is read, `ping` writes something: only then does a peer that is gone say so.

        What it had sent fills the connection, and the end of it comes behind that.
        """
        while not self.lost.is_set():
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await self.lost.wait()
            except TimeoutError:
                if self._is_paused:
                    with contextlib.suppress(OSError):
                        await ping()

    async def end(self) -> None:
        """Neither SPDY nor WebSocket closes one side alone."""

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def shutdown(self) -> None:
        """As uvicorn asks each of its connections when it stops."""
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not checked: uvloop's transports are no asyncio.Transport by inheritance.
        self._transport = cast(asyncio.Transport, transport)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # A client whose machine is gone says nothing.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._arrived.set()
        if len(self._unread) >= _UNREAD_BYTES and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
            self._look_later()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self._writable.set()
        self.lost.set()
        if self._look is not None:
            self._look.cancel()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _end(self) -> None:
        self._ended = True
        self._arrived.set()

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look_for_end)

    def _look_for_end(self) -> None:
        """Whoever is not read cannot be heard leaving either."""
        if not self._is_paused or self._transport is None or self._transport.is_closing():
            return
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), _NOT_READ_EVENTS)
        if poll.poll(0):
            self.lost.set()
        else:
            self._look_later()


TakeOver = Callable[[Headers], UpgradedStream]


def take_over(scope: Scope, headers: Headers) -> UpgradedStream:
    """Answers 101 with `headers`. Raises BadRequestError where the request or the server does not allow it."""
    switch: TakeOver | None = (scope.get("extensions") or {}).get(EXTENSION)
    if switch is None:
        raise BadRequestError("Upgrade request required")
    return switch(headers)
