"""CEL: conditions over a task's inputs, and selectors into a value. Pure.

Source: backend/src/v2/expression/expression.go, kubeflow/pipelines 2.17. There every number is a double; so here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.api.ir_values import normalised, shortened, to_text
from sampan.components.pipelines.engine.errors import StepError
from sampan.lib.common_expressions import cel


class Expressions:
    """Evaluates expressions, each compiled once. One a run, since its pipeline bounds how many there are."""

    def __init__(self) -> None:
        self._programs: dict[str, Any] = {}

    def condition(
        self, expression: str, parameters: Mapping[str, Value], artifacts: Mapping[str, Any]
    ) -> bool:
        """Whether the task runs. Raises StepError."""
        inputs = {
            "parameter_values": {name: _as_doubles(value) for name, value in parameters.items()},
            "artifacts": dict(artifacts),
        }
        result = self._evaluate(expression, {"inputs": inputs})
        if not isinstance(result, bool):
            raise StepError(f"condition {shortened(expression)!r} gives {result!r}, not true or false")
        return result

    def select(self, value: Value, selector: str) -> Value:
        """The part of `value` that the selector names. Raises StepError."""
        fields: dict[str, Any] = {"string_value": to_text(value)}
        if isinstance(value, bool):
            fields["bool_value"] = value
        elif isinstance(value, int | float):
            fields["number_value"] = float(value)
        elif isinstance(value, list):
            fields["list_value"] = _as_doubles(value)
        elif isinstance(value, dict):
            fields["struct_value"] = _as_doubles(value)
        return normalised(self._evaluate(selector, fields))

    def _evaluate(self, expression: str, variables: dict[str, Any]) -> Any:
        try:
            program = self._programs.get(expression)
            if program is None:
                program = self._programs[expression] = cel().compile(expression)
            context = cel().Context(variables)
            context.add_function("parseJson", _parse_json)
            return program.execute(context)
        except KeyError as error:
            raise StepError(
                f"expression {shortened(expression)!r}: there is no {error.args[0]!r}; "
                "an input it reads has no value"
            ) from None
        except (ValueError, RuntimeError, TypeError, OverflowError) as error:
            raise StepError(f"expression {shortened(expression)!r} cannot be evaluated: {error}") from None


def _parse_json(text: str) -> Any:
    return _as_doubles(json.loads(text))


def _as_doubles(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_doubles(item) for key, item in value.items()}
    return value
