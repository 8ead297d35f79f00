"""One notification: what it tells whom, and what was sent lately or was not taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import lookups
from sampan.components.pipelines.ui.events import notification_model as model
from sampan.components.pipelines.ui.events import notification_overview as overview
from sampan.components.pipelines.ui.events import trigger_model
from sampan.components.pipelines.ui.events.trigger_overview import switch
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets, words
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row
from sampan.ui.times.stamp import Stamp

_COLUMNS = (
    Column("at", "When", sort="created_at"),
    Column("state", "State", sort="state"),
    Column("about", "About"),
    Column("why", "What went wrong"),
    Column("attempts", "Attempts", number=True),
    Column("next", "Tried again"),
)


async def build(page: PageContext) -> None:
    path = f"{overview.API}/{segment(page.params['notification_id'])}"
    notification = await page.api.get(path)
    view = _View(page)
    for kind in ("run", "pipeline", "experiment"):
        key = notification.get(f"{kind}_id", "")
        view.names[kind] = await lookups.name_of(page.api, f"{kind}s", key)
    await page.live(path, view.show)
    with ui.element("section").classes("sp-section"):
        widgets.heading("Sent lately")
        listed = Listed(
            f"{path}/deliveries", "deliveries", "message|messages", _COLUMNS, view.row, _nothing_sent
        )
        await PagedTable(page, listed, label="Sent lately", size=20).show({})


class _View:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._notification: Mapping[str, Any] = {}
        self.names: dict[str, str] = {}
        self._body = ui.element("div")

    def show(self, notification: Any) -> None:
        self._notification = notification
        self._page.set_title(notification["display_name"])
        self._body.clear()
        with self._body:
            word, tone, icon, why = trigger_model.state(notification)
            with widgets.page_header(notification["display_name"], notification.get("description", "")):
                self._buttons(notification)
            with ui.element("div").classes("sp-row"):
                widgets.state(word, tone, icon)
                widgets.text(why, "sp-muted")
            with widgets.card("What it tells").classes("sp-section"):
                widgets.pairs(self._pairs(notification))

    def _buttons(self, notification: Mapping[str, Any]) -> None:
        widgets.button("Send a test", self._test, icon="send")
        if trigger_model.is_paused(notification):
            widgets.button("Resume", lambda: self._switch(on=True), icon="play_arrow", kind="primary")
        else:
            widgets.button("Pause", lambda: self._switch(on=False), icon="pause")
        href = self._page.href(f"/notifications/{notification['notification_id']}/edit")
        widgets.button("Edit", icon="edit", href=href)
        widgets.button("Delete", self._ask_to_delete, icon="delete", kind="danger")

    def _pairs(self, notification: Mapping[str, Any]) -> dict[str, str | Callable[[], None]]:
        said = model.when(notification)
        channel = model.channel_of(notification)
        found: dict[str, str | Callable[[], None]] = {
            "Tells": f"{model.to_whom(notification)} ({model.CHANNELS[channel]})",
            "When": said[0].upper() + said[1:],
        }
        for kind, name in self.names.items():
            if key := notification.get(f"{kind}_id", ""):
                path = f"/{kind}s/{segment(key)}"
                found[f"Of the {kind}"] = _linked(self._page, name or "one that is gone", path)
        if not any(self.names.values()):
            found["Of"] = "all runs of the namespace"
        if notification.get(channel, {}).get("signed"):
            found["Signed"] = "with a secret"
        found["With the log's"] = f"last {notification.get('log_lines', '0')} lines of a step that failed"
        found["Has sent"] = words.counted(int(notification.get("sent", 0)), "message|messages")
        found["Made"] = _stamped(str(notification["created_at"]))
        return found

    def row(self, notice: Any) -> Row:
        word, tone, icon = model.SENT.get(notice["state"], (notice["state"], "idle", ""))
        about = shown(str(notice.get("about", "")))[0]
        href = self._page.href(f"/runs/{notice.get('run_id', '')}")
        return Row(
            notice["delivery_id"],
            {
                "at": cells.moment(notice["created_at"]),
                "state": cells.state(word, tone, icon),
                "about": cells.link(f"A run: {about.lower()}", href),
                "why": notice.get("error", ""),
                "attempts": cells.number(int(notice.get("attempts", 0))),
                "next": cells.time(notice.get("next_attempt_at", "")),
            },
        )

    async def _test(self) -> None:
        await overview.send_test(self._page, self._notification)

    async def _switch(self, *, on: bool) -> None:
        await switch(self._page, self._notification, overview.API, "notification_id", on=on)

    def _ask_to_delete(self) -> None:
        lost = [
            f"{model.to_whom(self._notification)} is told nothing more {model.when(self._notification)}.",
            "What was sent is forgotten, and what waits to be sent is not sent.",
        ]
        title = f"Delete {self._notification['display_name']}?"
        widgets.confirm(title, lost, self._delete, label="Delete")

    async def _delete(self) -> None:
        path = f"{overview.API}/{segment(self._notification['notification_id'])}"
        done = f"{self._notification['display_name']} is deleted."
        if await self._page.attempt(self._page.api.delete(path), done=done):
            self._page.go("/notifications")


def _nothing_sent() -> None:
    widgets.empty_state(
        "outbox", "Nothing was sent yet", "Each message is listed here, and why one was not taken."
    )


def _linked(page: PageContext, text: str, path: str) -> Callable[[], None]:
    def build() -> None:
        widgets.link(text, page.href(path))

    return build


def _stamped(at: str) -> Callable[[], None]:
    def build() -> None:
        Stamp(at)

    return build
