"""`/training/new`: the form for a new job, and beside it the object that it makes, which can be edited instead.

Its address says what it begins with: `runtime` (KIND/NAME), `clone` (KIND/NAME of a job), or `kind`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nicegui import ui

from sampan.components.training.api.kinds import ALL_JOB_KINDS, CLUSTER_TRAINING_RUNTIMES, MPI_JOBS_V2
from sampan.components.training.api.summary import resource_of
from sampan.components.training.ui import actions, following, places
from sampan.components.training.ui.new_job import building, reading
from sampan.components.training.ui.new_job.fields import IMAGES, Fields
from sampan.components.training.ui.new_job.wanted import Program, Wanted
from sampan.components.training.ui.runtimes import finding, model
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.forms.form import Form
from sampan.ui.forms.values import NotAValueError
from sampan.ui.objects import yamltext
from sampan.ui.objects.editor import YamlEditor
from sampan.ui.objects.yamltext import Problem, YamlError

_MANAGER = {"fieldManager": "sampan-dashboard"}
_STANDARD_RUNTIME = "torch-distributed"
_REST_SECONDS = 0.4
_PLACES = {
    "metadata.name": "name",
    "spec.runtimeRef": "runtime",
    "spec.RuntimeRef": "runtime",
    "spec.trainer.image": "image",
    "spec.trainer.numNodes": "nodes",
    "spec.trainer.numProcPerNode": "processes",
    "spec.trainer.env": "environment",
    "spec.trainer.resourcesPerNode": "cpu",
    "spec.trainer.command": "command",
    "spec.initializer.dataset": "dataset",
    "spec.initializer.model": "model",
    "already exists": "name",
    "spec.activeDeadlineSeconds": "deadline",
    "spec.runPolicy.activeDeadlineSeconds": "deadline",
    "spec.runPolicy.backoffLimit": "retries",
    "spec.runPolicy.schedulingPolicy": "gang",
    "spec.nprocPerNode": "processes",
    "spec.slotsPerWorker": "processes",
    "image": "image",
    "resources": "cpu",
    "replicas": "nodes",
}


async def build(page: PageContext) -> None:
    await _NewJob(page).build()


class _NewJob:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._fields: Fields | None = None
        self._editor: YamlEditor | None = None
        self._is_changed = True
        self._drawn = ""

    async def build(self) -> None:
        page = self._page
        runtimes = await finding.find(page.api, page.namespace)
        original = await self._original()
        start = reading.wanted(original) if original is not None else _beginning(page.query, runtimes)
        taken = {meta.name(job) for job in await following.once(page.api, page.namespace)}
        self._head = widgets.page_header("New training job", f"In the namespace {page.namespace}.")
        self._place = ui.element("div")
        if start is None and original is not None:
            # It has what the form has no field for.
            name = _free(meta.name(original), taken)
            self._edit(yamltext.dump(actions.copy_of(original, name)))
            return
        start = start or Wanted()
        rules = replace(start.rules, suspended=False)
        name = _free(start.name or "train-1", taken)
        start = replace(start, name=name, namespace=page.namespace, rules=rules)
        with self._place:
            await self._build_form(start, runtimes)

    async def _original(self) -> Object | None:
        """The job that is cloned."""
        kind, _, name = self._page.query.get("clone", "").partition("/")
        resource = resource_of(kind) if kind and name else None
        if resource is None:
            return None
        found = await self._page.api.get(places.api(resource, self._page.namespace, name))
        return {**found, "kind": resource.kind, "apiVersion": resource.api_version}

    async def _build_form(self, start: Wanted, runtimes: list[model.Runtime]) -> None:
        with ui.element("div").classes("tr-new"):
            self._form = Form(self._send, label="New training job", places=_PLACES)
            with self._form:
                claims = await self._claims()
                self._fields = Fields(self._form, start, runtimes, claims, self._note)
                self._fields.build()
                self._form.buttons("Create", self._page.href(places.LIST))
            with ui.element("div").classes("tr-new-yaml"), widgets.card("What will be created"):
                with ui.element("div").classes("sp-row"):
                    widgets.button("Edit as YAML", self._edit_shown, icon="edit")
                    self._wrong = widgets.text("", "sp-muted sp-small")
                self._yaml = ui.element("div")
        self._show_yaml()
        self._page.every(_REST_SECONDS, self._show_yaml)

    async def _claims(self) -> list[str]:
        path = f"/api/v1/namespaces/{segment(self._page.namespace)}/persistentvolumeclaims"
        try:
            found = await self._page.api.get(path)
        except ApiFailureError:
            return []
        return [meta.name(each) for each in found.get("items") or ()]

    def _note(self) -> None:
        self._is_changed = True

    def _made(self) -> Object | None:
        """None while a field holds what cannot be read."""
        if self._fields is None:
            return None
        try:
            return building.job(self._fields.read())
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
            CodeView(text, label="The object", language="yaml", height="62vh")

    async def _send(self) -> None:
        made = self._made()
        if made is None:
            self._form.tell("A field needs another look.")
            return
        resource = resource_of(str(made["kind"]))
        assert resource is not None
        await self._create(resource, made)

    async def _create(self, resource: Resource, made: Mapping[str, Any]) -> None:
        """Raises ApiFailureError."""
        namespace = meta.namespace(made) or self._page.namespace
        created = await self._page.api.post(places.api(resource, namespace), made, _MANAGER)
        self._page.notify(f"{meta.name(created)} is created.")
        self._page.go(places.job(resource, namespace, meta.name(created)))

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
            self._editor = YamlEditor(text, label="YAML of the new job", save=self._send_yaml)

    async def _check_yaml(self) -> None:
        await self._take_yaml(only_check=True)

    async def _send_yaml(self) -> None:
        await self._take_yaml(only_check=False)

    async def _take_yaml(self, *, only_check: bool) -> None:
        if self._editor is None:
            return
        try:
            document, resource = _one(self._editor.text)
        except YamlError as error:
            self._editor.tell([error.problem])
            return
        try:
            if only_check:
                namespace = meta.namespace(document.value) or self._page.namespace
                query = {**_MANAGER, "dryRun": "All"}
                await self._page.api.post(places.api(resource, namespace), document.value, query)
                self._editor.tell((), "The cluster would take it so.")
            else:
                await self._create(resource, document.value)
        except ApiFailureError as error:
            self._editor.tell(yamltext.problems(document, error.message, error.causes))


def _one(text: str) -> tuple[yamltext.Document, Resource]:
    """The one job in it. Raises YamlError."""
    documents = yamltext.parse(text)
    if len(documents) != 1:
        raise YamlError(Problem(1, "One job is made here."))
    value = documents[0].value
    for resource in (*ALL_JOB_KINDS, MPI_JOBS_V2):
        if (value.get("apiVersion"), value.get("kind")) == (resource.api_version, resource.kind):
            return documents[0], resource
    told = f"{value.get('apiVersion')} {value.get('kind')} is no kind of training jobs."
    raise YamlError(Problem(documents[0].line_of("kind"), told, "kind"))


def _beginning(query: Mapping[str, str], runtimes: list[model.Runtime]) -> Wanted:
    """Pure."""
    chosen = next((each for each in runtimes if each.key == query.get("runtime")), None)
    chosen = chosen or next((each for each in runtimes if each.name == _STANDARD_RUNTIME), None)
    chosen = chosen or next(iter(runtimes), None)
    kind = query.get("kind", "")
    if kind in IMAGES or chosen is None:
        kind = kind if kind in IMAGES else "PyTorchJob"
        launcher = {"PyTorchJob": "torchrun", "MPIJob": "mpirun"}.get(kind, "python")
        return Wanted(kind=kind, image=IMAGES[kind], program=Program(launcher=launcher))
    return Wanted(
        runtime=chosen.name,
        runtime_kind=chosen.kind or CLUSTER_TRAINING_RUNTIMES.kind,
        program=Program(launcher=model.launcher(chosen)),
    )


def _free(name: str, taken: set[str]) -> str:
    """`name`, or the next one that nobody has. Pure."""
    number, found = 0, name
    while found in taken:
        found = actions.next_name(name, number)
        number += 1
    return found
