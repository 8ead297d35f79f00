"""How many pods may exist at once, shared fairly by the runs that wait for more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class Slots:
    """Counts pods by run. For one event loop.

    A run asks for its `share` in each turn and `report`s at its end what it uses and whether it waits for more. Runs
    wait in a line; who is first is woken when there is a slot. A run that has its fair part already leaves slots to
    those in the line that have not, so one of 2,000 steps does not keep out one of three.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: dict[str, int] = {}
        self._total = 0
        self._line: OrderedDict[str, Callable[[], None]] = OrderedDict()

    def share(self, run_id: str) -> int:
        """How many more pods the run may have now."""
        free = self._limit - self._total
        if free <= 0:
            return 0
        if not self._line or (len(self._line) == 1 and run_id in self._line):
            return free
        part = self._part(run_id)
        used = self._used.get(run_id, 0)
        if used >= part and any(self._used.get(other, 0) < part for other in self._line if other != run_id):
            return 0
        return min(max(free - self._ahead(run_id), 0), max(part - used, 1))

    def report(self, run_id: str, used: int, *, waits: bool, wake: Callable[[], None]) -> None:
        """The run has `used` pods, and `waits` for more; `wake` is called when there may be one."""
        self._total += used - self._used.get(run_id, 0)
        if used:
            self._used[run_id] = used
        else:
            self._used.pop(run_id, None)
        had_turn = run_id in self._line
        if waits:
            self._line[run_id] = wake
        else:
            self._line.pop(run_id, None)
        if self._total >= self._limit or not self._line:
            return
        if had_turn and waits:
            self._line.move_to_end(run_id)
        # Even the run itself: a step that it could not make a pod of has left it a slot.
        next(iter(self._line.values()))()

    def forget(self, run_id: str) -> None:
        """The run is over."""
        self.report(run_id, 0, waits=False, wake=lambda: None)

    def _part(self, run_id: str) -> int:
        """A run's fair part of all slots, rounded up."""
        runs = len(self._used.keys() | self._line.keys() | {run_id})
        return -(-self._limit // runs)

    def _ahead(self, run_id: str) -> int:
        """How many runs are before this one in the line."""
        for place, other in enumerate(self._line):
            if other == run_id:
                return place
        return len(self._line)
