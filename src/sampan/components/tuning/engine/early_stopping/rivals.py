"""The curves of an experiment's trials, kept so that a pruner finds what it compares with without walking through all
of them: of the steps that were asked about, the values in order. Pure.

For the pruners, which turn a plain list of curves into one of these, and for whoever keeps curves as they grow.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, overload

from sampan.components.tuning.api.suggesting import Curve

Order = tuple[str, str]
"""Oldest first: when a trial was created, and its name."""
_FINISHED = "Succeeded"
_MOST_GROUPS = 64
"""Of which the steps are kept: more than Hyperband has brackets."""


class Group(Hashable, Protocol):
    """Which trials compete."""

    def has(self, curve: Curve) -> bool: ...


@dataclass(frozen=True, slots=True)
class Everyone:
    def has(self, curve: Curve) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Finished:
    def has(self, curve: Curve) -> bool:
        return curve.condition == _FINISHED


@dataclass(frozen=True, slots=True)
class Reached:
    """What others have reached at a step."""

    numbers: Sequence[float]
    """In order, with the value of the trial that asks."""
    count: int
    """Of other trials, those without a number included."""
    own: float | None
    """What is to be left out of the numbers."""

    def __len__(self) -> int:
        return len(self.numbers) - (self.own is not None)

    def __getitem__(self, place: int) -> float:
        skipped = self.own is not None and place >= bisect_left(self.numbers, self.own)
        return self.numbers[place + skipped]

    def above(self, value: float) -> int:
        found = len(self.numbers) - bisect_right(self.numbers, value)
        return found - (self.own is not None and self.own > value)

    def below(self, value: float) -> int:
        found = bisect_left(self.numbers, value)
        return found - (self.own is not None and self.own < value)


@dataclass(slots=True)
class _Step:
    numbers: list[float] = field(default_factory=list)
    count: int = 0

    def add(self, value: float) -> None:
        self.count += 1
        if not math.isnan(value):
            insort(self.numbers, value)

    def drop(self, value: float) -> None:
        self.count -= 1
        if not math.isnan(value):
            del self.numbers[bisect_left(self.numbers, value)]


class Rivals(Sequence[Curve]):
    """All trials of an experiment; the one that asks may be among them, and is left out of every answer."""

    def __init__(self) -> None:
        self._curves: dict[str, Curve] = {}
        self._values: dict[str, list[float]] = {}
        self._orders: dict[str, Order] = {}
        self._finished: set[str] = set()
        self._oldest: list[Order] = []
        """Of the finished ones that have values; the name is in the order."""
        self._groups: dict[Group, dict[int, _Step]] = {}
        self._means: dict[str, list[tuple[float, Order]]] = {}
        """By direction, the best first, of the finished ones that have a mean."""

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> Rivals:
        """`curves` are in order."""
        if isinstance(curves, Rivals):
            return curves
        made = cls()
        for number, each in enumerate(curves):
            made.put(each, (f"{number:012}", each.trial))
        return made

    def __len__(self) -> int:
        return len(self._curves)

    @overload
    def __getitem__(self, place: int) -> Curve: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Curve]: ...

    def __getitem__(self, place: int | slice) -> Curve | Sequence[Curve]:
        return sorted(self._curves.values(), key=lambda each: self._orders[each.trial])[place]

    def __contains__(self, trial: object) -> bool:
        return trial in self._curves

    def put(self, curve: Curve, order: Order) -> None:
        """New, or as it is now: `order[1]` is its name. What has only grown costs what is new."""
        known = self._values.get(curve.trial)
        before = self._curves.get(curve.trial)
        if (
            known is None
            or before is None
            or before.condition != curve.condition
            or curve.condition == _FINISHED
            or self._orders[curve.trial] != order
            or list(curve.values[: len(known)]) != known
        ):
            self.remove(curve.trial)
            known = self._values[curve.trial] = []
            self._orders[curve.trial] = order
        kept = self._curves[curve.trial] = Curve(curve.trial, known, curve.condition)
        start = len(known)
        known.extend(curve.values[start:])
        for group, steps in self._groups.items():
            for step in _common(steps, start, len(known)):
                if group.has(kept):
                    steps[step].add(known[step])
        if curve.condition == _FINISHED:
            self._list(kept, order)

    def remove(self, trial: str) -> None:
        curve = self._curves.pop(trial, None)
        if curve is None:
            return
        values, order = self._values.pop(trial), self._orders.pop(trial)
        for group, steps in self._groups.items():
            for step in _common(steps, 0, len(values)):
                if group.has(curve):
                    steps[step].drop(values[step])
        if trial in self._finished:
            self._finished.remove(trial)
            if values:
                del self._oldest[bisect_left(self._oldest, order)]
                for direction, means in self._means.items():
                    if (entry := _entry(curve, order, direction)) is not None:
                        del means[bisect_left(means, entry)]

    def finished(self, asking: str) -> int:
        return len(self._finished) - (asking in self._finished)

    def first_finished(self, asking: str) -> Curve | None:
        """Of those that have values, the oldest."""
        return next((self._curves[name] for _, name in self._oldest[:2] if name != asking), None)

    def best_finished(self, asking: str, direction: str) -> Curve | None:
        """By the average of its values; the oldest of several."""
        if direction not in self._means:
            entries = (
                _entry(self._curves[name], order, direction) for order in self._oldest for name in order[1:]
            )
            self._means[direction] = sorted(each for each in entries if each is not None)
        best = (name for _, (_, name) in self._means[direction][:2])
        return next((self._curves[name] for name in best if name != asking), None)

    def at(self, step: int, group: Group, asking: str) -> Reached:
        if group not in self._groups and len(self._groups) >= _MOST_GROUPS:
            self._groups.clear()
        steps = self._groups.setdefault(group, {})
        if step not in steps:
            found = [
                values[step]
                for name, values in self._values.items()
                if len(values) > step and group.has(self._curves[name])
            ]
            steps[step] = _Step(sorted(each for each in found if not math.isnan(each)), len(found))
        known, own = steps[step], self._values.get(asking, ())
        if len(own) <= step or not group.has(self._curves[asking]):
            return Reached(known.numbers, known.count, None)
        return Reached(known.numbers, known.count - 1, None if math.isnan(own[step]) else own[step])

    def _list(self, curve: Curve, order: Order) -> None:
        self._finished.add(curve.trial)
        if curve.values:
            insort(self._oldest, order)
            for direction, means in self._means.items():
                if (entry := _entry(curve, order, direction)) is not None:
                    insort(means, entry)


def _common(steps: dict[int, _Step], start: int, end: int) -> list[int]:
    """Of the steps from `start` to before `end`, those that are kept."""
    if end - start < len(steps):
        return [each for each in range(start, end) if each in steps]
    return [each for each in steps if start <= each < end]


def _entry(curve: Curve, order: Order, direction: str) -> tuple[float, Order] | None:
    mean = sum(curve.values) / len(curve.values)
    if math.isnan(mean):
        return None
    return (-mean if direction == "maximize" else mean), order
