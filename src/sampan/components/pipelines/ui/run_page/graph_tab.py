"""The graph of a run and its timeline, live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.graph_model import RunGraph, graph_of_run
from sampan.components.pipelines.ui.run_page import shared
from sampan.components.pipelines.ui.run_page.plan import Plan
from sampan.ui import widgets
from sampan.ui.graph.model import Graph
from sampan.ui.graph.view import GraphView
from sampan.ui.timeline.view import TimelineView

Task = Mapping[str, Any]
_NOTHING = RunGraph(Graph(), {}, {})
_ARTIFACT = "#"
"""Between a step's place and the name of what it gives, in the id of an artifact's node."""


class GraphTab:
    def __init__(self, plan: Plan, open_node: Callable[[str, str], Any], *, artifacts: bool) -> None:
        """`open_node` gets a task's id, empty for what has not begun, and the node's place."""
        self._plan = plan
        self._open_node = open_node
        self._with_artifacts = artifacts
        self._drawn = _NOTHING
        if plan.blueprint.problem:
            widgets.paragraph(plan.blueprint.problem, "sp-muted")
        self._view = GraphView(label="Steps of the run", on_select=self._select)

    def show(self, run: Mapping[str, Any], tasks: Sequence[Task]) -> None:
        state = run.get("state", "")
        self._drawn = graph_of_run(self._plan.blueprint, tasks, state, artifacts=self._with_artifacts)
        self._view.show(self._drawn.graph)

    def select(self, task_id: str) -> None:
        """Marks it, and brings it into sight: the panel beside may have taken its place."""
        node = self._drawn.node_ids.get(task_id, "")
        chosen = self._view.selected
        # An artifact that was clicked stays marked: its step is what is open.
        self._view.select(chosen if node and node == chosen.partition(_ARTIFACT)[0] else node)

    def _select(self, node: str) -> Any:
        place = node.partition(_ARTIFACT)[0]
        return self._open_node(self._drawn.task_ids.get(place, ""), place)


class TimelineTab:
    """The same steps by time."""

    def __init__(self, plan: Plan, open_node: Callable[[str, str], Any]) -> None:
        self._plan = plan
        self._open_node = open_node
        self._drawn = _NOTHING
        self._view = TimelineView(label="When the steps ran", on_select=self._select)

    def show(self, run: Mapping[str, Any], tasks: Sequence[Task]) -> None:
        state = run.get("state", "")
        self._drawn = graph_of_run(self._plan.blueprint, tasks, state)
        self._view.show(shared.timeline(self._plan.blueprint, tasks, state))

    def select(self, task_id: str) -> None:
        self._view.select(self._drawn.node_ids.get(task_id, ""))

    def _select(self, row: str) -> Any:
        return self._open_node(self._drawn.task_ids.get(row, ""), row)


def switch(is_on: bool, change: Callable[[bool], Any]) -> None:
    """Whether artifacts are drawn."""
    with ui.element("label").classes("sp-check"):
        box = ui.element("input").props('type="checkbox"')
        if is_on:
            box.props("checked")
        box.on(
            "change",
            lambda event: change(bool(event.args)),
            js_handler="(event) => emit(event.target.checked)",
        )
        widgets.text("Artifacts")
