"""The bell: what happened lately, from any page, with a mark when there is something new."""

from __future__ import annotations

import asyncio

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from sampan.dashboard.activity import Feed, SeenMark
from sampan.dashboard.window import Window
from sampan.lib.log import get_logger
from sampan.ui import widgets

log = get_logger(__name__)

_LOOK_SECONDS = 5.0
_MOST = 15


class Bell:
    """Of one tab. `stop` ends what it has going."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._seen = SeenMark(window)
        self._client = ui.context.client
        self._button: Element
        self._more: Element
        self._feed: Feed
        self._looking: asyncio.Task[None] | None = None

    def build(self) -> None:
        self._button = widgets.icon_button("notifications_none", "Activity", lambda: None)
        self._button._props["popovertarget"] = "sp-bell"
        with ui.element("section").classes("sp-panel sp-bell") as panel:
            panel._props.update({"popover": "auto", "id": "sp-bell", "aria-label": "Activity"})
            with ui.element("div").classes("sp-row"):
                widgets.heading("Activity")
                ui.element("span").classes("sp-space")
                self._more = widgets.link("All activity", self._window.href("/activity"))
            self._feed = Feed()
        panel.on("toggle", self._toggled, js_handler="(event) => emit(event.newState)")
        self._looking = asyncio.create_task(self._look(), name="dashboard bell")

    def show_namespace(self) -> None:
        self._more._props["href"] = self._window.href("/activity")
        self._more.update()

    def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        while True:
            if self._client.has_socket_connection:
                try:
                    await self._show()
                except Exception as error:
                    log.error("the activity could not be shown", exc=error)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _show(self) -> None:
        window = self._window
        found = await window.shared.activities.latest(window.api, window.namespace)
        self._feed.show(found[:_MOST], window.href)
        is_new = self._seen.is_new(found)
        icon, label = (
            ("notifications_active", "Activity: something new")
            if is_new
            else ("notifications_none", "Activity")
        )
        if self._button._props["aria-label"] != label:
            widgets.change_icon_button(self._button, icon, label)

    async def _toggled(self, event: GenericEventArguments) -> None:
        if event.args == "open":
            await self._show()
            await self._seen.keep()
            await self._show()
