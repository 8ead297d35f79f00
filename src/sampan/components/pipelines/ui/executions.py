"""Executions: the steps of all runs of a namespace, each of which leads into its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, Row

API = "/apis/v2beta1/executions"
_COLUMNS = (
    Column("name", "Step"),
    Column("state", "State"),
    Column("run", "Run"),
    Column("duration", "Duration"),
    Column("started", "Started"),
    Column("pod", "Pod"),
)
_STATES = {
    "": "All states",
    "PENDING": "Pending",
    "RUNNING": "Running",
    "SUCCEEDED": "Succeeded",
    "CACHED": "From cache",
    "SKIPPED": "Skipped",
    "FAILED": "Failed",
    "CANCELED": "Stopped",
}
_KINDS = {"": "Steps", "all": "Steps and what holds them together"}


async def build(page: PageContext) -> None:
    view = _View(page)
    widgets.page_header("Executions", "Every step of every run, the newest run's first.")
    with filters.bar():
        SearchBox("Search by name", view.text, view.search)
        filters.choice("State", _STATES, view.state, view.choose_state)
        filters.choice("Kind", _KINDS, view.kind, view.choose_kind)
    view.list = PagedTable(page, view.listed(), label="Executions")
    await view.ask()


async def build_one(page: PageContext) -> None:
    """An execution is shown where it belongs: in its run."""
    task = await page.api.get(f"/apis/v2beta1/tasks/{segment(page.params['task_id'])}")
    page.go(f"/runs/{segment(task['run_id'])}", task=task["task_id"])


class _View:
    list: PagedTable

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.text = page.query.get("q", "")
        self.state = page.query.get("state", "")
        self.kind = page.query.get("kind", "")

    def listed(self) -> Listed:
        return Listed(
            API,
            "executions",
            "execution|executions",
            _COLUMNS,
            lambda item: row(item, self._page),
            lambda: _empty(self._page),
            order="",
        )

    async def search(self, text: str) -> None:
        self.text = text
        await self._narrow()

    async def choose_state(self, state: str) -> None:
        self.state = state
        await self._narrow()

    async def choose_kind(self, kind: str) -> None:
        self.kind = kind
        await self._narrow()

    async def ask(self) -> None:
        query = {"search": self.text, "state": self.state, "all_types": "true" if self.kind else ""}
        await self.list.show(query, narrowed=bool(self.text or self.state))

    async def _narrow(self) -> None:
        self._page.set_query(q=self.text, state=self.state, kind=self.kind)
        await self.ask()


def row(item: Mapping[str, Any], page: PageContext) -> Row:
    word, tone, icon = shown(str(item.get("state", "")))
    name = str(item.get("display_name") or item["name"])
    if item.get("iteration_index"):
        name += f" #{item['iteration_index']}"
    start = str(item.get("start_time") or "")
    retries = int(item.get("attempts", 0)) - 1
    return Row(
        item["task_id"],
        {
            "name": cells.link(name, page.href(f"/runs/{item['run_id']}", task=item["task_id"])),
            "state": cells.state(word, tone, icon, title=str(item.get("error", ""))[:400]),
            "run": cells.link(item["run"], page.href(f"/runs/{item['run_id']}"), item.get("pipeline", "")),
            "duration": cells.duration(start, item.get("end_time", "")) if start else "",
            "started": cells.time(start or item.get("create_time", "")),
            "pod": cells.lines(item.get("pod", ""), f"attempt {retries + 1}" if retries > 0 else ""),
        },
        name=name,
    )


def _empty(page: PageContext) -> None:
    widgets.empty_state(
        "account_tree",
        "Nothing has run yet",
        "Each step of a run is listed here, with how long it took and whether it came from the cache.",
        [("New run", page.href("/runs/new")), ("Pipelines", page.href("/pipelines"))],
        command="sampan run pipeline.py",
    )
