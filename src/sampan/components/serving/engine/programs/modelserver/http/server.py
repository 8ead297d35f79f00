"""The listeners: their connections, what those may take, and how it ends. Used by `serving`, once in a process."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from sampan.components.serving.engine.programs.modelserver.http.connection import Connection
from sampan.components.serving.engine.programs.modelserver.http.limits import Limits
from sampan.components.serving.engine.programs.modelserver.http.messages import Reply, Request

_SWEEP_SECONDS = 1.0
_LINGER_SECONDS = 0.25
"""That new connections are still served once it is to end: who sends them has to hear of it first."""


class HttpServer:
    """For one event loop."""

    def __init__(self, handle: Callable[[Request, Reply], None], limits: Limits | None = None) -> None:
        self.handle = handle
        self.limits = limits or Limits()
        self.is_draining = False
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.Server] = []
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self, *listeners: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for each in listeners:
            server = await loop.create_server(lambda: Connection(self), sock=each, backlog=2048)
            self._servers.append(server)
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._expire)

    async def stop(self, grace_seconds: float) -> None:
        """What is at work is finished, for as long as the grace lasts."""
        self.is_draining = True
        await asyncio.sleep(min(_LINGER_SECONDS, grace_seconds))
        for server in self._servers:
            server.close()
        until = time.monotonic() + grace_seconds
        while self._connections and time.monotonic() < until:
            for connection in list(self._connections):
                connection.close_idle()
            await asyncio.sleep(0.01)
        for connection in list(self._connections):
            connection.abort()
        if self._sweep is not None:
            self._sweep.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Of connections

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if len(self._connections) > self.limits.connections:
            connection.abort()

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def failed(self, problem: Exception) -> None:
        print(f"a stream ended: {type(problem).__name__}: {problem}", file=sys.stderr, flush=True)

    def _expire(self) -> None:
        now = time.monotonic()
        for connection in list(self._connections):
            if connection.deadline < now:
                connection.expire(now)
        self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._expire)
