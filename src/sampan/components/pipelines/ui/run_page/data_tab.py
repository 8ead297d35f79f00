"""What went into a run and came out of it: parameters, metrics, artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.run_page import value_views, values
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_METRICS = (Column("metric", "Metric"), Column("value", "Value", number=True), Column("step", "Step"))
_MADE = (Column("name", "Artifact"), Column("type", "Type"), Column("step", "Made by"), Column("at", "When"))
_MOST = 500


async def show(page: PageContext, run_id: str) -> None:
    """Read anew when it is shown: all inputs and outputs of a large run are much."""
    run = await page.api.get(f"/apis/v2beta1/runs/{segment(run_id)}", {"view": "FULL"})
    tasks: Sequence[Mapping[str, Any]] = run.get("tasks", ())
    root: Mapping[str, Any] = next((task for task in tasks if task.get("type") == "ROOT"), {})
    with ui.element("div").classes("sp-grid"):
        with widgets.card("Parameters"):
            given = run.get("runtime_config", {}).get("parameters", {})
            # What the pipeline's own defaults filled in stands at the root.
            known = values.parameters(root.get("inputs", {})) or values.of_mapping(given)
            value_views.parameters(known, "This run takes no parameters.")
        with widgets.card("Outputs of the pipeline"):
            linked = values.artifacts(root.get("outputs", {}))
            value_views.parameters(
                values.parameters(root.get("outputs", {})),
                "" if linked else "The pipeline declares no outputs, or none have come yet.",
            )
            if linked:
                await value_views.artifacts(page, linked, "")
    _metrics(tasks)
    _artifacts(page, tasks)


def _metrics(tasks: Sequence[Mapping[str, Any]]) -> None:
    found = values.scalars(tasks)
    if not found:
        return
    widgets.heading("Metrics")
    table = DataTable(_METRICS, label="Metrics")
    table.set_rows(
        [
            Row(str(number), {"metric": name, "value": cells.number(value, f"{value:.6g}"), "step": step})
            for number, (step, name, value) in enumerate(found[:_MOST])
        ]
    )


def _artifacts(page: PageContext, tasks: Sequence[Mapping[str, Any]]) -> None:
    rows = made(tasks, page)
    widgets.heading("Artifacts")
    if not rows:
        widgets.paragraph("No step has written an artifact.", "sp-muted")
        return
    table = DataTable(_MADE, label="Artifacts")
    table.set_rows(rows[:_MOST])
    if len(rows) > _MOST:
        widgets.paragraph(f"The first {_MOST} of {len(rows):,} are shown.", "sp-muted")


def made(tasks: Sequence[Mapping[str, Any]], page: PageContext) -> list[Row]:
    """What the steps wrote, in their order; what a pipeline within passes on is its step's."""
    rows = []
    for task in tasks:
        if task.get("type") not in ("RUNTIME", "IMPORTER"):
            continue
        step = str(task.get("display_name") or task["name"])
        for each in values.artifacts(task.get("outputs", {})):
            kind, key = str(each.artifact.get("type", "")), str(each.artifact.get("artifact_id", ""))
            cell = cells.link(
                each.name or key,
                page.href(f"/artifacts/{key}"),
                second=str(each.artifact.get("uri", "")),
                icon=value_views.ICONS.get(kind, "description"),
            )
            at = cells.time(str(each.artifact.get("created_at", "")))
            place = page.href(f"/runs/{task['run_id']}", task=task["task_id"], panel="io")
            rows.append(
                Row(
                    f"{task['task_id']}/{key}",
                    {"name": cell, "type": kind, "step": cells.link(step, place), "at": at},
                )
            )
    return rows
