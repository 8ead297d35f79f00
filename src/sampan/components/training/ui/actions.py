"""What is done to one job, with the question that goes before it: from the list and from its page.

How each kind says that it is suspended, and where it keeps its number of workers, is upstream's:
kubeflow/training-operator 1.9 pkg/apis/kubeflow.org/v1, kubeflow/trainer 2.3 pkg/apis/trainer/v1alpha1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.api.summary import REPLICA_SPECS, Summary, resource_of
from sampan.components.training.ui import places
from sampan.kube import conditions, meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.objects import copies
from sampan.ui.objects.making import MANAGER

After = Callable[[], Any]
_MERGE = "application/merge-patch+json"
_NOT_FOUND = 404
_CONFLICT = 409
_LOOK_SECONDS = 0.5
_MOST_SECONDS = 120
_MOST_COPIES = 100
_NOTES = frozenset({"sampan.dev/failed-pods"})
"""Of our own controllers."""


def suspension(kind: str, suspended: bool) -> Object:
    """The patch that suspends or resumes a job of this kind. Pure."""
    if kind == TRAIN_JOBS.kind:
        return {"spec": {"suspend": suspended}}
    return {"spec": {"runPolicy": {"suspend": suspended}}}


def scaling(job: Mapping[str, Any], count: int) -> Object:
    """The patch that makes it so many workers or nodes. Pure."""
    kind = str(job.get("kind"))
    if kind == TRAIN_JOBS.kind:
        return {"spec": {"trainer": {"numNodes": count}}}
    return {"spec": {REPLICA_SPECS[kind]: {"Worker": {"replicas": count}}}}


def workers(job: Mapping[str, Any]) -> int | None:
    """How many workers it wants; None where there is no number that can be changed. Pure."""
    kind, spec = str(job.get("kind")), meta.spec(job)
    if kind == TRAIN_JOBS.kind:
        nodes = (spec.get("trainer") or {}).get("numNodes")
        # Its JobSet takes another size only while nothing of it runs.
        return int(nodes or 1) if spec.get("suspend") else None
    role = (spec.get(REPLICA_SPECS.get(kind, "")) or {}).get("Worker")
    if not isinstance(role, Mapping):
        return None
    count = role.get("replicas")
    return 1 if count is None else int(count)


def copy_of(job: Mapping[str, Any], name: str) -> Object:
    """What is to be created for another job like this one. Pure."""
    made = copies.copy_of(job, name, _NOTES)
    # A copy is made to run, whatever was done to the first.
    made["spec"].pop("suspend", None)
    if isinstance(policy := made["spec"].get("runPolicy"), dict):
        policy.pop("suspend", None)
    return made


def own_annotations(job: Mapping[str, Any]) -> dict[str, str]:
    """Those that people have written, without what clients and controllers note of this one job. Pure."""
    return copies.own_annotations(job, _NOTES)


async def set_suspended(page: PageContext, job: Summary, suspended: bool) -> None:
    """Raises ApiFailureError."""
    path, kind = _place(job)
    await page.api.patch(path, suspension(kind.kind, suspended), MANAGER, content_type=_MERGE)


async def suspend(page: PageContext, job: Summary, suspended: bool) -> bool:
    word = "is being suspended" if suspended else "goes on"
    return await page.attempt(set_suspended(page, job, suspended), done=f"{job.name} {word}.")


async def scale(page: PageContext, job: Mapping[str, Any], count: int) -> bool:
    """Workers, or nodes."""
    resource = resource_of(str(job.get("kind")))
    if resource is None:
        return False
    path = places.api(resource, meta.namespace(job), meta.name(job))
    done = f"{meta.name(job)}: {count} wanted."
    return await page.attempt(page.api.patch(path, scaling(job, count), MANAGER, content_type=_MERGE), done)


async def remove(page: PageContext, job: Summary) -> None:
    """With what belongs to it, in the background. Raises ApiFailureError."""
    path, _ = _place(job)
    await page.api.delete(path, {"propagationPolicy": "Background"})


def lost_with(count: int) -> list[str]:
    """What goes with that many jobs. Pure."""
    jobs = "The job" if count == 1 else f"The {count} jobs"
    return [
        f"{jobs}, and every pod that still runs",
        "What has not been written to a volume or uploaded by then",
    ]


async def run_again(page: PageContext, job: Mapping[str, Any]) -> None:
    """A copy under the next free name, whose page is opened."""
    resource = resource_of(str(job.get("kind")))
    if resource is None:
        return
    made: list[str] = []

    async def create() -> None:
        namespace, taken = meta.namespace(job), {meta.name(job)}
        while True:
            name = copies.next_name(meta.name(job), taken)
            try:
                await page.api.post(places.api(resource, namespace), copy_of(job, name), MANAGER)
            except ApiFailureError as error:
                taken.add(name)
                if error.status == _CONFLICT and len(taken) <= _MOST_COPIES:
                    continue
                raise
            made.append(name)
            return

    if await page.attempt(create()):
        page.notify(f"{made[0]} is created.")
        page.go(places.job(resource, meta.namespace(job), made[0]))


async def restart(page: PageContext, job: Summary) -> None:
    """Suspends it until its pods are gone, and lets it go on: with new pods, from the beginning.

    Left half way, it is a suspended job, which anybody can resume.
    """
    path, _ = _place(job)

    async def go() -> None:
        await set_suspended(page, job, True)
        waited = 0.0
        while not conditions.is_true(await page.api.get(path), "Suspended") and waited < _MOST_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
        await set_suspended(page, job, False)

    page.notify(f"{job.name} is being stopped, and begins again.", "info")
    await page.attempt(go(), done=f"{job.name} begins again.")


def _place(job: Summary) -> tuple[str, Resource]:
    resource = resource_of(job.kind)
    if resource is None:
        raise ApiFailureError(_NOT_FOUND, f"There is no kind of jobs {job.kind}.")
    return places.api(resource, job.namespace, job.name), resource
