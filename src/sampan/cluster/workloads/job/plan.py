"""What a Job needs now: pods to create, pods to delete, a conclusion. Pure.

Source: pkg/controller/job/job_controller.go (syncJob, manageJob) and indexed_job_utils.go, v1.33.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sampan.client.protocol import Object
from sampan.cluster.workloads.job import indexes, policy
from sampan.cluster.workloads.job.accounting import Tally
from sampan.cluster.workloads.job.backoff import Backoff, Failures
from sampan.cluster.workloads.job.spec import JobSpec, index_of
from sampan.kube import conditions, meta, pods
from sampan.lib.clock import parse_rfc3339

CREATE_LIMIT = 500
"""Pods created in one reconcile: others get their turn in between."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the job ends: it did what it was to do, or it never will."""

    succeeded: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class NewPod:
    """`index` is None for Jobs that are not indexed; `failures` is how often the index failed before."""

    index: int | None = None
    failures: int = 0


@dataclass(slots=True)
class Plan:
    outcome: Outcome | None = None
    create: list[NewPod] = field(default_factory=list)
    dismiss: list[Object] = field(default_factory=list)
    """Active pods that are too many: deleted, and not counted as failed."""
    kill: list[Object] = field(default_factory=list)
    """Active pods of a job that is over: deleted, and counted as they end."""
    failed_indexes: set[int] = field(default_factory=set)
    again: timedelta | None = None
    """When time alone changes the answer."""

    @property
    def changes_pods(self) -> bool:
        return bool(self.create or self.dismiss or self.kill)

    def look_again(self, after: timedelta) -> None:
        self.again = after if self.again is None else min(self.again, after)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when planning."""

    job: Object
    spec: JobSpec
    tally: Tally
    failures: Failures
    backoff: Backoff
    now: datetime


def plan(situation: Situation) -> Plan:
    spec, tally = situation.spec, situation.tally
    result = Plan()
    if spec.indexed and spec.backoff_limit_per_index is not None:
        result.failed_indexes = _failed_indexes(situation.job, spec, tally)
    result.outcome = _outcome(situation, result)
    if result.outcome is not None:
        result.kill = list(tally.active)
    elif meta.is_deleting(situation.job):
        pass  # the garbage collector takes the pods; none may be added
    elif spec.suspended:
        result.dismiss = list(tally.active)
    else:
        _manage(situation, result)
    return result


def _outcome(situation: Situation, result: Plan) -> Outcome | None:
    job, spec, tally = situation.job, situation.spec, situation.tally
    # Once decided, it stays so while the last pods end.
    for kind, succeeded in (("FailureTarget", False), ("SuccessCriteriaMet", True)):
        if (decided := conditions.find(job, kind)) and decided.get("status") == "True":
            return Outcome(succeeded, str(decided.get("reason", "")), str(decided.get("message", "")))
    if message := policy.failure_message(tally.failed_pods, spec.failure_rules):
        return Outcome(False, "PodFailurePolicy", message)
    if tally.failed > spec.backoff_limit or _restarts_exhausted(spec, tally.active):
        return Outcome(False, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    if _past_deadline(situation, result):
        return Outcome(False, "DeadlineExceeded", "Job was active longer than specified deadline")
    if spec.indexed and (message := policy.success_message(spec.success_rules, tally.completed, _all(spec))):
        return Outcome(True, "SuccessPolicy", message)
    if spec.max_failed_indexes is not None and len(result.failed_indexes) > spec.max_failed_indexes:
        return Outcome(
            False,
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
        )
    return _completion(spec, tally, result.failed_indexes)


def _completion(spec: JobSpec, tally: Tally, failed_indexes: set[int]) -> Outcome | None:
    busy = bool(tally.active) or tally.more
    if spec.completions is None:
        done = tally.succeeded > 0 and not busy
    else:
        done = tally.succeeded >= spec.completions and not busy
    if done:
        return Outcome(True, "CompletionsReached", "Reached expected number of succeeded pods")
    # A success wins over an earlier failure of the same index.
    failed = failed_indexes - tally.completed
    if failed and not busy and len(failed) + len(tally.completed) >= _all(spec):
        return Outcome(False, "FailedIndexes", "Job has failed indexes")
    return None


def _restarts_exhausted(spec: JobSpec, active: Sequence[Object]) -> bool:
    if not spec.restarts_in_place:
        return False
    restarts = sum(
        int(each.get("restartCount") or 0)
        for pod in active
        if pods.phase(pod) in (pods.RUNNING, pods.PENDING)
        for each in pods.container_statuses(pod)
    )
    return restarts > 0 if spec.backoff_limit == 0 else restarts >= spec.backoff_limit


def _past_deadline(situation: Situation, result: Plan) -> bool:
    started = meta.status(situation.job).get("startTime")
    if situation.spec.deadline_seconds is None or situation.spec.suspended or not started:
        return False
    left = parse_rfc3339(started) + timedelta(seconds=situation.spec.deadline_seconds) - situation.now
    if left <= timedelta():
        return True
    result.look_again(left)
    return False


def _failed_indexes(job: Object, spec: JobSpec, tally: Tally) -> set[int]:
    """Indexes that have used up their retries, or that a rule of the failure policy has ended."""
    limit = spec.backoff_limit_per_index or 0
    failed = indexes.parse(str(meta.status(job).get("failedIndexes") or ""), _all(spec))
    failed |= {index for index, count in tally.index_failures.items() if count > limit}
    for pod in tally.failed_pods:
        if policy.fails_index(pod, spec.failure_rules) and (index := index_of(pod)) is not None:
            failed.add(index)
    return failed


def _manage(situation: Situation, result: Plan) -> None:
    """Brings the number of active pods to what is wanted."""
    spec, tally = situation.spec, situation.tally
    active = tally.active
    if spec.indexed:
        surplus = _misplaced(active, tally.completed, _all(spec))
        result.dismiss.extend(surplus)
        out = {meta.uid(pod) for pod in surplus}
        active = [pod for pod in active if meta.uid(pod) not in out]
    wanted = _wanted(spec, tally, len(active))
    if len(active) > wanted:
        result.dismiss.extend(heapq.nsmallest(len(active) - wanted, active, key=_least_progress))
        return
    missing = wanted - len(active)
    if spec.replace_failed_only:
        missing -= len(tally.terminating)
    if missing <= 0 or tally.more:
        return
    if spec.backoff_limit_per_index is None:
        wait = situation.failures.wait(situation.backoff, situation.now)
        if wait > timedelta():
            result.look_again(wait)
            return
    missing = min(missing, CREATE_LIMIT)
    if spec.indexed:
        result.create = _new_indexes(situation, result, active, missing)
    else:
        result.create = [NewPod()] * missing


def _wanted(spec: JobSpec, tally: Tally, active: int) -> int:
    if spec.completions is None:
        # A work queue: once one pod has succeeded, the others only finish what they hold.
        return active if tally.succeeded > 0 else spec.parallelism
    return max(0, min(spec.parallelism, spec.completions - tally.succeeded))


def _new_indexes(situation: Situation, result: Plan, active: Sequence[Object], missing: int) -> list[NewPod]:
    spec, tally = situation.spec, situation.tally
    taken = tally.completed | result.failed_indexes | {index_of(pod) for pod in active}
    if spec.replace_failed_only:
        taken |= {index_of(pod) for pod in tally.terminating}
    created: list[NewPod] = []
    for index in range(_all(spec)):
        if len(created) >= missing:
            break
        if index in taken:
            continue
        failures = tally.index_failures.get(index, 0)
        wait = _index_wait(situation, index, failures)
        if wait > timedelta():
            result.look_again(wait)
        else:
            created.append(NewPod(index, failures))
    return created


def _index_wait(situation: Situation, index: int, failures: int) -> timedelta:
    """With a limit per index each index has a back-off of its own."""
    if not failures:
        return timedelta()
    last = situation.failures.last_by_index.get(index)
    return Failures(failures, last).wait(situation.backoff, situation.now)


def _misplaced(active: Sequence[Object], completed: set[int], completions: int) -> list[Object]:
    """Pods without an index that is still to be done, and all but one of each index."""
    seen: set[int] = set()
    surplus = []
    for pod in active:
        index = index_of(pod)
        if index is None or index >= completions or index in completed or index in seen:
            surplus.append(pod)
        else:
            seen.add(index)
    return surplus


def _least_progress(pod: Object) -> tuple[bool, bool, bool, float]:
    """Which pod is missed least: one without a node, not running, not ready, and then the youngest."""
    created = meta.metadata(pod).get("creationTimestamp")
    age = -parse_rfc3339(created).timestamp() if created else 0.0
    return (bool(pods.node_name(pod)), pods.phase(pod) == pods.RUNNING, pods.is_ready(pod), age)


def _all(spec: JobSpec) -> int:
    return spec.completions or 0
