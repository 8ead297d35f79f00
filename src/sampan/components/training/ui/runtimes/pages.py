"""All runtimes, and the page of one: what it gives, what it is made of, its YAML, and the way to train with it."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES
from sampan.components.training.ui import places
from sampan.components.training.ui.runtimes import model
from sampan.components.training.ui.runtimes.model import Runtime
from sampan.kube.kinds import Resource
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.contract import Page
from sampan.ui.objects import yamltext
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (
    Column("name", "Runtime"),
    Column("framework", "Framework"),
    Column("nodes", "Nodes", number=True),
    Column("image", "Image"),
    Column("created", "Created"),
    Column("actions", "", narrow=True),
)
_STEPS = (
    Column("name", "Step"),
    Column("does", "What it does"),
    Column("after", "After"),
    Column("image", "Image"),
    Column("command", "Command"),
)
_NOT_FOUND = 404


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._of_cluster: Any = {}
        self._of_namespace: Any = {}
        self._shown: dict[str, Runtime] = {}

    async def build(self) -> None:
        page = self._page
        said = "What jobs are trained with: images, and how their nodes find each other."
        with widgets.page_header("Training runtimes", said):
            widgets.button("New training job", icon="add", kind="primary", href=page.href(places.NEW))
        self._table = DataTable(_COLUMNS, label="Training runtimes", on_action=self._act)
        self._empty = ui.element("div")
        with self._empty:
            widgets.empty_state(
                "layers",
                "No runtimes here",
                "Administrators install them for all namespaces. Jobs of the Training Operator need none.",
                [("New training job", page.href(places.NEW))],
            )
        await self._follow(CLUSTER_TRAINING_RUNTIMES, "")
        await self._follow(TRAINING_RUNTIMES, page.namespace)
        self._show()

    async def _follow(self, resource: Resource, namespace: str) -> None:
        def take(found: Any) -> None:
            if namespace:
                self._of_namespace = found
            else:
                self._of_cluster = found
            self._show()

        try:
            await self._page.live(places.api(resource, namespace), take)
        except ApiFailureError as error:
            if error.status != _NOT_FOUND:
                widgets.paragraph(f"{resource.kind}s cannot be shown: {error.message}", "sp-muted")

    def _show(self) -> None:
        found = model.listed(self._of_cluster, self._of_namespace)
        self._shown = {runtime.key: runtime for runtime in found}
        self._table.set_rows([row(runtime, self._page) for runtime in found])
        self._table.set_visibility(bool(found))
        self._empty.set_visibility(not found)

    def _act(self, key: str, _name: str) -> None:
        self._page.go(places.NEW, runtime=key)


def row(runtime: Runtime, page: PageContext) -> Row:
    where = f"of {runtime.namespace}" if runtime.namespace else "of the cluster"
    second = f"{where}, deprecated" if runtime.is_deprecated else where
    return Row(
        runtime.key,
        {
            "name": cells.link(runtime.name, page.href(_path(runtime)), second),
            "framework": runtime.framework or runtime.policy,
            "nodes": cells.number(runtime.nodes),
            "image": cells.mono(runtime.image),
            "created": cells.time(runtime.created),
            "actions": cells.actions([("train", "Train with", "play_arrow")]),
        },
        name=runtime.name,
    )


def _path(runtime: Runtime) -> str:
    name = segment(runtime.name)
    if runtime.namespace:
        return f"{places.RUNTIMES}/{segment(runtime.namespace)}/{name}"
    return f"{places.RUNTIMES}/{name}"


async def build_one(page: PageContext) -> None:
    await _One(page).build()


class _One:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._namespace = page.params.get("namespace", "")
        self._resource = places.runtime_kind(self._namespace)
        self._obj: Any = {}

    async def build(self) -> None:
        page, name = self._page, self._page.params["name"]
        page.set_title(name)
        key = f"{self._resource.kind}/{name}"
        with widgets.page_header(name, self._resource.kind):
            train = page.href(places.NEW, runtime=key)
            widgets.button("Train with it", icon="play_arrow", kind="primary", href=train)
            edit = page.href(places.cluster(self._resource, self._namespace, name), tab="yaml")
            widgets.button("Edit", icon="edit", href=edit)
        self._place = ui.element("div")
        await page.live(places.api(self._resource, self._namespace, name), self._take)

    def _take(self, obj: Any) -> None:
        if obj == self._obj:
            return
        self._obj = obj
        runtime = model.read(obj, self._resource.kind)
        self._place.clear()
        with self._place, ui.element("div").classes("sp-stack"):
            if runtime.is_deprecated:
                widgets.state("Deprecated: use another for new jobs", "warn")
            with widgets.card("What it gives"):
                widgets.pairs(facts(runtime))
            widgets.heading("Steps")
            table = DataTable(_STEPS, label="Steps")
            table.set_rows([_step(step) for step in runtime.steps])
            widgets.heading("YAML")
            whole = {"apiVersion": self._resource.api_version, "kind": self._resource.kind, **obj}
            CodeView(yamltext.dump(whole), label=f"YAML of {runtime.name}", language="yaml", height="60vh")


def facts(runtime: Runtime) -> dict[str, str]:
    """Pure."""
    found = {
        "Framework": runtime.framework,
        "Nodes": str(runtime.nodes),
        "Processes on each": runtime.processes,
        "Ranks know each other by": _KNOWN.get(runtime.policy, "nothing: each node is by itself"),
        "Starts a script with": model.launcher(runtime),
        "Starts all nodes or none by": runtime.gang,
        "Image": runtime.image,
        "Runs by itself": runtime.command,
    }
    return {name: value for name, value in found.items() if value}


_KNOWN = {
    "torch": "torchrun: PET_NNODES, PET_NODE_RANK, PET_MASTER_ADDR …",
    "mpi": "MPI: a list of hosts, and ssh between them",
    "jax": "JAX: JAX_COORDINATOR_ADDRESS, JAX_PROCESS_ID …",
    "xgboost": "XGBoost: DMLC_TRACKER_URI, DMLC_TASK_ID …",
    "flux": "Flux",
}


def _step(step: model.Step) -> Row:
    return Row(
        step.name,
        {
            "name": step.name,
            "does": step.does,
            "after": step.after,
            "image": cells.mono(step.image),
            "command": cells.mono(step.command),
        },
    )


PAGES = (
    Page(places.RUNTIMES, "Training runtimes", build, parent=places.LIST),
    Page(f"{places.RUNTIMES}/{{name}}", "Training runtime", build_one, parent=places.RUNTIMES),
    Page(f"{places.RUNTIMES}/{{namespace}}/{{name}}", "Training runtime", build_one, parent=places.RUNTIMES),
)
