"""An experiment's trials as arrays: one row a trial, one column a parameter, in the scale in which it is searched.

For algorithms that compute with all trials at once. Kept in memory from question to question, where only what has
changed is read again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import compress
from operator import is_not
from typing import Any

import numpy as np

from sampan.components.tuning.api.suggesting import Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.outcomes import is_pending, value_of
from sampan.components.tuning.engine.algorithms.parzen import coordinate
from sampan.components.tuning.engine.algorithms.space import dimensions
from sampan.components.tuning.engine.conditions import conditions

_KEY = "table"
_NOTHING, _ENDED, _PENDING = 0, 1, 2
_FIRST_ROWS = 64


class Table:
    """`of` finds it in the memory, or makes it."""

    def __init__(self, problem: Problem) -> None:
        self.space = dimensions(problem.parameters)
        self.spans = tuple(each.span for each in self.space)
        self.conditions = conditions(problem)
        self._problem = problem
        self._sign = -1.0 if problem.objective.type == "maximize" else 1.0
        self._seen: list[TrialRecord] = []
        self._count = 0
        """Rows in use: those of the trials seen, and of what is expected after them."""
        self._points = np.empty((_FIRST_ROWS, len(self.space)))
        self._values = np.zeros(_FIRST_ROWS)
        self._states = np.zeros(_FIRST_ROWS, np.int8)

    @classmethod
    def of(cls, memory: Memory, problem: Problem, trials: Sequence[TrialRecord]) -> Table:
        found = memory.kept.get(_KEY)
        if not isinstance(found, cls) or not found._is_about(problem):
            found = memory.kept[_KEY] = cls(problem)
        found._learn(trials)
        return found

    @property
    def ended(self) -> int:
        """Trials with a value."""
        return int(np.count_nonzero(self._states[: self._count] == _ENDED))

    def split(self, good: int) -> tuple[Any, Any]:
        """The best so many of those that ended, and all others that count, each from the oldest to the newest.

        Shapes (n, d).
        """
        points, states = self._points[: self._count], self._states[: self._count]
        ended = np.flatnonzero(states == _ENDED)
        best = ended[np.argsort(self._values[ended], kind="stable")[:good]]
        is_best = np.zeros(len(states), bool)
        is_best[best] = True
        return points[is_best], points[~is_best & (states != _NOTHING)]

    def expect(self, assignments: Mapping[str, str]) -> None:
        """As pending, until the next question."""
        place = self._grow(self._count + 1)
        self._points[place] = self._row(assignments)
        self._values[place], self._states[place] = 0.0, _PENDING

    def _is_about(self, problem: Problem) -> bool:
        return (
            problem.parameters == self._problem.parameters
            and problem.objective == self._problem.objective
            and problem.annotations == self._problem.annotations
        )

    def _learn(self, trials: Sequence[TrialRecord]) -> None:
        known = min(len(self._seen), len(trials))
        # Of thousands a few are new or others than before.
        changed = compress(range(known), map(is_not, self._seen, trials))
        places = [*changed, *range(known, len(trials))]
        self._seen, self._count = list(trials), known
        self._grow(len(trials))
        for place in places:
            self._read(place, trials[place])

    def _grow(self, count: int) -> int:
        """Makes room for so many rows. The place of the last."""
        if count > len(self._values):
            size = max(count, 2 * len(self._values))
            self._points = np.resize(self._points, (size, len(self.space)))
            self._values, self._states = np.resize(self._values, size), np.resize(self._states, size)
        self._count = count
        return count - 1

    def _read(self, place: int, record: TrialRecord) -> None:
        self._states[place], self._values[place] = _NOTHING, 0.0
        try:
            self._points[place] = self._row(record.assignments)
        except (KeyError, ValueError):
            # Somebody else's idea: nothing to be learnt in this space.
            self._points[place] = 0.0
            return
        value = value_of(self._problem.objective, record)
        if value is not None:
            self._states[place] = _ENDED
            self._values[place] = self._sign * value
        elif is_pending(record):
            self._states[place] = _PENDING

    def _row(self, assignments: Mapping[str, str]) -> list[float]:
        """NaN for what means nothing beside the others."""
        return [
            coordinate(span, each.latent(assignments[each.name]))
            if self.conditions.is_active(each.name, assignments)
            else math.nan
            for each, span in zip(self.space, self.spans, strict=True)
        ]
