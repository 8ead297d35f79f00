"""`/runs/new`: the form that starts a run or makes a recurring run.

Its address says what it begins with: `pipeline`, `version`, `experiment`, `recurring=1`, `clone` (a run's id), or
`clone_recurring` (a recurring run's).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nicegui import ui

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.ui.new_run import experiments, prefill, schedule, values
from sampan.components.pipelines.ui.new_run.input_fields import PREFIX, field_of
from sampan.components.pipelines.ui.new_run.request import Schedule, Start, suggested_name
from sampan.components.pipelines.ui.new_run.schedule import SchedulePart
from sampan.components.pipelines.ui.new_run.source import Source
from sampan.components.pipelines.ui.pipelines.rows import filter_of, predicate
from sampan.components.pipelines.ui.spec.reading import Spec
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.contract import Page, QuickAction
from sampan.ui.forms.fields import About, ChoiceField, SwitchField, TextField
from sampan.ui.forms.form import Form

_API = "/apis/v2beta1"
_ONCE, _RECURRING = "once", "recurring"
_PLACES = {
    "run.display_name": "name",
    "recurring_run.display_name": "name",
    "experiment_id": "experiment",
    "experiment.display_name": "experiment",
    "service_account": "service_account",
    "pipeline_root": "pipeline_root",
    "pipeline_version_id": "version",
    "pipeline_spec": "yaml",
    "enable_caching": "cache",
    "pause_on_failure": "pause",
    **schedule.PLACES,
}
_RECENT_RUNS = 20


class _NewRun:
    def __init__(self, page: PageContext, start: Start) -> None:
        self._page = page
        self._start = start
        self._spec: Spec | None = None
        self._texts: dict[str, str] = {}
        """What was typed for inputs, of whichever version."""
        self._suggested = ""
        self._name_of_what_runs = ""
        self._count = 0
        self._schedule: SchedulePart | None = None

    async def build(self) -> None:
        start, page = self._start, self._page
        is_recurring = start.schedule is not None
        self._head = ui.element("div")
        self._name_page(is_recurring)
        self._form = Form(self._send, label="New run", places=_PLACES)
        with self._form:
            self._source = Source(page, self._form, start, self._found)
            with widgets.card().classes("sp-form"):
                await self._source.build()
            with widgets.card("Inputs"):
                self._inputs = ui.element("div").classes("sp-form")
            with widgets.card("Run").classes("sp-form"):
                await self._build_run()
            with widgets.card().classes("sp-form"):
                self._build_more()
            back = f"/pipelines/{segment(start.pipeline_id)}" if start.pipeline_id else "/runs"
            self._form.buttons("Create" if is_recurring else "Start", page.href(back))
        await self._source.begin()

    def _name_page(self, is_recurring: bool) -> None:
        title = "New recurring run" if is_recurring else "New run"
        self._page.set_title(title)
        self._head.clear()
        with self._head:
            widgets.page_header(title, self._start.told)

    async def _build_run(self) -> None:
        start, add = self._start, self._form.add
        self._name = add(TextField(About("name", "Name", required=True), start.name))
        self._description = add(TextField(About("description", "Description"), start.description, lines=2))
        self._experiment = add(await experiments.experiment_field(self._page, start.experiment_id))
        self._when = add(
            ChoiceField(
                About("when", "When"),
                [(_ONCE, "Once, now"), (_RECURRING, "Again and again")],
                _RECURRING if start.schedule is not None else _ONCE,
                segments=True,
                change=self._switch,
            )
        )
        self._schedule_box = ui.element("div")
        self._show_schedule(start.schedule is not None)

    def _show_schedule(self, shown: bool) -> None:
        """Made when it is first wanted: most runs are started once."""
        if shown and self._schedule is None:
            with self._schedule_box:
                self._schedule = SchedulePart(self._form, self._start.schedule or Schedule())
        if self._schedule is not None:
            self._schedule.show(shown)

    def _build_more(self) -> None:
        start, add = self._start, self._form.add
        is_open = bool(
            start.service_account or start.pipeline_root or start.pause_on_failure or not start.uses_cache
        )
        with ui.element("details").classes("sp-more") as more:
            if is_open:
                more._props["open"] = True
            widgets.Text("summary", "More settings")
            with ui.element("div").classes("sp-form"):
                hint = "Let its other steps finish, then wait for you to mend and continue it."
                self._pause = add(
                    SwitchField(About("pause", "Pause on failure", hint), start.pause_on_failure)
                )
                hint = "Take results of earlier runs where a step and its inputs are the same."
                self._cache = add(SwitchField(About("cache", "Use cached results", hint), start.uses_cache))
                hint = "Whose rights its steps have. Empty is the default one."
                self._account = add(
                    TextField(About("service_account", "Service account", hint), start.service_account)
                )
                hint = "Where its artifacts go: a folder or a bucket. Empty is the pipeline's own, or the default."
                self._root = add(
                    TextField(About("pipeline_root", "Pipeline root", hint), start.pipeline_root)
                )
        self._pause.show(start.schedule is None)
        self._cache.show(start.schedule is None)

    async def _switch(self) -> None:
        is_recurring = self._when.raw == _RECURRING
        self._show_schedule(is_recurring)
        self._pause.show(not is_recurring)
        self._cache.show(not is_recurring)
        self._form.name_button("Create" if is_recurring else "Start")
        self._suggest_name()
        self._name_page(is_recurring)
        self._page.set_query(recurring="1" if is_recurring else "")
        await self._source.make_recurring(is_recurring)

    async def _found(self, spec: Spec | None, name: str) -> None:
        """Something else is to run."""
        runs = await self._runs() if spec is not None else []
        self._keep_texts()
        self._spec = spec
        self._inputs.clear()
        with self._inputs:
            self._build_inputs(spec, runs)
        if spec is not None:
            self._name_of_what_runs = name
            self._suggest_name()

    def _keep_texts(self) -> None:
        for key in [key for key in self._form.fields if key.startswith(PREFIX)]:
            field = self._form.fields[key]
            if field.raw != (field.about.standard or ""):
                self._texts[key.removeprefix(PREFIX)] = str(field.raw)
            self._form.forget(key)
        self._form.places = dict(_PLACES)

    def _build_inputs(self, spec: Spec | None, runs: list[Mapping[str, Any]]) -> None:
        if spec is None:
            widgets.paragraph("Choose what runs to see its inputs.", "sp-muted")
            return
        if not spec.inputs:
            widgets.paragraph("It takes no inputs.", "sp-muted")
        for each in spec.inputs:
            text = self._texts.get(each.name)
            if text is None and each.name in self._start.parameters:
                text = values.typed(each, self._start.parameters[each.name])
            self._form.add(field_of(each, text, values.recent(each, runs)))
            self._form.places[f'"{each.name}"'] = f"{PREFIX}{each.name}"
        if spec.artifact_inputs:
            names = ", ".join(spec.artifact_inputs)
            told = "A run cannot be given artifacts; a pipeline around this one can."
            widgets.paragraph(f"Artifact inputs: {names}. {told}", "sp-hint")

    async def _runs(self) -> list[Mapping[str, Any]]:
        """The latest of the pipeline: what inputs were given lately, and how many there were."""
        self._count = 0
        if not self._source.pipeline_id:
            return []
        query = {
            "filter": filter_of(predicate("pipeline_id", self._source.pipeline_id)),
            "page_size": str(_RECENT_RUNS),
            "sort_by": "created_at desc",
            "namespace": self._page.namespace,
        }
        try:
            found = await self._page.api.get(f"{_API}/runs", query)
        except ApiFailureError:
            return []
        self._count = int(found.get("total_size", 0))
        return list(found.get("runs", ()))

    def _suggest_name(self) -> None:
        """A name, unless somebody has written one."""
        is_recurring = self._when.raw == _RECURRING
        of_pipeline = self._name_of_what_runs
        name = of_pipeline if is_recurring else suggested_name(of_pipeline, self._count)
        if self._name.raw in ("", self._suggested):
            self._name.put(name)
            self._suggested = name

    async def _send(self) -> None:
        await self._source.settle()
        if not self._form.validate():
            return
        if self._spec is None:
            self._form.tell("Choose what runs first.")
            return
        texts = {each.name: str(self._form.fields[f"{PREFIX}{each.name}"].raw) for each in self._spec.inputs}
        is_recurring = self._when.raw == _RECURRING
        request = replace(
            self._start,
            pipeline_id=self._source.pipeline_id,
            version_id=self._source.version_id,
            source=self._source.text_source,
            name=self._name.raw.strip(),
            description=self._description.raw,
            service_account=self._account.raw.strip(),
            pipeline_root=self._root.raw.strip(),
            parameters=values.parameters(self._spec.inputs, texts),
            schedule=self._schedule.read() if is_recurring and self._schedule is not None else None,
        )
        try:
            body = request.body()
        except InvalidArgumentError as error:
            self._form.tell(error.message)
            return
        body["experiment_id"] = await self._experiment.resolved()
        await self._create(body, is_recurring)

    async def _create(self, body: dict[str, Any], is_recurring: bool) -> None:
        page = self._page
        query = {"namespace": page.namespace}
        if is_recurring:
            made = await page.api.post(f"{_API}/recurringruns", body, query)
            page.notify(f"{made['display_name']} is created.")
            page.go(f"/recurring-runs/{segment(made['recurring_run_id'])}")
            return
        if self._pause.raw:
            query["pause_on_failure"] = "true"
        if not self._cache.raw:
            query["enable_caching"] = "false"
        made = await page.api.post(f"{_API}/runs", body, query)
        page.notify(f"{made['display_name']} is started.")
        page.go(f"/runs/{segment(made['run_id'])}")


async def build(page: PageContext) -> None:
    await _NewRun(page, await prefill.start_of(page)).build()


PAGES = (Page("/runs/new", "New run", build, "/runs"),)
QUICK_ACTIONS = (QuickAction("New run", "/runs/new", "play_arrow", order=10, key="n"),)
UPSTREAM_LINKS = {"/runs/new": "/runs/new"}
