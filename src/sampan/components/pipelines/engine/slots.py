"""How many pods may exist at once: shared fairly by namespaces, and in each by the runs that wait for more. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Wake = Callable[[], None]


@dataclass(slots=True)
class _Namespace:
    weight: float
    used: int = 0
    waiting: dict[int, OrderedDict[str, Wake]] = field(default_factory=dict)
    """Runs that wait, by how many pods they have; who has waited longest stands first."""

    @property
    def load(self) -> float:
        return self.used / self.weight

    def least(self, but: str) -> int | None:
        """The fewest pods that a waiting run has, not looking at the run `but`."""
        found = [
            used for used, runs in self.waiting.items() if len(runs) > 1 or (runs and next(iter(runs)) != but)
        ]
        return min(found, default=None)

    def first(self) -> Wake | None:
        """Whose turn it is."""
        used = min((used for used, runs in self.waiting.items() if runs), default=None)
        return None if used is None else next(iter(self.waiting[used].values()))


@dataclass(slots=True)
class _Run:
    namespace: str
    used: int = 0


class Slots:
    """Counts pods by run. For one event loop.

    A run asks for its `share` in each turn and `report`s at its end what it uses and whether it waits for more. A slot
    that is free goes to the namespace with the fewest pods for its weight, and there to the run with the fewest: it is
    woken. So neither a run of 2,000 steps keeps out one of three, nor a namespace with 1,000 runs one with a single
    run; and nobody leaves a slot unused while anybody waits.
    """

    def __init__(self, limit: int, weights: Mapping[str, float] | None = None) -> None:
        """`weights` of namespaces; those that are not named weigh 1."""
        self._limit = limit
        self._weights = weights or {}
        self._total = 0
        self._runs: dict[str, _Run] = {}
        self._namespaces: dict[str, _Namespace] = {}

    def share(self, run_id: str, namespace: str = "") -> int:
        """How many more pods the run may have now."""
        free = self._limit - self._total
        if free <= 0:
            return 0
        run = self._runs.get(run_id) or _Run(namespace)
        own = self._namespaces.get(run.namespace) or _Namespace(self._weight(run.namespace))
        others = [
            each.load
            for name, each in self._namespaces.items()
            if name != run.namespace and any(each.waiting.values())
        ]
        if others:
            # As many as keep it the least loaded one until the last of them is taken.
            free = min(free, int((min(others) - own.load) * own.weight + 1) if min(others) >= own.load else 0)
        least = own.least(run_id)
        if least is not None:
            free = min(free, least - run.used + 1)
        return max(free, 0)

    def report(self, run_id: str, used: int, *, waits: bool, wake: Wake, namespace: str = "") -> None:
        """The run has `used` pods, and `waits` for more; `wake` is called when there may be one."""
        run = self._runs.get(run_id)
        if run is None:
            run = self._runs[run_id] = _Run(namespace)
        own = self._namespaces.get(run.namespace)
        if own is None:
            own = self._namespaces[run.namespace] = _Namespace(self._weight(run.namespace))
        self._leave_line(own, run, run_id)
        self._total += used - run.used
        own.used += used - run.used
        run.used = used
        if waits:
            own.waiting.setdefault(used, OrderedDict())[run_id] = wake
        elif not used:
            del self._runs[run_id]
            if not own.used and not own.waiting:
                del self._namespaces[run.namespace]
        if self._total < self._limit:
            self._wake_next()

    def forget(self, run_id: str) -> None:
        """The run is over."""
        if run_id in self._runs:
            self.report(run_id, 0, waits=False, wake=lambda: None)

    def _wake_next(self) -> None:
        waiting = [each for each in self._namespaces.values() if any(each.waiting.values())]
        # Even the run that reports: a step that it could not make a pod of has left it a slot.
        if waiting and (wake := min(waiting, key=lambda each: each.load).first()) is not None:
            wake()

    def _leave_line(self, namespace: _Namespace, run: _Run, run_id: str) -> None:
        runs = namespace.waiting.get(run.used)
        if runs is not None:
            runs.pop(run_id, None)
            if not runs:
                del namespace.waiting[run.used]

    def _weight(self, namespace: str) -> float:
        return self._weights.get(namespace, 1.0)
