"""Experiments and trials as the types of `suggesting`.

For objects that passed validation; what is amiss is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import (
    FeasibleSpace,
    NasConfig,
    Objective,
    Operation,
    Parameter,
    Problem,
    TrialRecord,
)
from sampan.kube import meta
from sampan.kube.meta import Object

_NUMBER_DIGITS = 12
_NUMBERED = "~"
"""Behind every time."""


def problem_of(experiment: Object, learnt: Mapping[str, str] | None = None) -> Problem:
    """`learnt` are settings that its algorithm has answered: they come before the experiment's."""
    spec = meta.spec(experiment)
    algorithm, stopping = _mapping(spec, "algorithm"), _mapping(spec, "earlyStopping")
    limit = spec.get("maxTrialCount")
    return Problem(
        uid=meta.uid(experiment),
        name=meta.name(experiment),
        namespace=meta.namespace(experiment),
        objective=objective_of(spec),
        parameters=parameters_of(spec.get("parameters")),
        algorithm=str(algorithm.get("algorithmName") or ""),
        settings={**named_values(algorithm.get("algorithmSettings")), **(learnt or {})},
        early_stopping=str(stopping.get("algorithmName") or ""),
        early_stopping_settings=named_values(stopping.get("algorithmSettings")),
        nas=_nas(spec.get("nasConfig")),
        parallel_trial_count=int(spec.get("parallelTrialCount") or 3),
        max_trial_count=None if limit is None else int(limit),
        annotations=dict(meta.annotations(experiment)),
    )


def record_of(trial: Object) -> TrialRecord:
    spec, status = meta.spec(trial), trial.get("status") or {}
    return TrialRecord(
        name=meta.name(trial),
        assignments=named_values(spec.get("parameterAssignments")),
        condition=condition_of(trial),
        metrics=metrics_of(status.get("observation")),
        labels=dict(_mapping(spec, "labels")),
        start_time=str(status.get("startTime") or ""),
        completion_time=str(status.get("completionTime") or ""),
    )


def number_of(trial: Object) -> int | None:
    """Its place among the trials of its experiment; None where it was made without one."""
    found = meta.annotations(trial).get(labels.NUMBER, "")
    return int(found) if found.isascii() and found.isdecimal() and len(found) <= _NUMBER_DIGITS else None


def annotated(annotations: Mapping[str, str], key: str) -> dict[str, str]:
    """The JSON object of texts in an annotation; empty where it is something else."""
    try:
        found = json.loads(annotations.get(key, ""))
    except (ValueError, RecursionError):
        return {}
    is_one = isinstance(found, dict) and all(isinstance(each, str) for each in found.values())
    return found if is_one else {}


def place_in_time(trial: Object) -> tuple[str, int]:
    """By which trials of an experiment are in the order in which they were made: those without numbers, which older
    versions have made, come first."""
    number = number_of(trial)
    if number is None:
        return str(meta.metadata(trial).get("creationTimestamp") or ""), 0
    return _NUMBERED, number


def objective_of(spec: Mapping[str, Any]) -> Objective:
    """Of the spec of an experiment or a trial."""
    found = _mapping(spec, "objective")
    goal = found.get("goal")
    return Objective(
        type=str(found.get("type") or ""),
        metric=str(found.get("objectiveMetricName") or ""),
        goal=None if goal is None else float(goal),
        additional=tuple(str(each) for each in found.get("additionalMetricNames") or ()),
        strategies=named_values(found.get("metricStrategies")),
    )


def parameters_of(found: Any) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            str(each.get("name") or ""),
            str(each.get("parameterType") or ""),
            _space(_mapping(each, "feasibleSpace")),
        )
        for each in _mappings(found)
    )


def metrics_of(observation: Any) -> dict[str, Metric]:
    """By name, of a status' observation."""
    found = _mappings(observation.get("metrics")) if isinstance(observation, (dict, Mapping)) else ()
    return {
        str(each.get("name")): Metric(
            str(each.get("name")),
            str(each.get("min") or ""),
            str(each.get("max") or ""),
            str(each.get("latest") or ""),
        )
        for each in found
    }


def counted(objective: Objective, metric: Metric) -> str:
    """The value that counts, by the metric's strategy; the latest where that one is unavailable."""
    by_type = "min" if objective.type == "minimize" else "max" if objective.type == "maximize" else "latest"
    found = getattr(metric, objective.strategies.get(metric.name) or by_type, metric.latest)
    return metric.latest if found in ("", labels.UNAVAILABLE) else str(found)


def condition_of(obj: Object) -> str:
    """The type of the latest condition that holds; empty before there is one. The last in the list is the latest, as
    upstream's columns have it."""
    for each in reversed(_mappings((obj.get("status") or {}).get("conditions"))):
        if each.get("status") == "True":
            return str(each.get("type"))
    return ""


def named_values(found: Any) -> dict[str, str]:
    """A list of names with values."""
    if not isinstance(found, (list, tuple)):
        return {}
    return {
        str(each.get("name")): str(each.get("value")) for each in found if isinstance(each, (dict, Mapping))
    }


def _space(found: Mapping[str, Any]) -> FeasibleSpace:
    return FeasibleSpace(
        min=str(found.get("min") or ""),
        max=str(found.get("max") or ""),
        step=str(found.get("step") or ""),
        list=tuple(str(each) for each in found.get("list") or ()),
        distribution=str(found.get("distribution") or "uniform"),
    )


def _nas(found: Any) -> NasConfig | None:
    if not isinstance(found, Mapping):
        return None
    graph = _mapping(found, "graphConfig")
    return NasConfig(
        num_layers=int(graph.get("numLayers") or 0),
        input_sizes=tuple(int(each) for each in graph.get("inputSizes") or ()),
        output_sizes=tuple(int(each) for each in graph.get("outputSizes") or ()),
        operations=tuple(
            Operation(str(each.get("operationType") or ""), parameters_of(each.get("parameters")))
            for each in _mappings(found.get("operations"))
        ),
    )


def _mapping(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    # `dict` comes first: it is told apart ten times as fast, and is what objects of the API are made of.
    return value if isinstance(value, (dict, Mapping)) else {}


def _mappings(found: Any) -> Sequence[Mapping[str, Any]]:
    is_list = isinstance(found, (list, tuple))
    return [each for each in found if isinstance(each, (dict, Mapping))] if is_list else []
