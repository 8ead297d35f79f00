"""Parameters that mean something only while others have certain values: an extension of ours, by annotation.

    sampan.dev/conditions: '{"momentum": {"optimizer": ["sgd", "rmsprop"]}}'

`momentum` is searched where `optimizer` is one of these. A trial gets every parameter all the same, for its template
names them; one that means nothing has its first value (min, or the first of its list). So points that differ in nothing
that matters are one point, for every algorithm. Pure; used by `engine/builtin.py` and by algorithms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Parameter, Problem

ANNOTATION = "sampan.dev/conditions"
_PARENTS = ("categorical", "discrete", "int")


@dataclass(frozen=True, slots=True)
class Conditions:
    wanted: Mapping[str, Mapping[str, tuple[str, ...]]]
    """By parameter: by another one's name, the values of which it must have one. Parents come before children."""
    first: Mapping[str, str]
    """By parameter, its value where it means nothing."""

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def is_active(self, name: str, values: Mapping[str, str]) -> bool:
        """A parent that means nothing makes its children mean nothing."""
        return all(
            values.get(parent) in allowed and self.is_active(parent, values)
            for parent, allowed in self.wanted.get(name, {}).items()
        )

    def settled(self, values: Mapping[str, str]) -> dict[str, str]:
        """What means nothing has its first value."""
        return {
            name: text if self.is_active(name, values) else self.first.get(name, text)
            for name, text in values.items()
        }


def conditions(problem: Problem) -> Conditions:
    """Raises InvalidSettingsError."""
    text = problem.annotations.get(ANNOTATION)
    if not text:
        return Conditions({}, {})
    parameters = {each.name: each for each in problem.parameters}
    found = _read(text)
    wanted = {
        name: {
            parent: _values(name, parent, allowed, parameters)
            for parent, allowed in _object(name, given).items()
        }
        for name, given in found.items()
    }
    for name in wanted:
        if name not in parameters:
            raise InvalidSettingsError(f"annotation {ANNOTATION}: {name} is no parameter of this experiment")
    return Conditions(
        {name: wanted[name] for name in _parents_first(wanted)},
        {name: _first(parameters[name]) for name in wanted},
    )


def _read(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSettingsError(f"annotation {ANNOTATION} must be a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise InvalidSettingsError(f"annotation {ANNOTATION} must be a JSON object of parameters")
    return found


def _object(name: str, given: object) -> dict[str, object]:
    if not isinstance(given, dict) or not given:
        raise InvalidSettingsError(
            f'annotation {ANNOTATION}: {name} must be an object such as {{"optimizer": ["sgd"]}}'
        )
    return given


def _values(name: str, parent: str, allowed: object, parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    if parent not in parameters or parameters[parent].type not in _PARENTS:
        raise InvalidSettingsError(
            f"annotation {ANNOTATION}: {name} depends on {parent}, which must be a parameter of type "
            + ", ".join(_PARENTS)
        )
    if (
        not isinstance(allowed, list)
        or not allowed
        or not all(isinstance(each, str | int) for each in allowed)
    ):
        raise InvalidSettingsError(f"annotation {ANNOTATION}: {name} must list values of {parent}")
    values = tuple(str(each) for each in allowed)
    listed = parameters[parent].space.list
    for each in values:
        if listed and each not in listed:
            raise InvalidSettingsError(f"annotation {ANNOTATION}: {each} is no value of {parent}")
    return values


def _parents_first(wanted: Mapping[str, Mapping[str, tuple[str, ...]]]) -> list[str]:
    order: list[str] = []
    left = dict(wanted)
    while left:
        free = [name for name, parents in left.items() if not any(parent in left for parent in parents)]
        if not free:
            raise InvalidSettingsError(
                f"annotation {ANNOTATION}: {', '.join(left)} depend on each other in a circle"
            )
        order += free
        for name in free:
            del left[name]
    return order


def _first(parameter: Parameter) -> str:
    if parameter.space.list:
        return parameter.space.list[0]
    if parameter.type == "double":
        try:
            return repr(float(parameter.space.min))
        except ValueError:
            return parameter.space.min
    return parameter.space.min
