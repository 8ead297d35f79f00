"""Proto JSON as the KFP API speaks it, without the protobuf library: reading requests, writing answers.

A request is checked against a `Message`, a table of field names and readers. Names may come in snake_case or
camelCase, enums by name or number, 64-bit integers as text; an unknown name is refused, as upstream's gateway
does (`DiscardUnknown: false`). Answers are snake_case, without fields that hold their default.

Sources: the protobuf JSON mapping; kubeflow/pipelines 2.17, backend/src/apiserver/common/utils.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

import msgspec

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.lib.clock import from_micros, parse_rfc3339, rfc3339

Reader = Callable[[Any, str], Any]
"""Turns a JSON value into ours, or raises InvalidArgumentError that names the path it is given."""

EPOCH = "1970-01-01T00:00:00Z"
"""How upstream writes a time that has not come yet (`finished_at` of a running run)."""

_MAX_DEPTH = 200


def decode(body: bytes, name: str) -> Any:
    """The JSON in `body`. Raises InvalidArgumentError with the position where it is broken."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"{name} is not valid JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(
            f"{name} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from error
    except RecursionError as error:
        raise InvalidArgumentError(f"{name} is nested too deeply") from error


class Message:
    """One message type: calling it reads a JSON object into a dict of the fields that were set."""

    def __init__(
        self, name: str, fields: Mapping[str, Reader], one_of: tuple[tuple[str, ...], ...] = ()
    ) -> None:
        self.name = name
        self.fields = dict(fields)
        self._one_of = one_of
        self._names = {_camel_case(field): field for field in fields} | {field: field for field in fields}

    def __call__(self, value: Any, path: str) -> dict[str, Any]:
        """Raises InvalidArgumentError."""
        if not isinstance(value, dict):
            raise _wrong(path, f"a {self.name} object", value)
        read: dict[str, Any] = {}
        for given, item in value.items():
            field = self._names.get(given)
            if field is None:
                raise InvalidArgumentError(
                    f"{path}: unknown field {given!r} in {self.name}; known fields: {', '.join(self.fields)}"
                )
            where = f"{path}.{field}"
            if field in read:
                raise InvalidArgumentError(f"{where} is given twice, in snake_case and in camelCase")
            reader = self.fields[field]
            # Null means "not set" everywhere but for a free value.
            if reader is not output_only and (item is not None or reader is any_value):
                read[field] = reader(item, where)
        for group in self._one_of:
            present = [field for field in group if field in read]
            if len(present) > 1:
                raise InvalidArgumentError(f"{path}: give only one of {' and '.join(present)}")
        return read


def string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "text", value)
    return value


def boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def int32(value: Any, path: str) -> int:
    return _integer(value, path, 32)


def int64(value: Any, path: str) -> int:
    return _integer(value, path, 64)


def double(value: Any, path: str) -> float:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(path, "a number", value)
    return float(value)


def timestamp(value: Any, path: str) -> datetime:
    """RFC 3339, as `2026-01-31T12:00:00Z`."""
    try:
        return parse_rfc3339(string(value, path))
    except (ValueError, OverflowError) as error:
        raise _wrong(path, "a timestamp such as 2026-01-31T12:00:00Z", value) from error


def struct(value: Any, path: str) -> dict[str, Any]:
    """Any JSON object, kept as it is: order of keys, and integers as integers."""
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    _check_depth(value, path)
    return value


def any_value(value: Any, path: str) -> Any:
    """Any JSON value, null included."""
    _check_depth(value, path)
    return value


def output_only(value: Any, path: str) -> None:
    """A field that the server fills: clients that send back what they got are not refused, nor believed."""


def repeated(reader: Reader) -> Reader:
    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        return [reader(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return read


def map_of(reader: Reader) -> Reader:
    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        return {key: reader(item, f"{path}.{key}") for key, item in value.items()}

    return read


def enumeration(names: type[IntEnum]) -> Reader:
    """The name of an enum value, given by name or by number."""
    numbers = {member.value: name for name, member in names.__members__.items()}

    def read(value: Any, path: str) -> str:
        if isinstance(value, str) and value in names.__members__:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and value in numbers:
            return numbers[value]
        raise _wrong(path, f"one of {', '.join(names.__members__)}", value)

    return read


def encode(value: Any) -> bytes:
    """JSON for an answer; `msgspec.Raw` inside is written as it is."""
    return msgspec.json.encode(value)


def present(**fields: Any) -> dict[str, Any]:
    """The fields of an answer without those that hold their type's default, as proto JSON leaves them out."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None
        and value is not False
        and value != 0
        and value != ""
        and value != []
        and value != {}
    }


def time_of(micros: int) -> str:
    """A stored time as the API writes it."""
    return rfc3339(from_micros(micros), micro=bool(micros % 1_000_000)) if micros else EPOCH


def _integer(value: Any, path: str, bits: int) -> int:
    number = value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
        number = int(value)
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    limit = 1 << (bits - 1)
    if isinstance(number, bool) or not isinstance(number, int) or not -limit <= number < limit:
        raise _wrong(path, f"a {bits}-bit integer", value)
    return number


def _check_depth(value: Any, path: str) -> None:
    """Refuses what could not be walked again by recursion: level by level, so that it cannot fail itself."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidArgumentError(f"{path} is nested more than {_MAX_DEPTH} levels deep")


def _wrong(path: str, expected: str, value: Any) -> InvalidArgumentError:
    if isinstance(value, dict | list):
        shown = "an object" if isinstance(value, dict) else "a list"
    else:
        shown = msgspec.json.encode(value if not isinstance(value, str) else value[:60]).decode()
    return InvalidArgumentError(f"{path} must be {expected}, not {shown}")


def _camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
