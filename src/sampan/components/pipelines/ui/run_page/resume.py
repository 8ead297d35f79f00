"""Going on from a run with something changed: what, the plan that follows from it, and the start.

A run that has ended is resumed as a new one; one that is paused goes on itself, and has no plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_page import changes, model
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.forms.drop import FileDrop
from sampan.ui.forms.fields import About, ChoiceField, PairsField, TextField
from sampan.ui.forms.form import Form
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_PLAN = (Column("task", "Step"), Column("action", "What becomes of it"), Column("reason", "Why"))
_MOST_BYTES = 32 * 1024 * 1024
_SAME, _VERSION, _FILE = "same", "version", "file"


class ResumeDialog:
    def __init__(self, page: PageContext, run: Mapping[str, Any], steps: Sequence[Step]) -> None:
        self._page = page
        self._run = run
        self._is_paused = run.get("state") == "PAUSED"
        self._failed = [step.name for step in model.failed(steps)]
        self._names = sorted({step.name for step in steps})
        self._spec: Mapping[str, Any] = {}
        self._uploaded: Mapping[str, Any] = {}
        self._before: dict[str, str] = {}
        self._texts: dict[str, TextField] = {}

    async def open(self) -> None:
        """Raises ApiFailureError."""
        whole = await self._page.api.get(run_actions.path(self._run["run_id"]), {"view": "SPEC"})
        self._spec = whole.get("pipeline_spec", {})
        given = whole.get("runtime_config", {}).get("parameters", {})
        self._before = changes.parameter_texts(self._spec, given)
        versions = await self._versions(whole.get("pipeline_version_reference", {}).get("pipeline_id", ""))
        title = (
            f"Continue {self._run['display_name']}"
            if self._is_paused
            else f"Resume {self._run['display_name']}"
        )
        self._window, content = widgets.dialog(title, wide=True)
        with content:
            widgets.paragraph(
                "The failed steps run again, with what you change here. The rest of the run goes on from there."
                if self._is_paused
                else "A new run that reuses what has succeeded and is unchanged. You see the plan before it starts.",
                "sp-muted",
            )
            self._form = Form(self._send, label=title)
            with self._form:
                self._build_source(versions)
                if not self._is_paused:
                    self._build_parameters()
                self._build_step()
                self._form.buttons("Continue" if self._is_paused else "Show the plan", self._close)
            self._plan_place = ui.element("div").classes("sp-stack")

    def _close(self) -> None:
        self._window.close()

    async def _versions(self, pipeline_id: str) -> list[tuple[str, str]]:
        """Of the run's pipeline, the newest first; values hold both ids."""
        if not pipeline_id:
            return []
        try:
            found = await self._page.api.get(
                f"/apis/v2beta1/pipelines/{segment(pipeline_id)}/versions",
                {"page_size": "100", "sort_by": "created_at desc"},
            )
        except ApiFailureError:
            # Deleted meanwhile: the run keeps what it ran.
            return []
        return [
            (f"{pipeline_id}/{each['pipeline_version_id']}", each.get("display_name") or each["name"])
            for each in found.get("pipeline_versions", ())
        ]

    def _build_source(self, versions: list[tuple[str, str]]) -> None:
        ways = [
            (_SAME, "As it was"),
            *([(_VERSION, "Another version")] if versions else []),
            (_FILE, "A new file"),
        ]
        self._source = self._form.add(
            ChoiceField(About("source", "Pipeline"), ways, _SAME, segments=True, change=self._show_source)
        )
        options = versions or [("", "")]
        self._version = self._form.add(
            ChoiceField(About("version", "Version"), options, options[0][0], change=self._forget_plan)
        )
        with ui.element("div") as self._drop:
            FileDrop(
                self._take_file,
                label="Drop the new version here, or choose a file",
                hint="YAML, zip or tar.gz, as `kfp dsl compile` writes it",
                accept=".yaml,.yml,.json,.zip,.gz,.tgz",
                most_bytes=_MOST_BYTES,
            )
            self._file_told = widgets.paragraph("", "sp-muted")
        self._show_source()

    def _show_source(self) -> None:
        way = self._source.read()
        self._version.show(way == _VERSION)
        self._drop.set_visibility(way == _FILE)
        self._forget_plan()

    def _build_parameters(self) -> None:
        if not self._before:
            return
        with ui.element("details").classes("sp-fold"):
            widgets.Text("summary", f"Parameters ({len(self._before)})")
            for name, text in self._before.items():
                field = TextField(
                    About(f"p:{name}", name), text, lines=1, mono=True, change=self._forget_plan
                )
                self._texts[name] = self._form.add(field)

    def _build_step(self) -> None:
        with ui.element("details").classes("sp-fold"):
            widgets.Text("summary", "One step: image, memory, environment")
            first = self._failed[0] if self._failed else ""
            options = [(name, name) for name in self._names]
            self._step = self._form.add(
                ChoiceField(About("step", "Step"), options, first, change=self._forget_plan)
            )
            self._fields = {
                key: self._form.add(TextField(About(key, label, hint=hint), "", change=self._forget_plan))
                for key, label, hint in (
                    ("image", "Image", "Empty: as it was"),
                    ("cpu", "CPU", "Such as 2, or 500m"),
                    ("memory", "Memory", "Such as 8Gi"),
                )
            }
            self._env = self._form.add(
                PairsField(About("env", "Environment variables"), change=self._forget_plan)
            )

    async def _take_file(self, name: str, data: bytes) -> None:
        self._forget_plan()
        try:
            self._uploaded = await asyncio.to_thread(changes.package, data)
        except PipelinesError as error:
            self._uploaded = {}
            self._file_told.set_text(f"{name} cannot be used: {error}")
            return
        self._file_told.set_text(f"{name} is taken.")

    async def _asked(self) -> dict[str, Any]:
        """The request's body. Raises ApiFailureError for what cannot be sent."""
        source: dict[str, Any] = {}
        way = self._source.read()
        if way == _FILE:
            if not self._uploaded:
                raise ApiFailureError(400, "Choose the file with the new version first.")
            source = {"pipeline_spec": self._uploaded}
        elif way == _VERSION:
            pipeline_id, _, version_id = self._version.read().partition("/")
            source = {
                "pipeline_version_reference": {"pipeline_id": pipeline_id, "pipeline_version_id": version_id}
            }
        now = {name: str(field.read()) for name, field in self._texts.items()}
        spec = self._uploaded if way == _FILE else self._spec
        try:
            given = await asyncio.to_thread(changes.parameters, spec, self._before, now)
        except PipelinesError as error:
            raise ApiFailureError(400, str(error)) from error
        fields = {key: str(field.read()) for key, field in self._fields.items()}
        change = changes.step_change(str(self._step.read() or ""), fields, self._env.read())
        return changes.body(source, given, change)

    async def _send(self) -> None:
        asked = await self._asked()
        path = run_actions.path(self._run["run_id"])
        if self._is_paused:
            await self._page.api.post(f"{path}:continue", asked)
            self._window.close()
            await self._page.attempt(_done(), done="The run goes on.")
            return
        found = await self._page.api.post(f"{path}:resume", {**asked, "dry_run": True})
        self._show_plan(asked, found.get("plan", []))

    def _show_plan(self, asked: dict[str, Any], plan: Sequence[Mapping[str, Any]]) -> None:
        async def start() -> None:
            path = run_actions.path(self._run["run_id"])
            try:
                made = await self._page.api.post(f"{path}:resume", asked)
            except ApiFailureError as error:
                self._form.show(error)
                return
            self._window.close()
            self._page.notify("The new run has started.")
            self._page.go(f"/runs/{made['run']['run_id']}")

        self._plan_place.clear()
        with self._plan_place:
            widgets.heading(f"The plan: {changes.plan_told(plan)}", 3)
            table = DataTable(_PLAN, label="The plan")
            table.set_rows([_row(number, each) for number, each in enumerate(plan)])
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Cancel", self._window.close)
                widgets.button("Start the new run", start, kind="primary", icon="redo")

    def _forget_plan(self) -> None:
        """It is of what was filled in before."""
        if hasattr(self, "_plan_place"):
            self._plan_place.clear()


def _row(number: int, each: Mapping[str, Any]) -> Row:
    word, tone, icon = changes.ACTIONS.get(str(each.get("action")), (str(each.get("action")), "idle", ""))
    name = str(each.get("display_name") or each.get("task", ""))
    return Row(
        str(number),
        {"task": name, "action": cells.state(word, tone, icon), "reason": str(each.get("reason", ""))},
    )


async def _done() -> None:
    """What was asked for is done: whatever is live is asked for again."""
