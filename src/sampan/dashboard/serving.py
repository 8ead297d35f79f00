"""NiceGUI as it is used here: one application in this process, its pages all built by `tab`, its sockets guarded.

Loaded in a thread by `mounting`. NiceGUI keeps its state in modules of its own; it is set up once, for one server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from nicegui import app as nicegui_app
from nicegui import core, ui
from starlette.types import ASGIApp

from sampan.dashboard import releasing, sockets
from sampan.dashboard.capacity import Capacity
from sampan.dashboard.content.origin import ContentOrigin
from sampan.dashboard.feeds import Activities
from sampan.dashboard.mounting import Platform
from sampan.dashboard.own_pages import ALWAYS, own
from sampan.dashboard.policy import Policy
from sampan.dashboard.preferences import Preferences
from sampan.dashboard.routes import Routes
from sampan.dashboard.tab import Tab
from sampan.dashboard.window import Shared
from sampan.lib.log import get_logger
from sampan.ui.api import Api
from sampan.ui.contract import Interface
from sampan.ui.live import Hub
from sampan.ui.styles import STYLES
from sampan.web.guards import User
from sampan.web.websockets import WebSocketBridge

log = get_logger(__name__)

_STATIC = Path(__file__).parent / "static"
_CACHE_SECONDS = 365 * 24 * 3600
_BUILD_SECONDS = 60.0
_RECONNECT_SECONDS = 30.0
"""For which a tab that has lost its connection is kept as it was."""

_SAMPLER = User("sampan:dashboard", ("system:masters", "system:authenticated"))
"""As whom the machine's numbers are read; a user sees them who may read them too."""


class Serving:
    """The dashboard once it is loaded."""

    def __init__(self, platform: Platform, behind: ASGIApp, interfaces: Sequence[Interface]) -> None:
        self._hub = Hub(platform.commits, platform.clock)
        self._behind = behind
        others = [*ALWAYS, *interfaces]
        activities = Activities(others, platform.commits, platform.clock)
        self._capacity = Capacity(Api(behind, _SAMPLER), platform.clock)
        every = [own(others, self._capacity, activities), *others]
        sheets = [_STATIC / "sampan.css", *STYLES, *(sheet for each in every for sheet in each.styles)]
        self._sheets = {
            f"/style/{index}-{_version(sheet)}/{sheet.name}": sheet for index, sheet in enumerate(sheets)
        }
        preferences = Preferences(Path(platform.home))
        self.content = ContentOrigin(behind, platform)
        """ASGI, for the content host."""
        self._shared = Shared(
            platform,
            self._hub,
            Routes(every),
            every,
            preferences,
            activities,
            tuple(self._sheets),
            self.content,
        )
        self._host = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        self._lifespan: AbstractAsyncContextManager[Any] | None = None
        self.app: ASGIApp = WebSocketBridge(
            Policy(self._host, f"{platform.content_host.partition(':')[0]}:*")
        )

    async def start(self) -> None:
        await self.content.start()
        sockets.guard()
        releasing.install()
        nicegui_app.config.socket_io_js_transports = ["websocket"]
        core.sio.eio.transports = ["websocket"]
        nicegui_app.on_exception(lambda error: log.error("the dashboard failed", exc=error))
        for path, sheet in self._sheets.items():
            nicegui_app.add_static_file(local_file=sheet, url_path=path, max_cache_age=_CACHE_SECONDS)

        # Before the pages, which take every other path: browsers ask for it at each new address.
        nicegui_app.add_static_file(
            local_file=_STATIC / "favicon.svg", url_path="/favicon.ico", max_cache_age=_CACHE_SECONDS
        )

        async def build(request: Request) -> None:
            await self._build(request)

        for path in ("/", "/{rest:path}"):
            ui.page(path, response_timeout=_BUILD_SECONDS)(build)
        ui.run_with(
            self._host,
            title="Sampan",
            favicon=_STATIC / "favicon.svg",
            dark=None,
            language="en-US",
            reconnect_timeout=_RECONNECT_SECONDS,
            message_history_length=200,
            tailwind=False,
            gzip_middleware_factory=None,
            binding_refresh_interval=None,
            show_welcome_message=False,
        )
        self._lifespan = self._host.router.lifespan_context(self._host)
        await self._lifespan.__aenter__()
        self._capacity.start()

    async def stop(self) -> None:
        await self._capacity.stop()
        await self._hub.close()
        if self._lifespan is not None:
            await self._lifespan.__aexit__(None, None, None)

    async def _build(self, request: Request) -> None:
        sockets.make_room()
        user = sockets.user_of(request.scope)
        if user is None:
            raise PermissionError("the request says of no user that it is theirs")
        await Tab(self._shared, Api(self._behind, user), request).build()


def _version(sheet: Path) -> str:
    """Another one for another content: browsers keep what they have."""
    return hashlib.sha256(sheet.read_bytes()).hexdigest()[:12]
