"""Schemas of objects: their types, a check against them, and what strategic merge patch needs to know.

The text form is one type's name on a line of its own and its fields, indented, below it:

    Container
        name!:string env:[EnvVar]@name args:[string]

`!` marks a required field; `[T]` is a list and `{T}` a map; `@key` a list that strategic merge patch merges by that
key, `@` alone one of plain values; a `!` at the end keeps only the keys that the patch lists ($retainKeys).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sampan.kube.quantities import parse as parse_quantity
from sampan.lib.clock import parse_rfc3339


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is list, map, a scalar of `SCALARS`, or the name of a type. `item` is of a list or map."""

    kind: str
    item: Shape | None = None
    merge_key: str | None = None
    """Of a list that is merged: a key, or empty for plain values. None: the list is replaced."""
    retains_keys: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    shape: Shape
    required: bool = False


Fields = dict[str, Field]


class Schema:
    """Types by name. Immutable."""

    def __init__(self, types: dict[str, Fields]) -> None:
        self.types = types

    @classmethod
    def parse(cls, text: str) -> Schema:
        """Raises ValueError for a text that is not in this form, or names a type it does not define."""
        types: dict[str, Fields] = {}
        fields: Fields = {}
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            if not line.startswith(" "):
                fields = types.setdefault(line.strip(), {})
                continue
            for entry in line.split():
                name, _, form = entry.partition(":")
                fields[name.rstrip("!")] = Field(_shape(form), name.endswith("!"))
        for name in (shape.kind for each in types.values() for shape in _shapes(each.values())):
            if name not in types and name not in SCALARS and name not in ("list", "map"):
                raise ValueError(f"the schema has no type {name}")
        return cls(types)

    def field(self, type_name: str, key: str) -> Shape | None:
        fields = self.types.get(type_name)
        found = fields.get(key) if fields else None
        return None if found is None else found.shape

    def check(self, type_name: str, obj: Any) -> Findings:
        """Reports, and drops nulls in place, as a server that decodes into structs does."""
        findings = Findings()
        _check_fields(self.types, self.types[type_name], obj, "", findings)
        findings.unknown = [path for path in findings.unknown if path not in ("apiVersion", "kind")]
        return findings


@dataclass(slots=True)
class Findings:
    mistyped: str = ""
    """The first value of a wrong type: `spec.containers[0].name: expected string, got integer`."""
    unknown: list[str] = field(default_factory=list)
    """Paths of fields that the schema does not have."""


def _check_fields(types: dict[str, Fields], fields: Fields, obj: Any, path: str, findings: Findings) -> None:
    if not isinstance(obj, dict):
        findings.mistyped = (
            findings.mistyped or f"{path or 'the object'}: expected object, got {json_type(obj)}"
        )
        return
    nulls = None
    for key, value in obj.items():
        if value is None:
            nulls = [*(nulls or ()), key]
            continue
        declared = fields.get(key)
        where = f"{path}.{key}" if path else key
        if declared is None:
            findings.unknown.append(where)
        else:
            _check(types, declared.shape, value, where, findings)
    for key in nulls or ():
        del obj[key]


def _check(types: dict[str, Fields], shape: Shape, value: Any, path: str, findings: Findings) -> None:
    kind = shape.kind
    scalar = SCALARS.get(kind)
    if scalar is not None:
        if not scalar(value) and not findings.mistyped:
            findings.mistyped = f"{path}: expected {kind}, got {json_type(value)}"
    elif kind == "list":
        assert shape.item is not None
        if not isinstance(value, list):
            findings.mistyped = findings.mistyped or f"{path}: expected array, got {json_type(value)}"
            return
        for at, item in enumerate(value):
            _check(types, shape.item, item, f"{path}[{at}]", findings)
    elif kind == "map":
        assert shape.item is not None
        if not isinstance(value, dict):
            findings.mistyped = findings.mistyped or f"{path}: expected object, got {json_type(value)}"
            return
        for key, item in value.items():
            if item is None and shape.item.kind == "string":
                value[key] = ""
            else:
                _check(types, shape.item, item, f"{path}[{key}]", findings)
    else:
        _check_fields(types, types[kind], value, path, findings)


def json_type(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _is_int(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


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


SCALARS: dict[str, Callable[[Any], bool]] = {
    "any": lambda _: True,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_int,
    "number": _is_number,
    "intOrString": lambda value: isinstance(value, str) or _is_int(value),
    "quantity": _is_quantity,
    "time": _is_time,
    "microTime": _is_time,
}


def _shape(text: str) -> Shape:
    form, at, merge = text.partition("@")
    retains = merge.endswith("!")
    key = merge.rstrip("!") if at else None
    if form.startswith("["):
        return Shape("list", _shape(form[1:-1]), key, retains)
    if form.startswith("{"):
        return Shape("map", _shape(form[1:-1]))
    return Shape(form, retains_keys=retains)


def _shapes(fields: Iterable[Field]) -> Iterable[Shape]:
    for declared in fields:
        shape: Shape | None = declared.shape
        while shape is not None:
            yield shape
            shape = shape.item
