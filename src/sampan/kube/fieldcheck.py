"""Whether an object has the fields of its type, and only those: what a server that decodes into structs finds out.

Values are left as such a server would write them back: quantities and times in one form, whole numbers as integers.
Called for every write of a built-in kind. Messages are Go's, as sigs.k8s.io/json and k8s.io/apimachinery write
them, v1.34.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from sampan.kube.quantities import canonical
from sampan.kube.schema import Schema, Shape, Type
from sampan.lib.clock import parse_rfc3339, rfc3339


@dataclass(slots=True)
class Findings:
    mistyped: str = ""
    """What is wrong with the first value of a wrong type."""
    unknown: list[str] = field(default_factory=list)
    """Paths of fields that the type does not have."""


def check(schema: Schema, type_name: str, obj: Any) -> Findings:
    """Drops, in place, nulls and the fields that it reports as unknown; values become canonical."""
    findings = Findings()
    _Check(schema, findings).object(schema.type(type_name), obj, None)
    return findings


Path = tuple["Path", str | int, bool] | None
"""A link to what holds it; a key or a position; whether that is a field of a type, which alone Go counts when it
tells of a wrong type. Written out only when there is an error."""


class _Check:
    def __init__(self, schema: Schema, findings: Findings) -> None:
        self._schema = schema
        self._findings = findings

    def object(self, type_: Type, obj: Any, path: Path) -> None:
        if not isinstance(obj, dict):
            self._mistyped(obj, type_.name, path, Shape(type_.name))
            return
        dropped = None
        fields = type_.fields
        for key, value in obj.items():
            declared = fields.get(key)
            if declared is None:
                self._findings.unknown.append(_written((path, key, True)))
                dropped = [*(dropped or ()), key]
            elif value is None:
                dropped = [*(dropped or ()), key]
            else:
                found = self._value(type_.name, declared.shape, value, (path, key, True))
                if found is not value:
                    obj[key] = found
        for key in dropped or ():
            del obj[key]

    def _value(self, owner: str, shape: Shape, value: Any, path: Path) -> Any:
        """The value as it is to be; `owner` is the type that has the field."""
        scalar = _SCALARS.get(shape.kind)
        if scalar is None:
            self._composite(owner, shape, value, path)
            return value
        found = scalar(value)
        if found is _WRONG:
            self._wrong_scalar(shape, value, owner, path)
            return value
        return found

    def _composite(self, owner: str, shape: Shape, value: Any, path: Path) -> None:
        item = shape.item
        if item is None:
            type_ = self._schema.type(shape.kind)
            if type_.union:
                self._union(type_, value, path)
            elif isinstance(value, dict):
                self.object(type_, value, path)
            else:
                self._mistyped(value, owner, path, shape)
        elif shape.kind == "list":
            if not isinstance(value, list):
                self._mistyped(value, owner, path, shape)
                return
            for at, each in enumerate(value):
                value[at] = _zero(item) if each is None else self._value(owner, item, each, (path, at, False))
        elif not isinstance(value, dict):
            self._mistyped(value, owner, path, shape)
        else:
            for key, each in value.items():
                value[key] = (
                    _zero(item) if each is None else self._value(owner, item, each, (path, key, False))
                )

    def _union(self, type_: Type, value: Any, path: Path) -> None:
        """A value that fits none of its forms is left to the kind's own validation."""
        for declared in type_.fields.values():
            shape = declared.shape
            wanted: type = {"list": list, "boolean": bool}.get(shape.kind, dict)
            if isinstance(value, wanted):
                self._value(type_.name, shape, value, path)
                return

    def _wrong_scalar(self, shape: Shape, value: Any, owner: str, path: Path) -> None:
        if self._findings.mistyped:
            return
        if isinstance(value, str) and shape.kind in _TEXT_ERRORS:
            self._findings.mistyped = _TEXT_ERRORS[shape.kind](value)
        else:
            self._mistyped(value, owner, path, shape)

    def _mistyped(self, value: Any, owner: str, path: Path, shape: Shape) -> None:
        if self._findings.mistyped:
            return
        what = _json_kind(value)
        if (
            shape.kind in ("int32", "int64")
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        ):
            what = f"number {value}"
        plain = ".".join(str(step) for step, is_field in _steps(path) if is_field)
        where = f"Go struct field {owner.rpartition('.')[2]}.{plain}" if plain else "Go value"
        go = self._go_type(shape)
        self._findings.mistyped = f"json: cannot unmarshal {what} into {where} of type {go}"

    def _go_type(self, shape: Shape) -> str:
        if shape.item is not None:
            return ("[]" if shape.kind == "list" else "map[string]") + self._go_type(shape.item)
        if shape.kind in _GO_TYPES:
            return _GO_TYPES[shape.kind]
        version = self._schema.type(shape.kind).package.rpartition(".")[2]
        name = shape.kind.rpartition(".")[2]
        return f"{version}.{name}" if version else name


def _steps(path: Path) -> list[tuple[str | int, bool]]:
    found: list[tuple[str | int, bool]] = []
    while path is not None:
        path, step, is_field = path
        found.append((step, is_field))
    return found[::-1]


def _written(path: Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step, _ in _steps(path))
    return text.removeprefix(".")


def _json_kind(value: Any) -> str:
    names = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _zero(shape: Shape) -> Any:
    """What Go makes of a null in a list or map."""
    if shape.kind in ("string", "bytes"):
        return ""
    if shape.kind == "quantity":
        return "0"
    if shape.kind == "boolean":
        return False
    if shape.kind in ("int32", "int64", "number", "intOrString"):
        return 0
    return [] if shape.kind == "list" else {}


_WRONG = object()
"""In place of a value that is not of the type."""


def _of_type(type_: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, type_) else _WRONG


def _integer(bits: int) -> Callable[[Any], Any]:
    limit = 1 << bits

    def read(value: Any) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        return value if type(value) is int and -limit <= value < limit else _WRONG

    return read


_int32 = _integer(31)


def _int_or_string(value: Any) -> Any:
    return value if isinstance(value, str) else _int32(value)


def _number(value: Any) -> Any:
    return value if type(value) in (int, float) else _WRONG


def _quantity(value: Any) -> Any:
    try:
        found = canonical(value)
    except (ValueError, TypeError):
        return _WRONG
    return value if found == value else found


def _time(value: Any) -> Any:
    return _moment(value, 20, micro=False)


def _micro_time(value: Any) -> Any:
    return _moment(value, 27, micro=True)


def _moment(value: Any, length: int, *, micro: bool) -> Any:
    if not isinstance(value, str):
        return _WRONG
    try:
        moment = parse_rfc3339(value)
        if len(value) == length and value.endswith("Z"):
            return value
        return rfc3339(moment.astimezone(UTC), micro=micro)
    except (ValueError, OverflowError):
        return _WRONG


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return _WRONG
    # Go's decoder skips line breaks.
    text = value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return _WRONG
    return text


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "any": lambda value: value,
    "json": lambda value: value,
    "raw": _of_type(dict),
    "string": _of_type(str),
    "boolean": _of_type(bool),
    "int32": _int32,
    "int64": _integer(63),
    "number": _number,
    "intOrString": _int_or_string,
    "quantity": _quantity,
    "time": _time,
    "microTime": _micro_time,
    "bytes": _bytes,
}
_GO_TYPES = {
    "any": "interface {}",
    "json": "interface {}",
    "raw": "map[string]interface {}",
    "string": "string",
    "boolean": "bool",
    "int32": "int32",
    "int64": "int64",
    "number": "float64",
    "intOrString": "int32",
    "quantity": "string",
    "time": "string",
    "microTime": "string",
    "bytes": "[]uint8",
}


def _bad_quantity(_: str) -> str:
    return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def _bad_time(layout: str) -> Callable[[str], str]:
    def message(value: str) -> str:
        return f'parsing time "{value[:100]}" as "{layout}": cannot parse "{value[:100]}" as "2006"'

    return message


def _bad_bytes(value: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\r\n"
    at = next((at for at, character in enumerate(value) if character not in alphabet), len(value))
    return f"illegal base64 data at input byte {at}"


_TEXT_ERRORS: dict[str, Callable[[str], str]] = {
    "quantity": _bad_quantity,
    "time": _bad_time("2006-01-02T15:04:05Z07:00"),
    "microTime": _bad_time("2006-01-02T15:04:05.000000Z07:00"),
    "bytes": _bad_bytes,
}
