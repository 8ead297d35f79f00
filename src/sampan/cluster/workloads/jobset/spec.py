"""The labels of a JobSet's Jobs and pods, and how the Jobs of the present attempt stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sampan.client.protocol import Object
from sampan.kube import conditions, meta

PREFIX = "jobset.sigs.k8s.io/"
NAME, UID = f"{PREFIX}jobset-name", f"{PREFIX}jobset-uid"
REPLICATED_JOB, REPLICAS = f"{PREFIX}replicatedjob-name", f"{PREFIX}replicatedjob-replicas"
GLOBAL_REPLICAS = f"{PREFIX}global-replicas"
JOB_INDEX, GLOBAL_INDEX, JOB_KEY = f"{PREFIX}job-index", f"{PREFIX}job-global-index", f"{PREFIX}job-key"
GROUP, GROUP_REPLICAS, GROUP_INDEX = (
    f"{PREFIX}group-name",
    f"{PREFIX}group-replicas",
    f"{PREFIX}job-group-index",
)
ATTEMPT = f"{PREFIX}restart-attempt"
COORDINATOR = f"{PREFIX}coordinator"
MANAGER = f"{PREFIX}jobset-controller"


def replicated_jobs(job_set: Object) -> Sequence[Object]:
    return meta.spec(job_set).get("replicatedJobs") or ()


def replicas(replicated: Object) -> int:
    count = replicated.get("replicas")
    return int(1 if count is None else count)


def is_suspended(job_set: Object) -> bool:
    return bool(meta.spec(job_set).get("suspend"))


def is_finished(job_set: Object) -> bool:
    return conditions.is_true(job_set, "Completed") or conditions.is_true(job_set, "Failed")


def in_order(job_set: Object) -> bool:
    return (meta.spec(job_set).get("startupPolicy") or {}).get("startupPolicyOrder") == "InOrder"


def has_hostnames(job_set: Object) -> bool:
    return (meta.spec(job_set).get("network") or {}).get("enableDNSHostnames") is True


def subdomain(job_set: Object) -> str:
    return str((meta.spec(job_set).get("network") or {}).get("subdomain") or meta.name(job_set))


def restarts(job_set: Object) -> int:
    return int(meta.status(job_set).get("restarts") or 0)


def parent_of(job: Object) -> str:
    """The name of its replicated job."""
    return str(meta.labels(job).get(REPLICATED_JOB) or "")


def is_job_suspended(job: Object) -> bool:
    return bool(meta.spec(job).get("suspend"))


@dataclass(slots=True)
class Jobs:
    """By how they stand."""

    active: list[Object] = field(default_factory=list)
    succeeded: list[Object] = field(default_factory=list)
    failed: list[Object] = field(default_factory=list)
    previous: list[Object] = field(default_factory=list)
    """Of an earlier attempt: to be deleted."""

    @property
    def names(self) -> set[str]:
        everything = (*self.active, *self.succeeded, *self.failed, *self.previous)
        return set(map(meta.name, everything))


def sort_out(job_set: Object, owned: Iterable[Object]) -> Jobs:
    result, attempt = Jobs(), restarts(job_set)
    for job in sorted(owned, key=meta.name):
        text = str(meta.labels(job).get(ATTEMPT) or "")
        # One that does not say which attempt it is of is of no use for the present one.
        if not text.isdecimal() or int(text) < attempt:
            result.previous.append(job)
        elif conditions.is_true(job, "Complete"):
            result.succeeded.append(job)
        elif conditions.is_true(job, "Failed"):
            result.failed.append(job)
        else:
            result.active.append(job)
    return result
