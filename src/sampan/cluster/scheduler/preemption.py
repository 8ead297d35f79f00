"""Which pods must go so that others can start. Pure, but for trying it out on the nodes' totals, which are put back.

As upstream: all pods of a lower priority leave the node in thought; if the pod then fits, they come back one after
the other (`victims`) as long as it still fits; who cannot come back is a victim. Of several nodes the one is taken
that loses least. A gang is tried as a whole: without room for all of it nobody has to go.

Source: kubernetes/pkg/scheduler/framework/preemption/preemption.go, plugins/defaultpreemption, v1.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sampan.cluster.scheduler.filters import fits
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.selection import select
from sampan.cluster.scheduler.victims import Lodging, Others, Unit
from sampan.cluster.scheduler.world import World


@dataclass(frozen=True, slots=True)
class Plan:
    """`places`: for each pod that is to start, its node. `victims`: who must go from where."""

    places: tuple[Lodging, ...]
    victims: tuple[Lodging, ...]
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


def for_pod(tenant: Tenant, nodes: Iterable[Node], others: Others) -> Plan | None:
    """For one pod, on one of `nodes`."""
    return _cheapest(_try([tenant], [node], others) for node in nodes)


def for_gang(members: Sequence[Tenant], others: Others) -> Plan | None:
    """For all of them: together on one node, or wherever there is room."""
    nodes = others.world.known()
    together = [_try(members, [node], others) for node in nodes]
    return _cheapest([*together, _try(members, nodes, others) if len(nodes) > 1 else None])


def _cheapest(plans: Iterable[Plan | None]) -> Plan | None:
    found = [plan for plan in plans if plan is not None]
    least = min((plan.cost for plan in found), default=None)
    return max((plan for plan in found if plan.cost == least), key=lambda plan: plan.youth, default=None)


def place_all(members: Sequence[Tenant], world: World) -> list[Lodging]:
    """Puts on nodes as many as fit, in order, and leaves them there."""
    placed = []
    for tenant in members:
        choice = select(tenant, world)
        if isinstance(choice, Node):
            choice.add(tenant)
            placed.append((choice, tenant))
    return placed


def take_back(placed: Iterable[Lodging]) -> None:
    for node, tenant in placed:
        node.remove(tenant.uid)


def _try(members: Sequence[Tenant], nodes: Sequence[Node], others: Others) -> Plan | None:
    world = others.world
    bound = min(tenant.demand.priority for tenant in members)
    if not any(priority < bound for node in nodes for priority in node.priorities):
        return None
    away = [
        (node, tenant)
        for node in nodes
        for tenant in node.tenants.values()
        if tenant.is_leaving or others.may_go(tenant, bound)
    ]
    take_back(away)
    # Others for whom room is being made are there already, in thought.
    expected = [(node, other) for node in nodes for other in _expected(node, members, bound)]
    for node, other in expected:
        node.add(other)
    only = nodes[0] if len(nodes) == 1 else None
    placed: list[Lodging] = []
    victims: list[Lodging] = []
    violating = 0
    try:
        placed = _lodge(members, only, world)
        if len(placed) < len(members):
            return None
        for unit in others.units(away):
            lost = _bring_back(unit, placed, world)
            victims += lost
            violating += sum(others.violates(lodging) for lodging in lost)
    finally:
        take_back([*placed, *expected])
        for node, tenant in away:
            node.add(tenant)
    return Plan(tuple(placed), tuple(victims), violating) if victims else None


def _bring_back(unit: Unit, placed: Sequence[Lodging], world: World) -> list[Lodging]:
    """Who of the unit has to go for good: those that fit no more, or everybody when too few would be left."""
    back, lost = [], []
    for node, tenant in unit.members:
        node.add(tenant)
        if _all_fit(placed, world):
            back.append((node, tenant))
        else:
            node.remove(tenant.uid)
            lost.append((node, tenant))
    if lost and len(back) < unit.least:
        take_back(back)
        return [*unit.members, *unit.elsewhere]
    return lost


def _expected(node: Node, members: Sequence[Tenant], bound: int) -> list[Tenant]:
    own = {tenant.uid for tenant in members}
    return [
        other
        for uid, other in node.nominated.items()
        if uid not in own and uid not in node.tenants and other.demand.priority >= bound
    ]


def _lodge(members: Sequence[Tenant], only: Node | None, world: World) -> list[Lodging]:
    if only is None:
        return place_all(members, world)
    placed = []
    for tenant in members:
        if fits(tenant.demand, only, world):
            break
        only.add(tenant)
        placed.append((only, tenant))
    return placed


def _all_fit(placed: Sequence[Lodging], world: World) -> bool:
    """Whether those who are to start fit beside everybody who is there."""
    for node, tenant in placed:
        node.remove(tenant.uid)
        against = fits(tenant.demand, node, world)
        node.add(tenant)
        if against:
            return False
    return True
