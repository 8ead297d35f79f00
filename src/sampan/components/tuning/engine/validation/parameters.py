"""The search space.

Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/experiment/validator/validator.go (validateParameters). Beyond upstream:
names that are missing or come twice. Whether the values make sense the algorithm says (`engine.algorithms.space`).
"""

from __future__ import annotations

from typing import Any

from sampan.components.tuning.engine.validation.reading import Anything, at, items, text
from sampan.kube.fielderrors import FieldErrors

_TYPES = ("int", "double", "categorical", "discrete", "unknown")
_DISTRIBUTIONS = ("uniform", "logUniform", "normal", "logNormal", "unknown")
_BOUNDS = ("min", "max", "step")


def check(path: str, parameters: Any, errors: FieldErrors) -> None:
    """`path` of the list: operations of an architecture have parameters too."""
    names: set[str] = set()
    for index, parameter in enumerate(parameters):
        here = f"{path}[{index}]"
        name = text(parameter, "name")
        if not name:
            errors.required(f"{here}.name", "must be specified")
        elif name in names:
            errors.duplicate(f"{here}.name", name)
        names.add(name)
        _parameter(here, parameter, errors)


def _parameter(here: str, parameter: Anything, errors: FieldErrors) -> None:
    kind, space = text(parameter, "parameterType"), at(parameter, "feasibleSpace")
    if kind not in _TYPES:
        errors.invalid(f"{here}.parameterType", kind, f"parameterType: {kind} is not supported")
    distribution = text(space, "distribution")
    path = f"{here}.feasibleSpace"
    if distribution and distribution not in _DISTRIBUTIONS:
        detail = f"distribution: {distribution} is not supported"
        errors.invalid(f"{path}.distribution", distribution, detail)
    # The default alone says nothing.
    if not [key for key, value in space.items() if key != "distribution" and value]:
        errors.required(path, "feasibleSpace must be specified")
    elif kind in ("double", "int"):
        _bounds(path, kind, space, errors)
    elif kind in ("categorical", "discrete") and any(text(space, key) for key in _BOUNDS):
        detail = f"feasibleSpace .max, .min and .step is not supported for parameterType: {kind}"
        errors.invalid(path, dict(space), detail)


def _bounds(path: str, kind: str, space: Anything, errors: FieldErrors) -> None:
    if items(space, "list"):
        detail = f"feasibleSpace.list is not supported for parameterType: {kind}"
        errors.invalid(f"{path}.list", space["list"], detail)
    if not text(space, "max") or not text(space, "min"):
        detail = f"feasibleSpace.max or feasibleSpace.min must be specified for parameterType: {kind}"
        errors.required(f"{path}.max", detail)
