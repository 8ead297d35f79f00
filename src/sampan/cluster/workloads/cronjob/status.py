"""The status of a CronJob, and which of its finished Jobs are too many. Pure.

Source: pkg/controller/cronjob/cronjob_controllerv2.go (syncCronJob, cleanupFinishedJobs), v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import conditions, meta


@dataclass(slots=True)
class Observed:
    status: dict[str, Any]
    news: list[tuple[bool, str, str]] = field(default_factory=list)
    """Whether it is a warning, its reason and its words; told once the status is written."""

    @property
    def active(self) -> list[dict[str, Any]]:
        return self.status.get("active") or []

    def start(self, job: Object, tick: str) -> None:
        self.status["active"] = [*self.active, reference(job)]
        self.status["lastScheduleTime"] = tick

    def forget(self, uid: str) -> None:
        kept = [each for each in self.active if each.get("uid") != uid]
        if kept:
            self.status["active"] = kept
        else:
            self.status.pop("active", None)


def observe(cron_job: Object, jobs: Sequence[Object]) -> Observed:
    """What its Jobs have come to since the status was written."""
    result = Observed(deepcopy(meta.status(cron_job)))
    listed = {str(each.get("uid")) for each in result.active}
    for job in sorted(jobs, key=meta.name):
        uid, ended = meta.uid(job), ending(job)
        if not ended and uid not in listed:
            text = f"Saw a job that the controller did not create or forgot: {meta.name(job)}"
            result.news.append((True, "UnexpectedJob", text))
        elif ended and uid in listed:
            result.forget(uid)
            text = f"Saw completed job: {meta.name(job)}, condition: {ended}"
            result.news.append((False, "SawCompletedJob", text))
        if ended == "Complete":
            finished = str(meta.status(job).get("completionTime") or "")
            if finished > str(result.status.get("lastSuccessfulTime") or ""):
                result.status["lastSuccessfulTime"] = finished
    there = set(map(meta.uid, jobs))
    for each in list(result.active):
        if each.get("uid") not in there:
            result.forget(str(each.get("uid")))
            result.news.append((False, "MissingJob", f"Active job went missing: {each.get('name')}"))
    return result


def ending(job: Object) -> str:
    """Complete or Failed; empty for a Job that goes on."""
    return next((kind for kind in ("Complete", "Failed") if conditions.is_true(job, kind)), "")


def surplus(cron_job: Object, jobs: Sequence[Object]) -> list[Object]:
    """The oldest finished Jobs beyond the history limits."""
    spec, found = meta.spec(cron_job), []
    for kind, key in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        limit = spec.get(key)
        if limit is not None:
            ended = sorted((job for job in jobs if ending(job) == kind), key=_age)
            found += ended[: max(len(ended) - int(limit), 0)]
    return [job for job in found if not meta.is_deleting(job)]


def reference(job: Object) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": meta.name(job),
        "namespace": meta.namespace(job),
        "resourceVersion": meta.resource_version(job),
        "uid": meta.uid(job),
    }


def _age(job: Object) -> tuple[bool, str, str]:
    started = str(meta.status(job).get("startTime") or "")
    return not started, started, meta.name(job)
