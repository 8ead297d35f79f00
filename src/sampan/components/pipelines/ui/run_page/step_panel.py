"""One step beside the graph: how it is, its attempts and logs, what went in and came out, its pod."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import messages
from sampan.components.pipelines.ui.pipelines import step_panel
from sampan.components.pipelines.ui.run_page import model, pods, shared, value_views, values
from sampan.components.pipelines.ui.run_page.banner import debug_command
from sampan.components.pipelines.ui.run_page.command import command
from sampan.components.pipelines.ui.run_page.plan import Plan
from sampan.components.pipelines.ui.spec.step import Step as Planned
from sampan.components.pipelines.ui.states import is_final, shown
from sampan.components.pipelines.ui.step_log import StepLog
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext, Stop
from sampan.ui.controls.controls import Choice
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row
from sampan.ui.times import told

_PARTS = {
    "overview": "Overview",
    "log": "Log",
    "io": "Inputs, outputs",
    "code": "Code",
    "pod": "Pod",
}
_KINDS = {
    "RUNTIME": "Step",
    "IMPORTER": "Importer",
    "DAG": "Pipeline within the pipeline",
    "LOOP": "Loop",
    "LOOP_ITERATION": "Iteration of a loop",
    "CONDITION": "Condition",
    "CONDITION_BRANCH": "Branches of a condition",
    "EXIT_HANDLER": "Steps with an exit handler",
    "ROOT": "The whole run",
}
_ATTEMPTS = (
    Column("number", "Attempt", number=True, narrow=True),
    Column("state", "State"),
    Column("took", "Took", number=True),
    Column("message", "How it ended"),
)
Task = Mapping[str, Any]


class StepPanel:
    """Filled with one task at a time, or hidden."""

    def __init__(
        self, page: PageContext, choose: Callable[[str], Any], planned: Callable[[], Awaitable[Plan]]
    ) -> None:
        """`choose` opens another task, or with nothing closes the panel."""
        self._page = page
        self._planned = planned
        self._choose = choose
        self._following: Stop | None = None
        self._run: Mapping[str, Any] = {}
        self._tasks: Sequence[Task] = ()
        self._task: Task = {}
        self.task_id = ""
        self._part = page.query.get("panel", "overview")
        self._log: StepLog | None = None
        self._events: Stop | None = None
        self._iterations: list[tuple[str, str]] = []
        self.place = ui.element("aside").classes("sp-run-panel").props('aria-label="The step"')
        self.place.set_visibility(False)

    def watch(self, run: Mapping[str, Any], tasks: Sequence[Task]) -> None:
        """The run has changed: which iterations there are, and how they are."""
        self._run, self._tasks = run, tasks
        if self.task_id:
            self._show_iterations()

    async def open(self, task_id: str, part: str = "") -> None:
        if task_id == self.task_id and not part:
            return
        self._part = part or self._part
        if self._following is not None:
            self._following()
            self._following = None
        self._end_part()
        self.task_id = task_id
        self._task, self._log, self._iterations = {}, None, []
        self.place.clear()
        self.place.set_visibility(bool(task_id))
        if not task_id:
            return
        path = f"/apis/v2beta1/runs/{segment(self._run['run_id'])}/tasks/{segment(task_id)}"
        with self.place:
            self._head = ui.element("div").classes("sp-run-step-head")
            self._choice_place = ui.element("div")
            self._body = ui.element("div")

        async def take(task: Any) -> None:
            if self.task_id == task_id:
                await self._take(task)

        stop = await self._page.live(path, take)
        if self.task_id == task_id:
            self._following = stop
        else:
            stop()

    async def _take(self, task: Task) -> None:
        is_first = not self._task
        self._task = task
        self._head.clear()
        with self._head:
            self._build_head(task)
        if is_first:
            self._show_iterations()
            with self._body:
                names = _parts_of(task)
                self._tabs = widgets.Tabs(names, self._part, self._choose_part)
            await self._tabs.show()
        elif self._tabs.chosen == "log":
            if self._log is not None:
                self._log.show(task)
        elif self._tabs.chosen in ("overview", "io"):
            await self._tabs.show()

    def _build_head(self, task: Task) -> None:
        with ui.element("div").classes("sp-row"):
            widgets.heading(str(task.get("display_name") or task["name"]))
            widgets.state(*shown(task.get("state", "")))
            if task.get("start_time"):
                told.span(task["start_time"], task.get("end_time", ""))
            ui.element("div").classes("sp-space")
            widgets.icon_button("close", "Close the step", lambda: self._choose(""))
        with ui.element("div").classes("sp-muted sp-small"):
            widgets.text(f"{_KINDS.get(task.get('type', ''), 'Task')} · {model.path(task) or 'root'}")

    def _show_iterations(self) -> None:
        found = model.iterations(self._task, self._tasks) if self._task else []
        if found == self._iterations:
            return
        self._iterations = found
        self._choice_place.clear()
        if len(found) > 1:
            with self._choice_place:
                Choice("Iteration", found, self._task["task_id"], self._choose)

    async def _choose_part(self, part: str) -> None:
        if part != self._part:
            self._part = part
            self._page.set_query(panel="" if part == "overview" else part)
        self._end_part()
        match part:
            case "log":
                path = f"/runs/{segment(self._run['run_id'])}/logs/{segment(self.task_id)}"
                widgets.link("On a page of its own", self._page.href(path)).classes("sp-small")
                self._log = StepLog(self._page, self._task)
            case "io":
                await self._build_io()
            case "code":
                await self._build_code()
            case "pod":
                last = (self._task.get("attempts") or self._task.get("pods", ()))[-1]
                self._events = await pods.show(self._page, str(last.get("pod") or last.get("name")))
            case _:
                self._build_overview(self._task)

    def _end_part(self) -> None:
        self._log = None
        if self._events is not None:
            self._events()
            self._events = None

    def _build_overview(self, task: Task) -> None:
        message = task.get("status_metadata", {}).get("message", "")
        if message:
            self._build_message(task, message)
        attempts = task.get("attempts", [])
        if len(attempts) > 1 or (attempts and attempts[-1].get("exit_code")):
            table = DataTable(_ATTEMPTS, label="Attempts")
            table.set_rows([_attempt_row(number, each) for number, each in enumerate(attempts, 1)])
        widgets.pairs(self._facts(task))
        if task.get("type") == "RUNTIME" and attempts:
            widgets.text("A shell where it ran, in a terminal:", "sp-muted sp-small")
            own = next((step for step in shared.steps(self._tasks) if step.task_id == task["task_id"]), None)
            if own is not None:
                command(debug_command(self._run, own))

    def _build_message(self, task: Task, message: str) -> None:
        head, log = messages.split(message)
        has_failed = task.get("state") == "FAILED"
        tone, title = ("bad", "Why it failed") if has_failed else ("warn", "What it says")
        if not is_final(task.get("state", "")):
            tone, title = "warn", "What it waits for"
        with ui.element("section").classes(f"sp-notice sp-tone-{tone}"):
            widgets.heading(title, 3)
            widgets.paragraph(head, "sp-pre")
            if log:
                with ui.element("pre").classes("sp-notice-log").props('tabindex="0"') as quoted:
                    quoted._text = messages.end_of(log)

    def _facts(self, task: Task) -> dict[str, str | Callable[[], None]]:
        facts: dict[str, str | Callable[[], None]] = {}
        for name, key in (("Created", "create_time"), ("Started", "start_time"), ("Ended", "end_time")):
            if task.get(key):
                facts[name] = partial(_draw_time, task[key])
        reason = task.get("status_metadata", {}).get("custom_properties", {}).get("reason", "")
        if reason:
            facts["Decided"] = str(reason)
        if task.get("cached_from"):
            source = task["cached_from"]
            address = self._page.href(f"/runs/{source['run_id']}", task=source["task_id"])
            facts["Result taken from"] = partial(_draw_link, f"run {source['run_id'][:8]}", address)
        if task.get("cache_fingerprint"):
            facts["Cache fingerprint"] = partial(_draw_mono, str(task["cache_fingerprint"]))
        if count := task.get("type_attributes", {}).get("iteration_count"):
            facts["Iterations"] = str(count)
        facts["Task id"] = partial(_draw_mono, str(task["task_id"]))
        return facts

    async def _build_code(self) -> None:
        found = (await self._planned()).step(model.path(self._task))
        if found is not None:
            step_panel.details(found)
        else:
            widgets.paragraph("The specification does not say.", "sp-muted")

    def foretell(self, planned: Planned) -> None:
        """A step that has not begun: what it is going to run."""
        self.place.set_visibility(True)
        with self.place:
            step_panel.build(planned, lambda: self._choose(""))
            widgets.paragraph("It has not begun.", "sp-muted")

    async def _build_io(self) -> None:
        task, page = self._task, self._page
        for title, side, none in (
            ("Inputs", task.get("inputs", {}), "Nothing goes into this step."),
            ("Outputs", task.get("outputs", {}), "Nothing has come out of this step."),
        ):
            widgets.heading(title, 3)
            given, linked = values.parameters(side), values.artifacts(side)
            if given or not linked:
                value_views.parameters(given, none)
            if linked:
                await value_views.artifacts(page, linked, "")


def _draw_time(at: str) -> None:
    told.ago(at)


def _draw_link(text: str, address: str) -> None:
    widgets.link(text, address)


def _draw_mono(text: str) -> None:
    widgets.text(text, "sp-mono")


def _parts_of(task: Task) -> dict[str, str]:
    """What has neither log nor pod does not offer them."""
    if task.get("attempts") or task.get("pods"):
        return _PARTS
    is_step = task.get("type") == "RUNTIME"
    return {
        key: name
        for key, name in _PARTS.items()
        if key in ("overview", "io") or (key in ("log", "code") and is_step)
    }


def _attempt_row(number: int, attempt: Mapping[str, Any]) -> Row:
    word, tone, icon = shown(attempt.get("state", ""))
    code = f"exit code {attempt['exit_code']}" if attempt.get("exit_code") else ""
    why = messages.line(str(attempt.get("message", "")))
    return Row(
        str(number),
        {
            "number": cells.number(number),
            "state": cells.state(word, tone, icon),
            "took": cells.duration(attempt.get("start_time", ""), attempt.get("end_time", "")),
            "message": cells.lines(why or code, code if why and code not in why else ""),
        },
    )
