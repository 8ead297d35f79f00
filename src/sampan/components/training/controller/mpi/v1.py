"""The reconciler of MPIJobs of training-operator: that of all its kinds, with what an MPIJob owns beside pods.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/mpi/mpijob_controller.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.training.api.mpi_version import mpi_version
from sampan.components.training.controller.around import Around
from sampan.components.training.controller.jobs.children import Children
from sampan.components.training.controller.jobs.gang import Gang
from sampan.components.training.controller.jobs.making import Applied, Maker
from sampan.components.training.controller.jobs.reconciler import JobReconciler
from sampan.components.training.controller.jobs.writing import ChildWriter
from sampan.components.training.controller.mpi.owned import Owned
from sampan.components.training.engine.jobs.framework import Framework
from sampan.components.training.engine.jobs.plan import Plan
from sampan.components.training.engine.jobs.pods import PodOptions, slot_of
from sampan.components.training.engine.jobs.spec import Job
from sampan.components.training.engine.mpi import v1
from sampan.components.training.engine.mpi.names import WORKER
from sampan.components.training.engine.validation import mpi as validation
from sampan.kube import meta, pods, rbac
from sampan.kube.errors import ApiError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS, SERVICE_ACCOUNTS
from sampan.kube.meta import Object


class MpiV1Reconciler(JobReconciler):
    def __init__(self, around: Around) -> None:
        super().__init__(around, v1.MpiV1())
        owned = Owned(around.client, self._teller.children)
        self._maker = _Maker(
            around, self._framework, self._gang, self._pod_writer, self._service_writer, (owned, self._pods)
        )

    def _validate(self, obj: Object, errors: FieldErrors) -> None:
        validation.check(obj, None, errors)

    def _parse(self, obj: Object) -> Job:
        job = v1.read(obj)
        self._framework.check(job)
        return job

    def _container(self, job: Job) -> str:
        return v1.main_container(job)

    def _is_managed_elsewhere(self, obj: Object) -> bool:
        return mpi_version(obj) != "v1" or super()._is_managed_elsewhere(obj)


class _Maker(Maker):
    """Without Services: hosts are names of pods, which kubectl finds."""

    def __init__(
        self,
        around: Around,
        framework: Framework,
        gang: Gang,
        pods: ChildWriter,
        services: ChildWriter,
        mine: tuple[Owned, Children],
    ) -> None:
        super().__init__(around, framework, gang, pods, services)
        self._owned, self._children = mine

    async def _prepare(self, job: Job, planned: Plan, applied: Applied, priorities: dict[str, int]) -> None:
        await super()._prepare(job, planned, applied, priorities)
        obj, running = job.object, _running_workers(job, self._children.known(job.object))
        await self._owned.make_if_missing(SERVICE_ACCOUNTS, obj, v1.account(job))
        await self._owned.apply(CONFIG_MAPS, obj, v1.config_map(job, running))
        await self._owned.apply(rbac.ROLES, obj, v1.role(job))
        await self._owned.apply(rbac.ROLE_BINDINGS, obj, v1.role_binding(job))

    async def _make(self, job: Job, planned: Plan, options: PodOptions) -> ApiError | None:
        wanted = [v1.pod(job, slot, options) for slot in planned.make_pods]
        return (await self._pods.create(job.object, wanted)).error


def _running_workers(job: Job, owned: Sequence[Object]) -> list[str]:
    return [
        meta.name(pod)
        for pod in owned
        if pods.phase(pod) == pods.RUNNING
        and not meta.is_deleting(pod)
        and (slot := slot_of(job, pod)) is not None
        and slot.role == WORKER
    ]
