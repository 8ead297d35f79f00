"""Which pods must go so that others can start. Pure, but for trying it out on the nodes' totals, which are put back.

As upstream: all pods of a lower priority leave the node in thought; if the pod then fits, they come back one after
the other, those that a PodDisruptionBudget protects and the most important first, as long as it still fits; who
cannot come back is a victim. Of several nodes the one is taken that loses least. A gang is tried as a whole: without
room for all of it nobody has to go.

Source: kubernetes/pkg/scheduler/framework/preemption/preemption.go, plugins/defaultpreemption, v1.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sampan.cluster.scheduler.affinity import Labels
from sampan.cluster.scheduler.filters import fits
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.selection import select
from sampan.cluster.scheduler.world import World
from sampan.kube.selectors import LabelSelector

_Lodging = tuple[Node, Tenant]


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget: how many more of its pods may be disturbed."""

    namespace: str
    selector: LabelSelector | None
    allowed: int
    disturbed: frozenset[str] = frozenset()
    """Names of pods that it has let go already."""

    def covers(self, tenant: Tenant) -> bool:
        labels: Labels = tenant.demand.labels
        return (
            tenant.namespace == self.namespace
            and tenant.name not in self.disturbed
            and self.selector is not None
            and self.selector.matches(labels)
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """`places`: for each pod that is to start, its node. `victims`: who must go from where."""

    places: tuple[_Lodging, ...]
    victims: tuple[_Lodging, ...]
    violations: int = 0
    """Of budgets."""

    @property
    def cost(self) -> tuple[int, int, int, int]:
        priorities = [tenant.demand.priority for _, tenant in self.victims]
        return (
            self.violations,
            max(priorities, default=0),
            sum(p + 2**31 for p in priorities),
            len(priorities),
        )

    @property
    def youth(self) -> str:
        """When the first of the most important victims started: the later, the less is lost."""
        most = max((tenant.demand.priority for _, tenant in self.victims), default=0)
        return min((t.started for _, t in self.victims if t.demand.priority == most), default="")


def for_pod(tenant: Tenant, nodes: Iterable[Node], world: World, budgets: Sequence[Budget]) -> Plan | None:
    """For one pod, on one of `nodes`."""
    return _cheapest(_try([tenant], [node], world, budgets) for node in nodes)


def for_gang(members: Sequence[Tenant], world: World, budgets: Sequence[Budget]) -> Plan | None:
    """For all of them: together on one node, or wherever there is room."""
    nodes = world.known()
    together = [_try(members, [node], world, budgets) for node in nodes]
    return _cheapest([*together, _try(members, nodes, world, budgets) if len(nodes) > 1 else None])


def _cheapest(plans: Iterable[Plan | None]) -> Plan | None:
    found = [plan for plan in plans if plan is not None]
    least = min((plan.cost for plan in found), default=None)
    return max((plan for plan in found if plan.cost == least), key=lambda plan: plan.youth, default=None)


def place_all(members: Sequence[Tenant], world: World) -> list[_Lodging]:
    """Puts on nodes as many as fit, in order, and leaves them there."""
    placed = []
    for tenant in members:
        choice = select(tenant, world)
        if isinstance(choice, Node):
            choice.add(tenant)
            placed.append((choice, tenant))
    return placed


def take_back(placed: Iterable[_Lodging]) -> None:
    for node, tenant in placed:
        node.remove(tenant.uid)


def _try(
    members: Sequence[Tenant], nodes: Sequence[Node], world: World, budgets: Sequence[Budget]
) -> Plan | None:
    bound = min(tenant.demand.priority for tenant in members)
    if not any(priority < bound for node in nodes for priority in node.priorities):
        return None
    away = [
        (node, tenant)
        for node in nodes
        for tenant in node.tenants.values()
        if tenant.demand.priority < bound or tenant.is_leaving
    ]
    take_back(away)
    # Others for whom room is being made are there already, in thought.
    expected = [(node, other) for node in nodes for other in _expected(node, members, bound)]
    for node, other in expected:
        node.add(other)
    only = nodes[0] if len(nodes) == 1 else None
    placed: list[_Lodging] = []
    victims: list[_Lodging] = []
    violating = 0
    try:
        placed = _lodge(members, only, world)
        if len(placed) < len(members):
            return None
        for node, tenant, violates in _by_importance(away, budgets):
            node.add(tenant)
            if not _all_fit(placed, world):
                node.remove(tenant.uid)
                victims.append((node, tenant))
                violating += violates
    finally:
        take_back([*placed, *expected])
        for node, tenant in away:
            node.add(tenant)
    return Plan(tuple(placed), tuple(victims), violating) if victims else None


def _expected(node: Node, members: Sequence[Tenant], bound: int) -> list[Tenant]:
    own = {tenant.uid for tenant in members}
    return [
        other
        for uid, other in node.nominated.items()
        if uid not in own and uid not in node.tenants and other.demand.priority >= bound
    ]


def _lodge(members: Sequence[Tenant], only: Node | None, world: World) -> list[_Lodging]:
    if only is None:
        return place_all(members, world)
    placed = []
    for tenant in members:
        if fits(tenant.demand, only, world):
            break
        only.add(tenant)
        placed.append((only, tenant))
    return placed


def _by_importance(away: Sequence[_Lodging], budgets: Sequence[Budget]) -> list[tuple[Node, Tenant, bool]]:
    """Who may come back first. Those on their way out are no victims and take no room any more."""
    staying = [(node, tenant) for node, tenant in away if not tenant.is_leaving]
    staying.sort(key=lambda each: (-each[1].demand.priority, each[1].started, each[1].uid))
    left = [budget.allowed for budget in budgets]
    violating: list[tuple[Node, Tenant, bool]] = []
    others: list[tuple[Node, Tenant, bool]] = []
    for node, tenant in staying:
        violates = False
        for at, budget in enumerate(budgets):
            if budget.covers(tenant):
                left[at] -= 1
                violates = violates or left[at] < 0
        (violating if violates else others).append((node, tenant, violates))
    return violating + others


def _all_fit(placed: Sequence[_Lodging], world: World) -> bool:
    """Whether those who are to start fit beside everybody who is there."""
    for node, tenant in placed:
        node.remove(tenant.uid)
        against = fits(tenant.demand, node, world)
        node.add(tenant)
        if against:
            return False
    return True
