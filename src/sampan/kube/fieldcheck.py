"""Whether an object has the fields of its type, and only those: what a server that decodes into structs finds out.

Called for every write of a built-in kind. Messages are Go's, as sigs.k8s.io/json and k8s.io/apimachinery write
them, v1.34.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sampan.kube.quantities import parse as parse_quantity
from sampan.kube.schema import Schema, Shape, Type
from sampan.lib.clock import parse_rfc3339


@dataclass(slots=True)
class Findings:
    mistyped: str = ""
    """What is wrong with the first value of a wrong type."""
    unknown: list[str] = field(default_factory=list)
    """Paths of fields that the type does not have."""


def check(schema: Schema, type_name: str, obj: Any) -> Findings:
    """Drops, in place, nulls and the fields that it reports as unknown."""
    findings = Findings()
    _Check(schema, findings).object(schema.type(type_name), obj, "", "")
    return findings


class _Check:
    """`path` names list items (`spec.containers[0].name`), `plain` does not (`spec.containers.name`), as Go does."""

    def __init__(self, schema: Schema, findings: Findings) -> None:
        self._schema = schema
        self._findings = findings

    def object(self, type_: Type, obj: Any, path: str, plain: str) -> None:
        if not isinstance(obj, dict):
            self._mistyped(obj, type_.name, plain, Shape(type_.name))
            return
        dropped = None
        fields = type_.fields
        for key, value in obj.items():
            declared = fields.get(key)
            if declared is None:
                self._findings.unknown.append(f"{path}.{key}" if path else key)
                dropped = [*(dropped or ()), key]
            elif value is None:
                dropped = [*(dropped or ()), key]
            else:
                shape = declared.shape
                scalar = _SCALARS.get(shape.kind)
                if scalar is not None:
                    if scalar(value):
                        continue
                    self._wrong_scalar(shape, value, type_.name, f"{plain}.{key}" if plain else key)
                else:
                    inner = f"{path}.{key}" if path else key
                    self._composite(type_.name, shape, value, inner, f"{plain}.{key}" if plain else key)
        for key in dropped or ():
            del obj[key]

    def _value(self, owner: str, shape: Shape, value: Any, path: str, plain: str) -> None:
        scalar = _SCALARS.get(shape.kind)
        if scalar is None:
            self._composite(owner, shape, value, path, plain)
        elif not scalar(value):
            self._wrong_scalar(shape, value, owner, plain)

    def _composite(self, owner: str, shape: Shape, value: Any, path: str, plain: str) -> None:
        item = shape.item
        if item is None:
            type_ = self._schema.type(shape.kind)
            if type_.union:
                self._union(type_, value, path, plain)
            elif isinstance(value, dict):
                self.object(type_, value, path, plain)
            else:
                self._mistyped(value, owner, plain, shape)
        elif shape.kind == "list":
            if not isinstance(value, list):
                self._mistyped(value, owner, plain, shape)
                return
            for at, each in enumerate(value):
                if each is None:
                    value[at] = _zero(item)
                else:
                    self._value(owner, item, each, f"{path}[{at}]", plain)
        elif not isinstance(value, dict):
            self._mistyped(value, owner, plain, shape)
        else:
            for key, each in value.items():
                if each is None:
                    value[key] = _zero(item)
                else:
                    self._value(owner, item, each, f"{path}.{key}", plain)

    def _union(self, type_: Type, value: Any, path: str, plain: str) -> None:
        """A value that fits none of its forms is left to the kind's own validation."""
        for declared in type_.fields.values():
            shape = declared.shape
            wanted: type = {"list": list, "boolean": bool}.get(shape.kind, dict)
            if isinstance(value, wanted):
                self._value(type_.name, shape, value, path, plain)
                return

    def _wrong_scalar(self, shape: Shape, value: Any, owner: str, plain: str) -> None:
        if self._findings.mistyped:
            return
        if isinstance(value, str) and shape.kind in _TEXT_ERRORS:
            self._findings.mistyped = _TEXT_ERRORS[shape.kind](value)
        else:
            self._mistyped(value, owner, plain, shape)

    def _mistyped(self, value: Any, owner: str, plain: str, shape: Shape) -> None:
        if self._findings.mistyped:
            return
        what = _json_kind(value)
        if (
            shape.kind in ("int32", "int64")
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        ):
            what = f"number {value}"
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


def _is_int32(value: Any) -> bool:
    return _is_int(value, 31)


def _is_int64(value: Any) -> bool:
    return _is_int(value, 63)


def _is_int(value: Any, bits: int) -> bool:
    if type(value) is float and value.is_integer():
        value = int(value)
    return type(value) is int and -(1 << bits) <= value < 1 << bits


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_quantity(value: Any) -> bool:
    try:
        parse_quantity(value)
    except (ValueError, TypeError):
        return False
    return True


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse_rfc3339(value)
    except (ValueError, OverflowError):
        return False
    return True


def _is_bytes(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        # Go's decoder skips line breaks; `validate` would not.
        base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_SCALARS: dict[str, Callable[[Any], bool]] = {
    "any": lambda _: True,
    "json": lambda _: True,
    "raw": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "int32": _is_int32,
    "int64": _is_int64,
    "number": _is_number,
    "intOrString": lambda value: isinstance(value, str) or _is_int32(value),
    "quantity": _is_quantity,
    "time": _is_time,
    "microTime": _is_time,
    "bytes": _is_bytes,
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
