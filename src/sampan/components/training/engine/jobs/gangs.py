"""All pods of a job start, or none: its PodGroup, and how pods say that they belong to it. Pure.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/control/podgroup_control.go,
pkg/controller.v1/common/{job,scheduling,util}.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sampan.components.training.engine.jobs.spec import InvalidJobError, Job
from sampan.kube import meta, owners, quantities
from sampan.kube.kinds import POD_GROUPS, VOLCANO_POD_GROUPS, Resource
from sampan.kube.meta import Object

NONE, SCHEDULER_PLUGINS, VOLCANO = "none", "scheduler-plugins", "volcano"
_SCHEDULERS = {SCHEDULER_PLUGINS: "scheduler-plugins-scheduler", VOLCANO: "volcano"}
"""The names of the schedulers that know gangs of each sort."""
_GROUP_LABEL = "scheduling.x-k8s.io/pod-group"
_GROUP_ANNOTATION = "scheduling.k8s.io/group-name"
_TASK_ANNOTATION = "volcano.sh/task-spec"
_DEFAULT_QUEUE = "default"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def kind_of(gang_scheduler: str) -> Resource | None:
    """The kind of PodGroups of that scheduler; None where there are no gangs."""
    return {SCHEDULER_PLUGINS: POD_GROUPS, VOLCANO: VOLCANO_POD_GROUPS}.get(gang_scheduler)


def mark(pod: Object, group: str, role: str, gang_scheduler: str) -> None:
    """In place. A scheduler that the user has named stays."""
    if gang_scheduler not in _SCHEDULERS:
        return
    if not pod["spec"].get("schedulerName"):
        pod["spec"]["schedulerName"] = _SCHEDULERS[gang_scheduler]
    if gang_scheduler == VOLCANO:
        pod["metadata"]["annotations"] |= {_GROUP_ANNOTATION: group, _TASK_ANNOTATION: role.lower()}
    else:
        pod["metadata"]["labels"][_GROUP_LABEL] = group


def has_other_scheduler(job: Job, gang_scheduler: str) -> bool:
    """Whether the user has named a scheduler that does not know of the gang."""
    ours = _SCHEDULERS.get(gang_scheduler)
    named = (meta.spec(each.template).get("schedulerName") for each in job.roles.values())
    return ours is not None and any(name and name != ours for name in named)


def priority_classes(job: Job) -> set[str]:
    """All that the job names."""
    named = {str(meta.spec(each.template).get("priorityClassName") or "") for each in job.roles.values()}
    return (named | {job.policy.scheduling.priority_class}) - {""}


def desired_group(
    job: Job,
    minimum: int,
    gang_scheduler: str,
    priorities: Mapping[str, int],
    *,
    limits_request: bool = False,
) -> Object | None:
    """`minimum` counts where the user does not say; `priorities` are those of the classes that exist.

    `limits_request`: what a container limits and does not request counts by its name, beside what it requests.
    """
    kind = kind_of(gang_scheduler)
    if kind is None:
        return None
    scheduling = job.policy.scheduling
    least = minimum if scheduling.min_available is None else scheduling.min_available
    resources = scheduling.min_resources
    if resources is None:
        resources = _resources(job, least, priorities, limits_request)
    spec: dict[str, Any] = {"minMember": max(least, 1), "minResources": dict(resources)}
    if gang_scheduler == VOLCANO:
        spec["queue"] = scheduling.queue or _DEFAULT_QUEUE
        if scheduling.priority_class:
            spec["priorityClassName"] = scheduling.priority_class
    elif scheduling.timeout_seconds is not None:
        spec["scheduleTimeoutSeconds"] = scheduling.timeout_seconds
    annotations = {key: value for key, value in meta.annotations(job.object).items() if key != _LAST_APPLIED}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": job.name,
            "namespace": job.namespace,
            "annotations": annotations,
            "ownerReferences": [owners.owner_reference(job.object)],
        },
        "spec": spec,
    }


def _resources(job: Job, least: int, priorities: Mapping[str, int], limits_request: bool) -> dict[str, str]:
    """What the first `least` pods request together, those of higher priority first."""

    def rank(role: str) -> int:
        name = str(meta.spec(job.roles[role].template).get("priorityClassName") or "")
        return -priorities.get(name, 0)

    total: dict[str, Decimal] = {}
    left = least
    for role in sorted(job.roles, key=rank):
        pods = min(job.roles[role].replicas, left)
        left -= pods
        for container in meta.spec(job.roles[role].template).get("containers") or ():
            for name, amount in _requested(container, limits_request).items():
                total[name] = total.get(name, Decimal(0)) + _parsed(name, amount) * pods
    return {name: _written(name, amount) for name, amount in total.items() if amount}


def _requested(container: Object, limits_request: bool) -> Mapping[str, Any]:
    """What is limited and not requested is requested by that: where nothing is requested, or each by its name."""
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests"), resources.get("limits") or {}
    if limits_request:
        return {**limits, **(requests or {})}
    return limits if requests is None else requests


def _written(name: str, amount: Decimal) -> str:
    is_bytes = name in ("memory", "ephemeral-storage") or name.startswith("hugepages-")
    return quantities.format_binary(int(amount)) if is_bytes else quantities.format_decimal(amount)


def _parsed(name: str, amount: Any) -> Decimal:
    try:
        return quantities.parse(amount)
    except ValueError as error:
        raise InvalidJobError(f"resources: {name} is {amount!r}: {error}") from error
