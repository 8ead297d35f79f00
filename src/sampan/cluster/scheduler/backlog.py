"""The pods that wait for a node: by priority, then age, those of one shape together. Pure.

Pods of one shape need the same, so when the first of them fits nowhere the others need not be tried: a pass
over ten thousand waiting copies of a pod costs as much as over one.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from sampan.cluster.scheduler.demand import Demand


@dataclass(order=True, slots=True)
class Waiting:
    """One pod. Ordered: what is smaller is placed first."""

    order: tuple[int, str, int]
    """Priority negated, creation time, and a number that breaks ties in order of arrival."""
    uid: str = field(compare=False)
    demand: Demand = field(compare=False)


class Backlog:
    def __init__(self) -> None:
        self._groups: dict[Hashable, list[Waiting]] = {}
        self._present: dict[str, Waiting] = {}
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._present)

    def __contains__(self, uid: str) -> bool:
        return uid in self._present

    def add(self, uid: str, created: str, demand: Demand) -> None:
        """A pod that is there already keeps its place."""
        if uid in self._present:
            return
        self._arrivals += 1
        waiting = Waiting((-demand.priority, created, self._arrivals), uid, demand)
        self._present[uid] = waiting
        heapq.heappush(self._groups.setdefault(demand.shape, []), waiting)

    def remove(self, uid: str) -> None:
        # Its entry in the group goes when it comes up: taking it out of the middle of a heap would cost more.
        self._present.pop(uid, None)

    def heads(self) -> Iterator[Waiting]:
        """The pods to try, best first.

        Each must be removed (it was placed) before the iterator goes on, or its whole shape is left out.
        """
        heads = [(group[0], shape) for shape in list(self._groups) if (group := self._trimmed(shape))]
        heapq.heapify(heads)
        while heads:
            head, shape = heads[0]
            yield head
            group = self._trimmed(shape)
            if group and group[0] is not head:
                heapq.heapreplace(heads, (group[0], shape))
            else:
                heapq.heappop(heads)

    def head(self, shape: Hashable) -> Waiting | None:
        """The first of a shape."""
        group = self._trimmed(shape)
        return group[0] if group else None

    def of_shape(self, shape: Hashable) -> Iterator[Waiting]:
        """Everybody of a shape, in no order."""
        return (each for each in self._groups.get(shape, ()) if self._present.get(each.uid) is each)

    def _trimmed(self, shape: Hashable) -> list[Waiting]:
        """The group of `shape` with a pod that is still wanted at its head; empty groups vanish."""
        group = self._groups.get(shape, [])
        while group and self._present.get(group[0].uid) is not group[0]:
            heapq.heappop(group)
        if not group:
            self._groups.pop(shape, None)
        return group
