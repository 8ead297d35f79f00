"""The node for a pod, or why there is none. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from sampan.cluster.scheduler.demand import Demand
from sampan.cluster.scheduler.filters import fits
from sampan.cluster.scheduler.node import Node

_SPREAD_BY = ("cpu", "memory")


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """`message` as Kubernetes words it, followed by what is asked for and what there is."""

    message: str


def select(demand: Demand, nodes: Collection[Node]) -> Node | Unschedulable:
    """Of the nodes that fit, the one with the most to spare; names break ties."""
    best: tuple[Fraction, str] | None = None
    chosen: Node | None = None
    reasons: Counter[str] = Counter()
    for node in nodes:
        if against := fits(demand, node):
            reasons.update(against)
            continue
        if len(nodes) == 1:
            return node
        rank = (_fullness(demand, node), node.name)
        if best is None or rank < best:
            best, chosen = rank, node
    return chosen or Unschedulable(_message(demand, nodes, reasons))


def _fullness(demand: Demand, node: Node) -> Fraction:
    """How full `node` would be with the pod, between 0 and 1: the mean over CPU and memory."""
    parts = [
        Fraction(node.taken.get(name, 0) + demand.requests.get(name, 0), node.allocatable[name])
        for name in _SPREAD_BY
        if node.allocatable.get(name)
    ]
    return sum(parts, Fraction(0)) / max(len(parts), 1)


def _message(demand: Demand, nodes: Collection[Node], reasons: Counter[str]) -> str:
    if not nodes:
        return "no nodes available to schedule pods"
    counted = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{len(nodes)} nodes are available: {counted}.{_hint(demand, nodes)}"


def _hint(demand: Demand, nodes: Collection[Node]) -> str:
    """What no waiting can free: the pod asks for more than the largest node has."""
    parts = []
    for name, amount in sorted(demand.requests.items()):
        most = max(node.allocatable.get(name, 0) for node in nodes)
        if amount > most:
            unit = "m" if name == "cpu" else ""
            parts.append(f"{name}: {amount}{unit} requested, {most}{unit} at most on a node")
    return f" This cannot change by itself ({'; '.join(parts)})." if parts else ""
