"""uvicorn in our event loop, without its signal handlers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from sampan.app.connections import Adopt, BoundedProtocol
from sampan.app.intercepting import InterceptingProtocol, Interception
from sampan.app.listening import StartError


class HttpServer:
    """One port. `certificate` and `key` name PEM files, for https."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        certificate: str = "",
        key: str = "",
        interception: Interception | None = None,
        adopt: Adopt | None = None,
    ) -> None:
        """`adopt` is given connections that begin as HTTP/2. Raises StartError for files that cannot be used."""
        protocol: Any = functools.partial(BoundedProtocol, adopt=adopt)
        if interception is not None:
            protocol = functools.partial(InterceptingProtocol, interception=interception, adopt=adopt)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            # Forwarded headers count from a trusted proxy only, and none is configured.
            proxy_headers=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,
            http=protocol,
            # WebSockets are taken over from HTTP (`connections`), by whoever serves them.
            ws="none",
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        )
        if certificate:
            try:
                config.load()
            except OSError as error:
                raise StartError(f"the certificate {certificate} cannot be used: {error}") from error
        self._listener = listener
        self._server = _QuietServer(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises StartError."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="http")
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise StartError(
                    "the HTTP server ended while starting; see logs/server.log in the home folder"
                )
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _QuietServer(uvicorn.Server):
    def capture_signals(self) -> object:  # type: ignore[override]
        return contextlib.nullcontext()
