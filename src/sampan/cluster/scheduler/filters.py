"""Why a pod does not fit a node. Pure, and in Kubernetes' words: people and programs search for them.

Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins, v1.31.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.cluster.scheduler.constraints import Taint
from sampan.cluster.scheduler.demand import Demand
from sampan.cluster.scheduler.node import Node

_CORDONED = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


def fits(demand: Demand, node: Node) -> list[str]:
    """The reasons against `node`; empty when the pod fits. Only the first kind of reason is given."""
    if node.unschedulable and not _tolerated(_CORDONED, demand):
        return ["node(s) were unschedulable"]
    for taint in node.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not _tolerated(taint, demand):
            return [f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"]
    if not _selected(demand, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    return list(_shortages(demand, node))


def _shortages(demand: Demand, node: Node) -> Iterable[str]:
    limit = node.allocatable.get("pods")
    if limit is not None and node.pods >= limit:
        yield "Too many pods"
    for name, amount in demand.requests.items():
        if amount > 0 and amount > node.free(name):
            yield f"Insufficient {name}"


def _tolerated(taint: Taint, demand: Demand) -> bool:
    return any(toleration.tolerates(taint) for toleration in demand.tolerations)


def _selected(demand: Demand, node: Node) -> bool:
    if any(node.labels.get(key) != value for key, value in demand.node_selector.items()):
        return False
    # Terms are alternatives; none at all matches nothing.
    return demand.affinity is None or any(term.matches(node.name, node.labels) for term in demand.affinity)
