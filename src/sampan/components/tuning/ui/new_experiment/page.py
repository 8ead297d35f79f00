"""The form for a new experiment, beside the object that it makes, which can be edited in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.ui import actions, places
from sampan.components.tuning.ui.new_experiment import building, reading
from sampan.components.tuning.ui.new_experiment.fields import Fields
from sampan.components.tuning.ui.new_experiment.template_fields import SCRIPT_TO_BEGIN
from sampan.components.tuning.ui.new_experiment.wanted import (
    CONFIG_MAP,
    Program,
    Range,
    Target,
    Template,
    Wanted,
)
from sampan.components.tuning.ui.templates import finding
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.forms.form import Form
from sampan.ui.forms.values import NotAValueError
from sampan.ui.objects import yamltext
from sampan.ui.objects.editor import YamlEditor
from sampan.ui.objects.yamltext import Problem, YamlError

_REST_SECONDS = 0.4
_DRY = {**actions.MANAGER, "dryRun": "All"}
_PLACES = {
    "metadata.name": "name",
    "already exists": "name",
    "spec.objective.type": "direction",
    "spec.objective.goal": "goal",
    "spec.objective.objectiveMetricName": "metric",
    "spec.objective.additionalMetricNames": "additional",
    "spec.objective.metricStrategies": "strategies",
    "spec.objective": "metric",
    "spec.algorithm": "algorithm",
    "spec.earlyStopping": "stopping",
    "spec.maxTrialCount": "most",
    "spec.parallelTrialCount": "parallel",
    "spec.maxFailedTrialCount": "failed",
    "spec.resumePolicy": "resume",
    "spec.metricsCollectorSpec": "collector",
    "spec.trialTemplate.trialParameters": "references",
    "spec.trialTemplate.primaryContainerName": "container",
    "spec.trialTemplate.successCondition": "succeeded",
    "spec.trialTemplate.failureCondition": "failed",
    "spec.trialTemplate.configMap": "kept",
    "spec.trialTemplate.trialSpec": "template",
}


async def build(page: PageContext) -> None:
    await _NewExperiment(page).build()


class _NewExperiment:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._fields: Fields | None = None
        self._editor: YamlEditor | None = None
        self._is_changed = True
        self._drawn = ""

    async def build(self) -> None:
        page = self._page
        original = await self._original()
        start = reading.wanted(original) if original is not None else beginning(page.query)
        taken = await actions.taken_names(page)
        widgets.page_header("New tuning experiment", f"In the namespace {page.namespace}.")
        self._place = ui.element("div")
        if start is None and original is not None:
            # It has what the form has no field for.
            name = actions.next_name(meta.name(original), taken)
            self._edit(yamltext.dump(actions.copy_of(original, name)))
            return
        assert start is not None
        start = replace(start, name=actions.next_name(start.name, taken), namespace=page.namespace)
        with self._place:
            await self._build_form(start)

    async def _original(self) -> Object | None:
        """The experiment that is cloned."""
        name = self._page.query.get("clone", "")
        if not name:
            return None
        found = await self._page.api.get(places.experiments_api(self._page.namespace, name))
        return {**found, "kind": EXPERIMENTS.kind, "apiVersion": EXPERIMENTS.api_version}

    async def _build_form(self, start: Wanted) -> None:
        templates = {
            each.place: each.text for each in await finding.find(self._page.api, self._page.namespace)
        }
        with ui.element("div").classes("tu-new"):
            self._form = Form(self._send, label="New tuning experiment", places=_PLACES)
            with self._form:
                self._fields = Fields(self._form, start, templates, self._note)
                self._fields.build()
                with self._form.buttons("Create", self._page.href(places.LIST)):
                    widgets.button("Check only", self._check, icon="rule")
            with ui.element("div").classes("tu-new-yaml"), widgets.card("What will be created"):
                with ui.element("div").classes("sp-row"):
                    widgets.button("Edit as YAML", self._edit_shown, icon="edit")
                    self._wrong = widgets.text("", "sp-muted sp-small")
                self._yaml = ui.element("div")
        self._show_yaml()
        self._page.every(_REST_SECONDS, self._show_yaml)

    def _note(self) -> None:
        self._is_changed = True

    def _made(self) -> Object | None:
        """None while a field holds what cannot be read."""
        if self._fields is None:
            return None
        try:
            return building.experiment(self._fields.read())
        except (NotAValueError, ValueError):
            return None

    def _show_yaml(self) -> None:
        if not self._is_changed or self._fields is None:
            return
        self._is_changed = False
        made = self._made()
        self._wrong.set_text("" if made is not None else "A field needs another look.")
        if made is None or (text := yamltext.dump(made)) == self._drawn:
            return
        self._drawn = text
        self._yaml.clear()
        with self._yaml:
            CodeView(text, label="The experiment", language="yaml", height="62vh")

    async def _send(self) -> None:
        made = self._made()
        if made is None:
            self._form.tell("A field needs another look.")
            return
        await self._create(made)

    async def _check(self) -> None:
        """As creating it would, but nothing is."""
        if not self._form.validate():
            return
        made = self._made()
        if made is None:
            self._form.tell("A field needs another look.")
            return
        try:
            await self._page.api.post(places.experiments_api(self._page.namespace), made, _DRY)
        except ApiFailureError as error:
            self._form.show(error)
            return
        self._form.tell("")
        self._page.notify("The cluster would take it so.")

    async def _create(self, made: Mapping[str, Any]) -> None:
        """Raises ApiFailureError."""
        namespace = meta.namespace(made) or self._page.namespace
        created = await self._page.api.post(places.experiments_api(namespace), made, actions.MANAGER)
        self._page.notify(f"{meta.name(created)} is created.")
        self._page.go(places.experiment(namespace, meta.name(created)))

    def _edit_shown(self) -> None:
        made = self._made()
        self._edit(yamltext.dump(made) if made is not None else self._drawn)

    def _edit(self, text: str) -> None:
        """The object itself, in place of the form."""
        self._fields = None
        self._place.clear()
        with self._place:
            with ui.element("div").classes("sp-bar-of-list"):
                widgets.button("Create", self._send_yaml, icon="check", kind="primary")
                widgets.button("Check only", self._check_yaml, icon="rule")
                widgets.button("Cancel", href=self._page.href(places.LIST))
            self._editor = YamlEditor(text, label="YAML of the new experiment", save=self._send_yaml)

    async def _check_yaml(self) -> None:
        await self._take_yaml(only_check=True)

    async def _send_yaml(self) -> None:
        await self._take_yaml(only_check=False)

    async def _take_yaml(self, *, only_check: bool) -> None:
        if self._editor is None:
            return
        try:
            document = _one(self._editor.text)
        except YamlError as error:
            self._editor.tell([error.problem])
            return
        try:
            if only_check:
                namespace = meta.namespace(document.value) or self._page.namespace
                await self._page.api.post(places.experiments_api(namespace), document.value, _DRY)
                self._editor.tell((), "The cluster would take it so.")
            else:
                await self._create(document.value)
        except ApiFailureError as error:
            self._editor.tell(yamltext.problems(document, error.message, error.causes))


def _one(text: str) -> yamltext.Document:
    """The one experiment in it. Raises YamlError."""
    documents = yamltext.parse(text)
    if len(documents) != 1:
        raise YamlError(Problem(1, "One experiment is made here."))
    value = documents[0].value
    if (value.get("apiVersion"), value.get("kind")) != (EXPERIMENTS.api_version, EXPERIMENTS.kind):
        told = f"{value.get('apiVersion')} {value.get('kind')} is no {EXPERIMENTS.api_version} {EXPERIMENTS.kind}."
        raise YamlError(Problem(documents[0].line_of("kind"), told, "kind"))
    return documents[0]


def beginning(query: Mapping[str, str]) -> Wanted:
    """Something that runs, to be changed. Pure."""
    ranges = (
        Range("lr", "double", "0.00001", "0.1", distribution="logUniform"),
        Range("layers", "int", "1", "8"),
    )
    template = Template(program=Program(script=SCRIPT_TO_BEGIN))
    if kept := query.get("template", ""):
        template = Template(program=Program(source=CONFIG_MAP, config_map=kept))
    return Wanted(name="search-1", target=Target("loss", "minimize"), ranges=ranges, template=template)
