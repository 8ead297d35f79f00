"""What the ends of its Jobs mean for a JobSet: successPolicy and failurePolicy. Pure.

Source: pkg/controllers/{success,failure}_policy.go, v0.11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.client.protocol import Object
from sampan.cluster.workloads.jobset.patterns import any_found
from sampan.cluster.workloads.jobset.spec import parent_of, replicas, replicated_jobs
from sampan.kube import conditions, meta

_MESSAGES = {
    "FailJobSet": "applying FailJobSet failure policy action",
    "RestartJobSet": "applying RestartJobSet failure policy action",
    "RestartJobSetAndIgnoreMaxRestarts": "applying RestartJobSetAndIgnoreMaxRestarts failure policy action",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`restart`: a new attempt, which counts towards the limit or does not; else the set has failed."""

    restart: bool
    reason: str
    message: str
    counts: bool = True
    condition_reason: str = ""
    """Of the condition RestartingJobSet."""


def has_succeeded(job_set: Object, succeeded: Sequence[Object]) -> bool:
    policy = meta.spec(job_set).get("successPolicy") or {}
    targets = policy.get("targetReplicatedJobs") or ()
    done = sum(1 for job in succeeded if not targets or parent_of(job) in targets)
    if policy.get("operator") == "Any":
        return done >= 1
    wanted = sum(
        replicas(each) for each in replicated_jobs(job_set) if not targets or each["name"] in targets
    )
    return done >= wanted


def judge(job_set: Object, failed: Sequence[Object]) -> Verdict:
    """`failed` is not empty."""
    policy = meta.spec(job_set).get("failurePolicy")
    if policy is None:
        message = _with_first("jobset failed due to one or more job failures", _first(failed))
        return Verdict(False, "FailedJobs", message)
    rule, job = _match(policy.get("rules") or (), failed)
    action = str(rule.get("action")) if rule is not None else "RestartJobSet"
    counted = int(meta.status(job_set).get("restartsCountTowardsMax") or 0)
    if action == "RestartJobSet" and counted >= int(policy.get("maxRestarts") or 0):
        message = _with_first("jobset failed due to reaching max number of restarts", job)
        return Verdict(False, "ReachedMaxRestarts", message)
    message = _with_first(_MESSAGES.get(action, action), job)
    reason = f"{action}FailurePolicyAction"
    if action not in ("RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"):
        return Verdict(False, reason, message)
    because = f"FailurePolicy_{rule.get('name')}" if rule is not None else "DefaultFailurePolicy"
    return Verdict(True, reason, message, action == "RestartJobSet", because)


def _match(rules: Sequence[Object], failed: Sequence[Object]) -> tuple[Object | None, Object]:
    """The first rule that a failed Job matches, and the one of these that failed first."""
    for rule in rules:
        if matching := [job for job in failed if _applies(rule, job)]:
            return rule, _first(matching)
    return None, _first(failed)


def _applies(rule: Object, job: Object) -> bool:
    condition = conditions.find(job, "Failed") or {}
    reasons, targets = rule.get("onJobFailureReasons") or (), rule.get("targetReplicatedJobs") or ()
    patterns, message = rule.get("onJobFailureMessagePatterns") or (), str(condition.get("message") or "")
    return (
        (not reasons or condition.get("reason") in reasons)
        and (not patterns or any_found(patterns, message))
        and bool(parent_of(job))
        and (not targets or parent_of(job) in targets)
    )


def _first(failed: Sequence[Object]) -> Object:
    return min(
        failed, key=lambda job: str((conditions.find(job, "Failed") or {}).get("lastTransitionTime") or "~")
    )


def _with_first(message: str, job: Object) -> str:
    return f"{message} (first failed job: {meta.name(job)})"
