"""A Job's spec with its defaults, and the labels, annotations and finalizer by which it knows its pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import conditions, meta, pods

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
"""Label and annotation."""
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
JOB_NAME = "batch.kubernetes.io/job-name"
LEGACY_JOB_NAME = "job-name"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
LEGACY_CONTROLLER_UID = "controller-uid"
MANAGER = "kubernetes.io/job-controller"

_UNLIMITED = 2**31 - 1
_INDEXES = 1_000_000
"""More completion indexes than that would cost minutes and gigabytes to count."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    parallelism: int
    completions: int | None
    """None: a work queue, done when one pod succeeded and all have ended."""
    indexed: bool
    suspended: bool
    backoff_limit: int
    backoff_limit_per_index: int | None
    max_failed_indexes: int | None
    deadline_seconds: int | None
    ttl_seconds: int | None
    failure_rules: Sequence[Mapping[str, Any]]
    success_rules: Sequence[Mapping[str, Any]]
    replace_failed_only: bool
    """A pod on its way out is replaced once it is Failed, not as soon as it is being deleted."""
    restarts_in_place: bool
    """The kubelet restarts containers (restartPolicy OnFailure), and those count as failures."""


def read_spec(job: Object) -> JobSpec:
    """Raises ValueError, TypeError or AttributeError for a spec that no API server would have taken."""
    spec = meta.spec(job)
    per_index = _integer(spec, "backoffLimitPerIndex")
    backoff_limit = _integer(spec, "backoffLimit")
    if backoff_limit is None:
        backoff_limit = 6 if per_index is None else _UNLIMITED
    parallelism = _integer(spec, "parallelism")
    completions = _integer(spec, "completions")
    if completions is None and parallelism is None:
        completions = 1
    indexed = spec.get("completionMode") == "Indexed"
    if indexed and (completions or 0) > _INDEXES:
        raise ValueError(f"spec.completions: {completions} is more than {_INDEXES} for an Indexed Job")
    failure_rules = (spec.get("podFailurePolicy") or {}).get("rules") or ()
    replacement = spec.get("podReplacementPolicy") or ("Failed" if failure_rules else "TerminatingOrFailed")
    pod_spec = (spec.get("template") or {}).get("spec") or {}
    return JobSpec(
        parallelism=1 if parallelism is None else parallelism,
        completions=completions,
        indexed=indexed,
        suspended=bool(spec.get("suspend")),
        backoff_limit=backoff_limit,
        backoff_limit_per_index=per_index,
        max_failed_indexes=_integer(spec, "maxFailedIndexes"),
        deadline_seconds=_integer(spec, "activeDeadlineSeconds"),
        ttl_seconds=_integer(spec, "ttlSecondsAfterFinished"),
        failure_rules=failure_rules,
        success_rules=(spec.get("successPolicy") or {}).get("rules") or (),
        replace_failed_only=replacement == "Failed",
        restarts_in_place=pod_spec.get("restartPolicy") == "OnFailure",
    )


def index_of(pod: Object) -> int | None:
    """The pod's completion index; None when it has none that could be one."""
    text = meta.annotations(pod).get(INDEX) or meta.labels(pod).get(INDEX) or ""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def is_tracked(pod: Object) -> bool:
    """Whether the pod's end is still to be counted."""
    return FINALIZER in meta.finalizers(pod)


def is_active(pod: Object) -> bool:
    return not pods.is_terminal(pod) and not meta.is_deleting(pod)


def is_finished(job: Object) -> bool:
    """Whether the job has come to its end: it never leaves that state."""
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


def _integer(spec: Mapping[str, Any], field: str) -> int | None:
    value = spec.get(field)
    return None if value is None else int(value)
