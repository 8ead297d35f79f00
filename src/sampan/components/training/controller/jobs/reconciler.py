"""The reconciler of Training Operator's kinds: the thin edge around `sampan.components.training.engine.jobs`.

One reconcile looks at the job's pods, decides, writes, and waits until the caches have seen it. What a job has come
to is on record before anything is deleted because of it: whoever goes on after a crash decides the same.

Source: kubeflow/training-operator v1.9.0 ReconcileJobs of pkg/controller.v1/common/job.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sampan.client.protocol import Propagation
from sampan.components.training.controller.around import Around
from sampan.components.training.controller.jobs.children import Children
from sampan.components.training.controller.jobs.gang import Gang
from sampan.components.training.controller.jobs.making import Applied, Maker
from sampan.components.training.controller.jobs.telling import Teller
from sampan.components.training.controller.jobs.writing import ChildWriter
from sampan.components.training.engine.jobs import gangs, policy, status
from sampan.components.training.engine.jobs.conditions import FAILED, SUCCEEDED, SUSPENDED, holds, is_finished
from sampan.components.training.engine.jobs.framework import Framework
from sampan.components.training.engine.jobs.plan import Plan, World, is_disrupted, observe, plan
from sampan.components.training.engine.jobs.pods import job_labels, slot_of
from sampan.components.training.engine.jobs.recreation import Recreations
from sampan.components.training.engine.jobs.spec import OPERATOR, InvalidJobError, Job, read_job
from sampan.components.training.engine.jobs.status import Outcome
from sampan.components.training.engine.validation import operator as validation
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, InvalidError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object
from sampan.kube.troubles import summary, troubles_of
from sampan.lib.clock import parse_rfc3339, rfc3339
from sampan.lib.log import get_logger
from sampan.reconcile.apply import delete_if_present, merge_difference, update_status
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.reconciler import DONE, Request, Result

log = get_logger(__name__)

_RETRY_FIRST_SECONDS = 0.05
_RETRY_MOST_SECONDS = 30.0


@dataclass(slots=True)
class Family:
    """What belongs to a job, whether or not it is still wanted."""

    pods: list[Object]
    services: list[Object]


@dataclass(slots=True)
class Memory:
    """What is known of one job beyond its objects; lost at a restart without harm."""

    uid: str
    recreations: Recreations = field(default_factory=Recreations)
    told: set[tuple[str, ...]] = field(default_factory=set)
    applied: Applied = field(default_factory=dict)
    failures: int = 0
    """Looks in a row in which children could not be made."""
    is_cleaned: bool = False
    """Whether what the end of the job takes away is gone."""


class JobReconciler:
    def __init__(self, around: Around, framework: Framework) -> None:
        self._around = around
        self._client = around.client
        self._clock = around.clock
        self._framework = framework
        self._shape = framework.shape
        self._jobs = around.caches.of(self._shape.resource)
        self._teller = Teller(around, self._shape)
        self._pods = Children(around.client, around.pods)
        self._services = Children(around.client, around.services)
        self._pod_writer = ChildWriter(around.client, around.pods, self._teller.children)
        self._service_writer = ChildWriter(around.client, around.services, self._teller.children)
        self._gang = Gang(around.client, self._teller.children, around.gang_scheduler)
        self._maker = Maker(around, framework, self._gang, self._pod_writer, self._service_writer)
        self._memory: dict[Request, Memory] = {}

    def controller(self) -> Controller[Request]:
        requests = self._pods.requests(self._shape.resource, self._shape.controller_name)
        sources = [
            own(self._jobs),
            mapped(self._around.pods, requests),
            mapped(self._around.services, requests),
        ]
        name = self._shape.controller_name
        return Controller(name, self.reconcile, sources, workers=8, close=self._teller.close)

    async def reconcile(self, request: Request) -> Result:
        obj = self._jobs.get(request.namespace, request.name)
        if obj is None:
            self._memory.pop(request, None)
            return DONE
        if meta.is_deleting(obj) or self._is_managed_elsewhere(obj):
            return DONE
        memory = self._remember(request, obj)
        family = await self._family(obj)
        is_over = is_finished(meta.status(obj))
        try:
            job = self._read(obj)
        except InvalidJobError as error:
            if is_over and (memory.is_cleaned or not policy.leaves_nothing(obj)):
                return DONE
            return await self._refuse(obj, family, memory, str(error))
        if is_over:
            return await self._after_end(job, family, memory)
        if job.policy.suspend:
            return await self._suspend(job, family, memory)
        if holds(meta.status(obj), SUSPENDED) and any(map(meta.is_deleting, family.pods)):
            # Pods of before the suspension are no failures of after it: they come first.
            return DONE
        return await self._go_on(job, family, memory)

    # What a job may be told to do

    async def _go_on(self, job: Job, family: Family, memory: Memory) -> Result:
        now, moment = self._clock.now(), self._clock.monotonic()
        world = observe(job, family.pods, family.services)
        planned = plan(job, world, self._container(job), memory.recreations.held(moment))
        job = await self._count_retries(job, planned, world)
        outcome = self._judge(job, planned, world, rfc3339(now))
        reason = self._limit(job, planned, world, outcome)
        if reason and not holds(outcome.status, SUCCEEDED):
            # A job that has done its work has done it, whenever we come to see it.
            outcome = self._judge(job, Plan(), world, rfc3339(now))
            status.limit(outcome, job, reason, rfc3339(now))
        self._teller.ends(job, world, self._container(job), memory.told)
        if is_finished(outcome.status):
            # What is left of it goes in the next look, which this write brings about.
            await self._write(job.object, outcome)
            return DONE
        for slot, pod in planned.retried.items():
            memory.recreations.failed(slot, meta.uid(pod), self._lived(pod), moment)
        if planned.make_pods:
            self._teller.template(job, gangs.has_other_scheduler(job, self._gang.scheduler), memory.told)
        error = await self._maker.carry_out(job, planned, memory.applied)
        troubles = troubles_of(list(world.pods.values()))
        self._teller.troubles(job, troubles, memory.told)
        if isinstance(error, InvalidError):
            status.refuse(outcome, job.kind, f"its pods are not valid: {error.message}", rfc3339(now))
        else:
            status.wait(outcome, job, str(error or "") or summary(troubles, job.total), rfc3339(now))
        await self._write(job.object, outcome)
        return self._again(job, outcome, memory, error)

    def _judge(self, job: Job, planned: Plan, world: World, now: str) -> Outcome:
        outcome = status.begin(job.object, job.kind, now)
        status.resume(outcome, job, now)
        status.advance(outcome, self._framework, job, world, planned, now)
        return outcome

    async def _suspend(self, job: Job, family: Family, memory: Memory) -> Result:
        await self._delete(job.object, family.pods, family.services)
        await self._maker.clear(job)
        memory.applied.clear()
        outcome = status.begin(job.object, job.kind, rfc3339(self._clock.now()))
        status.suspend(outcome, job, rfc3339(self._clock.now()))
        await self._write(job.object, outcome)
        return DONE

    async def _after_end(self, job: Job, family: Family, memory: Memory) -> Result:
        before = meta.status(job.object)
        stays = [pod for pod in family.pods if policy.is_left(pod, job.name, job.policy, before)]
        names = {meta.name(pod) for pod in stays}
        goes = [pod for pod in family.pods if meta.name(pod) not in names]
        keeps_services = policy.is_left({}, job.name, job.policy, before)
        gone = {meta.name(pod) for pod in goes}
        services = [
            each
            for each in family.services
            if meta.name(each) in gone or not (keeps_services or meta.name(each) in names)
        ]
        await self._delete(job.object, goes, services)
        if not memory.is_cleaned:
            await self._maker.clear(job)
            memory.is_cleaned = True
        outcome = status.begin(job.object, job.kind, rfc3339(self._clock.now()))
        left = [(slot.role, pod) for pod in stays if (slot := slot_of(job, pod)) is not None]
        status.settle(outcome, left)
        await self._write(job.object, outcome)
        return await self._expire(job)

    async def _refuse(self, obj: Object, family: Family, memory: Memory, message: str) -> Result:
        """A job that cannot be: it fails, and keeps nothing."""
        outcome = status.begin(obj, self._shape.kind, rfc3339(self._clock.now()))
        if not is_finished(outcome.status):
            status.refuse(outcome, self._shape.kind, message, rfc3339(self._clock.now()))
            obj = await self._write(obj, outcome)
        await self._delete(obj, family.pods, family.services)
        await self._gang.delete(obj)
        memory.is_cleaned = True
        return DONE

    async def _expire(self, job: Job) -> Result:
        left = policy.until_expiry(job.policy, meta.status(job.object), self._clock.now())
        if left is None:
            return DONE
        if left > timedelta():
            return Result(left)
        if await delete_if_present(self._client, self._shape.resource, job.object, Propagation.BACKGROUND):
            self._teller.deleted(job)
        return DONE

    # Steps

    def _read(self, obj: Object) -> Job:
        """Raises InvalidJobError."""
        if not meta.status(obj).get("startTime"):
            # A cluster without our hooks lets pass what these refuse. One that has begun is held to less.
            errors = FieldErrors()
            self._validate(obj, errors)
            if errors:
                raise InvalidJobError("; ".join(f"{each.field}: {each.message}" for each in errors.causes))
        return self._parse(obj)

    def _validate(self, obj: Object, errors: FieldErrors) -> None:
        validation.check(obj, None, errors)

    def _parse(self, obj: Object) -> Job:
        """Raises InvalidJobError."""
        job = read_job(obj, self._shape)
        self._framework.check(job)
        return job

    def _container(self, job: Job) -> str:
        """The one whose exit code counts, in each pod."""
        return self._shape.container

    async def _family(self, obj: Object) -> Family:
        wanted = job_labels(self._shape, meta.name(obj))
        return Family(
            await self._pods.of(obj, self._shape.resource, wanted),
            await self._services.of(obj, self._shape.resource, wanted),
        )

    async def _count_retries(self, job: Job, planned: Plan, world: World) -> Job:
        """Pods that failed are on record before they go."""
        if job.policy.backoff_limit is None or not planned.retried:
            return job
        before = policy.read_retries(job.object)
        failures = [pod for pod in planned.retried.values() if not is_disrupted(pod)]
        after = before.with_failures(failures, world.pods.values())
        if after == before:
            return job
        metadata = {
            "resourceVersion": meta.resource_version(job.object),
            "uid": meta.uid(job.object),
            "annotations": {policy.RETRIES_ANNOTATION: after.text()},
        }
        written = await self._client.patch(
            self._shape.resource, job.name, {"metadata": metadata}, job.namespace
        )
        return self._read({**written, "kind": job.kind, "apiVersion": job.object["apiVersion"]})

    def _limit(self, job: Job, planned: Plan, world: World, outcome: Outcome) -> str:
        failed = policy.read_retries(job.object).count
        if job.policy.backoff_limit == 0:
            failed = sum(
                pods.phase(each) == pods.FAILED and not is_disrupted(each) for each in world.pods.values()
            )
        if any(change.type == FAILED for change in planned.changes):
            return ""
        restarts = policy.restarts_of(job, world.by_role())
        return policy.limit_reached(job, outcome.status, restarts, failed, self._clock.now())

    async def _delete(self, job: Object, unwanted: Sequence[Object], services: Sequence[Object]) -> None:
        error = await self._pod_writer.delete(job, [pod for pod in unwanted if not meta.is_deleting(pod)])
        error = await self._service_writer.delete(job, services) or error
        if error is not None:
            raise error

    async def _write(self, obj: Object, outcome: Outcome) -> Object:
        """The status, if it has changed, and the events that go with it."""
        before = meta.status(obj)
        if merge_difference(before, outcome.status):
            outcome.status["lastReconcileTime"] = rfc3339(self._clock.now())
            obj = await update_status(self._client, self._shape.resource, obj, outcome.status)
            await self._jobs.reached(meta.resource_version(obj))
        self._teller.changes(obj, self._shape.kind, outcome.told)
        return obj

    def _again(self, job: Job, outcome: Outcome, memory: Memory, error: ApiError | None) -> Result:
        delays = list(memory.recreations.held(self._clock.monotonic()).values())
        deadline = policy.until_deadline(job.policy, outcome.status, self._clock.now())
        if deadline is not None:
            delays.append(max(deadline.total_seconds(), 0.0))
        memory.failures = memory.failures + 1 if error is not None else 0
        if error is not None:
            # A quota, or a name that is taken: what stands in the way may go without a word to us.
            delays.append(min(_RETRY_FIRST_SECONDS * 2.0 ** min(memory.failures, 20), _RETRY_MOST_SECONDS))
            if memory.failures == 1:
                log.warning("children not made", job=f"{job.namespace}/{job.name}", error=error.message)
        return Result(timedelta(seconds=min(delays))) if delays else DONE

    def _lived(self, pod: Object) -> float:
        started = meta.status(pod).get("startTime") or meta.metadata(pod).get("creationTimestamp")
        return (self._clock.now() - parse_rfc3339(str(started))).total_seconds() if started else 0.0

    def _remember(self, request: Request, obj: Object) -> Memory:
        memory = self._memory.get(request)
        if memory is None or memory.uid != meta.uid(obj):
            memory = self._memory[request] = Memory(meta.uid(obj))
        return memory

    def _is_managed_elsewhere(self, obj: Object) -> bool:
        return (meta.lookup(obj, "spec.runPolicy.managedBy") or OPERATOR) != OPERATOR
