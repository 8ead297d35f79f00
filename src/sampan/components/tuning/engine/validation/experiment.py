"""All of an experiment, and what may be edited.

Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/experiment/validator/validator.go. Not so here: every parameter must be
referred to by the template, or no trial could be made; and names are checked to their end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.ending import is_completed, is_restartable
from sampan.components.tuning.api.reading import problem_of
from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem
from sampan.components.tuning.engine.validation import collector, parameters, template
from sampan.components.tuning.engine.validation.reading import Anything, at, items, number, text
from sampan.components.tuning.engine.validation.template import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

COUNTS = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")
"""All that may be edited."""
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NAME_LENGTH = 40
_NAME_DETAIL = (
    "name must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with "
    "an alphanumeric character (e.g. 'my-name', or 'abc-123', regex used for validation is "
    "'^[a-z]([-a-z0-9]*[a-z0-9])?)') and may not be longer than 40 characters. "
)


@dataclass(frozen=True, slots=True)
class World:
    """What an experiment is held against."""

    template: Surroundings
    why_no_algorithm: Callable[[str], str]
    """Why there is no such algorithm; empty where there is."""
    why_no_stopping: Callable[[str], str]
    check_settings: Callable[[Problem], None]
    """Raises InvalidSettingsError."""


def check(experiment: Object, old: Object | None, world: World) -> FieldErrors:
    """`experiment` with its defaults, `old` as it is stored."""
    errors, spec = FieldErrors(), meta.spec(experiment)
    if not _NAME.fullmatch(meta.name(experiment)) or len(meta.name(experiment)) > _NAME_LENGTH:
        errors.invalid("metadata.name", meta.name(experiment), _NAME_DETAIL)
    _counts(spec, errors)
    if old is not None:
        check_edit(experiment, old, errors)
    before = len(errors.causes)
    _objective(spec, errors)
    if len(errors.causes) > before:
        return errors
    _algorithms(spec, world, errors)
    if text(spec, "resumePolicy") not in ("", "Never", "LongRunning", "FromVolume"):
        errors.invalid("spec.resumePolicy", spec.get("resumePolicy"), "invalid ResumePolicyType")
    template.check(spec, meta.namespace(experiment), world.template, errors)
    _space(spec, errors)
    collector.check(spec, errors)
    if not errors:
        # An algorithm reads what all others have found to be in order.
        _settings(experiment, world, errors)
    return errors


def check_edit(experiment: Object, old: Object, errors: FieldErrors) -> None:
    spec, before = meta.spec(experiment), meta.spec(old)
    if spec == before:
        return
    if is_completed(old) and not is_restartable(old):
        detail = (
            "Experiment can be restarted if it is in succeeded state by reaching max trials and "
            "spec.resumePolicy = LongRunning or spec.resumePolicy = FromVolume, when experiment is completed"
        )
        errors.invalid("spec.resumePolicy", spec.get("resumePolicy"), detail)
    most, made = number(spec, "maxTrialCount"), int(meta.status(old).get("trials") or 0)
    if most is not None and most <= made:
        errors.invalid("spec.maxTrialCount", most, "must be greater than status.trials count")
    if any(spec.get(key) != before.get(key) for key in {*spec, *before} - set(COUNTS)):
        detail = "only spec.parallelTrialCount, spec.maxTrialCount and spec.maxFailedTrialCount are editable"
        errors.forbidden("spec", detail)


def _counts(spec: Anything, errors: FieldErrors) -> None:
    parallel, most, failed = (number(spec, key) for key in COUNTS)
    if failed is not None and failed < 0:
        errors.invalid("spec.maxFailedTrialCount", failed, "should not be less than 0")
    if most is not None and most <= 0:
        errors.invalid("spec.maxTrialCount", most, "must be greater than 0")
    if parallel is not None and parallel <= 0:
        errors.invalid("spec.parallelTrialCount", parallel, "must be greater than 0")
    if most is None:
        return
    for key, count in (("maxFailedTrialCount", failed), ("parallelTrialCount", parallel)):
        if count is not None and count > most:
            errors.invalid(f"spec.{key}", count, "should be less than or equal to spec.maxTrialCount")


def _objective(spec: Anything, errors: FieldErrors) -> None:
    path, objective = "spec.objective", spec.get("objective")
    if not isinstance(objective, Mapping):
        errors.required(path, "must be specified")
        return
    kind, metric = text(objective, "type"), text(objective, "objectiveMetricName")
    if kind not in ("minimize", "maximize"):
        errors.invalid(f"{path}.type", kind, "must be minimize or maximize")
    if not metric:
        errors.required(f"{path}.objectiveMetricName", "must be specified")
    if metric in items(objective, "additionalMetricNames"):
        detail = "should not contain spec.objective.objectiveMetricName"
        errors.invalid(f"{path}.additionalMetricNames", objective["additionalMetricNames"], detail)
    for index, strategy in enumerate(items(objective, "metricStrategies")):
        if text(strategy, "value") not in ("min", "max", "latest"):
            errors.invalid(
                f"{path}.metricStrategies[{index}].value",
                text(strategy, "value"),
                "must be min, max or latest",
            )


def _algorithms(spec: Anything, world: World, errors: FieldErrors) -> None:
    for key, what, why_not in (
        ("algorithm", "Suggestion", world.why_no_algorithm),
        ("earlyStopping", "EarlyStopping", world.why_no_stopping),
    ):
        path, found = f"spec.{key}", spec.get(key)
        if not isinstance(found, Mapping):
            if key == "algorithm":
                errors.required(path, "must be specified")
            continue
        name = text(found, "algorithmName")
        if not name:
            errors.required(f"{path}.algorithmName", "must be specified")
        elif why := why_not(name):
            detail = f"unable to get {what} config data for algorithm {name}: {why}"
            errors.invalid(f"{path}.algorithmName", name, detail)


def _space(spec: Anything, errors: FieldErrors) -> None:
    space, architecture = items(spec, "parameters"), spec.get("nasConfig")
    if not space and architecture is None:
        errors.required("spec", "spec.parameters or spec.nasConfig must be specified")
    if space and architecture is not None:
        detail = "only one of spec.parameters and spec.nasConfig can be specified"
        errors.invalid_as_a_whole("spec", detail)
    parameters.check("spec.parameters", space, errors)
    for index, operation in enumerate(items(architecture, "operations")):
        path = f"spec.nasConfig.operations[{index}]"
        if not text(operation, "operationType"):
            errors.required(f"{path}.operationType", "must be specified")
        parameters.check(f"{path}.parameters", items(operation, "parameters"), errors)


def _settings(experiment: Object, world: World, errors: FieldErrors) -> None:
    try:
        world.check_settings(problem_of(experiment))
    except InvalidSettingsError as error:
        algorithm: Any = at(meta.spec(experiment), "algorithm")
        errors.invalid("spec.algorithm", text(algorithm, "algorithmName"), str(error))
