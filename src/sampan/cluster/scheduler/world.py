"""All that placing a pod looks at: nodes, the labels of namespaces, and where the volumes of claims are."""

from __future__ import annotations

from dataclasses import dataclass, field

from sampan.cluster.scheduler.affinity import Labels, Neighbourhood
from sampan.cluster.scheduler.constraints import Term
from sampan.cluster.scheduler.node import Node

ClaimKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class World:
    """The mappings are the scheduler's own and change."""

    nodes: dict[str, Node] = field(default_factory=dict)
    namespaces: dict[str, Labels] = field(default_factory=dict)
    pins: dict[ClaimKey, tuple[Term, ...]] = field(default_factory=dict)
    """Claims whose volume is not everywhere, and the node selector terms of which one must match."""

    def node(self, name: str) -> Node:
        """Of that name, known or not."""
        found = self.nodes.get(name)
        if found is None:
            found = self.nodes[name] = Node(name)
        return found

    def known(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.known]

    def neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(self.known(), self.namespaces)


def world_of(*nodes: Node) -> World:
    """Of nodes alone."""
    return World({node.name: node for node in nodes})
