"""The second port: gRPC, for the services of components whose official clients speak it.

The library is large and few homes need it, so it loads with the first connection that speaks HTTP/2. Until then, and
after, the port itself is a listener of ours which hands each connection on to the library's own port, from the address
that it came from: every address of 127/8 is this machine's, and a pod is known by its own (docs/decisions/0054). The
HTTP port hands over what begins as HTTP/2 there (`adopt`).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sampan.app.grpc_authority import PREFACE, SETTINGS, FirstFrames, NoHttp2Error
from sampan.app.intercepting import Interception
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_LIBRARY = "sampan.web.grpc_server"
_PREFACE_SECONDS = 20.0
_FIRST_CALL_SECONDS = 600.0
"""A client may connect long before it asks; one that waits so long connects again."""
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

    def __init__(
        self,
        listener: socket.socket,
        handlers: Sequence[Handlers],
        interception: Callable[[], Interception | None] = lambda: None,
    ) -> None:
        """`listener` listens already; the caller closes it. `interception` tells which names are not ours."""
        self._listener = listener
        self._handlers = handlers
        self._interception = interception
        self._passing: Any = None
        self._passing_port = 0
        self._authorities: dict[str, str] = {}
        """Of connections that are passed on, by the peer as gRPC names it."""
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
        for server in (self._passing, self._server):
            if server is not None:
                await server.stop(_GRACE_SECONDS)
        for writer in list(self._open):
            writer.close()
        await self._tasks.close()

    def adopt(self, transport: asyncio.Transport, first: bytes) -> None:
        """A connection that came to the other port and began as HTTP/2, with what was read of it: clients of models
        have one address for both."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        reader.feed_data(first)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._tasks.spawn(self._take(reader, writer), name="adopted")

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
                first = await reader.readexactly(len(PREFACE))
            if first == PREFACE:
                await self._hand_on(reader, writer, first)
        except (OSError, EOFError, TimeoutError, NoHttp2Error):
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
        source = str(writer.get_extra_info("peername")[0])
        interception, frames = self._interception(), FirstFrames()
        authority, port = "", 0
        if interception is not None:
            writer.write(SETTINGS)
            async with asyncio.timeout(_FIRST_CALL_SECONDS):
                while frames.authority is None:
                    if not (data := await reader.read(_CHUNK_BYTES)):
                        return
                    first += frames.feed(data)
            authority = frames.authority
            if interception.wants_authority(authority, source):
                port = await self._ensure_passing(interception)
        port = port or await self._ensure_server()
        back_reader, back_writer = await asyncio.open_connection(
            _LOCALHOST,
            port,
            local_addr=(source, 0) if source.startswith("127.") else None,
            limit=_CHUNK_BYTES,
        )
        self._open.add(back_writer)
        host, number = back_writer.get_extra_info("sockname")[:2]
        peer = f"ipv4:{host}:{number}"
        self._authorities[peer] = authority
        try:
            back_writer.write(first)
            back = self._tasks.spawn(_pump(back_reader, writer), name="answers")
            while interception is not None and not frames.is_done:
                if not (data := await reader.read(_CHUNK_BYTES)):
                    break
                back_writer.write(frames.feed(data))
                await back_writer.drain()
            await _pump(reader, back_writer)
            await back
        finally:
            del self._authorities[peer]
            self._open.discard(back_writer)
            back_writer.close()

    async def _ensure_passing(self, interception: Interception) -> int:
        """A server of its own for what is passed on: no method of ours is to be found there. Its port."""
        async with self._starting:
            if self._passing is None:
                module: Any = await asyncio.to_thread(importlib.import_module, _LIBRARY)
                handlers = await interception.interceptor.grpc_handlers(
                    lambda peer: self._authorities.get(peer, "")
                )
                self._passing, self._passing_port = await module.serving(handlers, _LOCALHOST)
            return self._passing_port

    async def _ensure_server(self) -> int:
        """Its port."""
        async with self._starting:
            if self._server is not None:
                return self._port
            module: Any = await asyncio.to_thread(importlib.import_module, _LIBRARY)
            handlers = [each for made in self._handlers for each in await made()]
            server, self._port = await module.serving(handlers, _LOCALHOST)
            self._server = server
            log.info("gRPC is spoken", port=self._listener.getsockname()[1])
            return self._port


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As it comes, until it ends; nobody is read faster than the other end takes it."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()
