"""A port of this machine that leads to a port of a pod, for what is asked of pods of a cluster elsewhere.

As `kubectl port-forward`. For the services of a suggestion.
"""

from __future__ import annotations

import asyncio
import contextlib

from sampan.client.protocol import Client
from sampan.client.streams import Duplex
from sampan.kube.errors import ApiError
from sampan.lib.log import get_logger

log = get_logger(__name__)

_CHUNK = 64 * 1024


class Forward:
    """For one event loop. `close` it."""

    def __init__(self, client: Client, namespace: str, pod: str, port: int) -> None:
        self._client = client
        self._namespace, self._port = namespace, port
        self.pod = pod
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def address(self) -> str:
        """HOST:PORT, listened at from now on."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            far = await self._client.connect(self.pod, self._namespace, self._port)
            try:
                await self._pass_on(reader, writer, far)
            finally:
                await far.close()
        except (ApiError, OSError) as error:
            log.debug("a connection to a suggestion's pod broke", pod=self.pod, why=str(error))
        finally:
            self._open.discard(task)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: Duplex) -> None:
        async def out() -> None:
            while data := await reader.read(_CHUNK):
                await far.write(data)
            await far.end()

        async def back() -> None:
            while data := await far.read():
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

        sending = asyncio.create_task(out())
        try:
            await back()
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await sending
