"""The status of a job, from what it was and what is observed. Pure.

Each function answers with the new status and with the changes of conditions that an event should tell of.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/common/job.go (ReconcileJobs), UpdateJobStatus and
onOwnerCreateFunc of each controller.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.training.engine.jobs.conditions import (
    CREATED,
    FAILED,
    FAILED_VALIDATION,
    RESTARTING,
    RESUMED,
    RUNNING,
    SUCCEEDED,
    SUSPENDED,
    Change,
    Status,
    find,
    holds,
    is_finished,
    put,
    reword,
)
from sampan.components.training.engine.jobs.framework import Count, Framework, Observed
from sampan.components.training.engine.jobs.plan import Plan, World
from sampan.components.training.engine.jobs.pods import Slot, role_selector
from sampan.components.training.engine.jobs.spec import Job, Shape
from sampan.kube import meta, pods
from sampan.kube.meta import Object


@dataclass(slots=True)
class Outcome:
    status: Status
    told: list[Change] = field(default_factory=list)
    """What events are to say, in order."""


def created_message(kind: str, name: str) -> str:
    return f"{kind} {name} is created."


def begin(job: Object, kind: str, now: str) -> Outcome:
    """A copy of the job's status, with the condition Created."""
    status = copy.deepcopy(meta.status(job))
    if find(status, CREATED) is None:
        put(status, kind, Change(CREATED, CREATED, created_message(kind, meta.name(job))), now)
    return Outcome(status)


def resume(outcome: Outcome, job: Job, now: str) -> None:
    """After a suspension the clock starts anew."""
    if not holds(outcome.status, SUSPENDED):
        return
    _set(outcome, job.kind, Change(SUSPENDED, RESUMED, _message(job, "resumed"), "False", is_told=True), now)
    outcome.status["startTime"] = now


def suspend(outcome: Outcome, job: Job, now: str) -> None:
    status, message = outcome.status, _message(job, "suspended")
    if holds(status, RUNNING):
        put(status, job.kind, Change(RUNNING, SUSPENDED, message, "False"), now)
    _set(outcome, job.kind, Change(SUSPENDED, SUSPENDED, message, is_told=True), now)
    for counts in (status.get("replicaStatuses") or {}).values():
        counts.pop("active", None)


def advance(outcome: Outcome, framework: Framework, job: Job, world: World, planned: Plan, now: str) -> None:
    """What the pods mean for a job that goes on."""
    status, counts = outcome.status, world.counts(job)
    status.setdefault("startTime", now)
    status["replicaStatuses"] = {
        role: _replica_status(framework.shape, job, role, count) for role, count in counts.items()
    }
    _apply(outcome, job.kind, planned.changes, now)
    observed = Observed(
        counts=counts,
        restarting=str((find(status, RESTARTING) or {}).get("message") or ""),
        first_worker_succeeded=_has_succeeded(world, framework.shape),
    )
    for change in framework.judge(job, observed):
        if is_finished(status):
            break
        _apply(outcome, job.kind, [change], now)


def limit(outcome: Outcome, job: Job, message: str, now: str) -> None:
    """The job has reached the limit that `message` names."""
    _apply(outcome, job.kind, [Change(FAILED, FAILED, message, is_told=True)], now)


def refuse(outcome: Outcome, kind: str, message: str, now: str) -> None:
    """The job cannot be what its kind is."""
    outcome.status.setdefault("startTime", now)
    change = Change(FAILED, FAILED_VALIDATION, message, is_told=True, is_warning=True)
    _apply(outcome, kind, [change], now)


def settle(outcome: Outcome, left: Iterable[tuple[str, Object]]) -> None:
    """Counts of a job that is over: with it the pods that still run have succeeded; of one that failed they are
    counted.

    `left`: its pods that stay, each with its role.
    """
    statuses: Mapping[str, Any] = outcome.status.get("replicaStatuses") or {}
    if holds(outcome.status, SUCCEEDED):
        for counts in statuses.values():
            _add(counts, "succeeded", int(counts.get("active") or 0))
            counts.pop("active", None)
        return
    active: dict[str, int] = {}
    for role, pod in left:
        if pods.phase(pod) == pods.RUNNING and not meta.is_deleting(pod):
            active[role] = active.get(role, 0) + 1
    for role, counts in statuses.items():
        counts.pop("active", None)
        _add(counts, "active", active.get(role, 0))


def wait(outcome: Outcome, job: Job, reason: str, now: str) -> None:
    """Says within the condition Created why pods do not start; empty when none waits."""
    message = created_message(job.kind, job.name)
    reword(outcome.status, CREATED, f"{message} {reason}" if reason else message, now)


def _set(outcome: Outcome, kind: str, change: Change, now: str) -> None:
    if put(outcome.status, kind, change, now) and change.is_told:
        outcome.told.append(change)


def _apply(outcome: Outcome, kind: str, changes: Iterable[Change], now: str) -> None:
    for change in changes:
        _set(outcome, kind, change, now)
        if change.type in (SUCCEEDED, FAILED):
            outcome.status.setdefault("completionTime", now)


def _replica_status(shape: Shape, job: Job, role: str, count: Count) -> dict[str, Any]:
    found: dict[str, Any] = {"selector": role_selector(shape, job.name, role)}
    for key in ("active", "succeeded", "failed"):
        _add(found, key, getattr(count, key))
    return found


def _add(counts: dict[str, Any], key: str, number: int) -> None:
    """Kubernetes shows no zeros here."""
    total = int(counts.get(key) or 0) + number
    if total:
        counts[key] = total


def _has_succeeded(world: World, shape: Shape) -> bool:
    pod = world.pods.get(Slot("Worker", 0))
    return pod is not None and pods.phase(pod) == pods.SUCCEEDED and pods.exit_code(pod, shape.container) == 0


def _message(job: Job, what: str) -> str:
    return f"{job.kind} {job.name} is {what}."
