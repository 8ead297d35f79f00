"""The dashboard as `app` mounts it: an ASGI application that is there at once, and loads what it is made of afterwards.

NiceGUI costs half a second and 40 MB, which neither a first `kubectl` nor a first run should wait for. A browser that
comes before the rest is there waits for it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from sampan.kube.errors import ForbiddenError, ServiceUnavailableError
from sampan.lib.clock import Clock
from sampan.lib.importing import without
from sampan.lib.log import get_logger
from sampan.web import asgi

log = get_logger(__name__)

_SERVING = "sampan.dashboard.serving"
_SOCKETS = "socketio"
_CLIENTS = ("aiohttp", "requests", "websocket")
"""What the library of NiceGUI's sockets connects to others with, where it is installed: 5 MiB, and we only serve."""
_DELAY_SECONDS = 0.6
"""After the engine has begun to load, which a first run waits for."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What the dashboard is told of the platform around it."""

    clock: Clock
    commits: Callable[[], int]
    """How often the database was written."""
    ui_modules: Sequence[str]
    """Each with an `INTERFACE`, in the order of their components."""
    version: str
    home: str
    url: str
    default_namespace: str = "default"
    cluster: str = ""
    """The API server of a cluster that is not ours; empty for the embedded one."""
    content_host: str = "content.localhost"
    """Where what users made is shown."""


class Dashboard:
    """Everything below `/ui`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._behind: ASGIApp | None = None
        self._loading: asyncio.Task[Any] | None = None

    def start(self, behind: ASGIApp) -> None:
        """`behind` is the platform's own API, which pages call. Does not wait until the dashboard is there."""
        self._behind = behind
        self._loading = asyncio.create_task(self._load(), name="dashboard")

    async def stop(self) -> None:
        if self._loading is None:
            return
        if not self._loading.done():
            self._loading.cancel()
            await asyncio.wait([self._loading])
        elif not self._loading.cancelled() and self._loading.exception() is None:
            await self._loading.result().stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _may_load(scope):
            await asgi.respond_error(send, ForbiddenError("pages of other sites may only link to this one"))
            return
        if (serving := await self._loaded(send)) is not None:
            await serving.app(scope, receive, send)

    async def content(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything on the content host."""
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif (serving := await self._loaded(send)) is not None:
            await serving.content(scope, receive, send)

    async def _loaded(self, send: Send) -> Any:
        """None where it could not be loaded; that is answered then."""
        try:
            serving = await asyncio.shield(self._loading) if self._loading is not None else None
        except Exception:
            serving = None
        if serving is None:
            await asgi.respond_error(
                send, ServiceUnavailableError("the dashboard could not be loaded; the server's log says why")
            )
        return serving

    async def _load(self) -> Any:
        await asyncio.sleep(_DELAY_SECONDS)
        try:
            module = await asyncio.to_thread(_import_serving)
            interfaces = [
                (await asyncio.to_thread(importlib.import_module, name)).INTERFACE
                for name in self._platform.ui_modules
            ]
            serving = module.Serving(self._platform, self._behind, interfaces)
            await serving.start()
        except Exception as error:
            log.error("the dashboard could not be loaded", exc=error)
            raise
        return serving


def _import_serving() -> Any:
    with without(*_CLIENTS):
        importlib.import_module(_SOCKETS)
    return importlib.import_module(_SERVING)


def _may_load(scope: Scope) -> bool:
    """A link from elsewhere may lead here. But a page of another site that fetches ours again and again, as images say,
    would have us build a window for each."""
    site = asgi.header(scope, b"sec-fetch-site")
    return site in ("", "none", "same-origin") or asgi.header(scope, b"sec-fetch-dest") == "document"
