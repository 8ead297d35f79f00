"""`/training/new`: the form for a new job, and beside it the object that it makes, which can be edited instead.

Its address says what it begins with: `runtime` (KIND/NAME), `clone` (KIND/NAME of a job), or `kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sampan.components.training.api.kinds import ALL_JOB_KINDS, CLUSTER_TRAINING_RUNTIMES, MPI_JOBS_V2
from sampan.components.training.api.summary import resource_of
from sampan.components.training.ui import actions, following, places
from sampan.components.training.ui.new_job import building, reading
from sampan.components.training.ui.new_job.fields import IMAGES, Fields
from sampan.components.training.ui.new_job.wanted import Program, Wanted
from sampan.components.training.ui.runtimes import finding, model
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.forms.form import Form
from sampan.ui.objects import copies, yamltext
from sampan.ui.objects.making import Making, NewObject, Read

_STANDARD_RUNTIME = "torch-distributed"
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


_MAKING = Making(
    "New training job",
    "job",
    kinds=(*ALL_JOB_KINDS, MPI_JOBS_V2),
    collection=places.api,
    page_of=places.job,
    home=places.LIST,
    places=_PLACES,
)


async def build(page: PageContext) -> None:
    runtimes = await finding.find(page.api, page.namespace)
    original = await _original(page)
    start = reading.wanted(original) if original is not None else _beginning(page.query, runtimes)
    taken = {meta.name(job) for job in await following.once(page.api, page.namespace)}
    widgets.page_header(_MAKING.title, f"In the namespace {page.namespace}.")
    making = NewObject(page, _MAKING)
    if start is None and original is not None:
        # It has what the form has no field for.
        name = copies.next_name(meta.name(original), taken)
        making.edit(yamltext.dump(actions.copy_of(original, name)))
        return
    start = start or Wanted()
    rules = replace(start.rules, suspended=False)
    name = copies.next_name(start.name or "train-1", taken)
    start = replace(start, name=name, namespace=page.namespace, rules=rules)
    claims = await _claims(page)

    async def build_fields(form: Form, changed: Callable[[], None]) -> Read:
        fields = Fields(form, start, runtimes, claims, changed)
        fields.build()
        return lambda: building.job(fields.read())

    await making.form(build_fields)


async def _original(page: PageContext) -> Object | None:
    """The job that is cloned."""
    kind, _, name = page.query.get("clone", "").partition("/")
    resource = resource_of(kind) if kind and name else None
    if resource is None:
        return None
    found = await page.api.get(places.api(resource, page.namespace, name))
    return {**found, "kind": resource.kind, "apiVersion": resource.api_version}


async def _claims(page: PageContext) -> list[str]:
    path = f"/api/v1/namespaces/{segment(page.namespace)}/persistentvolumeclaims"
    try:
        found = await page.api.get(path)
    except ApiFailureError:
        return []
    return [meta.name(each) for each in found.get("items") or ()]


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
