"""One experiment: its runs, its metrics over them, and the recurring runs that start more."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.experiments import actions, rows
from sampan.components.pipelines.ui.experiments.metrics_part import MetricsPart
from sampan.components.pipelines.ui.run_list.page import RunList, Within
from sampan.ui import widgets
from sampan.ui.context import PageContext, Stop
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_TABS = {"runs": "Runs", "metrics": "Metrics", "recurring": "Recurring runs"}
_HEAD = ("display_name", "description", "storage_state")
_RECURRING = (
    Column("name", "Recurring run"),
    Column("state", "State"),
    Column("created", "Created"),
)


async def build(page: PageContext) -> None:
    await _Experiment(page).build()


class _Experiment:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["experiment_id"]
        self._found: dict[str, Any] = {}
        self._stop: Stop | None = None

    async def build(self) -> None:
        self._head = ui.element("div")
        self._summary = ui.element("div").classes("sp-row sp-experiment-summary")
        self._tabs: widgets.Tabs | None = None
        await self._page.live(actions.path_of(self._id), self._take, query={"view": "FULL"})
        self._tabs = widgets.Tabs(_TABS, self._page.query.get("tab", ""), self._choose)
        await self._tabs.show()

    async def _take(self, found: Any) -> None:
        before, self._found = self._found, found
        # Its runs change often, its name does not: buttons stay where they are.
        if any(before.get(key) != found.get(key) for key in _HEAD):
            self._page.set_title(found["display_name"])
            self._head.clear()
            with self._head:
                self._build_head()
        self._summary.clear()
        with self._summary:
            self._build_summary()
        if rows.is_archived(before) != rows.is_archived(found) and self._tabs is not None:
            # Its runs are on another shelf now.
            await self._tabs.show()

    def _build_head(self) -> None:
        found, page = self._found, self._page
        with widgets.page_header(found["display_name"], found.get("description", "")):
            if rows.is_archived(found):
                widgets.button("Unarchive", self._unarchive, icon="unarchive", kind="primary")
            else:
                href = page.href("/runs/new", experiment=self._id)
                widgets.button("Edit", lambda: actions.edit(page, self._found), icon="edit")
                widgets.button("Archive", self._archive, icon="archive")
                widgets.button("New run", icon="add", kind="primary", href=href)
            if found["display_name"] != rows.DEFAULT:
                widgets.button("Delete", self._delete, icon="delete", kind="danger")

    def _build_summary(self) -> None:
        if rows.is_archived(self._found):
            widgets.state("Archived", "warn", "inventory_2")
        for text, tone, icon in rows.summary(self._found):
            widgets.state(text, tone, icon)
        if archived := self._found.get("archived_run_count"):
            widgets.text(f"{archived:,} archived", "sp-muted")

    async def _choose(self, tab: str) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
        if tab != self._page.query.get("tab", "runs"):
            self._page.set_query(tab="" if tab == "runs" else tab)
        is_archived = rows.is_archived(self._found)
        match tab:
            case "runs":
                self._stop = await RunList(self._page, Within(self._id, is_archived)).build()
            case "metrics":
                self._stop = await MetricsPart(self._page, self._id, archived=is_archived).start()
            case _:
                self._stop = await self._list_recurring()

    async def _list_recurring(self) -> Stop:
        table = DataTable(_RECURRING, label="Recurring runs")
        empty = ui.element("div")
        href = self._page.href

        def take(answer: Any) -> None:
            listed = answer.get("recurringRuns", ())
            table.set_rows([_recurring(each, href) for each in listed])
            table.set_visibility(bool(listed))
            empty.clear()
            if not listed:
                with empty:
                    widgets.empty_state(
                        "event_repeat",
                        "No recurring runs",
                        "A recurring run starts a pipeline again and again, by a schedule.",
                        [("New recurring run", href("/runs/new", experiment=self._id, recurring="1"))],
                    )

        query = {"experiment_id": self._id, "namespace": self._page.namespace, "page_size": "100"}
        return await self._page.live("/apis/v2beta1/recurringruns", take, query=query)

    async def _archive(self) -> None:
        await self._page.attempt(actions.archive(self._page, self._id, lambda: None))

    async def _unarchive(self) -> None:
        await actions.unarchive(self._page, self._id, self._found["display_name"])

    async def _delete(self) -> None:
        def then() -> None:
            self._page.go("/experiments")

        await self._page.attempt(actions.delete(self._page, self._id, then))


def _recurring(found: Any, href: Any) -> Row:
    is_on = found.get("status") == "ENABLED"
    word, tone, icon = ("On", "ok", "") if is_on else ("Off", "idle", "pause_circle")
    return Row(
        found["recurring_run_id"],
        {
            "name": cells.link(found["display_name"], href(f"/recurring-runs/{found['recurring_run_id']}")),
            "state": cells.state(word, tone, icon),
            "created": cells.time(found.get("created_at", "")),
        },
        name=found["display_name"],
    )
