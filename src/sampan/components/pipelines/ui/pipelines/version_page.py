"""One version of a pipeline: its graph, its inputs, its tasks, and itself as YAML."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from nicegui import ui

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_values import to_text
from sampan.components.pipelines.ui.graph_model import blueprint_of, graph_of
from sampan.components.pipelines.ui.pipelines import deleting, rows, step_panel
from sampan.components.pipelines.ui.pipelines.pipeline_page import edit
from sampan.components.pipelines.ui.spec import reading
from sampan.components.pipelines.ui.spec.reading import Input, Spec
from sampan.components.pipelines.ui.spec.step import Step
from sampan.components.pipelines.ui.spec.steps import steps
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.graph.view import GraphView
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_API = "/apis/v2beta1"
_TABS = {"graph": "Graph", "tasks": "Tasks", "inputs": "Inputs", "yaml": "YAML", "details": "Details"}
_INPUTS = (
    Column("name", "Input"),
    Column("type", "Type"),
    Column("default", "Default"),
    Column("needed", "Needed"),
    Column("description", "Description"),
)
_TASKS = (
    Column("name", "Task"),
    Column("kind", "Kind"),
    Column("image", "Image"),
    Column("after", "After"),
    Column("actions", "", narrow=True),
)


class _VersionPage:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._pipeline_id = page.params["pipeline_id"]
        self._id = page.params["version_id"]
        self._pipeline_path = f"{_API}/pipelines/{segment(self._pipeline_id)}"
        self._path = f"{self._pipeline_path}/versions/{segment(self._id)}"
        self._version: Any = {}
        self._spec: Spec
        self._steps: dict[str, Step] = {}
        self._panel: ui.element | None = None
        self._graph: GraphView | None = None

    async def build(self) -> None:
        page = self._page
        pipeline, self._version = await asyncio.gather(
            page.api.get(self._pipeline_path), page.api.get(self._path)
        )
        try:
            self._spec = await asyncio.to_thread(reading.read, self._version["pipeline_spec"])
        except InvalidArgumentError as error:
            raise ApiFailureError(400, f"This version cannot be read: {error.message}") from error
        self._steps = steps(self._spec)
        name = self._version["display_name"]
        above = f"/pipelines/{segment(self._pipeline_id)}"
        page.set_title(name, [("Pipelines", "/pipelines"), (pipeline["display_name"], above)])
        self._build_head(name, pipeline["display_name"])
        self._tabs = widgets.Tabs(_TABS, page.query.get("tab", ""), self._choose)
        await self._tabs.show()

    def _build_head(self, name: str, pipeline_name: str) -> None:
        page = self._page
        summary = rows.first_line(self._version.get("description") or self._spec.description, 240)
        with widgets.page_header(name, summary or f"A version of {pipeline_name}"):
            new_run = page.href("/runs/new", pipeline=self._pipeline_id, version=self._id)
            widgets.button("New run", href=new_run, icon="play_arrow", kind="primary")
            schedule = page.href("/runs/new", pipeline=self._pipeline_id, version=self._id, recurring="1")
            widgets.button("Schedule", href=schedule, icon="event_repeat")
            compare = page.href(f"/pipelines/{segment(self._pipeline_id)}/compare", to=self._id)
            widgets.button("Compare", href=compare, icon="difference")
            widgets.button("Download", self._download, icon="download")
            widgets.button("Edit", self._edit, icon="edit")
            widgets.button("Delete", self._delete, icon="delete", kind="danger")

    async def _choose(self, key: str) -> None:
        self._panel = self._graph = None
        if self._page.query.get("tab", next(iter(_TABS))) != key:
            self._page.set_query(tab="" if key == next(iter(_TABS)) else key, task="")
        build = {
            "graph": self._build_graph,
            "tasks": self._build_tasks,
            "inputs": self._build_inputs,
            "yaml": self._build_yaml,
            "details": self._build_details,
        }[key]
        found = build()
        if found is not None:
            await found

    async def _build_graph(self) -> None:
        plan = await asyncio.to_thread(blueprint_of, self._version["pipeline_spec"])
        if plan.problem:
            detail = f"{plan.problem}. The list of its tasks may say more."
            widgets.empty_state("account_tree", "This cannot be drawn", detail)
            return
        graph = await asyncio.to_thread(graph_of, plan)
        with ui.element("div").classes("sp-with-panel"):
            view = GraphView(label="Tasks of the pipeline", on_select=self._open)
            view.show(graph)
            self._panel = ui.element("aside").classes("sp-step-panel").props('aria-label="Task"')
        self._graph = view
        self._panel.set_visibility(False)
        if task := self._page.query.get("task", ""):
            view.select(task)
            self._open(task)

    def _close(self) -> None:
        if self._graph is not None:
            self._graph.select("")
        self._open("")

    def _build_tasks(self) -> None:
        with ui.element("div").classes("sp-with-panel"):
            table = DataTable(_TASKS, label="Tasks", on_action=lambda path, _: self._open(path))
            table.set_rows([_task_row(step) for step in self._steps.values()])
            self._panel = ui.element("aside").classes("sp-step-panel").props('aria-label="Task"')
        self._panel.set_visibility(False)
        self._open(self._page.query.get("task", ""))

    def _open(self, path: str) -> None:
        step = self._steps.get(path)
        if self._panel is None:
            return
        self._panel.clear()
        self._panel.set_visibility(step is not None)
        if self._page.query.get("task", "") != path:
            self._page.set_query(task=path)
        if step is not None:
            with self._panel:
                step_panel.build(step, self._close)

    def _build_inputs(self) -> None:
        if not self._spec.inputs and not self._spec.artifact_inputs:
            widgets.empty_state(
                "input", "It takes no inputs", "A run of it needs nothing but a click on New run."
            )
            return
        table = DataTable(_INPUTS, label="Inputs")
        table.set_rows(
            [_input_row(each) for each in self._spec.inputs]
            + [_artifact_row(name) for name in self._spec.artifact_inputs]
        )

    async def _build_yaml(self) -> None:
        text = await self._yaml()
        CodeView(text, label="YAML", language="yaml", height="calc(100vh - 260px)")

    def _build_details(self) -> None:
        version, source = self._version, str(self._version.get("code_source_url", ""))
        values: dict[str, Any] = {"Name": version["display_name"]}
        if version.get("description"):
            values["Description"] = version["description"]
        if tags := rows.tag_texts(version.get("tags") or {}):
            values["Tags"] = ", ".join(tags)
        if source:
            values["Code"] = lambda: _source(source)
        if url := (version.get("package_url") or {}).get("pipeline_url", ""):
            values["Uploaded from"] = url
        if self._spec.compiler:
            values["Compiled by"] = self._spec.compiler
        if self._spec.pipeline is not None and self._spec.pipeline.default_pipeline_root:
            values["Pipeline root"] = self._spec.pipeline.default_pipeline_root
        values["Language"] = "KFP's IR" if self._spec.pipeline is not None else "Argo Workflow"
        values["Id"] = lambda: widgets.text(self._id, "sp-mono")
        with widgets.card():
            widgets.pairs(values)

    async def _yaml(self) -> str:
        return await asyncio.to_thread(reading.as_yaml, self._version["pipeline_spec"])

    async def _download(self) -> None:
        name = re.sub(r"[^\w.-]+", "-", self._version["display_name"]).strip("-.") or "pipeline"
        ui.download.content(await self._yaml(), f"{name}.yaml", "application/yaml")

    def _edit(self) -> None:
        page = self._page
        edit(page, self._path, self._version, "Edit version", lambda: page.go(page.path, **page.query))

    async def _delete(self) -> None:
        page, above = self._page, f"/pipelines/{segment(self._pipeline_id)}"
        await page.attempt(deleting.ask_version(page, self._pipeline_id, self._id, lambda: page.go(above)))


def _task_row(step: Step) -> Row:
    depth = step.path.count("/")
    return Row(
        step.path,
        {
            "name": cells.lines(step.name, step.path if depth else ""),
            "kind": step.kind,
            "image": cells.mono(step.image),
            "after": ", ".join(step.after),
            "actions": cells.actions([("open", "Show", "chevron_right")]),
        },
        name=step.name,
    )


def _input_row(each: Input) -> Row:
    parameter = each.parameter
    options = f" one of {', '.join(map(to_text, parameter.literals))}" if parameter.literals else ""
    is_needed = not parameter.optional and not parameter.has_default
    return Row(
        each.name,
        {
            "name": cells.mono(each.name),
            "type": f"{parameter.type}{options}",
            "default": cells.mono(to_text(parameter.default)) if parameter.has_default else "",
            "needed": "yes" if is_needed else "no",
            "description": each.description,
        },
        name=each.name,
    )


def _artifact_row(name: str) -> Row:
    told = "Given by a pipeline around this one, not by a run."
    return Row(name, {"name": cells.mono(name), "type": "artifact", "description": told}, name=name)


def _source(address: str) -> None:
    if address.startswith(("http://", "https://")):
        widgets.link(address, address, new_tab=True)
    else:
        widgets.text(address)


async def build(page: PageContext) -> None:
    await _VersionPage(page).build()
