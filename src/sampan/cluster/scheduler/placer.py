"""Who goes where: the scheduler's state and decisions, without any waiting. Pure, but for its own state.

`service` tells it what the watches see and carries out its orders. A pod counts on its node from the moment of the
decision, before the API confirms it; a victim counts as leaving from the moment it is chosen. For whom room is kept
is `keeping`'s, who has to go `preemption`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

from sampan.cluster.scheduler import preemption
from sampan.cluster.scheduler.affinity import Labels, label_keys
from sampan.cluster.scheduler.backlog import Backlog, Waiting
from sampan.cluster.scheduler.claims import Obstacle
from sampan.cluster.scheduler.demand import Demand, with_priority
from sampan.cluster.scheduler.gangs import Gang, Gangs, GroupKey, PodGroup
from sampan.cluster.scheduler.keeping import Keeper
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.preemption import Plan
from sampan.cluster.scheduler.selection import Refused, select
from sampan.cluster.scheduler.victims import Budget, Others
from sampan.cluster.scheduler.world import World

_NOMINATED = "nominated"
NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to terminating pod on the nominated node."


@dataclass(frozen=True, slots=True)
class Parked:
    """Why the pods of a key wait. `preemption`: what became of making room, in Kubernetes' words."""

    refused: Refused
    preemption: str = ""
    obstacle: str = ""
    """What no node can help, such as a claim that is not bound."""
    advice: str = ""
    """What would help against it."""
    gang: Gang | None = None
    waiting: int = 0
    """Members of the gang that wait."""


@dataclass(frozen=True, slots=True)
class Bind:
    tenant: Tenant
    node: str


@dataclass(frozen=True, slots=True)
class Preempt:
    plan: Plan


@dataclass(frozen=True, slots=True)
class Release:
    """The pod is no longer promised a node."""

    tenant: Tenant


Order = Bind | Preempt | Release


class Placer:
    """`obstacle` says what keeps a pod from any node; `budgets` are today's PodDisruptionBudgets; `now` is a clock
    that only goes forward.
    """

    def __init__(
        self,
        obstacle: Callable[[Demand], Obstacle | None],
        budgets: Callable[[], Sequence[Budget]],
        now: Callable[[], float] = lambda: 0.0,
        patience: float = math.inf,
    ) -> None:
        self.world = World()
        self.keeper = Keeper(self.world, now, patience)
        self.backlog = Backlog()
        self.gangs = Gangs()
        self.parked: dict[Hashable, Parked] = {}
        """Keys that fit nowhere as things are."""
        self._obstacle = obstacle
        self._budgets = budgets
        self._home: dict[str, Node] = {}
        self._promised: dict[str, Node] = {}
        """Nominated pods."""
        self._victims: set[str] = set()
        self._watched: frozenset[str] | None = None
        """Labels by which pods keep others away, if any do. They are part of the keys of those who wait."""
        self._orders: list[Order] = []
        self._compositions: dict[GroupKey, Hashable] = {}
        """What the waiting pods of a gang ask for in all, as far as it is known."""
        self._refused_gangs: dict[Hashable, tuple[Refused, str]] = {}
        """Compositions for which there was no room in this pass: a pass makes no room, hence for equals neither."""

    # What is.

    def settle(self, tenant: Tenant, node: str, group: GroupKey | None) -> bool:
        """A pod that has its node, by our hand or another's. Whether that frees something: it moved, or is leaving."""
        uid, home = tenant.uid, self.world.node(node)
        self._leave_backlog(uid)
        self._break_promise(uid)
        before = self._home.get(uid)
        if before is not None and before is not home:
            before.remove(uid)
        tenant = self._ranked(tenant, group)
        if uid in self._victims and not tenant.is_leaving:
            tenant = replace(tenant, is_leaving=True)
        home.add(tenant)
        self._home[uid] = home
        self._watch(tenant)
        if group is not None:
            (self.gangs.leaving if tenant.is_leaving else self.gangs.placed)(group, uid)
        return before is not None and before is not home

    def define(self, key: GroupKey, group: PodGroup | None) -> None:
        """None when the PodGroup was deleted."""
        before = self.gangs.get(key).group
        self.gangs.define(key, group)
        if group is None:
            return
        if group.created:
            self.backlog.age(key, group.created)
        if group.priority is not None and (before is None or before.priority != group.priority):
            self._rank(key)

    def _rank(self, key: GroupKey) -> None:
        """Gives the pods of a gang its priority."""
        gang = self.gangs.get(key)
        for uid in (*gang.placed, *gang.leaving):
            if (home := self._home.get(uid)) is not None and uid in home.tenants:
                home.add(self._ranked(home.tenants[uid], key))
        for waiting in sorted(self.backlog.of_key(key)):
            self._break_promise(waiting.uid)
            self.backlog.remove(waiting.uid)
            self.backlog.add(self._ranked(waiting.tenant, key), waiting.order[1], key)
        self._compositions.pop(key, None)

    def _ranked(self, tenant: Tenant, key: GroupKey | None) -> Tenant:
        group = self.gangs.get(key).group if key is not None else None
        if group is None or group.priority is None or tenant.demand.priority == group.priority:
            return tenant
        return replace(tenant, demand=with_priority(tenant.demand, group.priority))

    def wait(self, tenant: Tenant, created: str, group: GroupKey | None) -> Hashable | None:
        """Its key; None when it waits already or has a place."""
        if tenant.uid in self._home or tenant.uid in self.backlog:
            return None
        self._watch(tenant)
        tenant = self._ranked(tenant, group)
        key = group if group is not None else self._key(tenant.demand)
        # A gang is as old as its PodGroup, also when its pods come again.
        known = self.gangs.get(group).group if group is not None else None
        self.backlog.add(tenant, (known.created if known else "") or created, key)
        if group is not None:
            self._compositions.pop(group, None)
        return key

    def forget(self, uid: str) -> bool:
        """Whether that frees anything."""
        promised = self._break_promise(uid)
        kept = self._leave_backlog(uid)
        self.gangs.gone(uid)
        self._victims.discard(uid)
        node = self._home.pop(uid, None)
        return (node is not None and node.remove(uid)) or promised or kept

    def spare(self, uid: str) -> None:
        """A victim that could not be deleted."""
        self._victims.discard(uid)
        node = self._home.get(uid)
        if node is not None and uid in node.tenants:
            node.add(replace(node.tenants[uid], is_leaving=False))
            if (gang := self.gangs.of(uid)) is not None:
                self.gangs.placed(gang.key, uid)

    def promise(self, uid: str, node: str) -> None:
        """What an earlier process decided."""
        waiting = self.backlog.get(uid)
        if waiting is not None:
            self._promise(waiting.tenant, self.world.node(node))

    def _leave_backlog(self, uid: str) -> bool:
        """Whether room was kept for the pod."""
        waiting = self.backlog.get(uid)
        if waiting is None:
            return False
        self.backlog.remove(uid)
        if isinstance(waiting.key, GroupKey):
            self._compositions.pop(waiting.key, None)
        return self.keeper.release(uid)

    def is_home(self, uid: str) -> bool:
        return uid in self._home

    def is_settled(self, uid: str, node: str, labels: Labels, *, is_leaving: bool) -> bool:
        """Whether the pod counts on `node` as it is now."""
        home = self._home.get(uid)
        if home is None or home.name != node:
            return False
        tenant = home.tenants[uid]
        return tenant.demand.labels == labels and (tenant.is_leaving or not is_leaving)

    # Placing.

    def place_all(self) -> list[Order]:
        """Tries all that wait."""
        self.parked.clear()
        self._refused_gangs.clear()
        self.keeper.reset()
        for waiting in self.backlog.heads():
            self._place(waiting)
        return self._taken_orders()

    def place_newcomer(self, key: Hashable) -> list[Order]:
        """Tries one key. Nothing was freed since the last pass, so those who wait cannot gain by it."""
        if (key not in self.parked or isinstance(key, GroupKey)) and (
            waiting := self.backlog.head(key)
        ) is not None:
            self._place(waiting)
            self._refused_gangs.clear()
            # What is left of the key behind one that was placed.
            while key not in self.parked and (rest := self.backlog.head(key)) is not None:
                self._place(rest)
        return self._taken_orders()

    def _place(self, waiting: Waiting) -> None:
        if isinstance(waiting.key, GroupKey):
            self._place_gang(waiting, waiting.key)
            return
        tenant = waiting.tenant
        if obstacle := self._obstacle(tenant.demand):
            refused = Refused(len(self.world.known()), said=obstacle.said)
            self._park(waiting, Parked(refused, _no_victims(refused), obstacle.said, obstacle.advice))
            return
        choice = select(tenant, self.world)
        if isinstance(choice, Node):
            self._take(tenant, choice)
            return
        plan, said = self._make_room([tenant], choice)
        if plan is None:
            self._park(waiting, Parked(choice, said))
            self._keep(waiting, [tenant], choice)
        else:
            self._carry_out(plan)
            self._park(waiting, Parked(choice))

    def _place_gang(self, head: Waiting, key: GroupKey) -> None:
        gang, nodes, count = self.gangs.get(key), self.world.known(), self.backlog.count(key)
        # First what needs no look at the members: of a large gang they come one after the other.
        if said := gang.obstacle(count, nodes):
            self._park_blocked(head, Obstacle(said, ""), gang, count)
            return
        whole = (self._composition(key), gang.needed)
        if (
            gang.needed
            and (known := self._refused_gangs.get(whole)) is not None
            and not self._has_promise(key)
        ):
            self._park(head, Parked(*known, gang=gang, waiting=count))
            return
        members = [each.tenant for each in sorted(self.backlog.of_key(key))]
        if blocked := next(filter(None, map(self._blocked, members)), None):
            self._park_blocked(head, blocked, gang, count)
            return
        placed = preemption.place_all(members, self.world)
        if len(placed) < gang.needed:
            refused = self._refused(members, {tenant.uid for _, tenant in placed})
            preemption.take_back(placed)
            plan, words = self._make_room(members[: gang.needed], refused, key)
            if plan is not None:
                self._carry_out(plan)
            elif not self._has_promise(key):
                self._refused_gangs[whole] = (refused, words)
                self._keep(head, members[: gang.needed], refused)
            self._park(head, Parked(refused, words, gang=gang, waiting=len(members)))
            return
        for node, tenant in placed:
            self._take(tenant, node)
            self.gangs.placed(gang.key, tenant.uid)
        if len(placed) < len(members):
            refused = self._refused(members, {tenant.uid for _, tenant in placed})
            self._park(head, Parked(refused, gang=gang, waiting=len(members) - len(placed)))

    def _park_blocked(self, head: Waiting, obstacle: Obstacle, gang: Gang, count: int) -> None:
        refused = Refused(len(self.world.known()), said=obstacle.said)
        self._park(head, Parked(refused, _no_victims(refused), obstacle.said, obstacle.advice, gang, count))

    def _composition(self, key: GroupKey) -> Hashable:
        found = self._compositions.get(key)
        if found is None:
            shapes = Counter(each.tenant.demand.shape for each in self.backlog.of_key(key))
            found = self._compositions[key] = frozenset(shapes.items())
        return found

    def _has_promise(self, key: GroupKey) -> bool:
        """Whether room is being made for the gang: it is then tried for its own sake."""
        return bool(self._promised) and any(each.uid in self._promised for each in self.backlog.of_key(key))

    def _blocked(self, tenant: Tenant) -> Obstacle | None:
        return self._obstacle(tenant.demand)

    def _refused(self, members: Sequence[Tenant], placed: set[str]) -> Refused:
        """What stands against the first member that found no place."""
        for tenant in members:
            if tenant.uid not in placed:
                choice = select(tenant, self.world)
                if isinstance(choice, Refused):
                    return choice
        return Refused(len(self.world.known()))

    def _take(self, tenant: Tenant, node: Node) -> None:
        self._leave_backlog(tenant.uid)
        self._break_promise(tenant.uid)
        node.add(tenant)
        self._home[tenant.uid] = node
        self._orders.append(Bind(tenant, node.name))

    def _keep(self, waiting: Waiting, members: Sequence[Tenant], refused: Refused) -> None:
        if refused.curable and not any(tenant.uid in self._promised for tenant in members):
            self.keeper.consider(waiting, members)

    def _park(self, waiting: Waiting, parked: Parked) -> None:
        # A promise moves a pod under a key of its own.
        current = self.backlog.get(waiting.uid)
        self.parked[current.key if current is not None else waiting.key] = parked

    # Making room.

    def _make_room(
        self, members: Sequence[Tenant], refused: Refused, group: GroupKey | None = None
    ) -> tuple[Plan | None, str]:
        """What to do about it, or why nothing."""
        if not refused.nodes:
            return None, ""
        if not all(tenant.demand.preempts for tenant in members):
            return None, NEVER
        if any(self._waits_for_leaving(tenant) for tenant in members):
            return None, TERMINATING
        plan = None
        if refused.curable:
            others = Others(self.world, self.gangs, self._budgets(), group)
            if len(members) == 1:
                nodes = [self.world.nodes[name] for name in refused.curable]
                plan = preemption.for_pod(members[0], nodes, others)
            else:
                plan = preemption.for_gang(members, others)
        if plan is not None:
            return plan, ""
        for tenant in members:
            if self._break_promise(tenant.uid):
                self._orders.append(Release(tenant))
        return None, _no_victims(refused)

    def _waits_for_leaving(self, tenant: Tenant) -> bool:
        node = self._promised.get(tenant.uid)
        return node is not None and any(
            other.is_leaving and other.demand.priority < tenant.demand.priority
            for other in node.tenants.values()
        )

    def _carry_out(self, plan: Plan) -> None:
        self._refused_gangs.clear()
        for node, victim in plan.victims:
            self._victims.add(victim.uid)
            node.add(replace(victim, is_leaving=True))
            if (gang := self.gangs.of(victim.uid)) is not None:
                self.gangs.leaving(gang.key, victim.uid)
        for node, tenant in plan.places:
            self._promise(tenant, node)
            for uid, other in list(node.nominated.items()):
                if other.demand.priority < tenant.demand.priority:
                    self._break_promise(uid)
                    self._orders.append(Release(other))
        self._orders.append(Preempt(plan))

    def _promise(self, tenant: Tenant, node: Node) -> None:
        self._break_promise(tenant.uid)
        self._promised[tenant.uid] = node
        node.nominated[tenant.uid] = tenant
        waiting = self.backlog.get(tenant.uid)
        if waiting is not None and not isinstance(waiting.key, GroupKey):
            # It is tried by itself: equals behind it may find room of their own.
            self.backlog.move(tenant.uid, (_NOMINATED, tenant.uid))

    def _break_promise(self, uid: str) -> bool:
        node = self._promised.pop(uid, None)
        if node is None:
            return False
        tenant = node.nominated.pop(uid)
        waiting = self.backlog.get(uid)
        if waiting is not None and not isinstance(waiting.key, GroupKey):
            self.backlog.move(uid, self._key(tenant.demand))
        return True

    # Keys.

    def _key(self, demand: Demand) -> Hashable:
        watched = self._watched
        if watched is None:
            return demand.shape
        seen = tuple(sorted((key, value) for key, value in demand.labels.items() if key in watched))
        return (demand.shape, demand.namespace, seen)

    def _watch(self, tenant: Tenant) -> None:
        if tenant.demand.neighbours.apart:
            keys = frozenset(label_keys(tenant.demand.neighbours)) | (self._watched or frozenset())
            if keys != self._watched:
                self._watched = keys
                self.parked.clear()
                self.backlog.rekey(self._current_key)

    def _current_key(self, waiting: Waiting) -> Hashable:
        if isinstance(waiting.key, GroupKey) or waiting.uid in self._promised:
            return waiting.key
        return self._key(waiting.tenant.demand)

    def _taken_orders(self) -> list[Order]:
        orders, self._orders = self._orders, []
        return orders


def _no_victims(refused: Refused) -> str:
    if not refused.nodes:
        return ""
    curable = len(refused.curable)
    parts = []
    if curable:
        parts.append(f"{curable} No preemption victims found for incoming pod")
    if refused.nodes > curable:
        parts.append(f"{refused.nodes - curable} Preemption is not helpful for scheduling")
    return f"0/{refused.nodes} nodes are available: {', '.join(parts)}."
