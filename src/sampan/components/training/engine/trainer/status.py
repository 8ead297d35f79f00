"""What a TrainJob says of itself: its conditions and its Jobs, as its JobSet has them. Pure.

A TrainJob that runs has no condition: clients tell by that. Source: kubeflow/trainer
pkg/controller/trainjob_controller.go, pkg/runtime/framework/plugins/jobset/jobset.go (Status), v2.3.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sampan.kube import conditions, meta
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339, rfc3339

SUSPENDED, COMPLETE, FAILED = "Suspended", "Complete", "Failed"
CREATED = "Created"
"""Ours, and only ever False: why there is nothing that could run, as long as that is so."""
NOT_SUPPORTED = "TrainingRuntimeNotSupported"
REFUSED = "TrainJobInvalid"
"""The reason of a TrainJob that no admission has seen and that would have been refused."""
CREATION_FAILED = "TrainJobResourcesCreationFailed"
DEADLINE_EXCEEDED = "DeadlineExceeded"
_DEADLINE_MESSAGE = "TrainJob exceeded its active deadline"
_CURABLE = (NOT_SUPPORTED, REFUSED)
"""Failures that end when what they name is mended."""
_COUNTS = ("ready", "succeeded", "failed", "active", "suspended")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a TrainJob from having its JobSet."""

    message: str
    reason: str = CREATION_FAILED
    is_final: bool = False
    """Trying again is of no use until somebody changes something."""


@dataclass(slots=True)
class Verdict:
    status: dict[str, Any]
    is_late: bool = False
    """The deadline has passed: the JobSet is to go."""
    look_again: timedelta | None = None
    news: list[tuple[str, str]] = field(default_factory=list)
    """Conditions that have become true: type and message."""


def is_finished(train_job: Object) -> bool:
    """For good: what ends when something is mended is not the end."""
    if conditions.is_true(train_job, COMPLETE):
        return True
    failed = conditions.find(train_job, FAILED)
    return failed is not None and failed.get("status") == "True" and failed.get("reason") not in _CURABLE


def has_ended(job_set: Object) -> bool:
    return any(conditions.is_true(job_set, each) for each in ("Completed", "Failed"))


def judge(train_job: Object, job_set: Object | None, trouble: Trouble | None, now: datetime) -> Verdict:
    """`job_set` is None where there is none, as after its time to live. Leaves its arguments as they are."""
    holder: Object = {"status": deepcopy(meta.status(train_job))}
    finished = is_finished(train_job)
    time = rfc3339(now)
    if not finished:
        _tell_trouble(holder, trouble, time)
        _tell_suspension(holder, bool(meta.spec(train_job).get("suspend")), time)
    if job_set is not None:
        _take_over(holder, job_set, time)
    if not holder["status"].get("conditions"):
        holder["status"].pop("conditions", None)
    verdict = Verdict(holder["status"])
    if not finished:
        _hold_to_deadline(train_job, holder, verdict, now)
    for condition in verdict.status.get("conditions") or ():
        before = conditions.find(train_job, condition["type"])
        if condition["status"] == "True" and (before is None or before.get("status") != "True"):
            verdict.news.append((condition["type"], str(condition.get("message") or "")))
    return verdict


def _tell_trouble(holder: Object, trouble: Trouble | None, time: str) -> None:
    # One that still holds stays as it is, its time too: a status that changes with every look is looked at for ever.
    if trouble is None or not trouble.is_final:
        conditions.remove(holder, FAILED)
    if trouble is None or trouble.is_final:
        conditions.remove(holder, CREATED)
    if trouble is not None:
        kind, status = (FAILED, "True") if trouble.is_final else (CREATED, "False")
        conditions.put(holder, kind, status, now=time, reason=trouble.reason, message=trouble.message)


def _tell_suspension(holder: Object, suspended: bool, time: str) -> None:
    if suspended:
        conditions.put(
            holder, SUSPENDED, "True", now=time, reason="Suspended", message="TrainJob is suspended"
        )
    elif conditions.is_true(holder, SUSPENDED):
        conditions.put(holder, SUSPENDED, "False", now=time, reason="Resumed", message="TrainJob is resumed")


def _take_over(holder: Object, job_set: Object, time: str) -> None:
    for theirs, ours in (("Completed", COMPLETE), ("Failed", FAILED)):
        found = conditions.find(job_set, theirs)
        if found is not None and found.get("status") == "True":
            conditions.put(
                holder,
                ours,
                "True",
                now=str(found.get("lastTransitionTime") or time),
                reason=str(found.get("reason") or ""),
                message=str(found.get("message") or ""),
            )
    jobs = [
        {"name": str(each.get("name")), **{key: int(each.get(key) or 0) for key in _COUNTS}}
        for each in meta.status(job_set).get("replicatedJobsStatus") or ()
    ]
    if jobs:
        holder["status"]["jobsStatus"] = jobs


def _hold_to_deadline(train_job: Object, holder: Object, verdict: Verdict, now: datetime) -> None:
    spec = meta.spec(train_job)
    seconds = int(spec.get("activeDeadlineSeconds") or 0)
    is_over = any(conditions.is_true(holder, each) for each in (COMPLETE, FAILED))
    if not seconds or is_over or spec.get("suspend"):
        return
    started = meta.metadata(train_job).get("creationTimestamp")
    resumed = conditions.find(holder, SUSPENDED)
    if resumed is not None and resumed.get("status") == "False":
        started = resumed.get("lastTransitionTime") or started
    if not started:
        return
    left = parse_rfc3339(str(started)) + timedelta(seconds=seconds) - now
    if left > timedelta(0):
        verdict.look_again = left
        return
    conditions.put(
        holder, FAILED, "True", now=rfc3339(now), reason=DEADLINE_EXCEEDED, message=_DEADLINE_MESSAGE
    )
    verdict.status = holder["status"]
    verdict.is_late = True
