"""What a JobSet needs now, and the status that follows. Pure.

Source: pkg/controllers/{jobset_controller,startup_policy,depends_on}.go, v0.11.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.jobset import jobs as job_objects
from sampan.cluster.workloads.jobset.policies import Verdict, has_succeeded, judge
from sampan.cluster.workloads.jobset.spec import (
    Jobs,
    in_order,
    is_finished,
    is_job_suspended,
    is_suspended,
    parent_of,
    replicas,
    replicated_jobs,
    restarts,
)
from sampan.kube import conditions, meta
from sampan.lib.clock import rfc3339

_COUNTS = ("ready", "succeeded", "failed", "active", "suspended")
_STARTUP = ("StartupPolicyInProgress", "StartupPolicyCompleted")
"""Of these only one can be true."""


@dataclass(frozen=True, slots=True)
class News:
    warning: bool
    reason: str
    message: str


@dataclass(slots=True)
class Plan:
    status: dict[str, Any]
    news: list[News] = field(default_factory=list)
    """Told once the status is written."""
    delete: list[Object] = field(default_factory=list)
    create: list[Object] = field(default_factory=list)
    suspend: list[Object] = field(default_factory=list)
    resume: list[tuple[Object, Object]] = field(default_factory=list)
    """Jobs, and their replicated jobs."""
    running: bool = False
    """Whether the set's Service and claims are to be there."""


class _Planner:
    def __init__(self, job_set: Object, jobs: Jobs, now: datetime) -> None:
        self.job_set, self.jobs, self.now = job_set, jobs, rfc3339(now)
        self.holder = {"status": deepcopy(meta.status(job_set))}
        self.status = self.holder["status"]
        self.status.setdefault("restarts", 0)
        self.result = Plan(self.status)
        self.counts = _counts(job_set, jobs)

    def run(self) -> Plan:
        self._write_counts()
        if is_finished(self.job_set):
            self.result.delete = self.jobs.active
            return self.result
        self.result.delete = self.jobs.previous
        if not is_suspended(self.job_set) and self._all_ready():
            self._not_restarting("JobsReady", "all jobs are ready")
        if self.jobs.failed:
            self._fail_or_restart(judge(self.job_set, self.jobs.failed))
        elif self.jobs.succeeded and has_succeeded(self.job_set, self.jobs.succeeded):
            self._complete()
        else:
            self.result.running = True
            self._create()
            self._suspend_or_resume()
        return self.result

    # How it ends.

    def _complete(self) -> None:
        message = "jobset completed successfully"
        self._put("Completed", "True", "AllJobsCompleted", message)
        self._not_restarting("JobSetCompleted", message)
        self.status["terminalState"] = "Completed"

    def _fail_or_restart(self, verdict: Verdict) -> None:
        if not verdict.restart:
            self._put("Failed", "True", verdict.reason, verdict.message, warning=True)
            self._not_restarting("JobSetFailed", "jobset failed")
            self.status["terminalState"] = "Failed"
            return
        self.status["restarts"] = restarts(self.job_set) + 1
        if verdict.counts:
            self.status["restartsCountTowardsMax"] = int(self.status.get("restartsCountTowardsMax") or 0) + 1
        self._put("RestartingJobSet", "True", verdict.condition_reason, verdict.message, warning=True)
        self.result.news.append(News(True, verdict.reason, verdict.message))

    # What runs.

    def _create(self) -> None:
        ordered = in_order(self.job_set) and not is_suspended(self.job_set)
        for replicated in replicated_jobs(self.job_set):
            if not self._dependencies_met(replicated):
                continue
            if ordered and self._has_started(replicated):
                continue
            self.result.create += self._missing(replicated)
            if ordered:
                self._startup_in_progress()
                return
        if ordered:
            self._put(
                _STARTUP[1], "True", "InOrderStartupPolicyCompleted", "in order startup policy has completed"
            )

    def _missing(self, replicated: Object) -> list[Object]:
        policy = meta.spec(self.job_set).get("failurePolicy") or {}
        if self.jobs.previous and policy.get("restartStrategy") == "BlockingRecreate":
            return []
        there = self.jobs.names
        return [
            job_objects.desired(self.job_set, replicated, index)
            for index in range(replicas(replicated))
            if job_objects.job_name(self.job_set, replicated, index) not in there
        ]

    def _suspend_or_resume(self) -> None:
        if is_suspended(self.job_set):
            self.result.suspend = [job for job in self.jobs.active if not is_job_suspended(job)]
            self._put("Suspended", "True", "SuspendedJobs", "jobset is suspended")
            self._not_restarting("JobSetSuspended", "jobset is suspended")
            return
        for replicated in replicated_jobs(self.job_set):
            if not self._dependencies_met(replicated):
                continue
            if in_order(self.job_set) and self._has_started(replicated):
                continue
            mine = [
                job
                for job in self.jobs.active
                if parent_of(job) == replicated["name"] and is_job_suspended(job)
            ]
            self.result.resume += [(job, replicated) for job in mine]
            if in_order(self.job_set):
                self._startup_in_progress()
                return
        self._put("Suspended", "False", "ResumeJobs", "jobset is resumed")

    def _dependencies_met(self, replicated: Object) -> bool:
        wanted = {str(each["name"]): replicas(each) for each in replicated_jobs(self.job_set)}
        for needed in replicated.get("dependsOn") or ():
            name = str(needed.get("name"))
            counts = self.counts.get(name)
            if counts is None:
                return False
            if needed.get("status") == "Complete" and counts["succeeded"] != wanted[name]:
                return False
            if needed.get("status") == "Ready" and _started(counts) != wanted[name]:
                return False
        return True

    def _has_started(self, replicated: Object) -> bool:
        return _started(self.counts[str(replicated["name"])]) == replicas(replicated)

    def _all_ready(self) -> bool:
        ready = sum(counts["ready"] + counts["succeeded"] for counts in self.counts.values())
        return ready == sum(map(replicas, replicated_jobs(self.job_set)))

    # The status.

    def _write_counts(self) -> None:
        listed = [{"name": name, **counts} for name, counts in sorted(self.counts.items(), reverse=True)]
        if listed:
            self.status["replicatedJobsStatus"] = listed
        else:
            self.status.pop("replicatedJobsStatus", None)

    def _startup_in_progress(self) -> None:
        self._put(
            _STARTUP[0], "True", "InOrderStartupPolicyInProgress", "in order startup policy is in progress"
        )

    def _not_restarting(self, reason: str, message: str) -> None:
        self._put("RestartingJobSet", "False", reason, message)

    def _put(self, kind: str, status: str, reason: str, message: str, *, warning: bool = False) -> None:
        """A condition that is not there is not added to say that something is not so."""
        if status == "False" and conditions.find(self.holder, kind) is None:
            return
        changed = conditions.put(self.holder, kind, status, now=self.now, reason=reason, message=message)
        if status == "True" and kind in _STARTUP:
            other = conditions.find(self.holder, _STARTUP[1 - _STARTUP.index(kind)])
            if other is not None and other["status"] == "True":
                other["status"] = "False"
                changed = True
        if changed:
            self.result.news.append(News(warning, reason, message))


def plan(job_set: Object, jobs: Jobs, now: datetime) -> Plan:
    """Leaves its arguments as they are."""
    return _Planner(job_set, jobs, now).run()


def _started(counts: Mapping[str, int]) -> int:
    return counts["failed"] + counts["ready"] + counts["succeeded"]


def _counts(job_set: Object, jobs: Jobs) -> dict[str, dict[str, int]]:
    """By the replicated job's name."""
    result = {str(each["name"]): dict.fromkeys(_COUNTS, 0) for each in replicated_jobs(job_set)}
    for key, found in (("succeeded", jobs.succeeded), ("failed", jobs.failed)):
        for job in found:
            if parent_of(job) in result:
                result[parent_of(job)][key] += 1
    for job in jobs.active:
        counts = result.get(parent_of(job))
        if counts is not None:
            counts["ready"] += _is_ready(job)
            counts["active"] += bool(meta.status(job).get("active"))
            counts["suspended"] += is_job_suspended(job)
    return result


def _is_ready(job: Object) -> bool:
    spec, status = meta.spec(job), meta.status(job)
    parallelism, completions = spec.get("parallelism"), spec.get("completions")
    pods = int(1 if parallelism is None else parallelism)
    if completions is not None:
        pods = min(pods, int(completions))
    return int(status.get("succeeded") or 0) + int(status.get("ready") or 0) >= pods
