"""What architecture searches can be told, the operations they choose from, and what they refuse. Light: no NumPy.

Source: kubeflow/katib 0.19 pkg/suggestion/v1beta1/nas: common/validation.py, enas/AlgorithmSettings.py,
enas/Operation.py, enas/service.py and darts/service.py, whose words these are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sampan.components.tuning.api.suggesting import (
    InvalidSettingsError,
    NasConfig,
    Operation,
    Parameter,
    Problem,
)

_MOST_LAYERS = 200
_MOST_OPERATIONS = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """One operation with each of its parameters chosen: what a layer can be."""

    type: str
    parameters: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Of ENAS' controller. None where a setting is `None`: that part of the loss or the logits is left out."""

    hidden_size: int = 64
    temperature: float | None = 5.0
    tanh_const: float | None = 2.25
    entropy_weight: float | None = 1e-5
    baseline_decay: float = 0.999
    learning_rate: float = 5e-5
    skip_target: float = 0.4
    skip_weight: float | None = 0.8
    train_steps: int = 50
    log_every_steps: int = 10
    """Taken, and without a meaning here: there is no log that anybody reads."""
    random_state: int | None = None


_OPTIONAL = ("temperature", "tanh_const", "entropy_weight", "skip_weight")
_UP_TO_ONE = ("baseline_decay", "learning_rate", "skip_target")
_WHOLE = ("hidden_size", "train_steps", "log_every_steps")
_MOST = {"hidden_size": 4096, "train_steps": 100_000}
"""Larger ones would keep a core busy for hours."""
_PREFIX = "controller_"


def enas(problem: Problem) -> None:
    """Raises InvalidSettingsError."""
    nas = problem.nas or NasConfig()
    for name, found in (
        ("InputSizes", nas.input_sizes),
        ("OutputSizes", nas.output_sizes),
        ("NumLayers", nas.num_layers),
    ):
        if not found:
            raise InvalidSettingsError(f"Missing {name} in GraphConfig: set spec.nasConfig.graphConfig")
    _layers(nas.num_layers)
    _operations(nas)
    if not choices(nas.operations):
        raise InvalidSettingsError("Missing Operations: spec.nasConfig.operations must name at least one")
    controller_settings(problem.settings)


def darts(problem: Problem) -> None:
    """Raises InvalidSettingsError."""
    nas = problem.nas or NasConfig()
    if nas.num_layers < 1:
        raise InvalidSettingsError("Missing NumLayers in GraphConfig: set spec.nasConfig.graphConfig")
    _layers(nas.num_layers)
    _operations(nas)
    if not primitives(nas.operations):
        raise InvalidSettingsError("Missing Operations: spec.nasConfig.operations must name at least one")
    for name, value in problem.settings.items():
        # Others are for the trials' own program, which is told all of them.
        if name in _DARTS:
            _darts_setting(name, value, *_DARTS[name])


def choices(operations: Sequence[Operation]) -> list[Choice]:
    """All operations with all that can be chosen about them; an operation's id is its place. InvalidSettingsError
    where there are too many."""
    made: list[Choice] = []
    for operation in operations:
        values = [_values(each) for each in operation.parameters]
        if len(made) + math.prod(map(len, values)) > _MOST_OPERATIONS:
            raise InvalidSettingsError(
                f"spec.nasConfig.operations come to more than {_MOST_OPERATIONS} choices with their parameters"
            )
        names = [each.name for each in operation.parameters]
        made += [
            Choice(operation.type, dict(zip(names, chosen, strict=True)))
            for chosen in itertools.product(*values)
        ]
    return made


def primitives(operations: Sequence[Operation]) -> list[str]:
    """DARTS' search space: an operation by its name and the size of its filter, its first parameter."""
    made: list[str] = []
    for operation in operations:
        if operation.type == "skip_connection":
            made.append(operation.type)
        elif operation.parameters:
            made += [f"{operation.type}_{size}x{size}" for size in _values(operation.parameters[0])]
    return made


def controller_settings(given: Mapping[str, str]) -> ControllerSettings:
    """Raises InvalidSettingsError."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        plain = name.removeprefix(_PREFIX)
        if name == "random_state":
            found[name] = _converted(name, value, int)
        elif not name.startswith(_PREFIX) or plain not in (*_OPTIONAL, *_UP_TO_ONE, *_WHOLE):
            raise InvalidSettingsError(f"Unknown Algorithm Setting name: {name}")
        elif plain in _OPTIONAL and value == "None":
            found[plain] = None
        else:
            found[plain] = _controller_setting(name, plain, value)
    return ControllerSettings(**found)


def _controller_setting(name: str, plain: str, value: str) -> float | int:
    if plain in _WHOLE:
        whole = int(_converted(name, value, int))
        if not 1 <= whole <= _MOST.get(plain, whole):
            raise InvalidSettingsError(
                f"Algorithm Setting {name}: {whole} with int type must be in range [1, {_MOST.get(plain, 'inf')})"
            )
        return whole
    real = float(_converted(name, value, float))
    most = 1.0 if plain in _UP_TO_ONE else math.inf
    # A target of 1 would leave no probability to the other choice.
    if not 0 < real <= most or real == math.inf or (plain == "skip_target" and real == 1):
        raise InvalidSettingsError(
            f"Algorithm Setting {name}: {real} with float type must be in range (0, {most:g})"
        )
    return real


def _converted(name: str, value: str, kind: Callable[[str], float]) -> float:
    try:
        return kind(value)
    except ValueError as error:
        word = "int" if kind is int else "float"
        raise InvalidSettingsError(
            f"Algorithm Setting {name} must be {word} type: exception {error}"
        ) from None


_DARTS: Mapping[str, tuple[Callable[[str], float], float, str]] = {
    "num_epochs": (int, 1, "should be greater than zero"),
    **dict.fromkeys(
        ("w_lr", "w_lr_min", "alpha_lr", "w_weight_decay", "alpha_weight_decay", "w_momentum", "w_grad_clip"),
        (float, 0.0, "should be greater than or equal to zero"),
    ),
    "batch_size": (int, 1, "should be greater than or equal to one"),
    "num_workers": (int, 0, "should be greater than or equal to zero"),
    **dict.fromkeys(
        ("init_channels", "print_step", "num_nodes", "stem_multiplier"),
        (int, 1, "should be greater than or equal to one"),
    ),
}


def _darts_setting(name: str, value: str, kind: Callable[[str], float], least: float, complaint: str) -> None:
    if name == "batch_size" and value == "None":
        return
    try:
        found = kind(value)
    except ValueError as error:
        raise InvalidSettingsError(f"failed to validate {name}({value}): {error}") from None
    if not found >= least:
        raise InvalidSettingsError(f"{name} {complaint}")


def _layers(count: int) -> None:
    if not 0 < count <= _MOST_LAYERS:
        raise InvalidSettingsError(
            f"spec.nasConfig.graphConfig.numLayers must be from 1 to {_MOST_LAYERS}, not {count}"
        )


def _operations(nas: NasConfig) -> None:
    for number, operation in enumerate(nas.operations):
        where = f"spec.nasConfig.operations[{number}]"
        if not operation.type:
            raise InvalidSettingsError(f"Missing operationType in Operation: {where}")
        if not operation.parameters and operation.type != "skip_connection":
            raise InvalidSettingsError(f"Missing ParameterConfigs in Operation: {where}, {operation.type}")
        for parameter in operation.parameters:
            _parameter(parameter, f"{where}, {operation.type}, {parameter.name or '(no name)'}")


def _parameter(parameter: Parameter, where: str) -> None:
    space = parameter.space
    if not parameter.name:
        raise InvalidSettingsError(f"Missing Name in ParameterConfig: {where}")
    if not parameter.type:
        raise InvalidSettingsError(f"Missing ParameterType in ParameterConfig: {where}")
    if parameter.type in ("categorical", "discrete"):
        if not space.list:
            raise InvalidSettingsError(f"Missing List in ParameterConfig.feasibleSpace: {where}")
        return
    if not space.min and not space.max:
        raise InvalidSettingsError(f"Missing Max and Min in ParameterConfig.feasibleSpace: {where}")
    if parameter.type == "double" and not space.step:
        raise InvalidSettingsError(f"Step parameter should be > 0 in ParameterConfig.feasibleSpace: {where}")
    try:
        _grid(parameter)
    except (ValueError, InvalidOperation) as error:
        raise InvalidSettingsError(
            f"failed to validate ParameterConfig.feasibleSpace ({where}): {error}"
        ) from None


def _values(parameter: Parameter) -> Sequence[str | int | float]:
    """For parameters that passed `_parameter`."""
    return parameter.space.list if parameter.space.list else _grid(parameter)


def _grid(parameter: Parameter) -> Sequence[int | float]:
    space, kind = parameter.space, int if parameter.type == "int" else float
    low, high, step = Decimal(space.min), Decimal(space.max), Decimal(space.step or "1")
    if step <= 0:
        raise ValueError("Step parameter should be > 0")
    if not low <= high or (high - low) / step > _MOST_OPERATIONS:
        raise ValueError(
            f"from {low} to {high} in steps of {step} there are none, or more than {_MOST_OPERATIONS}"
        )
    return [kind(low + step * place) for place in range(int((high - low) / step) + 1)]
