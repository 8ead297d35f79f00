"""What an experiment wants beyond Katib's one objective: more of them, and bounds that a metric must keep.

Katib's API has one objective (katib#1549), so both stand in annotations (decision 51):

    sampan.dev/objectives: '{"latency": "minimize"}'       beside spec.objective, which is the first
    sampan.dev/constraints: '{"size": "<= 5e6"}'           trials that do not keep it are never the best

Both name metrics of the experiment: those of spec.objective.additionalMetricNames are collected. Pure; used by
algorithms, their checks, and `engine/pareto.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.labels import CONSTRAINTS, OBJECTIVES
from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem

_TYPES = ("minimize", "maximize")
_BOUND = re.compile(r"\s*(<=|>=)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*\Z")
_MOST = 8


@dataclass(frozen=True, slots=True)
class Goal:
    metric: str
    type: str
    """`minimize` or `maximize`."""

    @property
    def sign(self) -> float:
        """By which values are multiplied so that smaller is better."""
        return -1.0 if self.type == "maximize" else 1.0


@dataclass(frozen=True, slots=True)
class Constraint:
    metric: str
    at_most: bool
    bound: float

    def excess(self, value: float) -> float:
        """How far beyond the bound it is; at most 0 where it is kept."""
        return value - self.bound if self.at_most else self.bound - value


def goals(problem: Problem) -> tuple[Goal, ...]:
    """The first is spec.objective. Raises InvalidSettingsError."""
    first = Goal(problem.objective.metric, problem.objective.type)
    found = _of(problem, OBJECTIVES)
    for name, kind in found.items():
        if kind not in _TYPES:
            raise InvalidSettingsError(f"annotation {OBJECTIVES}: {name} must be minimize or maximize")
    if len(found) >= _MOST:
        raise InvalidSettingsError(f"annotation {OBJECTIVES}: at most {_MOST - 1} beside spec.objective")
    return (first, *(Goal(name, str(kind)) for name, kind in found.items() if name != first.metric))


def constraints(problem: Problem) -> tuple[Constraint, ...]:
    """Raises InvalidSettingsError."""
    made = []
    for name, text in _of(problem, CONSTRAINTS).items():
        match = _BOUND.match(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidSettingsError(
                f'annotation {CONSTRAINTS}: {name} must be a bound such as "<= 5" or ">= 0.1"'
            )
        made.append(Constraint(name, match[1] == "<=", float(match[2])))
    return tuple(made)


def _of(problem: Problem, annotation: str) -> Mapping[str, Any]:
    text = problem.annotations.get(annotation)
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSettingsError(f"annotation {annotation} must be a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise InvalidSettingsError(f"annotation {annotation} must be a JSON object of metrics")
    known = {problem.objective.metric, *problem.objective.additional}
    for name in found:
        if name not in known:
            raise InvalidSettingsError(
                f"annotation {annotation}: {name} is no metric of this experiment; "
                "name it in spec.objective.additionalMetricNames"
            )
    return found
