"""A server as a program has it: listens, tells by its readiness that it is going, ends when nobody asks any more.

Source: kserve 0.20 cmd/router/main.go (handleSignals), knative.dev/pkg network/handlers/drain.go: after SIGTERM the
probe fails and requests are served until there were none for a quiet time. There it is thirty seconds, as a proxy of
a cluster hears late of a pod that goes; here pods leave their Services at once.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sampan.components.serving.engine.programs.wire.server import (
    Connection,
    Handler,
    Limits,
    Request,
    Response,
    Take,
    Tunnel,
)

_MOST_DRAIN_SECONDS = 25.0
_QUIET_SECONDS = 1.0
_KUBELET = "kube-probe/"
"""Its probes go on to the end, and are nobody's requests."""


class Server:
    """For one event loop."""

    def __init__(self, handler: Handler, limits: Limits | None = None, http2: Take | None = None) -> None:
        self._handler, self._http2 = handler, http2
        self._limits = limits or Limits()
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._asked_at = 0.0
        self.is_draining = False

    async def listen(self, port: int, host: str = "0.0.0.0") -> int:  # noqa: S104 - a pod is reached from others
        """The port, where any was asked for. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._handle, self._limits, self._connections, self._http2),
            host,
            port,
            backlog=512,
        )
        return int(self._listener.sockets[0].getsockname()[1])

    async def _handle(self, request: Request) -> Response | Tunnel:
        if not request.get("user-agent").startswith(_KUBELET):
            self._asked_at = time.monotonic()
        return await self._handler(request)

    async def drain(
        self, quiet_seconds: float = _QUIET_SECONDS, most_seconds: float = _MOST_DRAIN_SECONDS
    ) -> None:
        """Serves on until nothing was asked for so long, and nothing is being answered."""
        self.is_draining = True
        began = self._asked_at = time.monotonic()
        while time.monotonic() - began < most_seconds:
            is_idle = all(each.is_idle for each in self._connections)
            if is_idle and time.monotonic() - self._asked_at >= quiet_seconds:
                break
            await asyncio.sleep(0.05)

    async def close(self, most_seconds: float = 5.0) -> None:
        """What is being answered is answered."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            connection.close_when_idle()
        deadline = time.monotonic() + most_seconds
        while self._connections and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.transport.abort()


async def until_told() -> None:
    """Until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()


async def serve(server: Server, port: int, *, before_end: Callable[[], Awaitable[None]] | None = None) -> int:
    """Until a signal comes. The exit code."""
    try:
        await server.listen(port)
    except OSError as error:
        print(f"cannot listen at port {port}: {error}", file=sys.stderr, flush=True)
        return 1
    print(f"listening at port {port}", flush=True)
    await until_told()
    print("received a signal to end: serving on until nobody asks", flush=True)
    await server.drain()
    await server.close()
    if before_end is not None:
        await before_end()
    return 0


def run(main: Callable[[], Awaitable[int]]) -> int:
    """In uvloop, where it is installed."""

    async def begin() -> int:
        return await main()

    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.run(begin())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(begin())
