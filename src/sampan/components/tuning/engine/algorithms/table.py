"""An experiment's trials as arrays: one row a trial, one column a parameter, in the scale in which it is searched.

For algorithms that compute with all trials at once. Kept in memory from question to question, where only what has
changed is read again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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


class Table:
    """`of` finds it in the memory, or makes it."""

    def __init__(self, problem: Problem) -> None:
        self.space = dimensions(problem.parameters)
        self.conditions = conditions(problem)
        self._problem = problem
        self._sign = -1.0 if problem.objective.type == "maximize" else 1.0
        self._seen: list[TrialRecord] = []
        self._rows: list[list[float]] = []
        self._values: list[float] = []
        self._states: list[int] = []

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
        return self._states.count(_ENDED)

    def split(self, good: int) -> tuple[Any, Any]:
        """The best so many of those that ended, and all others that count, each from the oldest to the newest.

        Shapes (n, d).
        """
        states = np.array(self._states)
        points = np.array(self._rows).reshape(len(states), len(self.space))
        ended = np.flatnonzero(states == _ENDED)
        best = ended[np.argsort(np.array(self._values)[ended], kind="stable")[:good]]
        is_best = np.zeros(len(states), bool)
        is_best[best] = True
        return points[is_best], points[~is_best & (states != _NOTHING)]

    def expect(self, assignments: Mapping[str, str]) -> None:
        """As pending, until the next question."""
        self._rows.append(self._row(assignments))
        self._values.append(0.0)
        self._states.append(_PENDING)

    def _is_about(self, problem: Problem) -> bool:
        return (
            problem.parameters == self._problem.parameters
            and problem.objective == self._problem.objective
            and problem.annotations == self._problem.annotations
        )

    def _learn(self, trials: Sequence[TrialRecord]) -> None:
        keep = min(len(self._seen), len(trials))
        for column in (self._seen, self._rows, self._values, self._states):
            del column[keep:]
        for place, record in enumerate(trials):
            if place == len(self._seen):
                self._seen.append(record)
                self._rows.append([])
                self._values.append(0.0)
                self._states.append(_NOTHING)
            elif self._seen[place] is record:
                continue
            self._seen[place] = record
            self._read(place, record)

    def _read(self, place: int, record: TrialRecord) -> None:
        self._states[place] = _NOTHING
        try:
            self._rows[place] = self._row(record.assignments)
        except (KeyError, ValueError):
            # Somebody else's idea: nothing to be learnt in this space.
            self._rows[place] = [0.0] * len(self.space)
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
            coordinate(each.span, each.latent(assignments[each.name]))
            if self.conditions.is_active(each.name, assignments)
            else math.nan
            for each in self.space
        ]
