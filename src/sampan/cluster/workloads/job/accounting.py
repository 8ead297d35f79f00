"""Counting a Job's pods so that each end counts exactly once, whatever crashes in between. Pure.

A pod keeps the tracking finalizer until its end is safely recorded. Recording takes two steps: its uid goes
into `status.uncountedTerminatedPods`, then the finalizer goes, then the uid becomes a number. A uid in the
list whose pod has no finalizer is counted now; one with a finalizer still waits for that. A reader sees the
right totals at any moment: numbers and uids together. This is why the status, else never an input, is one.

Source: pkg/controller/job/job_controller.go (trackJobStatusAndRemoveFinalizers) and indexed_job_utils.go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sampan.client.protocol import Object
from sampan.cluster.workloads.job import indexes
from sampan.cluster.workloads.job.policy import fails_index, is_ignored
from sampan.cluster.workloads.job.spec import INDEX_FAILURES, JobSpec, index_of, is_active, is_tracked
from sampan.kube import conditions, meta, pods

BATCH = 500
"""Pods recorded in one step: keeps the status object small."""


@dataclass(slots=True)
class Tally:
    active: list[Object] = field(default_factory=list)
    terminating: list[Object] = field(default_factory=list)
    counted_succeeded: int = 0
    counted_failed: int = 0
    uncounted_succeeded: list[str] = field(default_factory=list)
    uncounted_failed: list[str] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)
    """Finished pods whose finalizer goes as soon as this tally is stored."""
    delayed: list[Object] = field(default_factory=list)
    """Failed pods that carry the only count of their index's failures: counted once a replacement carries it on."""
    failed_pods: list[Object] = field(default_factory=list)
    """Pods that count as failed and are still tracked."""
    completed: set[int] = field(default_factory=set)
    """Indexed Jobs: indexes that succeeded."""
    index_failures: dict[int, int] = field(default_factory=dict)
    """Indexed Jobs with a limit per index: failures by index."""
    more: bool = False
    """Whether pods were left for the next step."""

    @property
    def failed(self) -> int:
        return self.counted_failed + len(self.uncounted_failed)

    @property
    def succeeded(self) -> int:
        return self.counted_succeeded + len(self.uncounted_succeeded)

    @property
    def ready(self) -> int:
        return sum(map(pods.is_ready, self.active))

    def settle(self) -> None:
        """What the tally is once the finalizers of `release` are gone."""
        self.counted_succeeded += len(self.uncounted_succeeded)
        self.counted_failed += len(self.uncounted_failed)
        self.uncounted_succeeded, self.uncounted_failed, self.release = [], [], []


def tally(job: Object, spec: JobSpec, candidates: Sequence[Object], released: Collection[str] = ()) -> Tally:
    """`candidates`: the job's pods, at least those that are tracked or not at their end.

    `released` are uids of pods whose finalizer is gone although `candidates` may not show it yet.
    """
    result = Tally()
    tracked = {uid for pod in candidates if is_tracked(pod) and (uid := meta.uid(pod)) not in released}
    _carry_over(job, spec, tracked, result)
    known = {*result.uncounted_succeeded, *result.uncounted_failed}
    kept = _carriers(job, spec, candidates, result.completed)
    for pod in candidates:
        if is_active(pod):
            result.active.append(pod)
            continue
        if not pods.is_terminal(pod):
            result.terminating.append(pod)
            if spec.replace_failed_only:
                continue
        if meta.uid(pod) not in tracked:
            continue
        if meta.uid(pod) in kept:
            result.delayed.append(pod)
            if not is_ignored(pod, spec.failure_rules):
                result.failed_pods.append(pod)
            continue
        if len(result.release) >= BATCH:
            result.more = True
            continue
        result.release.append(pod)
        _record(pod, spec, result, known)
    if spec.indexed and spec.backoff_limit_per_index is not None:
        result.index_failures = _failures_by_index(candidates)
    return result


def failures_before(pod: Object) -> int:
    """How often the pod's index had failed when the pod was made."""
    count = meta.annotations(pod).get(INDEX_FAILURES) or "0"
    return int(count) if count.isdecimal() and len(count) < 10 else 0


def _carry_over(job: Object, spec: JobSpec, tracked: set[str], result: Tally) -> None:
    """Takes over the stored status, and turns uids whose pods were released into numbers."""
    status = meta.status(job)
    uncounted = status.get("uncountedTerminatedPods") or {}
    for uid in uncounted.get("succeeded") or ():
        if uid in tracked:
            result.uncounted_succeeded.append(uid)
        else:
            result.counted_succeeded += 1
    for uid in uncounted.get("failed") or ():
        if uid in tracked:
            result.uncounted_failed.append(uid)
        else:
            result.counted_failed += 1
    result.counted_failed += int(status.get("failed") or 0)
    if spec.indexed:
        result.completed = indexes.parse(str(status.get("completedIndexes") or ""), spec.completions or 0)
        result.counted_succeeded = len(result.completed)
    else:
        result.counted_succeeded += int(status.get("succeeded") or 0)


def _record(pod: Object, spec: JobSpec, result: Tally, known: set[str]) -> None:
    uid = meta.uid(pod)
    if pods.phase(pod) == pods.SUCCEEDED:
        if not spec.indexed:
            if uid not in known:
                result.uncounted_succeeded.append(uid)
            return
        # The index itself keeps a success from being counted twice.
        index = index_of(pod)
        if index is not None and index < (spec.completions or 0):
            result.completed.add(index)
            result.counted_succeeded = len(result.completed)
    elif not is_ignored(pod, spec.failure_rules):
        result.failed_pods.append(pod)
        if uid not in known:
            result.uncounted_failed.append(uid)


def _carriers(job: Object, spec: JobSpec, candidates: Iterable[Object], completed: set[int]) -> set[str]:
    """Uids of failed pods to be kept until they are replaced: were one deleted by hand, a retry would come free.

    Source: pkg/controller/job/backoff_utils.go and indexed_job_utils.go (getPodsWithDelayedDeletionPerIndex), v1.33.
    """
    limit = spec.backoff_limit_per_index
    decided = conditions.is_true(job, "FailureTarget") or conditions.is_true(job, "SuccessCriteriaMet")
    if not spec.indexed or limit is None or decided or meta.is_deleting(job):
        return set()
    given_up = indexes.parse(str(meta.status(job).get("failedIndexes") or ""), spec.completions or 0)
    last: dict[int, Object] = {}
    for pod in candidates:
        index = index_of(pod)
        if index is not None and (index not in last or failures_before(pod) >= failures_before(last[index])):
            last[index] = pod
    return {
        meta.uid(pod)
        for index, pod in last.items()
        if pods.phase(pod) == pods.FAILED
        and failures_before(pod) < limit
        and not fails_index(pod, spec.failure_rules)
        and index not in completed | given_up
        and index < (spec.completions or 0)
    }


def _failures_by_index(candidates: Iterable[Object]) -> dict[int, int]:
    """A replacement carries how often its index had failed before; a failed pod adds one."""
    failures: dict[int, int] = {}
    for pod in candidates:
        index = index_of(pod)
        if index is not None:
            count = failures_before(pod) + (pods.phase(pod) == pods.FAILED)
            failures[index] = max(failures.get(index, 0), count)
    return failures
