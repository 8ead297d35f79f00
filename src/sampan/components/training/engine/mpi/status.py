"""The status of an MPIJob of mpi-operator, from its launcher's Job and its workers' pods. Pure.

Unlike Training Operator's, a job that has failed by a worker's eviction goes on, and may yet succeed.

Source: kubeflow/mpi-operator v0.8 updateMPIJobStatus of pkg/controller/mpi_job_controller.go,
pkg/controller/mpi_job_controller_status.go.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sampan.components.training.engine.jobs.conditions import (
    CREATED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    SUSPENDED,
    Status,
    find,
    is_finished,
)
from sampan.components.training.engine.mpi.names import LAUNCHER, WORKER
from sampan.components.training.engine.mpi.v2 import MpiJob
from sampan.kube import conditions, meta, pods
from sampan.kube.meta import Object

_EVICTED = "Evicted"
_BACKOFF_LIMIT = "BackoffLimitExceeded"
_MESSAGE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Told:
    """One event."""

    reason: str
    message: str
    is_warning: bool = False


@dataclass(slots=True)
class Outcome:
    status: Status
    told: list[Told] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is of a job."""

    launcher: Object | None
    """The Job."""
    launcher_pods: Sequence[Object]
    workers: Sequence[Object]
    """Their pods; empty once the launcher is over."""


def begin(job: Object, now: str) -> Outcome:
    outcome = Outcome(copy.deepcopy(meta.status(job)))
    if not outcome.status.get("conditions"):
        message = f"MPIJob {meta.namespace(job)}/{meta.name(job)} is created."
        _put(outcome, CREATED, "MPIJobCreated", message, now)
        outcome.told.append(Told("MPIJobCreated", message))
    return outcome


def is_over(status: Mapping[str, object]) -> bool:
    """Whether nothing is to be done but to clean up."""
    return is_finished(status) and bool(status.get("completionTime"))


def launcher_is_over(launcher: Object | None) -> bool:
    return launcher is not None and (
        conditions.is_true(launcher, "Complete") or conditions.is_true(launcher, "Failed")
    )


def refuse(outcome: Outcome, message: str, now: str) -> None:
    """The job cannot be what its kind is. Upstream tells it by the event alone."""
    if is_finished(outcome.status):
        return
    outcome.told.append(Told("ValidationError", f"Found validation errors: {message}"[:_MESSAGE_LIMIT], True))
    _put(outcome, FAILED, "MPIJobFailedValidation", message, now)
    outcome.status.setdefault("completionTime", now)


def advance(outcome: Outcome, mpi: MpiJob, seen: Seen, now: str) -> None:
    status = outcome.status
    suspended = mpi.job.policy.suspend
    if not suspended:
        status.setdefault("startTime", now)
    _suspension(outcome, suspended, now)
    counts: dict[str, dict[str, int]] = {}
    running = sum(1 for pod in seen.launcher_pods if pods.phase(pod) == pods.RUNNING)
    if seen.launcher is not None:
        counts[LAUNCHER] = _launcher(outcome, mpi, seen, running, now)
    elif LAUNCHER in (status.get("replicaStatuses") or {}):
        counts[LAUNCHER] = status["replicaStatuses"][LAUNCHER]
    counts[WORKER] = _workers(outcome, seen, now)
    status["replicaStatuses"] = counts
    named = f"MPIJob {mpi.job.namespace}/{mpi.name}"
    if suspended:
        _put(outcome, RUNNING, "MPIJobSuspended", f"{named} is suspended.", now, status="False")
    elif is_finished(status):
        _never_ran(status, named, now)
    elif running and counts[WORKER].get("active", 0) == len(seen.workers):
        message = f"{named} is running."
        if _put(outcome, RUNNING, "MPIJobRunning", message, now):
            outcome.told.append(Told("MPIJobRunning", f"{named} is running"))


def settle(outcome: Outcome) -> None:
    """Once its workers' pods are taken away they are not counted any more."""
    outcome.status.setdefault("replicaStatuses", {})[WORKER] = {}


def wait(outcome: Outcome, message: str, now: str) -> None:
    """Says within the condition Created why pods do not start; empty when none waits."""
    created = find(outcome.status, CREATED)
    if created is None or is_finished(outcome.status):
        return
    plain = str(created.get("message") or "").partition(" is created.")[0] + " is created."
    wanted = f"{plain} {message}" if message else plain
    if created.get("message") != wanted:
        changed = {**created, "message": wanted, "lastUpdateTime": now}
        outcome.status["conditions"] = [
            changed if each is created else each for each in outcome.status["conditions"]
        ]


def _suspension(outcome: Outcome, suspended: bool, now: str) -> None:
    if suspended:
        if _put(outcome, SUSPENDED, "MPIJobSuspended", "MPIJob suspended", now):
            outcome.told.append(Told("MPIJobSuspended", "MPIJob suspended"))
    elif find(outcome.status, SUSPENDED) is not None and _put(
        outcome, SUSPENDED, "MPIJobResumed", "MPIJob resumed", now, status="False"
    ):
        outcome.told.append(Told("MPIJobResumed", "MPIJob resumed"))
        outcome.status["startTime"] = now


def _launcher(outcome: Outcome, mpi: MpiJob, seen: Seen, running: int, now: str) -> dict[str, int]:
    launcher, status = seen.launcher or {}, outcome.status
    found = meta.status(launcher)
    counts = _counted(failed=int(found.get("failed") or 0))
    if conditions.is_true(launcher, "Complete"):
        message = f"MPIJob {mpi.job.namespace}/{mpi.name} successfully completed."
        if _put(outcome, SUCCEEDED, "MPIJobSucceeded", message, now):
            outcome.told.append(Told("MPIJobSucceeded", message))
        status.setdefault("completionTime", found.get("completionTime") or now)
        return {**counts, "succeeded": 1}
    if conditions.is_true(launcher, "Failed"):
        reason, message = _why(launcher, mpi, seen.launcher_pods)
        if _put(outcome, FAILED, reason, message, now):
            outcome.told.append(Told(reason, message, is_warning=True))
        status.setdefault("completionTime", now)
        return counts
    return {**counts, **_counted(active=running)}


def _why(launcher: Object, mpi: MpiJob, launcher_pods: Sequence[Object]) -> tuple[str, str]:
    condition = conditions.find(launcher, "Failed") or {}
    reason = str(condition.get("reason") or "MPIJobFailed")
    message = str(condition.get("message") or f"MPIJob {mpi.job.namespace}/{mpi.name} has failed")
    failed = [pod for pod in launcher_pods if pods.phase(pod) == pods.FAILED]
    if reason == _BACKOFF_LIMIT and failed:
        last = meta.status(
            max(failed, key=lambda pod: str(meta.metadata(pod).get("creationTimestamp") or ""))
        )
        reason = f"{reason}/{last.get('reason') or ''}"
        message = f"{message}: {last.get('message') or ''}"
        if len(message) > _MESSAGE_LIMIT:
            message = f"{message[: _MESSAGE_LIMIT - 3]}..."
    return reason, message


def _workers(outcome: Outcome, seen: Seen, now: str) -> dict[str, int]:
    phases = [pods.phase(pod) for pod in seen.workers]
    evicted = sum(
        1
        for pod in seen.workers
        if pods.phase(pod) == pods.FAILED and meta.status(pod).get("reason") == _EVICTED
    )
    if evicted:
        message = f"{evicted}/{len(seen.workers)} workers are evicted"
        if _put(outcome, FAILED, "MPIJobEvicted", message, now):
            outcome.told.append(Told("MPIJobEvicted", message, is_warning=True))
    return _counted(
        active=phases.count(pods.RUNNING),
        succeeded=phases.count(pods.SUCCEEDED),
        failed=phases.count(pods.FAILED),
    )


def _counted(**numbers: int) -> dict[str, int]:
    """Kubernetes shows no zeros here."""
    return {key: number for key, number in numbers.items() if number}


def _never_ran(status: Status, named: str, now: str) -> None:
    """Whoever computes how long a job ran finds the condition; it stands before the last, which tells how it ended."""
    if find(status, RUNNING) is not None:
        return
    since = status.get("completionTime") or now
    condition = {
        "type": RUNNING,
        "status": "False",
        "reason": "MPIJobRunning",
        "message": f"{named} is finished but Running condition was never set.",
        "lastUpdateTime": since,
        "lastTransitionTime": since,
    }
    *others, last = status["conditions"]
    status["conditions"] = [*others, condition, last]


def _put(outcome: Outcome, type_: str, reason: str, message: str, now: str, *, status: str = "True") -> bool:
    """Sets the condition; whether anything changed."""
    current = find(outcome.status, type_)
    if current is not None and (current.get("status"), current.get("reason")) == (status, reason):
        return False
    since = now
    if current is not None and current.get("status") == status:
        since = str(current.get("lastTransitionTime") or now)
    ends = type_ in (FAILED, SUCCEEDED)
    others = [
        {**each, "status": "False"} if ends and each.get("type") in (RUNNING, FAILED) else each
        for each in outcome.status.get("conditions") or ()
        if each.get("type") != type_
    ]
    wanted = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": since,
    }
    outcome.status["conditions"] = [*others, wanted]
    return True
