"""One tab of a browser: the frame that stays, and in it one page after another.

A link to one of our pages does not load the window anew: the browser tells where it went (`static/shell.js`), and the
page is built into the frame. One socket serves the tab for as long as it is open.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from nicegui import ui

from sampan.dashboard.frame import Frame
from sampan.dashboard.page_context import At, ShownPage
from sampan.dashboard.routes import ROOT
from sampan.dashboard.window import Shared
from sampan.lib.log import get_logger
from sampan.ui import widgets
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.contract import Page

log = get_logger(__name__)

_NAMESPACE = "namespace"
"""The preference that holds the namespace last chosen."""


class Tab:
    """Made when a window is loaded; gone with it. Implements `window.Window`."""

    def __init__(self, shared: Shared, api: Api, request: Request) -> None:
        self.shared = shared
        self.api = api
        self.host = request.headers.get("host", "")
        root = request.scope.get("root_path", "")
        path = request.url.path.removeprefix(root)
        kept = shared.preferences.of(api.user.name)
        asked = request.query_params.get("ns")
        self.namespace = asked or kept.get(_NAMESPACE) or shared.platform.default_namespace
        query = dict(request.query_params)
        if not asked and self.namespace != shared.platform.default_namespace:
            query["ns"] = self.namespace
        self._target = widgets.address(path or "/", query)
        self.theme = str(kept.get("theme", "system"))
        self.frame = Frame(self)
        self._page: ShownPage | None = None
        self._building: asyncio.Task[None] | None = None

    async def build(self) -> None:
        """The whole window, with its first page."""
        ui.context.client.on_delete(self._end)
        await self.frame.build()
        await self._show(self._target)

    def navigate(self, target: str) -> None:
        """The browser is, or is about to be, at `target`: a path below the root, with its query."""
        if self._building is not None:
            self._building.cancel()
        self._building = asyncio.create_task(self._show_later(target), name="dashboard page")

    def reload(self) -> None:
        self.navigate(self._target)

    async def choose_namespace(self, namespace: str) -> None:
        await self.shared.preferences.keep(self.api.user.name, _NAMESPACE, namespace)
        split = urlsplit(self._target)
        query = dict(parse_qsl(split.query))
        query.pop("ns", None)
        self.namespace = namespace
        self.frame.push_address(self.href(split.path, **query))

    async def choose_theme(self, theme: str) -> None:
        self.theme = theme
        await self.shared.preferences.keep(self.api.user.name, "theme", theme)

    def href(self, path: str, **query: str) -> str:
        """The whole address of a page. The namespace is in it where it is not the usual one."""
        split = urlsplit(path)
        query = dict(parse_qsl(split.query)) | query
        if self.namespace != self.shared.platform.default_namespace:
            query = {"ns": self.namespace, **query}
        return widgets.address(ROOT + split.path, query)

    def at(self, target: str) -> None:
        """The address has changed without the page: what a reload shows."""
        self._target = target

    async def _show_later(self, target: str) -> None:
        with self.frame.content:
            await self._show(target)

    async def _show(self, target: str) -> None:
        self._leave()
        self._target = target
        split = urlsplit(target)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        # As `href` writes it.
        namespace = query.pop("ns", "") or self.shared.platform.default_namespace
        if namespace != self.namespace or namespace != self.frame.namespace:
            self.namespace = namespace
            self.frame.show_namespace()
        found = self.shared.routes.find(split.path)
        self.frame.content.clear()
        with self.frame.content:
            if found is None:
                self.frame.went_to(split.path, "Not found", [])
                widgets.empty_state(
                    "search_off",
                    "There is no such page",
                    f"Nothing is at {split.path}.",
                    [("Home", self.href("/"))],
                )
                return
            page, params = found
            shown = self._page = ShownPage(self, self.frame, page, At(split.path, params, query))
            self.frame.went_to(split.path, page.title, self.shared.routes.parents(page, params))
            await self._fill(page, shown)

    async def _fill(self, page: Page, shown: ShownPage) -> None:
        try:
            await page.build(shown)
        except ApiFailureError as error:
            self.frame.content.clear()
            widgets.failure(error, retry=self.reload)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.error("a page could not be built", path=shown.path, exc=error)
            self.frame.content.clear()
            widgets.failure(
                ApiFailureError(500, "This page could not be shown; the server's log says why."),
                retry=self.reload,
            )

    def _end(self) -> None:
        self.frame.stop()
        self._leave()

    def _leave(self) -> None:
        if self._page is not None:
            self._page.leave()
            self._page = None
