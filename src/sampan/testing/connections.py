"""Connections that tests make themselves, either end, and that end with them; on asyncio's loop and on uvloop's.

Tests use these and neither `asyncio.start_server` nor a bare `asyncio.open_connection`. Of a connection that
`start_server` accepts in the loop's last turn nobody knows yet, so nobody closes it, and the collector of garbage
complains of it later, in another test. Here `accept` is called by ours alone: what is accepted is known at once, and
is closed before the loop is. `grpc_servers` beside it is the same for gRPC.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is done with a connection, which is closed when this returns."""
_BACKLOG = 256
_LINGER_SECONDS = 5.0
_PORTS = range(20_000, 30_000)


class Listener:
    """Listens from `start` to `stop`, which raises what `serve` failed with, unless it was that the peer had gone."""

    def __init__(
        self, serve: Serve | None = None, *, protocol: Callable[[], asyncio.Protocol] | None = None
    ) -> None:
        """Either of the two is for every connection."""
        self._serve, self._protocol = serve, protocol
        self._socket: socket.socket | None = None
        self._accepted: dict[asyncio.Task[None], socket.socket] = {}
        self._failures: list[Exception] = []
        self.host, self.port = "", 0

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Listener:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._socket.setblocking(False)
        self.host, self.port = self._socket.getsockname()[:2]
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept)
        return self

    def refuse(self) -> None:
        """Whoever connects from now on; who is connected stays so."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    async def stop(self) -> None:
        self.refuse()
        if self._accepted:
            for each in self._accepted:
                each.cancel()
            await asyncio.wait(self._accepted)
        if self._failures:
            raise self._failures[0]

    def _accept(self) -> None:
        assert self._socket is not None
        try:
            accepted, _ = self._socket.accept()
        except OSError:
            return  # who came has gone again
        accepted.setblocking(False)
        task = asyncio.create_task(self._converse(accepted))
        self._accepted[task] = accepted
        # Also of a task that is cancelled before its first step.
        task.add_done_callback(lambda done: self._accepted.pop(done).close())

    async def _converse(self, accepted: socket.socket) -> None:
        try:
            if self._protocol is not None:
                await _speak(self._protocol, accepted)
            elif self._serve is not None:
                async with connected(sock=accepted) as (reader, writer):
                    await self._serve(reader, writer)
        except (EOFError, ConnectionError):
            return
        except Exception as error:
            self._failures.append(error)


async def _speak(protocol: Callable[[], asyncio.Protocol], accepted: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(protocol, accepted)
    try:
        await loop.create_future()
    finally:
        transport.abort()
        await asyncio.sleep(0)  # in which it closes


@asynccontextmanager
async def listening(serve: Serve, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Listener]:
    """A port, the machine's choice by default, where every connection is served so."""
    listener = await Listener(serve).start(host, port)
    try:
        yield listener
    finally:
        await listener.stop()


@asynccontextmanager
async def connected(
    host: str | None = None, port: int | str | None = None, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, whose options are those of `asyncio.open_connection`."""
    reader, writer = await asyncio.open_connection(host, port, **options)
    try:
        yield reader, writer
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        await close(writer)


def free_port() -> int:
    """Where nobody listens, for a program that takes no port 0. It is none that the kernel hands out by itself, nor one
    of Services: nobody who connects somewhere, meanwhile or while the program restarts, gets it."""
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("", port))
                return port
    raise OSError("no port is free")


async def close(*writers: asyncio.StreamWriter) -> None:
    """Closes them. What was written is sent before, if the other side takes it at all."""
    for each in writers:
        each.close()
    for each in writers:
        closed = asyncio.ensure_future(each.wait_closed())
        if not (await asyncio.wait([closed], timeout=_LINGER_SECONDS))[0]:
            each.transport.abort()
        with contextlib.suppress(OSError):
            await closed
