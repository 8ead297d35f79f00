"""One node as the scheduler sees it: what it offers, and running totals of what its pods take.

Totals are kept when pods come and go, so that placing a pod never looks at the other pods.
"""

from __future__ import annotations

from collections.abc import Mapping

from sampan.client.protocol import Object
from sampan.cluster.scheduler.constraints import Taint
from sampan.cluster.scheduler.demand import Amounts, amounts
from sampan.kube import meta


class Node:
    """Mutable; owned by the scheduler."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.known = False
        """Whether the node object exists. Pods may be seen before their node is."""
        self.labels: Mapping[str, str] = {}
        self.taints: tuple[Taint, ...] = ()
        self.unschedulable = False
        self.allocatable: Amounts = {}
        self.taken: Amounts = {}
        self._pods: dict[str, Amounts] = {}

    @property
    def pods(self) -> int:
        return len(self._pods)

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

    def add(self, uid: str, requests: Amounts) -> None:
        """Counts a pod, once, however often it is added."""
        if uid in self._pods:
            return
        self._pods[uid] = requests
        for name, amount in requests.items():
            self.taken[name] = self.taken.get(name, 0) + amount

    def remove(self, uid: str) -> bool:
        """Whether the pod was counted."""
        requests = self._pods.pop(uid, None)
        if requests is None:
            return False
        for name, amount in requests.items():
            self.taken[name] -= amount
        return True

    def free(self, name: str) -> int:
        return self.allocatable.get(name, 0) - self.taken.get(name, 0)
