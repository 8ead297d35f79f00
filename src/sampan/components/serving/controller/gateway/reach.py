"""How a pod is reached: directly where it runs on this machine or in this cluster, else through the API server.

A pod of the embedded cluster has an address of this machine. On a cluster elsewhere nobody but its own pods may have a
route to its network: then a connection is a forwarded port, which is kept and used again as any other is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from sampan.client.protocol import Client
from sampan.client.streams import Duplex
from sampan.components.serving.engine.gateway.places import Place
from sampan.kube.errors import ApiError
from sampan.web.upstream import Upstream

_HIGH_WATER = 256 * 1024

PodPort = Callable[[str, int], tuple[str, int]]
"""By a pod's address and port: where that really is. Raises OSError for one that nobody may be led to."""


class Direct:
    """Implements `core.Dialler`."""

    def __init__(self, pod_port: PodPort = lambda address, port: (address, port)) -> None:
        self._pod_port = pod_port

    async def __call__(self, place: Place, factory: Callable[[], Upstream]) -> Upstream:
        host, port = self._pod_port(place.address, place.port)
        _, connection = await asyncio.get_running_loop().create_connection(factory, host, port)
        return connection


class Forwarded:
    """Implements `core.Dialler` with the client's `connect`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, place: Place, factory: Callable[[], Upstream]) -> Upstream:
        try:
            far = await self._client.connect(place.pod, place.namespace, place.port)
        except ApiError as error:
            raise ConnectionError(error.message) from error
        connection = factory()
        transport = DuplexTransport(far, connection)
        connection.connection_made(transport)
        transport.begin()
        return connection


class DuplexTransport(asyncio.Transport):
    """What a protocol needs of a transport, over a connection that is read and written by tasks."""

    def __init__(self, far: Duplex, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._far = far
        self._protocol: Any = protocol
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._has_out = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_closing = self._is_lost = self._is_slow = False
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._tasks = [self._loop.create_task(self._read()), self._loop.create_task(self._write())]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or not data:
            return
        self._out.append(bytes(data))
        self._out_bytes += len(data)
        self._has_out.set()
        if self._out_bytes > _HIGH_WATER and not self._is_slow:
            self._is_slow = True
            self._protocol.pause_writing()

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """What was written still goes out."""
        self._is_closing = True
        self._has_out.set()

    def abort(self) -> None:
        self._is_closing = True
        self._lose(None)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        found: asyncio.BaseProtocol = self._protocol
        return found

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    async def _read(self) -> None:
        try:
            while data := await self._far.read():
                await self._may_read.wait()
                if self._is_lost:
                    return
                self._protocol.data_received(data)
            self._lose(None)
        except (OSError, ApiError) as error:
            self._lose(error)

    async def _write(self) -> None:
        try:
            while True:
                await self._has_out.wait()
                self._has_out.clear()
                while self._out:
                    data, self._out, self._out_bytes = b"".join(self._out), [], 0
                    await self._far.write(data)
                    if self._is_slow:
                        self._is_slow = False
                        self._protocol.resume_writing()
                if self._is_closing:
                    self._lose(None)
                    return
        except (OSError, ApiError) as error:
            self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self._loop.call_soon(self._protocol.connection_lost, error)
        self._loop.create_task(self._end())

    async def _end(self) -> None:
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        with contextlib.suppress(OSError, ApiError):
            await self._far.close()
