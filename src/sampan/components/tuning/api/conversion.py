"""The types of `suggesting` as messages of Katib's gRPC services, and back. Pure; imports protobuf, as `messages` does.

Which trials are sent and which of a metric's values is as upstream: kubeflow/katib 0.19
pkg/controller.v1beta1/suggestion/suggestionclient/suggestionclient.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.messages import message
from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.reading import counted
from sampan.components.tuning.api.suggesting import (
    Answer,
    Assignment,
    FeasibleSpace,
    NasConfig,
    Objective,
    Operation,
    Parameter,
    Problem,
    Rule,
    TrialRecord,
)

_TYPES = ("", "double", "int", "discrete", "categorical")
_DISTRIBUTIONS = ("", "uniform", "logUniform", "normal", "logNormal")
_OBJECTIVES = ("", "minimize", "maximize")
_COMPARISONS = ("", "equal", "less", "greater")
_CONDITIONS = ("Created", "Running", "Succeeded", "Killed", "Failed", "MetricsUnavailable", "EarlyStopped")
_UNKNOWN_CONDITION = len(_CONDITIONS)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z\Z")
_MOST_INT32 = 2**31 - 1


class MessageError(ValueError):
    """A message cannot be what it should. It names the field, what was wrong and what to do."""


# To messages.


def experiment_message(problem: Problem) -> Any:
    objective = problem.objective
    spec: dict[str, Any] = {
        "parameter_specs": {"parameters": [_parameter_message(each) for each in problem.parameters]},
        "objective": _objective_message(objective),
        "algorithm": {
            "algorithm_name": problem.algorithm,
            "algorithm_settings": _pairs(problem.settings),
        },
        "parallel_trial_count": problem.parallel_trial_count,
        "max_trial_count": min(problem.max_trial_count or 0, _MOST_INT32),
    }
    if problem.early_stopping:
        spec["early_stopping"] = stopping_fields(problem)
    if problem.nas is not None:
        spec["nas_config"] = _nas_message(problem.nas)
    return message("Experiment")(name=problem.name, spec=spec)


def stopping_fields(problem: Problem) -> dict[str, Any]:
    """Of an `EarlyStoppingSpec`."""
    return {
        "algorithm_name": problem.early_stopping,
        "algorithm_settings": _pairs(problem.early_stopping_settings),
    }


def trial_messages(problem: Problem, trials: Iterable[TrialRecord]) -> list[Any]:
    """Those that algorithms are shown: none whose metrics are unavailable, and of those stopped early the ones that had
    measured something."""
    return [
        _trial_message(problem.objective, each)
        for each in trials
        if each.condition != "MetricsUnavailable"
        and (each.condition != "EarlyStopped" or _is_observed(problem.objective, each))
    ]


def answer_message(answer: Answer, problem: Problem) -> Any:
    """`settings` are those that are to be kept for the next question: they come back whole."""
    reply = message("GetSuggestionsReply")(
        parameter_assignments=[
            {
                "assignments": _pairs(each.parameters),
                "trial_name": each.trial_name,
                "labels": dict(each.labels),
            }
            for each in answer.assignments
        ]
    )
    if answer.settings:
        reply.algorithm.algorithm_name = problem.algorithm
        for each in _pairs({**problem.settings, **answer.settings}):
            reply.algorithm.algorithm_settings.add(**each)
    return reply


def rules_message(rules: Iterable[Rule]) -> Any:
    return message("GetEarlyStoppingRulesReply")(
        early_stopping_rules=[
            {
                "name": each.name,
                "value": each.value,
                "comparison": _index(_COMPARISONS, each.comparison),
                "start_step": each.start_step,
            }
            for each in rules
        ]
    )


def _trial_message(objective: Objective, trial: TrialRecord) -> Any:
    status: dict[str, Any] = {
        "start_time": _whole_seconds(trial.start_time),
        "completion_time": _whole_seconds(trial.completion_time),
        "observation": {
            "metrics": [
                {"name": each.name, "value": counted(objective, each)} for each in trial.metrics.values()
            ]
        },
    }
    if trial.condition:
        status["condition"] = (
            _CONDITIONS.index(trial.condition) if trial.condition in _CONDITIONS else _UNKNOWN_CONDITION
        )
    spec = {
        "objective": _objective_message(objective),
        "parameter_assignments": {"assignments": _pairs(trial.assignments)},
        "labels": dict(trial.labels),
    }
    return message("Trial")(name=trial.name, spec=spec, status=status)


def _is_observed(objective: Objective, trial: TrialRecord) -> bool:
    metric = trial.metrics.get(objective.metric)
    return metric is not None and metric.latest not in ("", labels.UNAVAILABLE)


def _objective_message(objective: Objective) -> dict[str, Any]:
    return {
        "type": _index(_OBJECTIVES, objective.type),
        "goal": objective.goal or 0.0,
        "objective_metric_name": objective.metric,
        "additional_metric_names": list(objective.additional),
    }


def _parameter_message(parameter: Parameter) -> dict[str, Any]:
    space = parameter.space
    return {
        "name": parameter.name,
        "parameter_type": _index(_TYPES, parameter.type),
        "feasible_space": {
            "max": space.max,
            "min": space.min,
            "list": list(space.list),
            "step": space.step,
            "distribution": _index(_DISTRIBUTIONS, space.distribution),
        },
    }


def _nas_message(nas: NasConfig) -> dict[str, Any]:
    return {
        "graph_config": {
            "num_layers": nas.num_layers,
            "input_sizes": list(nas.input_sizes),
            "output_sizes": list(nas.output_sizes),
        },
        "operations": {
            "operation": [
                {
                    "operation_type": each.type,
                    "parameter_specs": {"parameters": [_parameter_message(p) for p in each.parameters]},
                }
                for each in nas.operations
            ]
        },
    }


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else 0


def _whole_seconds(time: str) -> str:
    found = _RFC3339.match(time)
    return f"{found[1]}Z" if found else time


# From messages.


def problem_from(experiment: Any, namespace: str, uid: str) -> Problem:
    """`uid` is what an algorithm keeps its learning under. Raises MessageError."""
    spec = experiment.spec
    parameters = tuple(
        _parameter_from(each, f"experiment.spec.parameter_specs.parameters[{at}]")
        for at, each in enumerate(spec.parameter_specs.parameters)
    )
    return Problem(
        uid=uid,
        name=experiment.name,
        namespace=namespace,
        objective=_objective_from(spec.objective),
        parameters=parameters,
        algorithm=spec.algorithm.algorithm_name,
        settings=_mapping(spec.algorithm.algorithm_settings),
        early_stopping=spec.early_stopping.algorithm_name,
        early_stopping_settings=_mapping(spec.early_stopping.algorithm_settings),
        nas=_nas_from(spec.nas_config) if spec.HasField("nas_config") else None,
        parallel_trial_count=spec.parallel_trial_count or 3,
        max_trial_count=spec.max_trial_count or None,
    )


def stopping_problem(stopping: Any) -> Problem:
    """Of an `EarlyStoppingSpec` alone, which is all that a service is shown to validate it."""
    return Problem(
        uid="",
        name="",
        namespace="",
        objective=Objective("minimize", ""),
        early_stopping=stopping.algorithm_name,
        early_stopping_settings=_mapping(stopping.algorithm_settings),
    )


def records_from(trials: Iterable[Any]) -> list[TrialRecord]:
    return [
        TrialRecord(
            name=each.name,
            assignments=_mapping(each.spec.parameter_assignments.assignments),
            condition=_name(_CONDITIONS, each.status.condition) or "Unknown",
            metrics={
                m.name: Metric(m.name, m.value, m.value, m.value) for m in each.status.observation.metrics
            },
            labels=dict(each.spec.labels),
            start_time=each.status.start_time,
            completion_time=each.status.completion_time,
        )
        for each in trials
    ]


def answer_from(reply: Any) -> Answer:
    settings = _mapping(reply.algorithm.algorithm_settings) if reply.HasField("algorithm") else {}
    return Answer(
        tuple(
            Assignment(_mapping(each.assignments), each.trial_name, dict(each.labels))
            for each in reply.parameter_assignments
        ),
        settings,
    )


def rules_from(reply: Any) -> tuple[Rule, ...]:
    """A comparison that upstream does not know counts as `equal` there, and here."""
    return tuple(
        Rule(each.name, each.value, _name(_COMPARISONS, each.comparison) or "equal", each.start_step)
        for each in reply.early_stopping_rules
    )


def _objective_from(found: Any) -> Objective:
    # A goal of zero is not told from none on the wire.
    return Objective(
        type=_name(_OBJECTIVES, found.type),
        metric=found.objective_metric_name,
        goal=found.goal or None,
        additional=tuple(found.additional_metric_names),
    )


def _parameter_from(found: Any, path: str) -> Parameter:
    kind = _name(_TYPES, found.parameter_type)
    if not found.name:
        raise MessageError(f"{path}.name is empty: each parameter needs a name")
    if not kind:
        known = ", ".join(each.upper() for each in _TYPES[1:])
        raise MessageError(f"{path}.parameter_type is not known: it must be one of {known}")
    space = found.feasible_space
    return Parameter(
        found.name,
        kind,
        FeasibleSpace(
            min=space.min,
            max=space.max,
            step=space.step,
            list=tuple(space.list),
            distribution=_name(_DISTRIBUTIONS, space.distribution) or "uniform",
        ),
    )


def _nas_from(found: Any) -> NasConfig:
    graph = found.graph_config
    return NasConfig(
        num_layers=graph.num_layers,
        input_sizes=tuple(graph.input_sizes),
        output_sizes=tuple(graph.output_sizes),
        operations=tuple(
            Operation(
                each.operation_type,
                tuple(
                    _parameter_from(
                        parameter, f"experiment.spec.nas_config.operations.operation[{at}].parameters[{i}]"
                    )
                    for i, parameter in enumerate(each.parameter_specs.parameters)
                ),
            )
            for at, each in enumerate(found.operations.operation)
        ),
    )


def _mapping(pairs: Iterable[Any]) -> dict[str, str]:
    return {each.name: each.value for each in pairs}


def _name(names: Sequence[str], number: int) -> str:
    # proto3 keeps numbers that no name is known for.
    return names[number] if 0 <= number < len(names) else ""
