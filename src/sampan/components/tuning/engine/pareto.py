"""The Pareto front of an experiment: trials that no other is better than in every objective.

Pure. Asked by REST, pages and commands; `engine/objectives.py` says where several objectives come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.outcomes import COUNTED, metric_of
from sampan.components.tuning.engine.objectives import Constraint, Goal, constraints, goals


@dataclass(frozen=True, slots=True)
class Front:
    goals: tuple[Goal, ...]
    trials: tuple[str, ...]
    """By name, in order of the first objective."""
    values: tuple[tuple[float, ...], ...]
    """Of each of the trials, in the order of `goals`."""


def front(problem: Problem, trials: Sequence[TrialRecord]) -> Front:
    """Of trials that ended with a number for every objective and keep every constraint.

    Of equal ones all are in it. Raises InvalidSettingsError.
    """
    wanted, bounds = goals(problem), constraints(problem)
    points = [
        (tuple(goal.sign * value for goal, value in zip(wanted, values, strict=True)), trial.name, values)
        for trial in trials
        if (values := _values(problem, wanted, trial)) is not None and keeps(problem, bounds, trial)
    ]
    # Whatever is better than another comes before it in this order, so the kept ones are enough to compare with.
    points.sort(key=lambda each: each[0])
    kept: list[tuple[tuple[float, ...], str, tuple[float, ...]]] = []
    lowest: set[tuple[float, ...]] = set()
    for point in points:
        if point[0] in lowest or not any(_dominates(other[0], point[0]) for other in reversed(kept)):
            kept.append(point)
            lowest.add(point[0])
    return Front(wanted, tuple(each[1] for each in kept), tuple(each[2] for each in kept))


def keeps(problem: Problem, bounds: Sequence[Constraint], trial: TrialRecord) -> bool:
    """Whether it keeps all of them; one that was not measured is not kept."""
    for each in bounds:
        value = metric_of(problem.objective, trial, each.metric)
        if value is None or each.excess(value) > 0:
            return False
    return True


def _values(problem: Problem, wanted: Sequence[Goal], trial: TrialRecord) -> tuple[float, ...] | None:
    if trial.condition not in COUNTED:
        return None
    found = [metric_of(problem.objective, trial, goal.metric) for goal in wanted]
    return None if None in found else tuple(each for each in found if each is not None)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other
