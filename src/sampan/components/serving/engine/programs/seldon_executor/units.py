"""The built-in units, which have no container: what they answer. Pure.

RANDOM_ABTEST is the executor's own (seldon-core 1.18.2 executor/predictor/components.go); the others were those of the
engine before it (seldon-core 1.1 engine/src/main/java/io/seldon/engine/predictors: SimpleModelUnit, SimpleRouterUnit,
AverageCombinerUnit), which the API still names.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.serving.engine.programs.seldon_executor.graph import Unit

SIMPLE_MODEL, SIMPLE_ROUTER = "SIMPLE_MODEL", "SIMPLE_ROUTER"
RANDOM_ABTEST, AVERAGE_COMBINER = "RANDOM_ABTEST", "AVERAGE_COMBINER"
BUILT_IN = frozenset((SIMPLE_MODEL, SIMPLE_ROUTER, RANDOM_ABTEST, AVERAGE_COMBINER))
_CLASSES = ("class0", "class1", "class2")
_PREDICTED = (0.1, 0.9, 0.5)


class UnitError(Exception):
    """A built-in unit cannot do with what it got. The message is for whoever asked."""


def predicted(message: Mapping[str, Any]) -> dict[str, Any]:
    """SIMPLE_MODEL's answer: always the same."""
    meta = dict(message["meta"]) if isinstance(message.get("meta"), dict) else {}
    meta["metrics"] = [
        *(meta.get("metrics") or ()),
        {"key": "mymetric_counter", "type": "COUNTER", "value": 1},
        {"key": "mymetric_gauge", "type": "GAUGE", "value": 100},
        {"key": "mymetric_timer", "type": "TIMER", "value": 22.1},
    ]
    data = {"names": list(_CLASSES), "tensor": {"shape": [1, 3], "values": list(_PREDICTED)}}
    return {"meta": meta, "data": data}


def chosen(unit: Unit, point: float) -> int:
    """The child that RANDOM_ABTEST sends a message to, of `point` in [0, 1). Raises UnitError."""
    if len(unit.children) != 2:
        raise UnitError(f"{unit.name}: AB test has {len(unit.children)} branches, it needs two")
    told = unit.parameters.get("ratioA", "0.5")
    try:
        ratio = float(told)
    except ValueError:
        raise UnitError(f"{unit.name}: ratioA is no number but {told!r}") from None
    return 0 if point < ratio else 1


def point() -> float:
    return random.random()  # noqa: S311 - a split, no secret


def averaged(unit: Unit, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """AVERAGE_COMBINER's answer, in the form and with the names of the first. Raises UnitError."""
    if not messages:
        raise UnitError(f"{unit.name}: Combiner received no inputs")
    arrays = [_values(unit, each) for each in messages]
    first_shape = arrays[0][0]
    for shape, _ in arrays:
        if shape != first_shape:
            raise UnitError(f"{unit.name}: Expected shape {first_shape} but found {shape}")
    mean = [math.fsum(column) / len(arrays) for column in zip(*(values for _, values in arrays), strict=True)]
    data = messages[0]["data"]
    kept = {"names": data["names"]} if data.get("names") else {}
    if "tensor" in data:
        body = {**kept, "tensor": {"shape": list(first_shape), "values": mean}}
    else:
        body = {**kept, "ndarray": _nested(first_shape, iter(mean))}
    return {"meta": _merged(messages), "data": body}


def _merged(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    tags: dict[str, Any] = {}
    path: dict[str, Any] = {}
    metrics: list[Any] = []
    for each in messages:
        meta = each.get("meta") if isinstance(each.get("meta"), dict) else {}
        tags.update((meta or {}).get("tags") or {})
        path.update((meta or {}).get("requestPath") or {})
        metrics += (meta or {}).get("metrics") or ()
    found = {"tags": tags, "requestPath": path, "metrics": metrics}
    return {key: value for key, value in found.items() if value}


def _values(unit: Unit, message: Mapping[str, Any]) -> tuple[tuple[int, ...], list[float]]:
    data = message.get("data")
    try:
        if isinstance(data, dict) and "tensor" in data:
            shape = tuple(int(each) for each in data["tensor"]["shape"])
            values = [float(each) for each in data["tensor"]["values"]]
            if math.prod(shape) != len(values):
                raise ValueError(f"{len(values)} values are not of shape {shape}")
            return shape, values
        if isinstance(data, dict) and "ndarray" in data:
            return _shape(data["ndarray"]), [float(each) for each in _flat(data["ndarray"])]
    except (KeyError, TypeError, ValueError) as error:
        raise UnitError(f"{unit.name}: numbers cannot be averaged: {error}") from error
    raise UnitError(
        f"{unit.name}: Combiner cannot extract data shape: it averages data, as tensor or ndarray"
    )


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    inner = {_shape(each) for each in value}
    if len(inner) > 1:
        raise ValueError("rows of several lengths")
    return (len(value), *(inner.pop() if inner else ()))


def _flat(value: Any) -> list[Any]:
    return [leaf for each in value for leaf in _flat(each)] if isinstance(value, list) else [value]


def _nested(shape: tuple[int, ...], values: Any) -> Any:
    return [_nested(shape[1:], values) for _ in range(shape[0])] if shape else next(values)
