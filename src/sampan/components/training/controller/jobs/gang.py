"""Keeps the PodGroup of a job as it is to be, and takes it away at the end.

There is no watch of PodGroups: a cluster may not have the kind.
"""

from __future__ import annotations

from sampan.client.protocol import Client
from sampan.components.training.engine.jobs import gangs
from sampan.components.training.engine.jobs.spec import Job
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, ForbiddenError, NotFoundError
from sampan.kube.kinds import PRIORITY_CLASSES
from sampan.kube.meta import Object
from sampan.reconcile.apply import delete_if_present
from sampan.reconcile.events import EventRecorder


class Gang:
    def __init__(self, client: Client, recorder: EventRecorder, scheduler: str) -> None:
        self._client = client
        self._recorder = recorder
        self.scheduler = scheduler
        self.kind = gangs.kind_of(scheduler)

    async def priorities(self, job: Job) -> dict[str, int]:
        """Of the classes that the job names, as far as there are any and we may see them."""
        found: dict[str, int] = {}
        for name in gangs.priority_classes(job) if self.kind else ():
            try:
                found[name] = int((await self._client.get(PRIORITY_CLASSES, name)).get("value") or 0)
            except (NotFoundError, ForbiddenError):
                continue
        return found

    def desired(self, job: Job, minimum: int, priorities: dict[str, int]) -> Object | None:
        return gangs.desired_group(job, minimum, self.scheduler, priorities)

    async def delete(self, job: Object) -> None:
        """Raises ApiError."""
        if self.kind is None:
            return
        try:
            group = await self._client.get(self.kind, meta.name(job), meta.namespace(job))
        except NotFoundError:
            return
        if not owners.is_controlled_by(group, job) or meta.is_deleting(group):
            return
        self._recorder.normal(job, "JobTerminated", "Job has been terminated. Deleting PodGroup")
        try:
            await delete_if_present(self._client, self.kind, group)
        except ApiError as error:
            self._recorder.warning(job, "FailedDeletePodGroup", f"Error deleting: {error.message}")
            raise
        self._recorder.normal(job, "SuccessfulDeletePodGroup", f"Deleted PodGroup: {meta.name(job)}")
