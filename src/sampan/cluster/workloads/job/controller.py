"""The Job reconciler: the thin edge around `accounting`, `plan` and `status`.

One reconcile records ends, changes pods, writes the status, in this order, and then waits until the caches
have seen it all: the next one must not decide on what was true before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sampan.client.protocol import Client, Object, Propagation
from sampan.cluster.workloads.children import claim, index_by_controller, orphans
from sampan.cluster.workloads.job import pods as job_pods
from sampan.cluster.workloads.job.accounting import tally
from sampan.cluster.workloads.job.backoff import Backoff, Failures
from sampan.cluster.workloads.job.plan import NewPod, Plan, Situation, plan
from sampan.cluster.workloads.job.spec import (
    FINALIZER,
    JOB_NAME,
    MANAGER,
    JobSpec,
    is_finished,
    is_tracked,
    read_spec,
)
from sampan.cluster.workloads.job.status import Done, status
from sampan.cluster.workloads.podcontrol import is_namespace_ending
from sampan.kube import conditions, meta, owners, pods
from sampan.kube.errors import ApiError, ForbiddenError
from sampan.kube.kinds import JOBS, PODS
from sampan.lib.clock import Clock, parse_rfc3339
from sampan.reconcile.apply import delete_if_present, remove_finalizer, update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

COMPONENT = "job-controller"
_ALL = "job"
_OPEN = "job, not settled"
_MANUAL = "job, selector of its own"
_AT_ONCE = 64
"""Writes under way at a time: enough to share commits, few enough to leave room for others."""


@dataclass(slots=True)
class _Memory:
    """What is known of one Job beyond its objects; lost at a restart without harm."""

    uid: str
    failures: Failures
    released: set[str] = field(default_factory=set)
    """Uids of pods whose finalizer we removed, until the cache shows it."""


class JobReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches, backoff: Backoff) -> None:
        self._client = client
        self._clock = clock
        self._jobs = caches.of(JOBS)
        self._pods = caches.of(PODS)
        self._pods.add_index(_ALL, _job_keys)
        self._pods.add_index(_OPEN, lambda pod: _job_keys(pod) if _is_open(pod) else ())
        self._jobs.add_index(_MANUAL, _namespace_of_manual)
        index_by_controller(self._pods)
        self._recorder = EventRecorder(client, clock, COMPONENT)
        self._backoff = backoff
        self._memory: dict[Request, _Memory] = {}

    def controller(self) -> Controller[Request]:
        sources = [own(self._jobs), mapped(self._pods, self._requests)]
        return Controller("job", self.reconcile, sources, workers=8, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        job = self._jobs.get(request.namespace, request.name)
        await self._release_strays(request, job)
        if job is None or is_finished(job):
            self._memory.pop(request, None)
        if job is None:
            return DONE
        if is_finished(job):
            # Whoever manages it: time to live is another controller's business upstream.
            return await self._expire(job, read_spec(job))
        if (meta.spec(job).get("managedBy") or MANAGER) != MANAGER:
            return DONE
        await self._adopt(job)
        return await self._sync(job, read_spec(job))

    def _requests(self, pod: Object) -> Iterable[Request]:
        yield from _requests(pod)
        if owners.controller_of(pod) is None:
            for job in self._jobs.by_index(_MANUAL, meta.namespace(pod)):
                if claim(job, [pod]).adopt:
                    yield request_for(job)

    async def _adopt(self, job: Object) -> None:
        """Pods of nobody that a selector of the user's own matches. They are counted from now on."""
        if not meta.spec(job).get("manualSelector"):
            return
        for pod in claim(job, orphans(self._pods, meta.namespace(job))).adopt:
            references = [*owners.owner_references(pod), owners.owner_reference(job)]
            metadata = {
                "uid": meta.uid(pod),
                "resourceVersion": meta.resource_version(pod),
                "ownerReferences": references,
                "finalizers": [*(each for each in meta.finalizers(pod) if each != FINALIZER), FINALIZER],
            }
            patch = {"metadata": metadata}
            adopted = await self._client.patch(PODS, meta.name(pod), patch, meta.namespace(pod))
            await self._pods.reached(meta.resource_version(adopted))

    async def _release_strays(self, request: Request, job: Object | None) -> None:
        """Pods whose Job is gone or has ended are nobody's to count: nothing may keep them."""
        strays = [
            pod
            for pod in self._pods.by_index(_OPEN, str(request))
            if is_tracked(pod)
            and (job is None or not owners.is_controlled_by(pod, job) or is_finished(job))
            and (pods.is_terminal(pod) or meta.is_deleting(pod) or job is None)
        ]
        await self._release(strays)

    async def _sync(self, job: Object, spec: JobSpec) -> Result:
        candidates = self._candidates(job, spec)
        memory = self._remember(job, candidates)
        counted = tally(job, spec, candidates, memory.released)
        failures = memory.failures.with_ends([*counted.release, *counted.delayed])
        situation = Situation(job, spec, counted, failures, self._backoff, self._clock.now())
        planned = plan(situation)
        if counted.release:
            # What ended is on record before the finalizers go, and before anything is done about it.
            job = await update_status(self._client, JOBS, job, status(situation, planned))
            await self._release(counted.release)
            memory.released.update(map(meta.uid, counted.release))
            memory.failures = memory.failures.with_ends(counted.release)
            counted.settle()
            situation = Situation(job, spec, counted, failures, self._backoff, situation.now)
        done, error = await self._carry_out(situation, planned)
        after = await update_status(self._client, JOBS, job, status(situation, planned, done))
        self._announce(job, after)
        await self._jobs.reached(meta.resource_version(after))
        if error is not None:
            raise error
        again = timedelta() if counted.more else planned.again
        return Result(requeue_after=again)

    def _candidates(self, job: Object, spec: JobSpec) -> Sequence[Object]:
        # Limits per index need the failed pods too, which carry the count.
        index = _ALL if spec.backoff_limit_per_index is not None else _OPEN
        found = self._pods.by_index(index, str(request_for(job)))
        return [pod for pod in found if owners.is_controlled_by(pod, job)]

    def _remember(self, job: Object, candidates: Sequence[Object]) -> _Memory:
        request = request_for(job)
        memory = self._memory.get(request)
        if memory is None or memory.uid != meta.uid(job):
            known = self._pods.by_index(_ALL, str(request))
            settled = [pod for pod in known if owners.is_controlled_by(pod, job) and not is_tracked(pod)]
            memory = self._memory[request] = _Memory(meta.uid(job), Failures().with_ends(settled))
        memory.released.intersection_update(meta.uid(pod) for pod in candidates if is_tracked(pod))
        return memory

    async def _expire(self, job: Object, spec: JobSpec) -> Result:
        """Deletes the finished job when its time to live is over."""
        if spec.ttl_seconds is None or meta.is_deleting(job):
            return DONE
        ended = conditions.find(job, "Complete") or conditions.find(job, "Failed") or {}
        finished = parse_rfc3339(str(ended.get("lastTransitionTime")))
        left = finished + timedelta(seconds=spec.ttl_seconds) - self._clock.now()
        if left > timedelta():
            return Result(requeue_after=left)
        await delete_if_present(self._client, JOBS, job, Propagation.FOREGROUND)
        return DONE

    # Changing pods.

    async def _release(self, finished: Sequence[Object]) -> None:
        for some in _chunks(finished):
            await asyncio.gather(*(remove_finalizer(self._client, PODS, pod, FINALIZER) for pod in some))

    async def _carry_out(self, situation: Situation, planned: Plan) -> tuple[Done, ApiError | None]:
        """What was done, and what kept it from being all."""
        job = situation.job
        # These are not to be counted, so their finalizer goes first.
        await self._release(planned.dismiss)
        unwanted = [*planned.dismiss, *planned.kill]
        for some in _chunks(unwanted):
            await asyncio.gather(*(delete_if_present(self._client, PODS, pod) for pod in some))
        for pod in unwanted:
            self._recorder.normal(job, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")
        created, error = await self._create(situation, planned.create)
        return Done(created, tuple(unwanted)), error

    async def _create(self, situation: Situation, new: Sequence[NewPod]) -> tuple[int, ApiError | None]:
        """In batches that double, so that a template which the API refuses is not tried a thousand times."""
        created, size, at = 0, 1, 0
        error: ApiError | None = None
        newest = 0
        while at < len(new) and error is None:
            batch = new[at : at + size]
            at, size = at + len(batch), min(size * 2, _AT_ONCE)
            for answer in await asyncio.gather(*(self._create_one(situation, each) for each in batch)):
                if isinstance(answer, ApiError):
                    error = answer
                else:
                    created += 1
                    newest = max(newest, int(meta.resource_version(answer)))
        if newest:
            await self._pods.reached(str(newest))
        return created, error

    async def _create_one(self, situation: Situation, new: NewPod) -> Object | ApiError:
        job = situation.job
        try:
            pod = await self._client.create(PODS, job_pods.desired(job, situation.spec, new))
        except ForbiddenError as error:
            # A namespace that is going takes no events either.
            if not is_namespace_ending(error):
                self._recorder.warning(job, "FailedCreate", f"Error creating: {error.message}")
            return error
        except ApiError as error:
            self._recorder.warning(job, "FailedCreate", f"Error creating: {error.message}")
            return error
        self._recorder.normal(job, "SuccessfulCreate", f"Created pod: {meta.name(pod)}")
        return pod

    def _announce(self, before: Object, after: Object) -> None:
        """Tells what the new status has that the old one had not."""
        for kind, reason in (("Complete", "Completed"), ("Suspended", "Suspended")):
            if conditions.is_true(after, kind) and not conditions.is_true(before, kind):
                message = "Job completed" if kind == "Complete" else "Job suspended"
                self._recorder.normal(after, reason, message)
        if conditions.is_true(before, "Suspended") and not conditions.is_true(after, "Suspended"):
            self._recorder.normal(after, "Resumed", "Job resumed")
        failed = conditions.find(after, "Failed")
        if failed is not None and not conditions.is_true(before, "Failed"):
            self._recorder.warning(after, str(failed.get("reason")), str(failed.get("message")))


def _job_keys(pod: Object) -> Iterable[str]:
    return (str(request) for request in _requests(pod))


def _requests(pod: Object) -> Iterable[Request]:
    """The Job that the pod belongs to, or did when it was made."""
    controller = owners.controller_of(pod)
    if controller is not None:
        api_version = str(controller.get("apiVersion", ""))
        if controller.get("kind") == JOBS.kind and api_version.startswith(f"{JOBS.group}/"):
            yield Request(meta.namespace(pod), str(controller.get("name", "")))
    elif is_tracked(pod) and (name := meta.labels(pod).get(JOB_NAME)):
        yield Request(meta.namespace(pod), name)


def _namespace_of_manual(job: Object) -> Iterable[str]:
    return (meta.namespace(job),) if meta.spec(job).get("manualSelector") else ()


def _is_open(pod: Object) -> bool:
    return is_tracked(pod) or not pods.is_terminal(pod)


def _chunks(items: Sequence[Object]) -> Iterable[Sequence[Object]]:
    return (items[at : at + _AT_ONCE] for at in range(0, len(items), _AT_ONCE))
