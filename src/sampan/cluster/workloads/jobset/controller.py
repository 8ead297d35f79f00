"""The JobSet reconciler: the thin edge around `plan`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from sampan.client.protocol import Client, Object, Propagation
from sampan.cluster.workloads.children import controlled_by, index_by_controller
from sampan.cluster.workloads.jobset import jobs as job_objects
from sampan.cluster.workloads.jobset.plan import Plan, plan
from sampan.cluster.workloads.jobset.spec import MANAGER, has_hostnames, is_finished, sort_out, subdomain
from sampan.kube import conditions, meta
from sampan.kube.errors import AlreadyExistsError, ApiError
from sampan.kube.kinds import JOB_SETS, JOBS, PERSISTENT_VOLUME_CLAIMS, SERVICES
from sampan.lib.clock import Clock, parse_rfc3339
from sampan.reconcile.apply import delete_if_present, update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, own, owned
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

_AT_ONCE = 50
"""As upstream."""


class JobSetReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._sets = caches.of(JOB_SETS)
        self._jobs = caches.of(JOBS)
        self._services = caches.of(SERVICES)
        index_by_controller(self._jobs)
        self._recorder = EventRecorder(client, clock, "jobset")

    def controller(self) -> Controller[Request]:
        sources = [own(self._sets), owned(self._jobs, JOB_SETS), owned(self._services, JOB_SETS)]
        return Controller("jobset", self.reconcile, sources, workers=4, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        job_set = self._sets.get(request.namespace, request.name)
        if job_set is None or meta.is_deleting(job_set):
            return DONE
        if (meta.spec(job_set).get("managedBy") or MANAGER) != MANAGER:
            return DONE
        jobs = sort_out(job_set, controlled_by(self._jobs, meta.uid(job_set)))
        planned = plan(job_set, jobs, self._clock.now())
        await self._delete(planned.delete)
        if planned.running:
            await self._prepare(job_set)
        await self._change(job_set, planned)
        after = await update_status(self._client, JOB_SETS, job_set, planned.status)
        for news in planned.news:
            tell = self._recorder.warning if news.warning else self._recorder.normal
            tell(after, news.reason, news.message)
        await self._sets.reached(meta.resource_version(after))
        return await self._expire(after) if is_finished(after) else DONE

    async def _prepare(self, job_set: Object) -> None:
        """The Service that names the pods, and the claims they share. Raises ApiError."""
        namespace = meta.namespace(job_set)
        if has_hostnames(job_set) and self._services.get(namespace, subdomain(job_set)) is None:
            try:
                await self._client.create(SERVICES, job_objects.service(job_set))
            except AlreadyExistsError:
                pass
            except ApiError as error:
                self._recorder.warning(job_set, "HeadlessServiceCreationFailed", error.message)
                raise
        for claim in job_objects.claims(job_set):
            try:
                await self._client.create(PERSISTENT_VOLUME_CLAIMS, claim)
            except AlreadyExistsError:
                continue
            except ApiError as error:
                self._recorder.warning(job_set, "PVCCreationFailed", error.message)
                raise

    async def _change(self, job_set: Object, planned: Plan) -> None:
        """Raises ApiError; what could be done is done."""
        newest = 0
        failures: list[str] = []
        for at in range(0, len(planned.create), _AT_ONCE):
            some = planned.create[at : at + _AT_ONCE]
            answers = await asyncio.gather(*(self._create(job) for job in some))
            for answer in answers:
                if isinstance(answer, str):
                    failures.append(answer)
                else:
                    newest = max(newest, int(meta.resource_version(answer) or 0))
        for job in planned.suspend:
            newest = max(newest, await self._patch(job, {"suspend": True}))
        for job, replicated in planned.resume:
            newest = max(newest, await self._resume(job, replicated))
        if newest:
            await self._jobs.reached(str(newest))
        if failures:
            message = "\n".join(failures)
            self._recorder.warning(job_set, "JobCreationFailed", message)
            raise ApiError(message)

    async def _create(self, job: Object) -> Object | str:
        try:
            return await self._client.create(JOBS, job)
        except ApiError as error:
            return f'job "{meta.name(job)}" creation failed with error: {error.message}'

    async def _resume(self, job: Object, replicated: Object) -> int:
        if meta.status(job).get("startTime"):
            # A Job that has started takes no other template; one that is suspended has not.
            patch = {"metadata": {"uid": meta.uid(job)}, "status": {"startTime": None}}
            await self._client.patch(JOBS, meta.name(job), patch, meta.namespace(job), subresource="status")
        return await self._patch(job, job_objects.resumed(job, replicated))

    async def _patch(self, job: Object, spec: Object) -> int:
        patch = {"metadata": {"uid": meta.uid(job)}, "spec": spec}
        written = await self._client.patch(JOBS, meta.name(job), patch, meta.namespace(job))
        return int(meta.resource_version(written) or 0)

    async def _delete(self, unwanted: Sequence[Object]) -> None:
        pending = [job for job in unwanted if not meta.is_deleting(job)]
        for at in range(0, len(pending), _AT_ONCE):
            some = pending[at : at + _AT_ONCE]
            await asyncio.gather(
                *(delete_if_present(self._client, JOBS, job, Propagation.FOREGROUND) for job in some)
            )

    async def _expire(self, job_set: Object) -> Result:
        """Deletes the finished set when its time to live is over."""
        seconds = meta.spec(job_set).get("ttlSecondsAfterFinished")
        if seconds is None:
            return DONE
        ended = next(
            each for kind in ("Completed", "Failed") if (each := conditions.find(job_set, kind)) is not None
        )
        left = (
            parse_rfc3339(ended["lastTransitionTime"]) + timedelta(seconds=int(seconds)) - self._clock.now()
        )
        if left > timedelta():
            return Result(left)
        await delete_if_present(self._client, JOB_SETS, job_set, Propagation.FOREGROUND)
        return DONE
