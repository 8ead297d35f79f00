"""Triggers of a namespace: what starts runs when something happens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.events import trigger_model as model
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, Row

API = "/apis/v2beta1/triggers"
_COLUMNS = (
    Column("name", "Name", sort="name"),
    Column("state", "State", sort="status"),
    Column("when", "Starts runs", sort="kind"),
    Column("started", "Runs", number=True),
    Column("created", "Made", sort="created_at"),
    Column("actions", "", narrow=True),
)


async def build(page: PageContext) -> None:
    view = _View(page)
    with widgets.page_header("Triggers", "Runs that start when something happens."):
        widgets.button("New trigger", icon="add", kind="primary", href=page.href("/triggers/new"))
    with filters.bar():
        SearchBox("Search by name", view.text, view.search)
        filters.choice("Kind", {"": "All kinds", **model.KINDS}, view.kind, view.choose_kind)
    view.list = PagedTable(page, view.listed(), label="Triggers", on_action=view.act)
    await view.ask()


class _View:
    list: PagedTable

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.text = page.query.get("q", "")
        self.kind = page.query.get("kind", "")

    def listed(self) -> Listed:
        return Listed(API, "triggers", "trigger|triggers", _COLUMNS, self._row, lambda: _empty(self._page))

    async def search(self, text: str) -> None:
        self.text = text
        await self._narrow()

    async def choose_kind(self, kind: str) -> None:
        self.kind = kind
        await self._narrow()

    async def ask(self) -> None:
        predicates: list[dict[str, Any]] = []
        if self.text:
            predicates.append({"operation": "IS_SUBSTRING", "key": "name", "string_value": self.text})
        if self.kind:
            predicates.append({"operation": "EQUALS", "key": "kind", "string_value": self.kind})
        query = {"filter": json.dumps({"predicates": predicates})} if predicates else {}
        await self.list.show(query, narrowed=bool(predicates))

    async def act(self, trigger_id: str, name: str) -> None:
        await switch(self._page, self.list.items[trigger_id], API, "trigger_id", on=name == "resume")

    async def _narrow(self) -> None:
        self._page.set_query(q=self.text, kind=self.kind)
        await self.ask()

    def _row(self, trigger: Any) -> Row:
        word, tone, icon, why = model.state(trigger)
        name = trigger["display_name"]
        said, icon_of_kind = model.when(trigger), model.ICONS[model.kind_of(trigger)]
        href = self._page.href(f"/triggers/{trigger['trigger_id']}")
        return Row(
            trigger["trigger_id"],
            {
                "name": cells.link(name, href, trigger.get("description", "")[:120], icon_of_kind),
                "state": cells.state(word, tone, icon, title=why),
                "when": said[0].upper() + said[1:],
                "started": cells.number(int(trigger.get("runs_started", 0))),
                "created": cells.time(trigger["created_at"]),
                "actions": cells.actions([switch_action(trigger)]),
            },
            name=name,
        )


def switch_action(thing: Mapping[str, Any]) -> tuple[str, str, str]:
    return ("resume", "Resume", "play_arrow") if model.is_paused(thing) else ("pause", "Pause", "pause")


async def switch(page: PageContext, thing: Mapping[str, Any], base: str, key: str, *, on: bool) -> bool:
    """A trigger or a notification, below `base`, whose id is at `key`."""
    name = thing["display_name"]
    return await page.attempt(
        page.api.post(f"{base}/{segment(thing[key])}:{'enable' if on else 'disable'}"),
        done=f"{name} is active again." if on else f"{name} is paused.",
    )


def _empty(page: PageContext) -> None:
    widgets.empty_state(
        "webhook",
        "No triggers yet",
        "A trigger starts a run when a webhook comes in, a file appears, a model was made, or another run ended.",
        [("New trigger", page.href("/triggers/new")), ("Pipelines", page.href("/pipelines"))],
        command="sampan triggers create pipeline.py --file in/ --glob '*.csv' -p \"file={{event.path}}\"",
    )
