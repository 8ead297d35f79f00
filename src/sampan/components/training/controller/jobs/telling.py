"""The events of a job, with upstream's reasons and words.

What is made, and how pods fare, is told by recorders of their own: of a large job there is more to say than an object
may have events, and its end must not be what is cut short.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/common/{job,pod}.go, pkg/core/job.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from sampan.components.training.controller.around import Around
from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.plan import World
from sampan.components.training.engine.jobs.spec import Job, Shape
from sampan.kube import meta, pods
from sampan.kube.meta import Object
from sampan.kube.troubles import Trouble
from sampan.reconcile.events import EventRecorder

Told = set[tuple[str, ...]]
"""What has been said already, by pod and matter: a look that finds the same says nothing."""

_REMEMBERED = 2000


class Teller:
    def __init__(self, around: Around, shape: Shape) -> None:
        self._recorder = EventRecorder(around.client, around.clock, shape.controller_name)
        self._pods = EventRecorder(around.client, around.clock, shape.controller_name)
        self.children = EventRecorder(around.client, around.clock, shape.controller_name)

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in (self._recorder, self._pods, self.children)))

    def changes(self, job: Object, kind: str, told: Iterable[Change]) -> None:
        for change in told:
            record = self._recorder.warning if change.is_warning else self._recorder.normal
            record(job, f"{kind}{change.reason}", change.message)

    def deleted(self, job: Job) -> None:
        self._recorder.normal(job.object, "SuccessfulDeleteJob", f"Deleted job: {job.name}")

    def ends(self, job: Job, world: World, container: str, told: Told) -> None:
        """Of the container that trains, in each pod."""
        for pod in world.pods.values():
            code = pods.exit_code(pod, container)
            if code is None or not _first(told, meta.uid(pod), "exit", str(_restarts(pod))):
                continue
            words = f"Pod: {meta.namespace(pod)}.{meta.name(pod)} exited with code {code}"
            self._pods.normal(job.object, "ExitedWithCode", words)

    def troubles(self, job: Job, troubles: Iterable[Trouble], told: Told) -> None:
        for each in troubles:
            if _first(told, each.uid, each.reason, each.what):
                self._pods.warning(job.object, each.reason, each.event)

    def template(self, job: Job, has_other_scheduler: bool, told: Told) -> None:
        """What of the pods' templates does not count, or stands in the way."""
        named = any(meta.spec(each.template).get("restartPolicy") for each in job.roles.values())
        if named and _first(told, "template", "restartPolicy"):
            words = "Restart policy in pod template will be overwritten by restart policy in replica spec"
            self._recorder.warning(job.object, "SetPodTemplateRestartPolicy", words)
        if has_other_scheduler and _first(told, "template", "schedulerName"):
            words = "Another scheduler is specified when gang-scheduling is enabled and it will not be overwritten"
            self._recorder.warning(job.object, "SetPodTemplateSchedulerName", words)


def _first(told: Told, *what: str) -> bool:
    if what in told:
        return False
    if len(told) >= _REMEMBERED:
        told.clear()
    told.add(what)
    return True


def _restarts(pod: Object) -> int:
    return sum(int(each.get("restartCount") or 0) for each in pods.container_statuses(pod))
