"""How a job ends: the rules that several kinds share.

Source: kubeflow/training-operator v1.9.0 UpdateJobStatus of
pkg/controller.v1/{pytorch,jax,paddlepaddle}/*_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from sampan.components.training.engine.jobs.conditions import FAILED, RESTARTING, RUNNING, SUCCEEDED, Change
from sampan.components.training.engine.jobs.framework import Count, Observed
from sampan.components.training.engine.jobs.spec import NEVER, Job

_NO_PODS = Count()


def by_master(job: Job, observed: Observed, role: str = "Master") -> Iterator[Change]:
    """The master's pod decides."""
    count = count_of(observed, role)
    if count.active:
        yield running(f"{job.kind} {job.name} is running.")
    if count.succeeded >= job.roles[role].replicas:
        yield succeeded(f"{job.kind} {job.name} is successfully completed.")


def by_workers(
    job: Job, observed: Observed, *, is_done: bool = False, role: str = "Worker"
) -> Iterator[Change]:
    """All workers must succeed, unless `is_done` says that it is enough."""
    count = count_of(observed, role)
    if role not in job.roles:
        return
    if is_done or count.succeeded >= job.roles[role].replicas:
        yield succeeded(f"{job.kind} {job.namespace}/{job.name} successfully completed.")
    elif count.active:
        yield running(f"{job.kind} {job.namespace}/{job.name} is running.")


def failures(job: Job, observed: Observed, role: str) -> Iterator[Change]:
    """A role that has lost pods restarts, or fails the job where its policy is Never."""
    count, replica = count_of(observed, role), job.roles[role]
    if not count.failed or replica.replicas <= count.succeeded + count.active:
        return
    because = f"because {count.failed} {role} replica(s) failed."
    if replica.restart_policy == NEVER:
        yield failed(f"{job.kind} {job.name} is failed {because}")
    else:
        yield restarting(f"{job.kind} {job.name} is restarting {because}")


def count_of(observed: Observed, role: str) -> Count:
    return observed.counts.get(role, _NO_PODS)


def running(message: str) -> Change:
    return Change(RUNNING, RUNNING, message)


def restarting(message: str) -> Change:
    return Change(RESTARTING, RESTARTING, message, is_told=True, is_warning=True)


def succeeded(message: str) -> Change:
    return Change(SUCCEEDED, SUCCEEDED, message, is_told=True)


def failed(message: str, *, is_warning: bool = False) -> Change:
    return Change(FAILED, FAILED, message, is_told=True, is_warning=is_warning)
