"""A run's page: its head, what is wrong or waited for, its parts, and beside them the step that is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_page import data_tab, model, spec_tab
from sampan.components.pipelines.ui.run_page.banner import Banner
from sampan.components.pipelines.ui.run_page.header import Header
from sampan.components.pipelines.ui.run_page.history_tab import HistoryTab
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.run_page.resume import ResumeDialog
from sampan.components.pipelines.ui.run_page.search_tab import SearchTab
from sampan.components.pipelines.ui.run_page.step_panel import StepPanel
from sampan.components.pipelines.ui.run_page.steps_tab import StepsTab
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext

_PARTS = {
    "steps": "Steps",
    "data": "Inputs and outputs",
    "search": "Logs of all steps",
    "events": "Events",
    "spec": "Specification",
}


async def build(page: PageContext) -> None:
    await RunPage(page).build()


class RunPage:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._run_id = page.params["run_id"]
        self._run: Mapping[str, Any] = {}
        self._tasks: Sequence[Mapping[str, Any]] = ()
        self._steps: list[Step] = []
        self._shown: StepsTab | HistoryTab | None = None

    async def build(self) -> None:
        page = self._page
        self._header = Header(page, self._resume)
        with ui.element("div") as self._above:
            self._banner = Banner(page, self._open_log, self._resume)
        with ui.element("div").classes("sp-run-body") as self._body:
            main = ui.element("div").classes("sp-run-main")
            self._panel = StepPanel(page, self._open_step)
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
        self._steps = model.steps(self._tasks)
        self._header.show(run, self._steps)
        self._banner.show(run, self._steps)
        self._panel.watch(run, self._tasks)
        self._show_part()

    def _show_part(self) -> None:
        if isinstance(self._shown, StepsTab):
            self._shown.show(self._steps)
        elif isinstance(self._shown, HistoryTab):
            self._shown.show(self._run, self._steps)

    async def _choose(self, part: str) -> None:
        """Fills the place below the tabs."""
        if part != self._page.query.get("tab", next(iter(_PARTS))):
            self._page.set_query(tab=part)
        self._shown = None
        match part:
            case "steps":
                self._shown = StepsTab(self._open_step)
            case "events":
                self._shown = HistoryTab()
            case "data":
                await data_tab.show(self._page, self._run_id)
            case "search":
                await SearchTab(self._page, self._run_id).start()
            case "spec":
                await spec_tab.show(self._page, self._run_id)
        self._show_part()

    async def _open_step(self, task_id: str) -> None:
        """Opens a step beside, or with nothing closes it."""
        self._page.set_query(task=task_id, **({} if task_id else {"panel": "", "attempt": "", "line": ""}))
        await self._open(task_id)

    async def _open_log(self, task_id: str) -> None:
        self._page.set_query(task=task_id, panel="log")
        await self._open(task_id, "log")

    async def _open(self, task_id: str, part: str = "") -> None:
        self._body.classes(add="sp-with-panel" if task_id else "", remove="" if task_id else "sp-with-panel")
        self._above.classes(add="sp-brief" if task_id else "", remove="" if task_id else "sp-brief")
        try:
            await self._panel.open(task_id, part)
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
