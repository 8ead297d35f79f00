"""Room that is kept for the first of the queue, so that small pods cannot pass a large one for ever. Pure.

Whose turn it is is passed by everybody that fits, for `patience` seconds; for as long again the room in which it will
fit is kept for it, then the others go first for twice as long, and so on with doubled times (decision 45). So it
starts within a few times the longest that it really has to wait for, and for two thirds of the time at most is room
idle for it.

Only what others give back by themselves can be waited for: room is kept where the pod or gang fits beside those that
stay (notebooks, servers), and only other jobs wait for it. One whose own doors are closed keeps nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

from sampan.cluster.scheduler.backlog import Waiting
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.selection import select
from sampan.cluster.scheduler.victims import Lodging
from sampan.cluster.scheduler.world import World

_CANDIDATES = 8
"""How many of the queue are looked at, at most, for one that room can be kept for."""


def turn(waited: float, patience: float) -> tuple[bool, float]:
    """Whether room is kept for whose turn it has been so long, and the seconds until that changes."""
    if waited < patience:
        return False, patience - waited
    doubled = math.floor(math.log2(waited / patience))
    return doubled % 2 == 0, patience * 2.0 ** (doubled + 1) - waited


class Keeper:
    def __init__(self, world: World, now: Callable[[], float], patience: float) -> None:
        self._world = world
        self._now = now
        self._patience = patience
        self._kept: list[Lodging] = []
        self._looked = 0
        self._who: Hashable = None
        self._since = 0.0
        """Since when it has been its turn."""
        self.first: Waiting | None = None
        """Whose turn is next."""
        self.turns_at = math.inf
        """When there is to be another pass, on the clock that was given."""

    def reset(self) -> None:
        """Before a pass: nothing is kept, and whoever comes up first is the first."""
        for node, tenant in self._kept:
            node.kept.pop(tenant.uid, None)
        self._kept = []
        self._looked = 0
        self.first, self.turns_at = None, math.inf

    def consider(self, waiting: Waiting, members: Sequence[Tenant]) -> None:
        """One that found no room, though others' going could help. Those that come later in a pass wait behind it."""
        if self.first is not None and not waiting < self.first:
            return
        if self._looked >= _CANDIDATES or not (lodgings := self._lodgings(members)):
            self._looked += 1
            return
        self.reset()
        self.first = waiting
        who = (waiting.key, waiting.uid)
        if who != self._who:
            self._who, self._since = who, self._now()
        is_kept, seconds = turn(self._now() - self._since, self._patience)
        self.turns_at = self._now() + seconds
        if is_kept:
            self._kept = lodgings
            for node, tenant in lodgings:
                node.kept[tenant.uid] = tenant

    def release(self, uid: str) -> bool:
        """The pod waits no more: its place is taken or not wanted. Whether others may gain by it."""
        if self.first is None or (self.first.uid != uid and all(uid != each.uid for _, each in self._kept)):
            return False
        self.reset()
        self.turns_at = self._now()
        return True

    def _lodgings(self, members: Sequence[Tenant]) -> list[Lodging]:
        """Where they will be when all that end by themselves have ended; empty if they do not fit even then."""
        nodes = self._world.known()
        before = [(node, dict(node.kept)) for node in nodes]
        away = [(node, tenant) for node in nodes for tenant in node.tenants.values() if _goes(tenant)]
        for node, tenant in away:
            node.remove(tenant.uid)
        found: list[Lodging] = []
        try:
            for node in nodes:
                node.kept.clear()
            for tenant in members:
                choice = select(tenant, self._world)
                if not isinstance(choice, Node):
                    break
                choice.add(tenant)
                found.append((choice, tenant))
        finally:
            for node, tenant in found:
                node.remove(tenant.uid)
            for node, tenant in away:
                node.add(tenant)
            for node, kept in before:
                node.kept.update(kept)
        return found if len(found) == len(members) else []


def _goes(tenant: Tenant) -> bool:
    return tenant.demand.ends or tenant.is_leaving
