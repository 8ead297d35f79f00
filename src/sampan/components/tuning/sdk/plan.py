"""What is to be tuned, and the Experiment that says so. Pure.

Source of the fields: kubeflow/katib 0.19 pkg/apis/controller/experiments/v1beta1/experiment_types.go.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.tuning.api import kinds, labels
from sampan.components.tuning.sdk.program import METRIC_NAME, METRICS_FORMAT
from sampan.components.tuning.sdk.search import Space
from sampan.kube.meta import Object

IN_PROCESS = "in-process"
MOST_NAME = 40
"""Letters of an experiment's name: its trials' have nine more, and their pods' more still."""
_MANAGED = {"app.kubernetes.io/managed-by": "sampan"}
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?\Z")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class TuneError(ValueError):
    """It cannot be tuned so. The message names the argument and says what to do."""


@dataclass(frozen=True, slots=True)
class Objective:
    metric: str = "objective"
    direction: str = "maximize"
    goal: float | None = None
    more: tuple[str, ...] = ()
    """Metrics to collect beside it."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    name: str = "tpe"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    trials: int = 20
    parallel: int = 2
    failures: int | None = None
    """Failed trials that end it; None for as many as there may be trials."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment, save for what its trials run."""

    name: str
    namespace: str
    space: Mapping[str, Space]
    objective: Objective
    algorithm: Algorithm
    budget: Budget
    early_stopping: Algorithm | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    metrics_format: str = METRICS_FORMAT
    """Empty for upstream's own: any `NAME = NUMBER`."""
    resume_policy: str = "LongRunning"
    retain: bool = False


def experiment_of(plan: Plan, run: Object, primary: str) -> Object:
    """`run` is the object that each trial makes, with `${trialParameters.NAME}` in it; `primary` its container."""
    objective: dict[str, Any] = {
        "type": plan.objective.direction,
        "objectiveMetricName": plan.objective.metric,
    }
    if plan.objective.goal is not None:
        objective["goal"] = plan.objective.goal
    if plan.objective.more:
        objective["additionalMetricNames"] = list(plan.objective.more)
    names = list(plan.space)
    run = {**run, "metadata": _of_a_run(run.get("metadata") or {})}
    spec: dict[str, Any] = {
        "objective": objective,
        "algorithm": _algorithm(plan.algorithm),
        "parallelTrialCount": plan.budget.parallel,
        "maxTrialCount": plan.budget.trials,
        "maxFailedTrialCount": plan.budget.trials if plan.budget.failures is None else plan.budget.failures,
        "resumePolicy": plan.resume_policy,
        "parameters": [plan.space[name].to_json(name) for name in names],
        "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
        "trialTemplate": {
            "primaryContainerName": primary,
            "retain": plan.retain,
            "trialParameters": [{"name": name, "reference": name} for name in names],
            "trialSpec": run,
        },
    }
    if plan.metrics_format:
        spec["metricsCollectorSpec"]["source"] = {"filter": {"metricsFormat": [plan.metrics_format]}}
    if plan.early_stopping is not None:
        spec["earlyStopping"] = _algorithm(plan.early_stopping)
    metadata: dict[str, Any] = {
        "name": plan.name,
        "namespace": plan.namespace,
        "labels": {**_MANAGED, **plan.labels},
    }
    if plan.annotations:
        metadata["annotations"] = dict(plan.annotations)
    return {
        "apiVersion": kinds.EXPERIMENTS.api_version,
        "kind": kinds.EXPERIMENTS.kind,
        "metadata": metadata,
    } | {"spec": spec}


def arguments_of(space: Mapping[str, Space]) -> list[str]:
    """As the program in the pod is told a trial's parameters."""
    return [f"--{name}=${{trialParameters.{name}}}" for name in space]


def read_objective(objective: str | Sequence[str], direction: str, goal: float | None) -> Objective:
    """Raises TuneError."""
    names = [objective] if isinstance(objective, str) else list(objective)
    for name in names:
        if not re.fullmatch(METRIC_NAME, name):
            raise TuneError(f"objective: {name!r} is no metric's name: it has letters, digits, _ and - only")
    if not names:
        raise TuneError("objective: name the metric to optimise")
    words = {"min": "minimize", "max": "maximize"}
    chosen = words.get(direction, direction)
    if chosen not in words.values():
        raise TuneError(f"direction must be minimize or maximize, not {direction!r}")
    return Objective(names[0], chosen, goal, tuple(names[1:]))


def read_algorithm(
    argument: str, found: str | tuple[str, Mapping[str, Any]] | Mapping[str, Any]
) -> Algorithm:
    """`"tpe"`, `("tpe", {"gamma": 0.3})` or `{"name": "tpe", "gamma": 0.3}`. Raises TuneError."""
    if isinstance(found, str):
        name, settings = found, {}
    elif isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping):
        name, settings = str(found[0]), dict(found[1])
    elif isinstance(found, Mapping) and "name" in found:
        settings = dict(found)
        name = str(settings.pop("name"))
    else:
        raise TuneError(
            f"{argument}: name one, or one with its settings as ('tpe', {{'gamma': 0.3}}), not {found!r}"
        )
    return Algorithm(name, {str(key): text_of_setting(value) for key, value in settings.items()})


def text_of_setting(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_budget(trials: int, parallel: int, failures: int | None) -> Budget:
    """Raises TuneError."""
    for name, value in (("trials", trials), ("parallel", parallel)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise TuneError(f"{name} must be a whole number of at least 1, not {value!r}")
    return Budget(trials, min(parallel, trials), failures)


def plain_name(stem: str) -> str:
    """The beginning of an experiment's name, from a function's or a script's."""
    plain = _NOT_IN_NAMES.sub("-", stem.lower()).strip("-")[: MOST_NAME - 6].strip("-") or "tune"
    if not plain[0].isalpha():
        plain = f"tune-{plain}"[: MOST_NAME - 6].rstrip("-")
    return plain


def made_name(stem: str) -> str:
    """A name for an experiment, from a function's or a script's, that no other has."""
    letters = string.ascii_lowercase + string.digits
    return f"{plain_name(stem)}-{''.join(secrets.choice(letters) for _ in range(5))}"


def check_name(name: str) -> str:
    """Raises TuneError."""
    if len(name) > MOST_NAME or not _NAME.match(name):
        raise TuneError(
            f"name {name!r}: an experiment's has up to {MOST_NAME} small letters, digits and dashes, and begins with "
            "a letter"
        )
    return name


def _algorithm(found: Algorithm) -> dict[str, Any]:
    made: dict[str, Any] = {"algorithmName": found.name}
    if found.settings:
        made["algorithmSettings"] = [{"name": name, "value": value} for name, value in found.settings.items()]
    return made


def _of_a_run(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a template may say of it: name and namespace are the trial's."""
    return {key: value for key, value in metadata.items() if key in ("labels", "annotations") and value}


def with_in_process(annotations: Mapping[str, str]) -> dict[str, str]:
    return {**annotations, labels.TRIALS_IN: IN_PROCESS}
