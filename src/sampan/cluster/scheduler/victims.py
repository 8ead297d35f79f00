"""Who may have to go so that others can start, and who of them is spared first. Pure.

A gang that would be left with less than its minMember is worth nothing and would only hold its places: it is spared
as a whole or goes as a whole, wherever its pods are. Members beyond its minMember go one by one, as pods without a
gang do. Upstream takes pods singly; Volcano does not take a gang below its minimum by this way at all.

Source: kubernetes/pkg/scheduler/framework/preemption/preemption.go, plugins/defaultpreemption, v1.34;
volcano-sh/volcano pkg/scheduler/plugins/gang/gang.go (preemptableFn), v1.12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sampan.cluster.scheduler.affinity import Labels
from sampan.cluster.scheduler.gangs import Gang, Gangs, GroupKey
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.world import World
from sampan.kube.selectors import LabelSelector

Lodging = tuple[Node, Tenant]


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
class Unit:
    """Pods that are spared together: one, or those of a gang."""

    members: tuple[Lodging, ...]
    """The most important first."""
    least: int = 1
    """If fewer can be spared, none is."""
    elsewhere: tuple[Lodging, ...] = ()
    """The gang's pods on other nodes, which go with them then."""


@dataclass(slots=True)
class Others:
    """All who might have to go for `preemptors`, a gang or one pod."""

    world: World
    gangs: Gangs
    budgets: Sequence[Budget] = ()
    own: GroupKey | None = None
    """The preemptors' gang: it never makes room for itself."""
    _violating: set[str] = field(default_factory=set)
    _priorities: dict[GroupKey, int] = field(default_factory=dict)

    def may_go(self, tenant: Tenant, bound: int) -> bool:
        if tenant.demand.priority >= bound:
            return False
        gang = self.gangs.of(tenant.uid)
        return gang is None or (gang.key != self.own and self._priority(gang) < bound)

    def units(self, away: Sequence[Lodging]) -> list[Unit]:
        """In the order in which they are spared: those that a budget protects first, then the most important.

        Those on their way out are no victims and take no room any more.
        """
        staying = sorted((each for each in away if not each[1].is_leaving), key=_importance)
        gangs: dict[GroupKey, list[Lodging]] = {}
        units = []
        for lodging in staying:
            gang = self._bond(lodging[1])
            if gang is None:
                units.append(Unit((lodging,)))
            else:
                gangs.setdefault(gang.key, []).append(lodging)
        units += [self._unit(self.gangs.get(key), members) for key, members in gangs.items()]
        units.sort(key=lambda unit: _importance(unit.members[0]))
        self._count_violations(units)
        return sorted(units, key=lambda unit: not any(map(self.violates, (*unit.members, *unit.elsewhere))))

    def violates(self, lodging: Lodging) -> bool:
        """Whether the pod's going violates a budget."""
        return lodging[1].uid in self._violating

    def _priority(self, gang: Gang) -> int:
        """A gang is as important as its most important member."""
        found = self._priorities.get(gang.key)
        if found is None:
            members = self._lodgings(gang.placed)
            found = max((tenant.demand.priority for _, tenant in members), default=-(2**31))
            self._priorities[gang.key] = found
        return found

    def _bond(self, tenant: Tenant) -> Gang | None:
        gang = self.gangs.of(tenant.uid)
        return gang if gang is not None and gang.group is not None and gang.least > 1 else None

    def _unit(self, gang: Gang, members: list[Lodging]) -> Unit:
        here = {tenant.uid for _, tenant in members}
        elsewhere = self._lodgings(gang.placed - here)
        # One that is short of members already is whole as it is.
        least = min(max(gang.least - len(elsewhere), 0), len(members))
        return Unit(tuple(members), least, tuple(elsewhere))

    def _lodgings(self, uids: set[str]) -> list[Lodging]:
        nodes = self.world.nodes.values()
        return [(node, node.tenants[uid]) for uid in sorted(uids) for node in nodes if uid in node.tenants]

    def _count_violations(self, units: Iterable[Unit]) -> None:
        self._violating.clear()
        left = [budget.allowed for budget in self.budgets]
        for unit in units:
            for _, tenant in (*unit.members, *unit.elsewhere):
                for at, budget in enumerate(self.budgets):
                    if budget.covers(tenant):
                        left[at] -= 1
                        if left[at] < 0:
                            self._violating.add(tenant.uid)


def _importance(lodging: Lodging) -> tuple[int, str, str]:
    _, tenant = lodging
    return -tenant.demand.priority, tenant.started, tenant.uid
