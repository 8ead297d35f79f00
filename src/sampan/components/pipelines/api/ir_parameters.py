"""A run's parameters: what the user gives, held against what the pipeline declares.

Called through `ir` by REST and the command line before a run exists, so that a mistake is answered at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Protocol

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_model import Parameter, ParameterType, Pipeline, Value
from sampan.components.pipelines.api.ir_values import (
    is_finite,
    kind_of,
    literal_problem,
    matches,
    normalised,
    parse_text,
    shortened,
    to_text,
)


class _Document(Protocol):
    @property
    def pipeline(self) -> Pipeline: ...


def bind_parameters(document: _Document, values: Mapping[str, Any]) -> dict[str, Value]:
    """Every parameter of the pipeline with its value: given, else default, else null when it is optional.

    Raises InvalidArgumentError that names the parameter.
    """
    declared = document.pipeline.root.input_parameters
    for name in values:
        if name not in declared:
            raise InvalidArgumentError(_unknown(name, declared))
    return {name: bound(name, parameter, values) for name, parameter in declared.items()}


def parse_parameter(document: _Document, name: str, text: str) -> Value:
    """The value that `text` means for the parameter: for command lines, where everything is text.

    Raises InvalidArgumentError that names the parameter.
    """
    declared = document.pipeline.root.input_parameters
    if name not in declared:
        raise InvalidArgumentError(_unknown(name, declared))
    try:
        return parse_text(text, declared[name].type)
    except ValueError as error:
        raise InvalidArgumentError(f'parameter "{name}": {error}') from None


def bound(name: str, parameter: Parameter, values: Mapping[str, Any]) -> Value:
    """One parameter's value, as `bind_parameters`."""
    value = normalised(values.get(name))
    if value is None:
        if parameter.has_default:
            return parameter.default
        if parameter.optional:
            return None
        problem = "is null" if name in values else "has no value and no default"
        raise InvalidArgumentError(f'parameter "{name}" ({parameter.type}) {problem}; give it one')
    if not _fits(value, parameter.type):
        raise InvalidArgumentError(
            f'parameter "{name}": expected {parameter.type}, got {kind_of(value)} {shortened(to_text(value))!r}'
        )
    if not is_finite(value):
        raise InvalidArgumentError(f'parameter "{name}": NaN and infinity cannot be passed')
    if problem := literal_problem(value, parameter):
        raise InvalidArgumentError(f'parameter "{name}": {problem}')
    return value


def _fits(value: Value, type_: ParameterType) -> bool:
    # A run's parameters are stricter than a task's: 1.5 is no integer, and a STRING takes text only where the SDK
    # would have sent text.
    if type_ is ParameterType.NUMBER_INTEGER and isinstance(value, float):
        return False
    return matches(value, type_)


def _unknown(name: str, declared: Mapping[str, Parameter]) -> str:
    if not declared:
        return f'unknown parameter "{name}": the pipeline takes none'
    near = difflib.get_close_matches(name, declared, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"it has: {', '.join(sorted(declared))}"
    return f'unknown parameter "{name}" of the pipeline; {hint}'
