"""What is to be done about a job that goes on: which pods and Services to make, which to delete. Pure.

`observe` sorts the pods that are there into replicas, `plan` compares them with what the spec wants. A replica is one
name, so that there is never a second pod for it: one that failed is deleted, and made anew when it is gone.

Source: kubeflow/training-operator v1.9.0 ReconcilePods and ReconcileServices of
pkg/controller.v1/common/{pod,service}.go, pkg/core/{pod,status}.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sampan.components.training.engine.jobs import judging
from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.framework import Count, pod_name
from sampan.components.training.engine.jobs.pods import Slot, slot_of, wanted_slots
from sampan.components.training.engine.jobs.spec import ALWAYS, EXIT_CODE, NEVER, ON_FAILURE, Job
from sampan.kube import conditions, meta, pods
from sampan.kube.meta import Object

_FIRST_RETRYABLE = 128
"""An exit code of a program that a signal ended; those below are its own verdict."""


@dataclass(slots=True)
class World:
    """What there is of a job."""

    pods: dict[Slot, Object] = field(default_factory=dict)
    """Of the replicas that the spec wants."""
    services: dict[Slot, Object] = field(default_factory=dict)
    beyond: list[Object] = field(default_factory=list)
    """Pods of replicas that the spec no longer wants."""
    services_beyond: list[Object] = field(default_factory=list)

    def counts(self, job: Job) -> dict[str, Count]:
        found: dict[str, list[int]] = {role: [0, 0, 0] for role in job.roles}
        for slot, pod in self.pods.items():
            if (column := _column(pod)) is not None:
                found[slot.role][column] += 1
        return {role: Count(*numbers) for role, numbers in found.items()}

    def by_role(self) -> list[tuple[str, Object]]:
        return [(slot.role, pod) for slot, pod in self.pods.items()]


@dataclass(slots=True)
class Plan:
    make_pods: list[Slot] = field(default_factory=list)
    make_services: list[Slot] = field(default_factory=list)
    delete_pods: list[Object] = field(default_factory=list)
    delete_services: list[Object] = field(default_factory=list)
    retried: dict[Slot, Object] = field(default_factory=dict)
    """Pods that failed and are made anew; of `delete_pods`, unless they are on their way already."""
    changes: list[Change] = field(default_factory=list)
    """Of the conditions, by what the pods' ends mean."""


def observe(job: Job, owned: Sequence[Object], services: Sequence[Object]) -> World:
    """Pods and Services whose labels name no replica are nobody's, and left alone."""
    world = World()
    _sort(job, owned, world.pods, world.beyond)
    _sort(job, services, world.services, world.services_beyond)
    return world


def plan(job: Job, world: World, container: str, held: Mapping[Slot, float] | None = None) -> Plan:
    """`held`: replicas that are not to be made yet. `container` is the one whose exit code counts."""
    made = Plan(
        delete_pods=[pod for pod in world.beyond if not meta.is_deleting(pod)],
        delete_services=list(world.services_beyond),
    )
    for slot in wanted_slots(job):
        if slot not in world.services:
            made.make_services.append(slot)
        pod = world.pods.get(slot)
        if pod is None:
            if not held or slot not in held:
                made.make_pods.append(slot)
        elif _has_failed(pod):
            _ended(job, slot, pod, container, made)
        elif _is_leaving(pod) and job.roles[slot.role].restart_policy != NEVER:
            made.changes.append(_restarting(job, slot))
    return made


def is_retried(job: Job, slot: Slot, pod: Object, container: str) -> bool:
    """Whether a pod that failed is made anew."""
    policy = job.roles[slot.role].restart_policy
    return policy in (ON_FAILURE, ALWAYS) or (policy == EXIT_CODE and _is_retryable(pod, container))


def _ended(job: Job, slot: Slot, pod: Object, container: str, made: Plan) -> None:
    if is_retried(job, slot, pod, container):
        made.retried[slot] = pod
        if not meta.is_deleting(pod):
            made.delete_pods.append(pod)
        made.changes.append(_restarting(job, slot))
    elif job.roles[slot.role].restart_policy == EXIT_CODE:
        message = f'job "{job.name}" is failing because "{slot.role}" replica(s) failed.'
        made.changes.append(judging.failed(message, is_warning=True))


def _restarting(job: Job, slot: Slot) -> Change:
    return judging.restarting(f"job {job.name} is restarting because {slot.role} replica(s) failed.")


def _is_retryable(pod: Object, container: str) -> bool:
    """By the exit code of the container that trains. A pod that never had one, or was sent away, may try again."""
    code = pods.exit_code(pod, container)
    return code is None or code >= _FIRST_RETRYABLE or is_disrupted(pod)


def _has_failed(pod: Object) -> bool:
    """A pod that was sent away while it worked has not done its work, however it ended; see decision 38."""
    phase = pods.phase(pod)
    return phase == pods.FAILED or (phase == pods.SUCCEEDED and meta.is_deleting(pod) and is_disrupted(pod))


def _is_leaving(pod: Object) -> bool:
    """Whether it runs and is on its way out: it may never reach an end of its own."""
    return pods.phase(pod) == pods.RUNNING and meta.is_deleting(pod)


def is_disrupted(pod: Object) -> bool:
    """Whether it was sent away: for a pod of higher priority, with its node, by an eviction."""
    return conditions.is_true(pod, "DisruptionTarget")


def _column(pod: Object) -> int | None:
    """Which of active, succeeded and failed the pod counts as; None before it runs."""
    if _has_failed(pod):
        return 2
    phase = pods.phase(pod)
    if phase == pods.RUNNING:
        return 2 if _is_leaving(pod) else 0
    return 1 if phase == pods.SUCCEEDED else None


def _sort(job: Job, objects: Sequence[Object], wanted: dict[Slot, Object], beyond: list[Object]) -> None:
    for slot, obj in _slotted(job, objects):
        if slot.index >= job.roles[slot.role].replicas:
            beyond.append(obj)
        elif slot not in wanted or meta.name(obj) == pod_name(job, slot.role, slot.index):
            # Adopted ones may bear any name; the replica is the one that we would make.
            wanted[slot] = obj


def _slotted(job: Job, objects: Sequence[Object]) -> Iterator[tuple[Slot, Object]]:
    for obj in objects:
        slot = slot_of(job, obj)
        if slot is not None:
            yield slot, obj
