"""The node for a pod, or what each node has against it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from sampan.cluster.scheduler.filters import against, unmet_preferences
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.world import World

_SPREAD_BY = ("cpu", "memory")


@dataclass(frozen=True, slots=True)
class Refused:
    """No node takes the pod."""

    nodes: int
    reasons: tuple[tuple[str, int], ...] = ()
    """And how many nodes have it."""
    curable: tuple[str, ...] = ()
    """Nodes on which it would help that other pods go."""
    said: str = ""
    """What stands against all nodes alike, instead of reasons."""

    @property
    def headline(self) -> str:
        """As Kubernetes says it."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        if self.said:
            return f"0/{self.nodes} nodes are available: {self.said}."
        counted = ", ".join(sorted(f"{count} {reason}" for reason, count in self.reasons))
        return f"0/{self.nodes} nodes are available: {counted}."


def select(tenant: Tenant, world: World) -> Node | Refused:
    """Of the nodes that fit, one that is wished for, then the one with the most to spare; names break ties."""
    nodes = world.known()
    best: tuple[tuple[int, int], Fraction, str] | None = None
    chosen: Node | None = None
    reasons: Counter[str] = Counter()
    curable = []
    for node in nodes:
        if found := against(tenant, node, world):
            reasons.update(found.reasons)
            if found.curable:
                curable.append(node.name)
            continue
        if len(nodes) == 1:
            return node
        rank = (unmet_preferences(tenant.demand, node), _fullness(tenant, node), node.name)
        if best is None or rank < best:
            best, chosen = rank, node
    return chosen or Refused(len(nodes), tuple(reasons.items()), tuple(curable))


def _fullness(tenant: Tenant, node: Node) -> Fraction:
    """How full `node` would be with the pod, between 0 and 1: the mean over CPU and memory."""
    parts = [
        Fraction(node.taken.get(name, 0) + tenant.demand.requests.get(name, 0), node.allocatable[name])
        for name in _SPREAD_BY
        if node.allocatable.get(name)
    ]
    return sum(parts, Fraction(0)) / max(len(parts), 1)
