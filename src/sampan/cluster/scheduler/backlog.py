"""The pods that wait for a node: by priority, then age, those of one key together. Pure.

Pods of one key need the same, or are a gang, so when the first of them fits nowhere the others need not be tried: a
pass over ten thousand waiting copies of a pod costs as much as over one.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace

from sampan.cluster.scheduler.node import Tenant


@dataclass(order=True, slots=True)
class Waiting:
    """One pod. Ordered: what is smaller is placed first."""

    order: tuple[int, str, int]
    """Priority negated, creation time, and a number that breaks ties in order of arrival."""
    tenant: Tenant = field(compare=False)
    key: Hashable = field(compare=False)

    @property
    def uid(self) -> str:
        return self.tenant.uid


class Backlog:
    def __init__(self) -> None:
        self._groups: dict[Hashable, list[Waiting]] = {}
        self._present: dict[str, Waiting] = {}
        self._counts: Counter[Hashable] = Counter()
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._present)

    def __contains__(self, uid: str) -> bool:
        return uid in self._present

    def get(self, uid: str) -> Waiting | None:
        return self._present.get(uid)

    def add(self, tenant: Tenant, created: str, key: Hashable) -> None:
        """A pod that is there already keeps its place."""
        if tenant.uid in self._present:
            return
        self._arrivals += 1
        self._put(Waiting((-tenant.demand.priority, created, self._arrivals), tenant, key))

    def remove(self, uid: str) -> None:
        # Its entry in the group goes when it comes up: taking it out of the middle of a heap would cost more.
        if (gone := self._present.pop(uid, None)) is not None:
            self._uncount(gone.key)

    def move(self, uid: str, key: Hashable) -> None:
        """Under another key, in the same order."""
        waiting = self._present.get(uid)
        if waiting is not None and waiting.key != key:
            self._put(replace(waiting, key=key))

    def age(self, key: Hashable, created: str) -> None:
        """All of a key are as old as that."""
        for waiting in list(self.of_key(key)):
            priority, before, arrival = waiting.order
            if before != created:
                self._put(replace(waiting, order=(priority, created, arrival)))

    def rekey(self, key_of: Callable[[Waiting], Hashable]) -> None:
        """Puts all under the keys that they have now."""
        everybody = list(self._present.values())
        self._groups.clear()
        for waiting in everybody:
            self._put(replace(waiting, key=key_of(waiting)))

    def heads(self) -> Iterator[Waiting]:
        """The pods to try, best first.

        Each must be removed or moved (it was placed) before the iterator goes on, or its whole key is left out.
        """
        heads = [
            (group[0], n, key) for n, key in enumerate(list(self._groups)) if (group := self._trimmed(key))
        ]
        heapq.heapify(heads)
        while heads:
            head, n, key = heads[0]
            yield head
            group = self._trimmed(key)
            if group and group[0] is not head:
                heapq.heapreplace(heads, (group[0], n, key))
            else:
                heapq.heappop(heads)

    def head(self, key: Hashable) -> Waiting | None:
        """The first of a key."""
        group = self._trimmed(key)
        return group[0] if group else None

    def of_key(self, key: Hashable) -> Iterator[Waiting]:
        """Everybody of a key, in no order."""
        return (each for each in self._groups.get(key, ()) if self._present.get(each.uid) is each)

    def count(self, key: Hashable) -> int:
        """How many there are of a key."""
        return self._counts[key]

    def _uncount(self, key: Hashable) -> None:
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]

    def _put(self, waiting: Waiting) -> None:
        if (before := self._present.get(waiting.uid)) is not None:
            self._uncount(before.key)
        self._counts[waiting.key] += 1
        self._present[waiting.uid] = waiting
        heapq.heappush(self._groups.setdefault(waiting.key, []), waiting)

    def _trimmed(self, key: Hashable) -> list[Waiting]:
        """The group of `key` with a pod that is still wanted at its head; empty groups vanish."""
        group = self._groups.get(key, [])
        while group and self._present.get(group[0].uid) is not group[0]:
            heapq.heappop(group)
        if not group:
            self._groups.pop(key, None)
        return group
