"""Recurring runs of a namespace: when each starts runs next, and how its latest went. And Argo's CronWorkflows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.components.pipelines.ui.recurring import model
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, DataTable, Row

API = "/apis/v2beta1/recurringruns"
_COLUMNS = (
    Column("name", "Name", sort="name"),
    Column("state", "State", sort="status"),
    Column("when", "Starts runs"),
    Column("next", "Next"),
    Column("recent", "Latest runs"),
    Column("started", "Runs", number=True),
    Column("actions", "", narrow=True),
)
_CRON_COLUMNS = (
    Column("name", "CronWorkflow"),
    Column("state", "State"),
    Column("when", "Starts Workflows"),
    Column("last", "Last"),
)


async def build(page: PageContext) -> None:
    view = _View(page)
    with widgets.page_header(
        "Recurring runs", "Runs that start at times of their own, for as long as a server runs."
    ):
        widgets.button(
            "New recurring run", icon="add", kind="primary", href=page.href("/runs/new", recurring="1")
        )
    with filters.bar():
        SearchBox("Search by name", view.text, view.search)
        states = {"": "All states", "ENABLED": "Active", "DISABLED": "Paused"}
        filters.choice("State", states, view.status, view.choose_status)
    view.list = PagedTable(page, view.listed(), label="Recurring runs", on_action=view.act)
    await view.ask()
    await _cron_workflows(page)


class _View:
    list: PagedTable

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self.text = page.query.get("q", "")
        self.status = page.query.get("state", "")

    def listed(self) -> Listed:
        return Listed(
            API,
            "recurringRuns",
            "recurring run|recurring runs",
            _COLUMNS,
            self._row,
            lambda: _empty(self._page),
        )

    async def search(self, text: str) -> None:
        self.text = text
        await self._narrow()

    async def choose_status(self, status: str) -> None:
        self.status = status
        await self._narrow()

    async def ask(self) -> None:
        predicates: list[dict[str, Any]] = []
        if self.text:
            predicates.append({"operation": "IS_SUBSTRING", "key": "name", "string_value": self.text})
        if self.status:
            predicates.append({"operation": "EQUALS", "key": "status", "string_value": self.status})
        query = {"view": "FULL"}
        if predicates:
            query["filter"] = json.dumps({"predicates": predicates})
        await self.list.show(query, narrowed=bool(predicates))

    async def act(self, schedule_id: str, name: str) -> None:
        await change(self._page, self.list.items[schedule_id], name)

    async def _narrow(self) -> None:
        self._page.set_query(q=self.text, state=self.status)
        await self.ask()

    def _row(self, schedule: Any) -> Row:
        word, tone, icon, why = model.state(schedule)
        said, zone = model.when(schedule)
        schedule_id, name = schedule["recurring_run_id"], schedule["display_name"]
        switch = (
            ("resume", "Resume", "play_arrow")
            if model.is_paused(schedule)
            else (
                "pause",
                "Pause",
                "pause",
            )
        )
        href = self._page.href(f"/recurring-runs/{schedule_id}")
        return Row(
            schedule_id,
            {
                "name": cells.link(name, href, schedule.get("description", "")[:120]),
                "state": cells.state(word, tone, icon, title=why),
                "when": cells.lines(said, zone),
                "next": cells.time(schedule.get("next_tick_at", "")),
                "recent": cells.strip(model.marks(schedule.get("recent_runs", ()), self._page.href)),
                "started": cells.number(int(schedule.get("runs_started", 0))),
                "actions": cells.actions([switch, ("run", "Run now", "play_circle")]),
            },
            name=name,
        )


async def change(page: PageContext, schedule: Mapping[str, Any], name: str) -> bool:
    """`pause`, `resume` or `run`."""
    verb = {"pause": "disable", "resume": "enable", "run": "run"}[name]
    title = schedule["display_name"]
    done = {
        "pause": f"{title} is paused.",
        "resume": f"{title} is active again.",
        "run": f"A run of {title} has started.",
    }[name]
    return await page.attempt(
        page.api.post(f"{API}/{segment(schedule['recurring_run_id'])}:{verb}"), done=done
    )


def _empty(page: PageContext) -> None:
    widgets.empty_state(
        "event_repeat",
        "No recurring runs yet",
        "A recurring run starts runs of a pipeline at times that a cron expression or an interval gives.",
        [
            ("New recurring run", page.href("/runs/new", recurring="1")),
            ("Pipelines", page.href("/pipelines")),
        ],
        command='sampan schedules create pipeline.py --cron "0 9 * * mon-fri"',
    )


async def _cron_workflows(page: PageContext) -> None:
    """Only where there are any, and where the cluster knows them."""
    section = ui.element("section").classes("sp-section")
    with section:
        widgets.heading("Argo CronWorkflows")
        table = DataTable(_CRON_COLUMNS, label="Argo CronWorkflows")
    section.set_visibility(False)

    def show(found: Any) -> None:
        items = found.get("items", [])
        section.set_visibility(bool(items))
        table.set_rows([_cron_row(page, each) for each in items])

    try:
        await page.live(
            f"/apis/argoproj.io/v1alpha1/namespaces/{segment(page.namespace)}/cronworkflows", show
        )
    except ApiFailureError as error:
        if error.status not in (403, 404):
            raise


def _cron_row(page: PageContext, workflow: Any) -> Row:
    name = workflow["metadata"]["name"]
    word, tone, icon, why = model.cron_workflow_state(workflow)
    said, zone = model.cron_workflow_when(workflow)
    href = page.href(f"/cluster/cronworkflows.argoproj.io/{segment(page.namespace)}/{segment(name)}")
    return Row(
        name,
        {
            "name": cells.link(name, href),
            "state": cells.state(word, tone, icon, title=why),
            "when": cells.lines(said, zone),
            "last": cells.time(workflow.get("status", {}).get("lastScheduledTime") or ""),
        },
        name=name,
    )
