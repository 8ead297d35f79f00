"""Notifications of a namespace: who is told what of runs."""

from __future__ import annotations

import json
from typing import Any

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.events import notification_model as model
from sampan.components.pipelines.ui.events import trigger_model
from sampan.components.pipelines.ui.events.trigger_overview import switch, switch_action
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, Row

API = "/apis/v2beta1/notifications"
_COLUMNS = (
    Column("name", "Name", sort="name"),
    Column("state", "State", sort="status"),
    Column("to", "Tells", sort="channel"),
    Column("when", "When"),
    Column("sent", "Sent", number=True),
    Column("created", "Made", sort="created_at"),
    Column("actions", "", narrow=True),
)


async def build(page: PageContext) -> None:
    view = _View(page)
    with widgets.page_header(
        "Notifications", "Who is told what became of runs: by webhook, in a chat, by mail."
    ):
        widgets.button("New notification", icon="add", kind="primary", href=page.href("/notifications/new"))
    with filters.bar():
        SearchBox("Search by name", view.text, view.search)
    view.list = PagedTable(page, view.listed(), label="Notifications", on_action=view.act)
    await view.ask()


class _View:
    list: PagedTable

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.text = page.query.get("q", "")

    def listed(self) -> Listed:
        return Listed(
            API,
            "notifications",
            "notification|notifications",
            _COLUMNS,
            self._row,
            lambda: _empty(self._page),
        )

    async def search(self, text: str) -> None:
        self.text = text
        self._page.set_query(q=text)
        await self.ask()

    async def ask(self) -> None:
        predicate = {"operation": "IS_SUBSTRING", "key": "name", "string_value": self.text}
        query = {"filter": json.dumps({"predicates": [predicate]})} if self.text else {}
        await self.list.show(query, narrowed=bool(self.text))

    async def act(self, key: str, name: str) -> None:
        notification = self.list.items[key]
        if name == "test":
            await send_test(self._page, notification)
        else:
            await switch(self._page, notification, API, "notification_id", on=name == "resume")

    def _row(self, notification: Any) -> Row:
        word, tone, icon, why = trigger_model.state(notification)
        key, name = notification["notification_id"], notification["display_name"]
        channel = model.channel_of(notification)
        said = model.when(notification)
        href, detail = self._page.href(f"/notifications/{key}"), notification.get("description", "")[:120]
        return Row(
            key,
            {
                "name": cells.link(name, href, detail, model.ICONS[channel]),
                "state": cells.state(word, tone, icon, title=why),
                "to": model.to_whom(notification),
                "when": cells.lines(said[0].upper() + said[1:], f"of {model.about(notification)}"),
                "sent": cells.number(int(notification.get("sent", 0))),
                "created": cells.time(notification["created_at"]),
                "actions": cells.actions([("test", "Send a test", "send"), switch_action(notification)]),
            },
            name=name,
        )


async def send_test(page: PageContext, notification: Any) -> None:
    """Says whether the receiver has taken it."""
    await page.attempt(
        page.api.post(f"{API}/{segment(notification['notification_id'])}:test"),
        done=f"{model.to_whom(notification)} has taken the test.",
    )


def _empty(page: PageContext) -> None:
    widgets.empty_state(
        "notifications_none",
        "No notifications yet",
        "A notification tells somebody when a run fails, ends, waits for a decision, or takes too long.",
        [("New notification", page.href("/notifications/new"))],
        command="sampan notify create failures --slack https://hooks.slack.com/services/…",
    )
