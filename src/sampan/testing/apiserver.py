"""An embedded API server for tests: in-process, or on a loopback port as the world sees it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from sampan.app.connections import BoundedProtocol
from sampan.app.outgoing import webhook_poster
from sampan.cluster.apiserver import ApiServer, PodLogs
from sampan.components import NO_CONVERTERS, Converters
from sampan.kube.kinds import NAMESPACES, SERVICE_ACCOUNTS
from sampan.lib.clock import Clock, SystemClock
from sampan.store.database import Database


@asynccontextmanager
async def embedded(
    folder: Path,
    *,
    clock: Clock | None = None,
    pod_logs: PodLogs | None = None,
    token: str = "",
    database_url: str = "",
    converters: Converters = NO_CONVERTERS,
) -> AsyncIterator[ApiServer]:
    """On a database in `folder` or at `database_url`, gone on with where there is one. Has the namespace `default`."""
    database = Database.at(database_url, folder / "sampan.db")
    server = ApiServer(
        database,
        clock or SystemClock(),
        pod_logs=pod_logs,
        token=token,
        converters=converters,
        poster=webhook_poster,
    )
    database.create(server.tables)
    await server.start()
    try:
        namespaces = await server.client.list(NAMESPACES)
        if not namespaces.items:
            await server.client.create(NAMESPACES, {"metadata": {"name": "default"}})
            # As the controller would, which does not run here: pods are not admitted without it.
            account = {"metadata": {"name": "default", "namespace": "default"}}
            await server.client.create(SERVICE_ACCOUNTS, account)
        yield server
    finally:
        await server.stop()
        await database.close()


@asynccontextmanager
async def loopback(app: ASGIApp) -> AsyncIterator[str]:
    """Serves `app`; gives its address."""
    # asyncio switches Nagle's algorithm off only where the protocol is named: 40 ms an answer otherwise.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    # So that who connects before the server has begun is not refused.
    listener.listen(128)
    config = uvicorn.Config(
        app,
        log_level="error",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
        # As the platform's own: streams into pods need it.
        http=BoundedProtocol,
    )
    http = uvicorn.Server(config)
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        http.should_exit = True
        await serving
        listener.close()
