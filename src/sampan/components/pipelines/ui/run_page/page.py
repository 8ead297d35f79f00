"""A run's page: its head, what is wrong or waited for, its parts, and beside them the step that is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_page import data_tab, graph_tab, plan, shared, spec_tab
from sampan.components.pipelines.ui.run_page.banner import Banner
from sampan.components.pipelines.ui.run_page.graph_tab import GraphTab, TimelineTab
from sampan.components.pipelines.ui.run_page.header import Header
from sampan.components.pipelines.ui.run_page.history_tab import HistoryTab
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.run_page.plan import Plan
from sampan.components.pipelines.ui.run_page.resume import ResumeDialog
from sampan.components.pipelines.ui.run_page.search_tab import SearchTab
from sampan.components.pipelines.ui.run_page.step_panel import StepPanel
from sampan.components.pipelines.ui.run_page.steps_tab import StepsTab
from sampan.components.pipelines.ui.states import is_final
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext

_PARTS = {
    "graph": "Graph",
    "timeline": "Timeline",
    "steps": "Steps",
    "data": "Inputs, outputs, artifacts",
    "search": "Logs",
    "events": "Events",
    "spec": "YAML",
}
_ARTIFACTS = "run-graph-artifacts"
"""The preference: whether artifacts are drawn."""


async def build(page: PageContext) -> None:
    await RunPage(page).build()


class RunPage:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._run_id = page.params["run_id"]
        self._run: Mapping[str, Any] = {}
        self._tasks: Sequence[Mapping[str, Any]] = ()
        self._steps: Sequence[Step] = ()
        self._plan: Plan | None = None
        self._shown: GraphTab | TimelineTab | StepsTab | HistoryTab | SearchTab | None = None

    async def build(self) -> None:
        page = self._page
        self._header = Header(page, self._resume)
        with ui.element("div") as self._above:
            self._banner = Banner(page, self._open_log, self._resume)
        with ui.element("div").classes("sp-run-body") as self._body:
            main = ui.element("div").classes("sp-run-main")
            self._panel = StepPanel(page, self._open_step, self._planned)
        asked = {"view": "STATES", "include": "origin"}
        await page.live(run_actions.path(self._run_id), self._take, query=asked)
        with main:
            self._tabs = widgets.Tabs(_PARTS, page.query.get("tab", ""), self._choose)
        await self._tabs.show()
        if page.query.get("task"):
            await self._open(page.query["task"])

    def _take(self, run: Any) -> None:
        if run.get("display_name") != self._run.get("display_name"):
            self._page.set_title(run["display_name"])
        self._run, self._tasks = run, run.get("tasks", ())
        self._steps = shared.steps(self._tasks)
        self._header.show(run, self._steps)
        self._banner.show(run, self._steps)
        self._panel.watch(run, self._tasks)
        self._show_part()

    def _show_part(self) -> None:
        if isinstance(self._shown, GraphTab | TimelineTab):
            self._shown.show(self._run, self._tasks)
        elif isinstance(self._shown, StepsTab | SearchTab):
            self._shown.show(self._steps)
        elif isinstance(self._shown, HistoryTab):
            self._shown.show(self._run, self._steps)

    async def _choose(self, part: str) -> None:
        """Fills the place below the tabs."""
        if part != self._page.query.get("tab", next(iter(_PARTS))):
            self._page.set_query(tab=part)
        self._shown = None
        match part:
            case "graph":
                await self._build_graph()
            case "timeline":
                self._shown = TimelineTab(await self._planned(), self._open_node)
            case "steps":
                self._shown = StepsTab(self._open_step)
            case "events":
                self._shown = HistoryTab()
            case "data":
                if not is_final(self._run.get("state", "")):
                    widgets.button("Read again", self._tabs.show, icon="refresh")
                await data_tab.show(self._page, self._run_id)
            case "search":
                self._shown = SearchTab(self._page, self._run_id, self._open_log)
                await self._shown.start()
            case "spec":
                await spec_tab.show(await self._planned())
        self._show_part()

    async def _planned(self) -> Plan:
        """What it runs does not change, but for a paused run that goes on with something else."""
        if self._plan is None:
            self._plan = await plan.load(self._page, self._run_id)
        return self._plan

    async def _build_graph(self) -> None:
        planned = await self._planned()
        has_artifacts = bool(self._page.preference(_ARTIFACTS, False))

        async def change(is_on: bool) -> None:
            await self._page.keep_preference(_ARTIFACTS, is_on or None)
            await self._tabs.show()

        graph_tab.switch(has_artifacts, change)
        self._shown = GraphTab(planned, self._open_node, artifacts=has_artifacts)
        self._show_part()
        self._shown.select(self._panel.task_id)

    async def _open_node(self, task_id: str, place: str) -> None:
        """What has not begun has no task: then what it is going to run is shown."""
        if task_id or not place:
            await self._open_step(task_id)
            return
        found = (await self._planned()).step(place)
        self._mark(is_open=found is not None)
        self._page.set_query(task="")
        await self._panel.open("")
        if found is not None:
            self._panel.foretell(found)

    async def _open_step(self, task_id: str) -> None:
        """Opens a step beside, or with nothing closes it."""
        kept = {} if task_id == self._panel.task_id else {"attempt": "", "line": ""}
        self._page.set_query(task=task_id, **kept, **({} if task_id else {"panel": ""}))
        await self._open(task_id)

    async def _open_log(self, task_id: str) -> None:
        self._page.set_query(task=task_id, panel="log", attempt="", line="")
        await self._open(task_id, "log")

    def _mark(self, *, is_open: bool) -> None:
        """Room for the panel, and less of what is above."""
        for place, name in ((self._body, "sp-has-panel"), (self._above, "sp-brief")):
            place.classes(add=name if is_open else "", remove="" if is_open else name)

    async def _open(self, task_id: str, part: str = "") -> None:
        self._mark(is_open=bool(task_id))
        try:
            await self._panel.open(task_id, part)
            if isinstance(self._shown, GraphTab | TimelineTab):
                self._shown.select(task_id)
        except ApiFailureError as error:
            # An address that somebody kept, of a step that a retry has made anew.
            if error.status != 404:
                raise
            self._page.notify("This step is not there any more.", "warn")
            await self._open_step("")

    async def _resume(self) -> None:
        try:
            await ResumeDialog(self._page, self._run, self._steps).open()
        except ApiFailureError as error:
            widgets.failure_dialog(error)
