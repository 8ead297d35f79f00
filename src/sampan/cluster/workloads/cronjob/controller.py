"""The CronJob reconciler: the thin edge around `ticks` and `status`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import datetime, timedelta

from sampan.client.protocol import Client, Object
from sampan.cluster.workloads.children import controlled_by, index_by_controller
from sampan.cluster.workloads.cronjob.status import Observed, observe, surplus
from sampan.cluster.workloads.cronjob.ticks import MANY, Timetable, due, is_too_late, job_name, timetable
from sampan.cluster.workloads.podcontrol import is_namespace_ending
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import CRON_JOBS, JOBS
from sampan.lib.clock import Clock, rfc3339
from sampan.reconcile.apply import delete_if_present, update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, own, owned
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_AFTER_THE_TICK = timedelta(milliseconds=100)
"""So that the tick has passed for certain when it is looked at; as upstream."""
_AT_MOST = timedelta(minutes=10)
"""The wall clock may be set: however far the next tick is, it is asked again after this time."""


class CronJobReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._cron_jobs = caches.of(CRON_JOBS)
        self._jobs = caches.of(JOBS)
        index_by_controller(self._jobs)
        self._recorder = EventRecorder(client, clock, "cronjob-controller")

    def controller(self) -> Controller[Request]:
        sources = [own(self._cron_jobs), owned(self._jobs, CRON_JOBS)]
        return Controller("cronjob", self.reconcile, sources, workers=4, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        cron_job = self._cron_jobs.get(request.namespace, request.name)
        if cron_job is None:
            return DONE
        jobs = controlled_by(self._jobs, meta.uid(cron_job))
        observed = observe(cron_job, [*jobs, *await self._unseen(cron_job, jobs)])
        await self._clean_up(cron_job, jobs, observed)
        try:
            again = await self._start_if_due(cron_job, observed)
        finally:
            # Whatever kept a Job from being made, what was seen of the others is on record.
            await self._write(cron_job, observed)
        return Result(again)

    async def _unseen(self, cron_job: Object, jobs: Sequence[Object]) -> list[Object]:
        """Jobs that the status names and the cache lacks, as those of which a slow watch has not told yet: the API
        server is asked before one counts as missing (syncCronJob of cronjob_controllerv2.go)."""
        seen, found = set(map(meta.uid, jobs)), []
        for each in meta.status(cron_job).get("active") or ():
            if each.get("uid") not in seen:
                with suppress(NotFoundError):
                    job = await self._client.get(JOBS, str(each.get("name")), meta.namespace(cron_job))
                    if meta.uid(job) == each.get("uid"):
                        found.append(job)
        return found

    async def _start_if_due(self, cron_job: Object, observed: Observed) -> timedelta | None:
        """Starts what is due; when to look again. Raises ApiError."""
        if meta.is_deleting(cron_job) or meta.spec(cron_job).get("suspend"):
            return None
        try:
            table = timetable(cron_job)
        except ValueError as error:
            schedule = meta.spec(cron_job).get("schedule")
            text = f'unparseable schedule: "{schedule}" : {error}'
            self._recorder.warning(cron_job, "UnparseableSchedule", text)
            return None
        now = self._clock.now()
        ticked = due(cron_job, table, now)
        if ticked.at is not None and self._may_start(cron_job, observed, ticked.at, now):
            if ticked.missed > MANY:
                text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
                self._recorder.warning(cron_job, "TooManyMissedTimes", text)
            if meta.spec(cron_job).get("concurrencyPolicy") == "Replace":
                await self._replace(cron_job, observed)
            await self._start(cron_job, observed, table, ticked.at)
        return _until(table.next(now), now)

    def _may_start(self, cron_job: Object, observed: Observed, tick: datetime, now: datetime) -> bool:
        if is_too_late(cron_job, tick, now):
            when = tick.strftime("%a, %d %b %Y %H:%M:%S +0000")
            self._recorder.warning(cron_job, "MissSchedule", f"Missed scheduled time to start a job: {when}")
            return False
        name = job_name(cron_job, tick)
        if any(each.get("name") == name for each in observed.active):
            return False
        if meta.spec(cron_job).get("concurrencyPolicy") == "Forbid" and observed.active:
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._recorder.normal(cron_job, "JobAlreadyActive", text)
            return False
        return True

    async def _start(self, cron_job: Object, observed: Observed, table: Timetable, tick: datetime) -> None:
        wanted = desired(cron_job, tick, table)
        try:
            job = await self._client.create(JOBS, wanted)
        except AlreadyExistsError:
            # Made before a crash: it is the one for this tick, if it is ours.
            job = await self._client.get(JOBS, meta.name(wanted), meta.namespace(cron_job))
            if not owners.is_controlled_by(job, cron_job):
                return
        except ApiError as error:
            if not is_namespace_ending(error):
                self._recorder.warning(cron_job, "FailedCreate", f"Error creating job: {error.message}")
            raise
        else:
            observed.news.append((False, "SuccessfulCreate", f"Created job {meta.name(job)}"))
        if not any(each.get("uid") == meta.uid(job) for each in observed.active):
            observed.start(job, rfc3339(tick))
        await self._jobs.reached(meta.resource_version(job))

    async def _replace(self, cron_job: Object, observed: Observed) -> None:
        for each in list(observed.active):
            job = {"metadata": {**each, "namespace": meta.namespace(cron_job)}}
            await self._delete(cron_job, job, observed)

    async def _clean_up(self, cron_job: Object, jobs: Sequence[Object], observed: Observed) -> None:
        for job in surplus(cron_job, jobs):
            await self._delete(cron_job, job, observed)

    async def _delete(self, cron_job: Object, job: Object, observed: Observed) -> None:
        try:
            gone = await delete_if_present(self._client, JOBS, job)
        except ApiError as error:
            self._recorder.warning(cron_job, "FailedDelete", f"Deleted job: {error.message}")
            raise
        observed.forget(meta.uid(job))
        if gone:
            observed.news.append((False, "SuccessfulDelete", f"Deleted job {meta.name(job)}"))

    async def _write(self, cron_job: Object, observed: Observed) -> None:
        after = await update_status(self._client, CRON_JOBS, cron_job, observed.status)
        for is_warning, reason, text in observed.news:
            tell = self._recorder.warning if is_warning else self._recorder.normal
            tell(after, reason, text)
        await self._cron_jobs.reached(meta.resource_version(after))


def desired(cron_job: Object, tick: datetime, table: Timetable) -> Object:
    """The Job for one tick. Pure."""
    template = meta.spec(cron_job).get("jobTemplate") or {}
    scheduled = tick.astimezone(table.zone).isoformat().replace("+00:00", "Z")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(cron_job, tick),
            "namespace": meta.namespace(cron_job),
            "labels": dict(meta.labels(template)),
            "annotations": {**meta.annotations(template), SCHEDULED: scheduled},
            "ownerReferences": [owners.owner_reference(cron_job)],
        },
        "spec": deepcopy(meta.spec(template)),
    }


def _until(tick: datetime | None, now: datetime) -> timedelta | None:
    return None if tick is None else min(tick - now + _AFTER_THE_TICK, _AT_MOST)
