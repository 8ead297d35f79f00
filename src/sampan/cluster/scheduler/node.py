"""One node as the scheduler sees it: what it offers, and running totals of what its pods take.

Totals are kept when pods come and go, so that placing a pod never looks at the other pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar

from sampan.client.protocol import Object
from sampan.cluster.scheduler.affinity import Group, Labels, PodTerm
from sampan.cluster.scheduler.constraints import Taint
from sampan.cluster.scheduler.demand import Amounts, Demand, Port, amounts
from sampan.kube import meta

K = TypeVar("K", bound=Hashable)

_ANY = "0.0.0.0"  # noqa: S104  (an API value, nothing listens)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A pod that has its place, or is to have it."""

    uid: str
    namespace: str
    name: str
    demand: Demand
    started: str = ""
    is_leaving: bool = False

    @property
    def group(self) -> Group:
        return self.namespace, frozenset(self.demand.labels.items()), self.is_leaving


class Node:
    """Mutable; owned by the scheduler."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.known = False
        """Whether the node object exists. Pods may be seen before their node is."""
        self.labels: Labels = {}
        self.taints: tuple[Taint, ...] = ()
        self.unschedulable = False
        self.allocatable: Amounts = {}
        self.taken: Amounts = {}
        self.tenants: dict[str, Tenant] = {}
        self.nominated: dict[str, Tenant] = {}
        """Pods for whom others make room here."""
        self.kept: dict[str, Tenant] = {}
        """Pods that have waited long and for whom the next room here is kept."""
        self.groups: Counter[Group] = Counter()
        self.repelled: Counter[PodTerm] = Counter()
        """Whom the pods here want to be away from."""
        self.priorities: Counter[int] = Counter()
        self._ports: Counter[Port] = Counter()

    @property
    def pods(self) -> int:
        return len(self.tenants)

    def update(self, obj: Object | None) -> None:
        """Takes over the node object; None when it was deleted.

        Raises ValueError, TypeError or AttributeError for one that cannot be read; it is unknown then.
        """
        self.known = False
        if obj is None:
            return
        spec, status = meta.spec(obj), meta.status(obj)
        self.labels = meta.labels(obj)
        self.taints = tuple(map(Taint.read, spec.get("taints") or ()))
        self.unschedulable = bool(spec.get("unschedulable"))
        self.allocatable = amounts(status.get("allocatable") or status.get("capacity") or {})
        self.known = True

    def add(self, tenant: Tenant) -> None:
        """Counts a pod, once, however often it is added; as it is now."""
        before = self.tenants.get(tenant.uid)
        if before == tenant:
            return
        if before is not None:
            self.remove(tenant.uid)
        self.tenants[tenant.uid] = tenant
        self._count(tenant, 1)

    def remove(self, uid: str) -> bool:
        """Whether the pod was counted."""
        tenant = self.tenants.pop(uid, None)
        if tenant is None:
            return False
        self._count(tenant, -1)
        return True

    def free(self, name: str) -> int:
        return self.allocatable.get(name, 0) - self.taken.get(name, 0)

    def is_taken(self, port: Port) -> bool:
        """Whether a pod has `port` of the host, or one on an address that includes the other."""
        if not self._ports:
            return False
        address, protocol, number = port
        return any(
            (protocol, number) == (other[1], other[2])
            and (_ANY in (address, other[0]) or address == other[0])
            for other in self._ports
        )

    def _count(self, tenant: Tenant, by: int) -> None:
        demand = tenant.demand
        for name, amount in demand.requests.items():
            self.taken[name] = self.taken.get(name, 0) + by * amount
        _bump(self.groups, tenant.group, by)
        _bump(self.priorities, demand.priority, by)
        for port in demand.ports:
            _bump(self._ports, port, by)
        for term in demand.neighbours.apart:
            _bump(self.repelled, term, by)


def _bump(counter: Counter[K], key: K, by: int) -> None:
    """Keeps no zeros: who looks through a counter should meet only what is there."""
    counter[key] += by
    if not counter[key]:
        del counter[key]
