"""The listeners: their connections, what those may take, and how it ends. Used by `serving`, once in a process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from sampan.components.serving.engine.programs.modelserver.http.connection import Connection
from sampan.components.serving.engine.programs.modelserver.http.limits import Limits
from sampan.components.serving.engine.programs.modelserver.http.messages import Reply, Request

_SWEEP_SECONDS = 1.0
_FULL_SECONDS = 1.0
"""Until connections are taken again, where there were no more file descriptors."""
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
        self._closers: list[Callable[[], object]] = []
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self, *listeners: socket.socket, shared: bool = False) -> None:
        """`shared` are listeners of which other processes take connections too."""
        loop = asyncio.get_running_loop()
        for each in listeners:
            if shared:
                self._take_turns(each)
            else:
                server = await loop.create_server(lambda: Connection(self), sock=each, backlog=2048)
                self._closers.append(server.close)
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._expire)

    async def stop(self, grace_seconds: float) -> None:
        """What is at work is finished, for as long as the grace lasts."""
        self.is_draining = True
        await asyncio.sleep(min(_LINGER_SECONDS, grace_seconds))
        for close in self._closers:
            close()
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

    # Of listeners

    def _take_turns(self, listener: socket.socket) -> None:
        """One connection in a turn of the loop. The loop's own servers take all that wait, and leave none to processes
        that have less to do."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        listener.listen(2048)
        is_open = True

        def close() -> None:
            nonlocal is_open
            is_open = False
            loop.remove_reader(listener)
            listener.close()

        def listen() -> None:
            if is_open:
                loop.add_reader(listener, accept)

        def accept() -> None:
            try:
                taken, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:
                self.failed(problem)
                loop.remove_reader(listener)
                loop.call_later(_FULL_SECONDS, listen)
                return
            taken.setblocking(False)
            with contextlib.suppress(OSError):
                taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.spawn(self._serve(taken))

        self._closers.append(close)
        listen()

    async def _serve(self, taken: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(self), taken)
        except OSError:
            taken.close()

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
