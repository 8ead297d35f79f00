"""`podGroupPolicy`: a PodGroup for the pods of a TrainJob, so that they start together or wait together.

Pods that others wait to see complete, initializers, are no members: upstream counts them, and such a group, of which
half is made only when the other half has ended, would wait for ever.

Of scheduler-plugins (`coscheduling`) and of Volcano. Source: kubeflow/trainer
pkg/runtime/framework/plugins/{coscheduling,volcano}, v2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sampan.components.training.engine.trainer.contract import Info, Plugin, PodSet, Present
from sampan.kube import quotas
from sampan.kube.kinds import POD_GROUPS, VOLCANO_POD_GROUPS, Resource
from sampan.kube.meta import Object

POD_GROUP_LABEL = "scheduling.x-k8s.io/pod-group"
VOLCANO_GROUP_ANNOTATION = "scheduling.k8s.io/group-name"
VOLCANO_QUEUE_ANNOTATION = "scheduling.volcano.sh/queue-name"
_DEFAULT_TIMEOUT_SECONDS = 60


def tie_coscheduling(info: Info) -> None:
    if info.pod_group_policy.get("coscheduling") is not None:
        for pods in _members(info):
            pods.labels[POD_GROUP_LABEL] = info.name


def tie_volcano(info: Info) -> None:
    if info.pod_group_policy.get("volcano") is not None:
        for pods in _members(info):
            pods.annotations[VOLCANO_GROUP_ANNOTATION] = info.name


def build_coscheduling(info: Info, present: Present) -> Sequence[Object]:
    policy = info.pod_group_policy.get("coscheduling")
    if policy is None or _stays(info, present, POD_GROUPS):
        return ()
    timeout = policy.get("scheduleTimeoutSeconds")
    spec = {**_size(info), "scheduleTimeoutSeconds": _DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout}
    return (_pod_group(info, POD_GROUPS, spec),)


def build_volcano(info: Info, present: Present) -> Sequence[Object]:
    policy = info.pod_group_policy.get("volcano")
    if policy is None or _stays(info, present, VOLCANO_POD_GROUPS):
        return ()
    spec = _size(info)
    if queue := info.annotations.get(VOLCANO_QUEUE_ANNOTATION):
        spec["queue"] = queue
    for pods in info.pod_sets:
        if priority := pods.pod_spec.get("priorityClassName"):
            spec["priorityClassName"] = priority
    if (topology := policy.get("networkTopology")) is not None:
        spec["networkTopology"] = topology
    return (_pod_group(info, VOLCANO_POD_GROUPS, spec),)


def _members(info: Info) -> list[PodSet]:
    """The pods that can be there at the same time."""
    replicated = info.job_set_spec.get("replicatedJobs") or ()
    ended = {
        other.get("name")
        for each in replicated
        for other in each.get("dependsOn") or ()
        if other.get("status") == "Complete"
    }
    return [pods for pods in info.pod_sets if pods.name not in ended]


def _stays(info: Info, present: Present, resource: Resource) -> bool:
    """A group that pods may be waiting in is changed only while the TrainJob is suspended."""
    return present(resource, info.name) is not None and not info.is_suspended


def _size(info: Info) -> dict[str, Any]:
    total: dict[str, Decimal] = {}
    members = _members(info)
    for pods in members:
        for name, amount in pods.requests.items():
            total[name] = total.get(name, Decimal(0)) + amount * pods.count
    spec: dict[str, Any] = {"minMember": sum(pods.count for pods in members)}
    if total:
        spec["minResources"] = {name: quotas.written(name, amount) for name, amount in sorted(total.items())}
    return spec


def _pod_group(info: Info, resource: Resource, spec: dict[str, Any]) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": info.name},
        "spec": spec,
    }


COSCHEDULING = Plugin(
    "coscheduling",
    enforce_pod_group_policy=tie_coscheduling,
    build=build_coscheduling,
    looks_up=lambda info: (
        [(POD_GROUPS, info.name)] if info.pod_group_policy.get("coscheduling") is not None else []
    ),
)
VOLCANO = Plugin(
    "volcano",
    enforce_pod_group_policy=tie_volcano,
    build=build_volcano,
    looks_up=lambda info: (
        [(VOLCANO_POD_GROUPS, info.name)] if info.pod_group_policy.get("volcano") is not None else []
    ),
)
