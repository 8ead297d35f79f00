"""Why a pod does not fit a node. Pure, and in Kubernetes' words: people and programs search for them.

Source: kubernetes/pkg/scheduler/framework/plugins, v1.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sampan.cluster.scheduler import affinity
from sampan.cluster.scheduler.constraints import Taint, tolerated
from sampan.cluster.scheduler.demand import Demand
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.world import World

CORDONED = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
_PORTS = "node(s) didn't have free ports for the requested pod ports"
_PINNED = "node(s) had volume node affinity conflict"
_NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
_SELECTOR = "node(s) didn't match Pod's node affinity/selector"


@dataclass(frozen=True, slots=True)
class Against:
    """Reasons of one kind; without any, the pod fits. `curable`: that other pods go could help."""

    reasons: tuple[str, ...] = ()
    curable: bool = False

    def __bool__(self) -> bool:
        return bool(self.reasons)


FITS = Against()


def against(tenant: Tenant, node: Node, world: World) -> Against:
    """As `fits`, and room that is kept for pods of the same or a higher priority counts as taken."""
    demand = tenant.demand
    if found := fits(demand, node, world):
        return found
    awaited = dict(node.nominated)
    if demand.ends and tenant.uid not in awaited:
        # Jobs queue among themselves. For whom others have been stopped already does not wait once more.
        awaited |= node.kept
    expected = [
        other
        for uid, other in awaited.items()
        if uid != tenant.uid and other.demand.priority >= demand.priority and uid not in node.tenants
    ]
    if not expected:
        return FITS
    for other in expected:
        node.add(other)
    try:
        return fits(demand, node, world)
    finally:
        for other in expected:
            node.remove(other.uid)


def fits(demand: Demand, node: Node, world: World) -> Against:
    """Only the first kind of reason is given, in the order in which Kubernetes asks."""
    if reason := _unwelcome(demand, node, world):
        return Against((reason,))
    if any(map(node.is_taken, demand.ports)):
        return Against((_PORTS,), curable=True)
    if short := tuple(_shortages(demand, node)):
        # What exceeds the whole node is not helped by anybody's going.
        never = any(
            amount > node.allocatable.get(name, 0) for name, amount in demand.requests.items() if amount
        )
        return Against(short, curable=not never)
    for claim in demand.claims:
        terms = world.pins.get(claim)
        if terms is not None and not any(term.matches(node.name, node.labels) for term in terms):
            return Against((_PINNED if terms else _NO_VOLUME,))
    return _neighbours(demand, node, world)


def is_selected(demand: Demand, node: Node) -> bool:
    """By node selector and required node affinity."""
    if any(node.labels.get(key) != value for key, value in demand.node_selector.items()):
        return False
    # Terms are alternatives; none at all matches nothing.
    return demand.affinity is None or any(term.matches(node.name, node.labels) for term in demand.affinity)


def unmet_preferences(demand: Demand, node: Node) -> tuple[int, int]:
    """Smaller is better: taints that are to be avoided, and the weight of node affinity, negated."""
    taints = sum(
        1
        for taint in node.taints
        if taint.effect == "PreferNoSchedule" and not tolerated(taint, demand.tolerations)
    )
    return taints, -sum(weight for weight, term in demand.preferred if term.matches(node.name, node.labels))


def _unwelcome(demand: Demand, node: Node, world: World) -> str:
    if node.unschedulable and not tolerated(CORDONED, demand.tolerations):
        return "node(s) were unschedulable"
    for taint in node.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not tolerated(taint, demand.tolerations):
            return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
    return "" if is_selected(demand, node) else _SELECTOR


def _shortages(demand: Demand, node: Node) -> Iterable[str]:
    limit = node.allocatable.get("pods")
    if limit is not None and node.pods >= limit:
        yield "Too many pods"
    for name, amount in demand.requests.items():
        if amount > 0 and amount > node.free(name):
            yield f"Insufficient {name}"


def _neighbours(demand: Demand, node: Node, world: World) -> Against:
    wanted, neighbourhood = demand.neighbours, world.neighbourhood()
    for constraint in wanted.spread:
        eligible = _eligible(demand, constraint, neighbourhood.places)
        if reason := affinity.spread_reason(demand.namespace, constraint, node, eligible):
            return Against((reason,), curable=reason == affinity.SPREAD)
    reason = affinity.affinity_reason(demand.namespace, demand.labels, wanted, node, neighbourhood)
    return Against((reason,), curable=reason != affinity.AFFINITY) if reason else FITS


def _eligible(
    demand: Demand, constraint: affinity.Spread, nodes: Sequence[affinity.Place]
) -> list[affinity.Place]:
    """The nodes that make up the domains of a constraint: labelled for all of the pod's, and open to it."""
    keys = {each.topology_key for each in demand.neighbours.spread}
    return [
        node
        for node in nodes
        if isinstance(node, Node)
        and keys <= node.labels.keys()
        and (not constraint.honors_affinity or is_selected(demand, node))
        and not (
            constraint.honors_taints
            and any(
                taint.effect in ("NoSchedule", "NoExecute") and not tolerated(taint, demand.tolerations)
                for taint in node.taints
            )
        )
    ]
