"""All trials of an experiment in one answer: columns of values, not a list of objects. Pure.

Ten thousand trials are an everyday number: what is the same in each is said once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.components.tuning.api.conditions import CREATED, conditions_of
from sampan.components.tuning.api.reading import (
    counted,
    metrics_of,
    named_values,
    objective_of,
    place_in_time,
)
from sampan.components.tuning.api.suggesting import Objective
from sampan.components.tuning.api.summary import waits
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339

_FIXED = ("name", "uid", "state", "reason", "message", "created", "started", "ended")


class Columns:
    """Filled trial by trial, so that whoever does it can let others have their turn."""

    def __init__(self, experiment: Object) -> None:
        spec = meta.spec(experiment)
        self._objective = objective_of(spec)
        self._given: Any = None
        self._fixed: dict[str, list[Any]] = {name: [] for name in _FIXED}
        self._parameters: dict[str, list[str | None]] = {
            str(each.get("name")): [] for each in spec.get("parameters") or () if isinstance(each, Mapping)
        }
        self._metrics: dict[str, list[float | None]] = {
            name: [] for name in (self._objective.metric, *self._objective.additional) if name
        }

    def add(self, trial: Object) -> None:
        metadata, spec, status = trial["metadata"], meta.spec(trial), meta.status(trial)
        fixed = self._fixed
        count = len(fixed["name"])
        state, reason, message = state_of(trial)
        fixed["name"].append(metadata.get("name", ""))
        fixed["uid"].append(metadata.get("uid", ""))
        fixed["state"].append(state)
        fixed["reason"].append(reason)
        fixed["message"].append("" if state == "Succeeded" else message)
        fixed["created"].append(seconds(metadata.get("creationTimestamp")))
        fixed["started"].append(seconds(status.get("startTime")))
        fixed["ended"].append(seconds(status.get("completionTime")))
        _put(self._parameters, count, named_values(spec.get("parameterAssignments")))
        _put(self._metrics, count, measured(self._objective_of(spec.get("objective"), spec), trial))

    def _objective_of(self, given: Any, spec: Object) -> Objective:
        """The trial's own, which is the same in all of them as a rule: read once."""
        if given and given != self._given:
            self._given, self._objective = given, objective_of(spec)
        return self._objective

    def answer(self) -> dict[str, Any]:
        return {"columns": self._fixed, "parameters": self._parameters, "metrics": self._metrics}


def measured(objective: Objective, trial: Object) -> dict[str, float | None]:
    """The value of each metric that counts, where it is a number."""
    observation = meta.status(trial).get("observation")
    if not observation:
        return {}
    found = metrics_of(observation)
    return {name: number(counted(objective, metric)) for name, metric in found.items()}


def state_of(obj: Object) -> tuple[str, str, str]:
    """Type, reason and message of the latest condition that holds; empty before there is one.

    Of a trial that does not run yet, why: its condition `Running` is False, and says it.
    """
    for each in reversed(conditions_of(obj)):
        if each.get("status") == "True":
            state = str(each.get("type") or "")
            if state == CREATED and (why := waits(obj)) is not None:
                return state, *why
            return state, str(each.get("reason") or ""), str(each.get("message") or "")
    return "", "", ""


def objective_fields(objective: Objective) -> dict[str, Any]:
    return {"metric": objective.metric, "type": objective.type, "goal": number(objective.goal)}


def in_order(trials: Iterable[Object], suggested: Mapping[str, int]) -> list[Object]:
    """Oldest first. Of one second and without numbers: in the order in which they were suggested."""
    last = len(suggested)

    def since(trial: Object) -> tuple[tuple[str, int], int, str]:
        name = meta.name(trial)
        return place_in_time(trial), suggested.get(name, last), name

    return sorted(trials, key=since)


def newest_version(trials: Sequence[Object]) -> str:
    """By which `since` tells what has changed; empty where versions cannot be compared."""
    versions = [meta.resource_version(each) for each in trials]
    if not all(each.isdecimal() for each in versions):
        return ""
    return str(max(map(int, versions), default=0))


def seconds(time: Any) -> float | None:
    """Since 1970, of a time in RFC 3339."""
    return _seconds(str(time)) if time else None


@functools.lru_cache(4096)
def _seconds(time: str) -> float | None:
    # Of many trials many have the same.
    try:
        return parse_rfc3339(time).timestamp()
    except ValueError:
        return None


def number(value: Any) -> float | None:
    """What JSON can say of it: None for what is no number, or not a finite one."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _put(columns: dict[str, list[Any]], count: int, values: Mapping[str, Any]) -> None:
    """One row more; a column that comes late has nothing in those before."""
    for name, value in values.items():
        column = columns.get(name)
        if column is None:
            column = columns[name] = [None] * count
        column.append(value)
    if len(values) < len(columns):
        for column in columns.values():
            if len(column) == count:
                column.append(None)
