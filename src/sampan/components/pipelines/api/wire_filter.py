"""The filter of a list request: predicates that must all hold.

Clients send it as JSON in one query parameter, some of them encoded twice. The official SDK writes operations
as numbers and values in camelCase (`stringValue`), which proto JSON allows.

Source: kubeflow/pipelines 2.17, backend/api/v2beta1/filter.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.states import PredicateOperation
from sampan.components.pipelines.api.wire import (
    Message,
    decode,
    enumeration,
    int32,
    int64,
    repeated,
    string,
    timestamp,
)
from sampan.lib.clock import to_micros

_MAX_PREDICATES = 50
_MAX_VALUES = 1000
"""Bounds on what one request may make the database compare."""

_PREDICATE = Message(
    "Predicate",
    {
        "operation": enumeration(PredicateOperation),
        "key": string,
        "int_value": int32,
        "long_value": int64,
        "string_value": string,
        "timestamp_value": timestamp,
        "int_values": Message("IntValues", {"values": repeated(int32)}),
        "long_values": Message("LongValues", {"values": repeated(int64)}),
        "string_values": Message("StringValues", {"values": repeated(string)}),
    },
    one_of=(
        (
            "int_value",
            "long_value",
            "string_value",
            "timestamp_value",
            "int_values",
            "long_values",
            "string_values",
        ),
    ),
)
_FILTER = Message("Filter", {"predicates": repeated(_PREDICATE)})

_LISTS = frozenset({"int_values", "long_values", "string_values"})


@dataclass(frozen=True, slots=True)
class Predicate:
    """`value` is text or a number, or for IN a tuple of them. A time is in microseconds already."""

    key: str
    operation: PredicateOperation
    value: Any
    is_text: bool
    is_time: bool = False

    @property
    def micros(self) -> Any:
        """The value as a time in microseconds."""
        if self.is_time:
            return self.value
        if isinstance(self.value, tuple):
            return tuple(seconds * 1_000_000 for seconds in self.value)
        return self.value * 1_000_000


def parse_filter(text: str) -> tuple[Predicate, ...]:
    """The predicates in `text`. Raises InvalidArgumentError naming the one that is wrong."""
    if not text.strip():
        return ()
    if not text.lstrip().startswith("{"):
        text = unquote(text)
    predicates = _FILTER(decode(text.encode(), "filter"), "filter").get("predicates", [])
    if len(predicates) > _MAX_PREDICATES:
        raise InvalidArgumentError(f"filter: at most {_MAX_PREDICATES} predicates are allowed")
    return tuple(_predicate(raw, f"filter.predicates[{index}]") for index, raw in enumerate(predicates))


def _predicate(raw: dict[str, Any], path: str) -> Predicate:
    operation = PredicateOperation[raw.pop("operation", "OPERATION_UNSPECIFIED")]
    key = raw.pop("key", "")
    if not key:
        raise InvalidArgumentError(f"{path}.key must not be empty")
    if operation is PredicateOperation.OPERATION_UNSPECIFIED:
        raise InvalidArgumentError(f"{path}.operation must be given, such as EQUALS")
    if len(raw) != 1:
        raise InvalidArgumentError(f"{path} needs a value to compare with, such as string_value")
    [(kind, value)] = raw.items()
    is_list = kind in _LISTS
    if is_list != (operation is PredicateOperation.IN):
        wanted = "a list such as string_values" if not is_list else "a single value such as string_value"
        raise InvalidArgumentError(f"{path}: {operation.name} compares with {wanted}, not with {kind}")
    if operation is PredicateOperation.IS_SUBSTRING and kind != "string_value":
        raise InvalidArgumentError(f"{path}: IS_SUBSTRING compares with string_value only, not with {kind}")
    if is_list:
        value = tuple(value.get("values", ()))
        if len(value) > _MAX_VALUES:
            raise InvalidArgumentError(f"{path}.{kind}: at most {_MAX_VALUES} values are allowed")
    if kind == "timestamp_value":
        return Predicate(key, operation, to_micros(value), is_text=False, is_time=True)
    return Predicate(key, operation, value, is_text=kind in ("string_value", "string_values"))
