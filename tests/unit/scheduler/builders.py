"""Nodes, pods and worlds for the scheduler's tests."""

from __future__ import annotations

from typing import Any

from sampan.cluster.scheduler.demand import demand_of
from sampan.cluster.scheduler.node import Node, Tenant


def node(name: str = "node", labels: dict[str, str] | None = None, **fields: Any) -> Node:
    """With 4 CPUs, 8 GiB and room for 10 pods, unless `allocatable` says otherwise."""
    allocatable = fields.pop("allocatable", None) or {"cpu": "4", "memory": "8Gi", "pods": "10"}
    made = Node(name)
    made.update(
        {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": fields,
            "status": {"allocatable": allocatable},
        }
    )
    return made


def pod(name: str = "pod", cpu: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Tenant:
    container: dict[str, Any] = {"name": "main", **spec.pop("container", {})}
    if cpu:
        container["resources"] = {"requests": {"cpu": cpu}}
    namespace, started, is_leaving = (
        spec.pop("namespace", "team"),
        spec.pop("started", ""),
        spec.pop("leaving", False),
    )
    obj = {
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {"containers": [container], **spec},
    }
    return Tenant(name, namespace, name, demand_of(obj), started, is_leaving)
