"""The reconciler of MPIJobs of mpi-operator: the thin edge around `sampan.components.training.engine.mpi`.

Source: kubeflow/mpi-operator v0.8 syncHandler of pkg/controller/mpi_job_controller.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sampan.client.protocol import ListOptions
from sampan.components.training.api import labels
from sampan.components.training.api.kinds import MPI_JOBS, MPI_JOBS_V2
from sampan.components.training.api.mpi_version import mpi_version
from sampan.components.training.controller.around import Around
from sampan.components.training.controller.jobs.children import Children
from sampan.components.training.controller.jobs.gang import Gang
from sampan.components.training.controller.jobs.writing import ChildWriter
from sampan.components.training.controller.mpi.owned import Owned, TakenError
from sampan.components.training.engine.jobs.spec import CLEAN_NONE, CLEAN_RUNNING, InvalidJobError
from sampan.components.training.engine.mpi import keys, names, status, v2
from sampan.components.training.engine.mpi.names import WORKER
from sampan.components.training.engine.mpi.status import Outcome, Seen
from sampan.components.training.engine.mpi.v2 import MpiJob
from sampan.components.training.engine.validation import mpi as validation
from sampan.kube import meta, owners, pods
from sampan.kube.errors import ApiError, InvalidError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS, JOBS, SECRETS, SERVICES
from sampan.kube.meta import Object
from sampan.kube.troubles import summary, troubles_of
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import is_part, merge_difference, update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, TerminalError

_CONTROLLER = "mpi-job-controller"
_TAKEN_SECONDS = 10.0
"""After which it is looked again whether somebody else's object has gone."""


@dataclass(slots=True)
class Memory:
    """What is known of one job beyond its objects; lost at a restart without harm."""

    uid: str
    group: Object | None = None
    """The PodGroup's spec as it was written last."""
    priorities: dict[str, int] = field(default_factory=dict)
    """Of the classes that its pods name, when the group was made."""
    told: set[str] = field(default_factory=set)


class MpiV2Reconciler:
    def __init__(self, around: Around) -> None:
        self._around = around
        self._client = around.client
        self._clock = around.clock
        self._jobs = around.caches.of(MPI_JOBS)
        self._launchers = Cache(around.client, JOBS, selector=ListOptions(label_selector=labels.JOB_NAME))
        self._recorder = EventRecorder(around.client, around.clock, _CONTROLLER)
        self._children = EventRecorder(around.client, around.clock, _CONTROLLER)
        self._pods = Children(around.client, around.pods)
        self._pod_writer = ChildWriter(around.client, around.pods, self._children)
        self._gang = Gang(around.client, self._children, around.gang_scheduler)
        self._owned = Owned(around.client, self._children)
        self._memory: dict[Request, Memory] = {}

    def controller(self) -> Controller[Request]:
        sources = [own(self._jobs)]
        sources += [
            mapped(cache, _jobs_of) for cache in (self._around.pods, self._around.services, self._launchers)
        ]
        return Controller(_CONTROLLER, self.reconcile, sources, workers=8, close=self._close)

    async def reconcile(self, request: Request) -> Result:
        stored = self._jobs.get(request.namespace, request.name)
        if stored is None:
            self._memory.pop(request, None)
            return DONE
        if mpi_version(stored) != "v2beta1" or meta.is_deleting(stored) or _is_managed_elsewhere(stored):
            return DONE
        # The cache is of the other version of the same object; what it owns names this one.
        obj = {**stored, "apiVersion": MPI_JOBS_V2.api_version, "kind": MPI_JOBS_V2.kind}
        outcome = status.begin(obj, self._now())
        try:
            mpi = _read(obj)
        except InvalidJobError as error:
            return await self._refuse(obj, outcome, str(error))
        memory = self._remember(request, obj)
        if status.is_over(outcome.status):
            return await self._clean_up(mpi, outcome, memory)
        return await self._go_on(mpi, outcome, memory)

    # What a job may be told to do

    async def _go_on(self, mpi: MpiJob, outcome: Outcome, memory: Memory) -> Result:
        launcher = await self._launcher(mpi)
        workers = await self._workers(mpi)
        error: ApiError | None = None
        try:
            if not status.launcher_is_over(launcher):
                await self._prepare(mpi, workers)
                if mpi.job.policy.suspend:
                    await self._send_away(mpi, workers, memory)
                    workers = []
                else:
                    workers = await self._make_workers(mpi, workers, memory)
                launcher = await self._make_launcher(mpi, launcher, workers)
            else:
                workers = []
        except ApiError as failure:
            error = failure
        launcher_pods = self._launcher_pods(launcher)
        if isinstance(error, InvalidError):
            status.refuse(outcome, f"its pods are not valid: {error.message}", self._now())
        else:
            status.advance(outcome, mpi, Seen(launcher, launcher_pods, workers), self._now())
            self._tell_why_pods_wait(mpi, outcome, [*launcher_pods, *workers], error, memory)
        await self._write(mpi.job.object, outcome)
        if isinstance(error, TakenError):
            return Result(timedelta(seconds=_TAKEN_SECONDS))
        if error is not None and not isinstance(error, InvalidError):
            raise error
        return DONE

    async def _clean_up(self, mpi: MpiJob, outcome: Outcome, memory: Memory) -> Result:
        if mpi.job.policy.clean_pods != CLEAN_NONE:
            await self._send_away(mpi, await self._workers(mpi), memory)
            status.settle(outcome)
            await self._write(mpi.job.object, outcome)
        return DONE

    async def _refuse(self, obj: Object, outcome: Outcome, message: str) -> Result:
        status.refuse(outcome, message, self._now())
        await self._write(obj, outcome)
        return DONE

    # Steps

    async def _prepare(self, mpi: MpiJob, workers: Sequence[Object]) -> None:
        """What pods look up and mount is there before they are. Raises ApiError."""
        obj = mpi.job.object
        running = [meta.name(pod) for pod in workers if pods.phase(pod) == pods.RUNNING]
        await self._owned.apply(SERVICES, obj, v2.service(mpi))
        await self._owned.apply(CONFIG_MAPS, obj, v2.config_map(mpi, running))
        found = await self._owned.find(SECRETS, v2.secret_name(mpi.name), mpi.job.namespace)
        if found is None or not v2.has_keys(found) or not owners.is_controlled_by(found, obj):
            pair = await asyncio.to_thread(keys.make_key_pair)
            await self._owned.apply(SECRETS, obj, v2.secret(mpi, pair))

    async def _make_workers(self, mpi: MpiJob, workers: list[Object], memory: Memory) -> list[Object]:
        """Those that are wanted, as the cache has them then. Raises ApiError."""
        await self._keep_gang(mpi, memory)
        wanted = {names.worker_name(mpi.name, index): index for index in range(mpi.workers)}
        beyond = [pod for pod in workers if meta.name(pod) not in wanted and not meta.is_deleting(pod)]
        if beyond and (error := await self._pod_writer.delete(mpi.job.object, beyond)):
            raise error
        there = {meta.name(pod) for pod in workers}
        missing = [
            v2.worker_pod(mpi, index, self._gang.scheduler)
            for name, index in wanted.items()
            if name not in there
        ]
        if missing and (error := (await self._pod_writer.create(mpi.job.object, missing)).error):
            raise error
        return [pod for pod in await self._workers(mpi) if meta.name(pod) in wanted]

    async def _keep_gang(self, mpi: MpiJob, memory: Memory) -> None:
        if memory.group is None:
            memory.priorities = await self._gang.priorities(mpi.job)
        try:
            wanted = v2.pod_group(mpi, self._gang.scheduler, memory.priorities)
        except InvalidJobError as error:
            raise InvalidError(str(error)) from error
        kind = self._gang.kind
        if kind is not None and wanted is not None and meta.spec(wanted) != memory.group:
            await self._owned.apply(kind, mpi.job.object, wanted)
            memory.group = meta.spec(wanted)

    async def _make_launcher(
        self, mpi: MpiJob, launcher: Object | None, workers: Sequence[Object]
    ) -> Object | None:
        """Raises ApiError."""
        obj = mpi.job.object
        if launcher is None:
            if mpi.creation_policy == v2.AT_STARTUP or all(map(_is_ready, workers)):
                wanted = owners.with_controller(v2.launcher_job(mpi, self._gang.scheduler), obj)
                if v2.overwrites_restart_policy(mpi):
                    words = "Restart policy in pod template overridden by restart policy in replica spec"
                    self._children.warning(obj, "SetPodTemplateRestartPolicy", words)
                try:
                    made = await self._client.create(JOBS, wanted)
                except ApiError as error:
                    words = f"launcher pod created failed: {error.message}"
                    self._children.warning(obj, "MPIJobFailed", words)
                    raise
                await self._launchers.reached(meta.resource_version(made))
                return made
            return None
        suspended = meta.spec(launcher).get("suspend") is True
        if suspended == mpi.job.policy.suspend:
            return launcher
        if mpi.job.policy.suspend:
            change: Object = {"suspend": True}
        else:
            if meta.status(launcher).get("startTime"):
                # While a Job has one its template cannot be changed.
                launcher = await update_status(
                    self._client, JOBS, launcher, {**meta.status(launcher), "startTime": None}
                )
            change = v2.resumed(mpi, self._gang.scheduler)
            if is_part(change["template"], meta.spec(launcher).get("template")):
                change = {"suspend": False}
        written = await self._client.patch(JOBS, meta.name(launcher), {"spec": change}, mpi.job.namespace)
        await self._launchers.reached(meta.resource_version(written))
        return written

    async def _send_away(self, mpi: MpiJob, workers: Sequence[Object], memory: Memory) -> None:
        """The workers' pods, but for those that the policy keeps, and the PodGroup. Raises ApiError."""
        keeps_ended = mpi.job.policy.clean_pods == CLEAN_RUNNING
        goes = [
            pod
            for pod in workers
            if not meta.is_deleting(pod) and not (keeps_ended and pods.is_terminal(pod))
        ]
        if goes and (error := await self._pod_writer.delete(mpi.job.object, goes)):
            raise error
        await self._gang.delete(mpi.job.object)
        memory.group = None

    async def _launcher(self, mpi: MpiJob) -> Object | None:
        """The Job. Raises TerminalError for one that is somebody else's."""
        name, obj = names.launcher_name(mpi.name), mpi.job.object
        found = self._launchers.get(mpi.job.namespace, name)
        if found is None:
            # One of somebody else's, or of an operator that was here before, has not our labels.
            found = await self._owned.find(JOBS, name, mpi.job.namespace)
        if found is not None and not owners.is_controlled_by(found, obj):
            message = f'Resource "{name}" of Kind "Job" already exists and is not managed by MPIJob'
            self._children.warning(obj, "ErrResourceExists", message)
            raise TerminalError(message)
        return found

    async def _workers(self, mpi: MpiJob) -> list[Object]:
        wanted = v2.role_labels(mpi.name, WORKER)
        return await self._pods.of(mpi.job.object, MPI_JOBS_V2, wanted)

    def _launcher_pods(self, launcher: Object | None) -> Sequence[Object]:
        return self._pods.known(launcher) if launcher is not None else ()

    def _tell_why_pods_wait(
        self,
        mpi: MpiJob,
        outcome: Outcome,
        there: Sequence[Object],
        error: ApiError | None,
        memory: Memory,
    ) -> None:
        troubles = troubles_of(there)
        for each in troubles:
            if (words := f"{each.uid} {each.what}") not in memory.told:
                memory.told.add(words)
                self._children.warning(mpi.job.object, each.reason, each.event)
        total = mpi.workers + 1
        message = error.message if error is not None else summary(troubles, total)
        status.wait(outcome, message, self._now())

    async def _write(self, obj: Object, outcome: Outcome) -> None:
        """The status, if it has changed, and the events that go with it."""
        if merge_difference(meta.status(obj), outcome.status):
            written = await update_status(self._client, MPI_JOBS_V2, obj, outcome.status)
            await self._jobs.reached(meta.resource_version(written))
        for each in outcome.told:
            record = self._recorder.warning if each.is_warning else self._recorder.normal
            record(obj, each.reason, each.message)

    def _remember(self, request: Request, obj: Object) -> Memory:
        memory = self._memory.get(request)
        if memory is None or memory.uid != meta.uid(obj):
            memory = self._memory[request] = Memory(meta.uid(obj))
        return memory

    def _now(self) -> str:
        return rfc3339(self._clock.now())

    async def _close(self) -> None:
        await self._recorder.close()
        await self._children.close()


def _read(obj: Object) -> MpiJob:
    """Raises InvalidJobError."""
    if not meta.status(obj).get("startTime"):
        # A cluster without our hooks lets pass what these refuse. One that has begun is held to less.
        errors = FieldErrors()
        validation.check(obj, None, errors)
        if errors:
            raise InvalidJobError("; ".join(f"{each.field}: {each.message}" for each in errors.causes))
    return v2.read(obj)


def _jobs_of(obj: Object) -> Iterable[Request]:
    """By its labels: a launcher's pod is controlled by its Job."""
    found = meta.labels(obj)
    if found.get(labels.OPERATOR_NAME) == v2.OPERATOR_NAME:
        yield Request(meta.namespace(obj), str(found.get(labels.JOB_NAME)))


def _is_ready(pod: Object) -> bool:
    return any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in meta.status(pod).get("conditions") or ()
    )


def _is_managed_elsewhere(job: Object) -> bool:
    return (meta.lookup(job, "spec.runPolicy.managedBy") or v2.OPERATOR) != v2.OPERATOR
