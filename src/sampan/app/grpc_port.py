"""The second port: gRPC, for the services of components whose official clients speak it.

The library is large and few homes need it, so it loads with the first connection that speaks HTTP/2. Until then, and
after, the port itself is a listener of ours which hands each connection on to the library's own port, from the address
that it came from: every address of 127/8 is this machine's, and a pod is known by its own (docs/decisions/0054).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PREFACE_SECONDS = 20.0
_CHUNK_BYTES = 64 * 1024
_MOST_CONNECTIONS = 512
_MOST_OF_ONE = 64
"""Of one address: a pod that opens as many as it can shuts nobody else out."""
_MOST_OF_MACHINE = 256
"""Of the machine's own: its users, and all pods that have no address of their own."""
_GRACE_SECONDS = 0.5
_LOCALHOST = "127.0.0.1"

Handlers = Callable[[], Awaitable[Sequence[Any]]]
"""Of one component: its `grpc.GenericRpcHandler`s."""


class GrpcPort:
    """For one event loop. `stop` ends all connections."""

    def __init__(self, listener: socket.socket, handlers: Sequence[Handlers]) -> None:
        """`listener` listens already; the caller closes it."""
        self._listener = listener
        self._handlers = handlers
        self._tasks = TaskSet("gRPC port")
        self._starting = asyncio.Lock()
        self._acceptor: asyncio.Server | None = None
        self._server: Any = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        """Both ends of each connection."""
        self._taken: Counter[str] = Counter()
        """Connections, by the address that they come from."""

    async def start(self) -> None:
        self._acceptor = await asyncio.start_server(self._take, sock=self._listener, limit=_CHUNK_BYTES)

    async def stop(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        if self._server is not None:
            await self._server.stop(_GRACE_SECONDS)
        for writer in list(self._open):
            writer.close()
        await self._tasks.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until both of its ends have ended."""
        source = str((writer.get_extra_info("peername") or [""])[0])
        most = _MOST_OF_MACHINE if source == _LOCALHOST else _MOST_OF_ONE
        if self._taken[source] >= most or self._taken.total() >= _MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._taken[source] += 1
        self._open.add(writer)
        try:
            # Somebody who only looks whether the port is open costs nothing.
            async with asyncio.timeout(_PREFACE_SECONDS):
                first = await reader.readexactly(len(_PREFACE))
            if first == _PREFACE:
                await self._hand_on(reader, writer, first)
        except (OSError, EOFError, TimeoutError):
            # It went, or never spoke.
            return
        except asyncio.CancelledError:
            # Of asyncio's own making at the end of the loop; it would log it as an error.
            return
        except Exception as error:
            log.error("a gRPC connection failed", exc=error)
        finally:
            self._taken -= Counter((source,))
            self._open.discard(writer)
            writer.close()

    async def _hand_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes
    ) -> None:
        await self._ensure_server()
        source = writer.get_extra_info("peername")[0]
        back_reader, back_writer = await asyncio.open_connection(
            _LOCALHOST,
            self._port,
            local_addr=(source, 0) if source.startswith("127.") else None,
            limit=_CHUNK_BYTES,
        )
        self._open.add(back_writer)
        try:
            back_writer.write(first)
            back = self._tasks.spawn(_pump(back_reader, writer), name="answers")
            await _pump(reader, back_writer)
            await back
        finally:
            self._open.discard(back_writer)
            back_writer.close()

    async def _ensure_server(self) -> None:
        async with self._starting:
            if self._server is not None:
                return
            module: Any = await asyncio.to_thread(importlib.import_module, "sampan.web.grpc_server")
            handlers = [each for made in self._handlers for each in await made()]
            server, self._port = await module.serving(handlers, _LOCALHOST)
            self._server = server
            log.info("gRPC is spoken", port=self._listener.getsockname()[1])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As it comes, until it ends; nobody is read faster than the other end takes it."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()
