"""The head of a run's page: its name, how it is, where it came from, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_list import rows
from sampan.components.pipelines.ui.run_page import model
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.states import is_final, shown
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.times import told

Resume = Callable[[], Any]
_COUNTED = ("FAILED", "RUNNING", "PENDING", "SUCCEEDED", "CACHED", "SKIPPED", "CANCELED")
_DRAWN = (
    "state",
    "storage_state",
    "display_name",
    "finished_at",
    "resumed_by",
    "resumed_from",
    "origin",
    "created_at",
)
"""Of the run: drawn anew when one of these is another."""


class Header:
    def __init__(self, page: PageContext, resume: Resume) -> None:
        self._page = page
        self._resume = resume
        self._drawn: Any = None
        self._place = ui.element("div")
        with ui.element("div").classes("sp-run-facts"):
            self._counts = ui.element("span").classes("sp-row")
        self._counted: dict[str, int] = {}

    def show(self, run: Mapping[str, Any], steps: Sequence[Step]) -> None:
        drawn = {key: run.get(key) for key in _DRAWN}
        if drawn != self._drawn:
            self._drawn = drawn
            self._place.clear()
            with self._place:
                self._build(run)
        counted = model.counts(steps)
        if counted != self._counted:
            self._counted = counted
            self._counts.clear()
            with self._counts:
                self._build_counts(counted)

    def _build(self, run: Mapping[str, Any]) -> None:
        with ui.element("div").classes("sp-page-header"):
            with ui.element("div").classes("sp-title"):
                widgets.heading(run["display_name"], 1)
                widgets.state(*shown(run.get("state", "")))
                if run.get("storage_state") == "ARCHIVED":
                    widgets.state("Archived", "idle", "archive")
            with ui.element("div").classes("sp-actions"):
                self._build_actions(run)
            if run.get("description"):
                widgets.paragraph(run["description"], "sp-subtitle")
        with ui.element("div").classes("sp-run-facts"):
            self._build_facts(run)

    def _build_actions(self, run: Mapping[str, Any]) -> None:
        page, state = self._page, run.get("state", "")
        if state == "PAUSED":
            widgets.button("Continue", self._resume, icon="play_arrow", kind="primary")
        if state in ("FAILED", "CANCELED"):
            retry = widgets.button(
                "Retry", partial(run_actions.retry, page, run), icon="replay", kind="primary"
            )
            widgets.explain(retry, "Runs what failed once more, with the same inputs; keeps what succeeded")
        if is_final(state):
            resume = widgets.button("Resume with changes", self._resume, icon="redo")
            widgets.explain(resume, "Goes on with other code or images, and keeps what is still right")
        else:
            widgets.button("Stop", partial(run_actions.stop, page, run), icon="stop_circle", kind="danger")
        clone = widgets.button("Clone", icon="content_copy", href=page.href("/runs/new", clone=run["run_id"]))
        widgets.explain(clone, "A new run: opens the form with this one's inputs, to be changed")
        if run.get("storage_state") == "ARCHIVED":
            widgets.icon_button(
                "unarchive", "Take out of the archive", partial(run_actions.unarchive, page, run)
            )
        else:
            widgets.icon_button("archive", "Archive", partial(run_actions.archive, page, run))
        widgets.icon_button(
            "delete", "Delete", partial(run_actions.delete, page, run, lambda: page.go("/runs"))
        )

    def _build_facts(self, run: Mapping[str, Any]) -> None:
        page, origin = self._page, run.get("origin", {})
        with _fact("Started"):
            told.ago(run["created_at"])
        with _fact("Took" if is_final(run.get("state", "")) else "Running for"):
            told.span(run["created_at"], rows.ended(run))
        reference = run.get("pipeline_version_reference", {})
        if origin.get("pipeline"):
            with _fact("Pipeline"):
                _pipeline(page, reference, origin)
        if origin.get("experiment"):
            with _fact("Experiment"):
                widgets.link(origin["experiment"], page.href(f"/experiments/{run['experiment_id']}"))
        if run.get("recurring_run_id"):
            with _fact("Recurring run"):
                name = origin.get("recurring_run", "")
                address = page.href(f"/recurring-runs/{run['recurring_run_id']}")
                widgets.link(name, address) if name else widgets.text("deleted meanwhile")
        if origin.get("trigger_id"):
            with _fact("Trigger"):
                widgets.link(origin["trigger"], page.href(f"/triggers/{origin['trigger_id']}"))
        if run.get("resumed_from"):
            with _fact("Goes on from"):
                widgets.link(run["resumed_from"][:8], page.href(f"/runs/{run['resumed_from']}"))
        if run.get("resumed_by"):
            with _fact("Resumed by"):
                for run_id in run["resumed_by"]:
                    widgets.link(run_id[:8], page.href(f"/runs/{run_id}"))
        with _fact("Id"):
            widgets.text(run["run_id"], "sp-mono")

    def _build_counts(self, counted: Mapping[str, int]) -> None:
        for state in _COUNTED:
            if counted.get(state):
                word, tone, icon = shown(state)
                widgets.state(f"{counted[state]} {word.lower()}", tone, icon)


def _pipeline(page: PageContext, reference: Mapping[str, str], origin: Mapping[str, str]) -> None:
    name, version = origin["pipeline"], origin.get("pipeline_version", "")
    if not reference.get("pipeline_id"):
        widgets.text(name)
        return
    path = f"/pipelines/{reference['pipeline_id']}"
    widgets.link(name, page.href(path))
    if version and reference.get("pipeline_version_id") and version != name:
        widgets.link(version, page.href(f"{path}/versions/{reference['pipeline_version_id']}"))


def _fact(name: str) -> Any:
    with ui.element("span").classes("sp-fact") as found:
        widgets.text(name, "sp-muted")
    return found
