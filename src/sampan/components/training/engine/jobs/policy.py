"""Limits of a job, and what is left of it when it is over. Pure.

Upstream adds up the restarts of pods that run, and forgets the pods that it has made anew: a job whose pods fail by
exit code never reaches its backoffLimit. Here those count too; the job carries the number as an annotation, written
before the pod goes, so that a restarted operator knows it. See decision 38.

Source: kubeflow/training-operator v1.9.0 pkg/core/job.go, pkg/controller.v1/common/job.go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sampan.components.training.engine.jobs.conditions import (
    FAILED,
    FAILED_VALIDATION,
    SUCCEEDED,
    find,
    holds,
    is_finished,
)
from sampan.components.training.engine.jobs.spec import (
    CLEAN_ALL,
    CLEAN_RUNNING,
    NEVER,
    Job,
    RunPolicy,
)
from sampan.kube import meta, pods
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339

RETRIES_ANNOTATION = "sampan.dev/failed-pods"


@dataclass(frozen=True, slots=True)
class Retries:
    """How many pods have failed and were made anew, and which of those still there are among them."""

    count: int = 0
    uids: tuple[str, ...] = ()

    def with_failures(self, failed: Iterable[Object], present: Iterable[Object]) -> Retries:
        """Those of `failed` that were not counted yet. What is gone need not be remembered."""
        there = {meta.uid(pod) for pod in present}
        new = [meta.uid(pod) for pod in failed if meta.uid(pod) not in self.uids]
        if not new:
            return self
        return Retries(self.count + len(new), (*(uid for uid in self.uids if uid in there), *new))

    def text(self) -> str:
        return json.dumps({"count": self.count, "uids": list(self.uids)})


def read_retries(job: Object) -> Retries:
    """What is no such annotation reads as none."""
    try:
        found = json.loads(meta.annotations(job).get(RETRIES_ANNOTATION) or "{}")
        return Retries(int(found.get("count", 0)), tuple(map(str, found.get("uids", ()))))
    except (ValueError, TypeError, AttributeError):
        return Retries()


def limit_reached(job: Job, status: Mapping[str, Any], restarts: int, failed: int, now: datetime) -> str:
    """Why the job has to end, as upstream words it; empty while it may go on.

    `restarts` of containers of running pods, `failed` pods that were or would be made anew.
    """
    limit = job.policy.backoff_limit
    if limit is not None and (failed > limit or restarts >= max(limit, 1)):
        return backoff_message(job.name)
    left = until_deadline(job.policy, status, now)
    return deadline_message(job.name) if left is not None and left <= timedelta() else ""


def backoff_message(name: str) -> str:
    return f"Job {name} has failed because it has reached the specified backoff limit"


def deadline_message(name: str) -> str:
    return f"Job {name} has failed because it was active longer than specified deadline"


def restarts_of(job: Job, owned: Sequence[tuple[str, Object]]) -> int:
    """Of the containers of running pods, each given with its role. Roles that never restart do not count."""
    return sum(
        int(status.get("restartCount") or 0)
        for role, pod in owned
        if job.roles[role].restart_policy != NEVER and pods.phase(pod) == pods.RUNNING
        for status in pods.container_statuses(pod)
    )


def until_deadline(policy: RunPolicy, status: Mapping[str, Any], now: datetime) -> timedelta | None:
    """None where there is none, or the job has not started."""
    started = _time(status.get("startTime"))
    if policy.active_deadline_seconds is None or started is None:
        return None
    return started + timedelta(seconds=policy.active_deadline_seconds) - now


def until_expiry(policy: RunPolicy, status: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Until a job that is over is to be deleted; None for never."""
    if policy.ttl_seconds is None or not is_finished(status):
        return None
    ended = _time(status.get("completionTime")) or _ended_by_condition(status)
    return None if ended is None else ended + timedelta(seconds=policy.ttl_seconds) - now


def is_left(pod: Object, job_name: str, policy: RunPolicy, status: Mapping[str, Any]) -> bool:
    """Whether the pod, and its Service, outlives the job that `status` says is over."""
    if _ended_by_limit(job_name, status) or policy.clean_pods == CLEAN_ALL:
        return False
    if policy.clean_pods == CLEAN_RUNNING:
        # One that waits would run as soon as there is room.
        return pods.phase(pod) not in (pods.RUNNING, pods.PENDING)
    return True


def leaves_nothing(job: Object) -> bool:
    """A job that was ended by a limit, or is invalid, keeps no pod, whatever its policy says."""
    return _ended_by_limit(meta.name(job), meta.status(job))


def _ended_by_limit(job_name: str, status: Mapping[str, Any]) -> bool:
    failed = find(status, FAILED)
    if failed is None or not holds(status, FAILED):
        return False
    limits = (backoff_message(job_name), deadline_message(job_name))
    return failed.get("message") in limits or str(failed.get("reason") or "").endswith(FAILED_VALIDATION)


def _ended_by_condition(status: Mapping[str, Any]) -> datetime | None:
    for type_ in (SUCCEEDED, FAILED):
        if holds(status, type_):
            return _time((find(status, type_) or {}).get("lastTransitionTime"))
    return None


def _time(text: Any) -> datetime | None:
    try:
        return parse_rfc3339(str(text)) if text else None
    except ValueError:
        return None
