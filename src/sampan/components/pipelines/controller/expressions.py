"""The expressions of a CronWorkflow: `when`, and `stopStrategy.expression`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.argo import conditions
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions import evaluate
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.api.errors import InvalidArgumentError


def holds(expression: str, known: Mapping[str, Any]) -> bool:
    """An expression that says yes or no. Raises InvalidArgumentError."""
    try:
        value = evaluate(expression, known)
    except ArgoError as error:
        raise InvalidArgumentError(f"spec.stopStrategy.expression: {error.message}") from error
    if not isinstance(value, bool):
        raise InvalidArgumentError("spec.stopStrategy.expression: must be true or false")
    return value


def when(text: str, known: Mapping[str, Any]) -> bool:
    """A condition with tags. Raises InvalidArgumentError."""
    try:
        return conditions.holds(str(substitute(text, Variables(dict(_flat(known))))))
    except ArgoError as error:
        raise InvalidArgumentError(f"spec.when: {error.message}") from error


def _flat(known: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in known.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from _flat(value, place)
        else:
            yield place, value
