"""Carrying out a plan: the gang's group and the Services first, then the pods that need them, then what is to go.

A name that a pod looks up is known before the pod starts, and no pod waits for its group.
"""

from __future__ import annotations

from sampan.components.training.controller.around import Around
from sampan.components.training.controller.jobs.gang import Gang
from sampan.components.training.controller.jobs.writing import ChildWriter
from sampan.components.training.engine.jobs import elastic, gangs
from sampan.components.training.engine.jobs.framework import Framework
from sampan.components.training.engine.jobs.plan import Plan
from sampan.components.training.engine.jobs.pods import PodOptions, desired_pod, desired_service
from sampan.components.training.engine.jobs.spec import InvalidJobError, Job
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, InvalidError, NotFoundError
from sampan.kube.kinds import HORIZONTAL_POD_AUTOSCALERS
from sampan.kube.meta import Object
from sampan.reconcile.apply import apply_child, delete_if_present
from sampan.reconcile.reconciler import TerminalError

Applied = dict[str, Object]
"""Of a job's own objects beside pods and Services the spec, as it was written last, by kind."""


class Maker:
    """Of the children of jobs of one kind."""

    def __init__(
        self, around: Around, framework: Framework, gang: Gang, pods: ChildWriter, services: ChildWriter
    ) -> None:
        self._around = around
        self._client = around.client
        self._framework = framework
        self._gang = gang
        self._pods = pods
        self._services = services

    async def carry_out(self, job: Job, planned: Plan, applied: Applied) -> ApiError | None:
        """What went wrong, first. `applied` is brought up to date."""
        error: ApiError | None = None
        try:
            priorities = await self._gang.priorities(job)
            await self._prepare(job, planned, applied, priorities)
            error = await self._make(job, planned, self._options(job, priorities))
        except ApiError as failure:
            error = failure
        except InvalidJobError as failure:
            error = InvalidError(str(failure))
        except TerminalError as failure:
            error = ApiError(str(failure))
        gone = await self._pods.delete(job.object, planned.delete_pods)
        gone = await self._services.delete(job.object, planned.delete_services) or gone
        return error or gone

    async def clear(self, job: Job) -> None:
        """What does not outlive a job that is over or suspended, apart from pods and Services. Raises ApiError."""
        await self._gang.delete(job.object)
        if elastic.autoscaler(job) is None:
            return
        try:
            found = await self._client.get(HORIZONTAL_POD_AUTOSCALERS, job.name, job.namespace)
        except NotFoundError:
            return
        if owners.is_controlled_by(found, job.object):
            await delete_if_present(self._client, HORIZONTAL_POD_AUTOSCALERS, found)

    async def _prepare(self, job: Job, planned: Plan, applied: Applied, priorities: dict[str, int]) -> None:
        group = self._gang.desired(job, self._framework.minimum(job), priorities)
        for kind, wanted in (
            (self._gang.kind, group),
            (HORIZONTAL_POD_AUTOSCALERS, elastic.autoscaler(job)),
        ):
            # Looked after when pods are made, and when it is to be another.
            if kind is None or wanted is None:
                continue
            if planned.make_pods or applied.get(kind.key) != meta.spec(wanted):
                await apply_child(self._client, kind, job.object, wanted, None)
                applied[kind.key] = meta.spec(wanted)

    async def _make(self, job: Job, planned: Plan, options: PodOptions) -> ApiError | None:
        services = [desired_service(self._framework.shape, job, slot) for slot in planned.make_services]
        written = await self._services.create(job.object, services)
        if written.error is not None:
            return written.error
        wanted = [desired_pod(self._framework, job, slot, options) for slot in planned.make_pods]
        return (await self._pods.create(job.object, wanted)).error

    def _options(self, job: Job, priorities: dict[str, int]) -> PodOptions:
        named = job.policy.scheduling.priority_class
        # Volcano reads the class of the group; others know pods' alone.
        of_pods = self._gang.scheduler == gangs.SCHEDULER_PLUGINS and named in priorities
        return PodOptions(
            gang_scheduler=self._gang.scheduler,
            priority_class=named if of_pods else "",
            waiting_image=self._around.init_image,
        )
