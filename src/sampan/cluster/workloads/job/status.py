"""The status of a Job, from its pods and from what is being done about them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.job import indexes
from sampan.cluster.workloads.job.plan import Outcome, Plan, Situation
from sampan.kube import conditions, meta, pods
from sampan.lib.clock import rfc3339


@dataclass(frozen=True, slots=True)
class Done:
    """What has been carried out of a plan. Deleted pods are none of the active ones any more."""

    created: int = 0
    deleted: tuple[Object, ...] = ()


NOTHING_DONE = Done()


def status(situation: Situation, plan: Plan, done: Done = NOTHING_DONE) -> dict[str, Any]:
    """All of it, to be written when it differs from what is stored."""
    tally, spec = situation.tally, situation.spec
    job = {"status": deepcopy(meta.status(situation.job))}
    result: dict[str, Any] = job["status"]
    now = rfc3339(situation.now)
    deleted = {meta.uid(pod) for pod in done.deleted}
    remaining = [pod for pod in tally.active if meta.uid(pod) not in deleted]
    result["active"] = len(remaining) + done.created
    result["ready"] = sum(map(pods.is_ready, remaining))
    result["terminating"] = len(tally.terminating) + len(deleted)
    result["succeeded"] = tally.counted_succeeded
    result["failed"] = tally.counted_failed
    result["uncountedTerminatedPods"] = _uncounted(tally.uncounted_succeeded, tally.uncounted_failed)
    if spec.indexed:
        _put_indexes(result, "completedIndexes", tally.completed)
    if spec.backoff_limit_per_index is not None:
        result["failedIndexes"] = indexes.render(plan.failed_indexes - tally.completed)
    if plan.outcome is None:
        _suspension(job, situation, now)
    else:
        result.setdefault("startTime", now)
        _conclude(job, plan.outcome, _is_over(situation, done), now)
    for key in ("active", "ready", "terminating", "succeeded", "failed"):
        if not result[key] and key not in ("ready", "terminating"):
            del result[key]
    return result


def _uncounted(succeeded: list[str], failed: list[str]) -> dict[str, Any]:
    both = {"succeeded": succeeded, "failed": failed}
    return {key: list(uids) for key, uids in both.items() if uids}


def _put_indexes(result: dict[str, Any], key: str, found: Iterable[int]) -> None:
    text = indexes.render(found)
    if text:
        result[key] = text
    else:
        result.pop(key, None)


def _suspension(job: Object, situation: Situation, now: str) -> None:
    """A job that is resumed starts anew as far as its deadline goes."""
    result = job["status"]
    if situation.spec.suspended:
        conditions.put(job, "Suspended", "True", now=now, reason="JobSuspended", message="Job suspended")
        result.pop("startTime", None)
        return
    if conditions.is_true(job, "Suspended"):
        conditions.put(job, "Suspended", "False", now=now, reason="JobResumed", message="Job resumed")
    result.setdefault("startTime", now)


def _is_over(situation: Situation, done: Done) -> bool:
    """Whether no pod can change anything any more."""
    tally = situation.tally
    open_ends = tally.release or tally.delayed or tally.more
    return not (tally.active or tally.terminating or open_ends or done.created)


def _conclude(job: Object, outcome: Outcome, over: bool, now: str) -> None:
    """Announced first, final once the last pod has ended."""
    announced, final = (
        ("SuccessCriteriaMet", "Complete") if outcome.succeeded else ("FailureTarget", "Failed")
    )
    conditions.put(job, announced, "True", now=now, reason=outcome.reason, message=outcome.message)
    if over:
        conditions.put(job, final, "True", now=now, reason=outcome.reason, message=outcome.message)
        if outcome.succeeded:
            job["status"]["completionTime"] = now
