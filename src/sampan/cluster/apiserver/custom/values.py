"""Whether an object is as its schema says, in the words of Kubernetes' own validator.

Source: k8s.io/kube-openapi/pkg/validation/{validate,errors}, apiextensions-apiserver/pkg/apiserver/validation and
pkg/apiserver/schema/listtype, v1.31.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.cluster.apiserver.cel import formats, patterns
from sampan.cluster.apiserver.custom.fitting import fits
from sampan.cluster.apiserver.custom.structural import Node, Schema
from sampan.kube.errors import Cause
from sampan.kube.fielderrors import FieldErrors

_LIMIT = 100
"""Of what is told about one object."""
_NOWHERE = "<nil>"
"""The field of what Kubernetes says about an alternative as a whole."""


def validate(node: Node, obj: Any, errors: FieldErrors, path: str = "") -> None:
    _value(node, obj, path, errors)


def _value(node: Node, value: Any, path: str, errors: FieldErrors) -> None:
    if len(errors.causes) > _LIMIT or (value is None and node.nullable):
        return
    raw = node.raw
    if not _typed(node, value, path, errors):
        return
    _alternatives(raw, value, path, errors)
    _scalar(raw, value, path, errors)
    if isinstance(value, dict):
        _object(node, value, path, errors)
    elif isinstance(value, list):
        _list(node, value, path, errors)


def type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else ("array" if isinstance(value, list) else "object")


def _is(type_: str, value: Any) -> bool:
    found = type_of(value)
    if found == type_ or (type_ == "number" and found == "integer"):
        return True
    # JSON has one kind of number: 1.0 is an integer.
    return type_ == "integer" and found == "number" and value.is_integer()


def _typed(node: Node, value: Any, path: str, errors: FieldErrors) -> bool:
    wanted = ("integer", "string") if node.int_or_string else ((node.type,) if node.type else ())
    if not wanted or any(_is(type_, value) for type_ in wanted):
        return True
    found = type_of(value)
    listed = ",".join(wanted)
    errors.wrong_type(path, found, f'{path} in body must be of type {listed}: "{found}"')
    return False


def _scalar(raw: Schema, value: Any, path: str, errors: FieldErrors) -> None:
    if "enum" in raw and not any(_same(value, each) for each in raw["enum"]):
        errors.unsupported(path, value, [_plain(each) for each in raw["enum"]], in_order=True)
    if isinstance(value, str):
        _text(raw, value, path, errors)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _number(raw, value, path, errors)


def _text(raw: Schema, value: str, path: str, errors: FieldErrors) -> None:
    # The first of these three that fails is told, as Kubernetes does.
    if (limit := raw.get("maxLength")) is not None and len(value) > limit:
        errors.too_long(path, limit)
    elif (limit := raw.get("minLength")) is not None and len(value) < limit:
        errors.invalid(path, value, f"{path} in body should be at least {limit} chars long")
    elif pattern := raw.get("pattern"):
        try:
            matches = patterns.search(pattern, value)
        except ValueError:
            matches = False
        if not matches:
            errors.invalid(path, value, f"{path} in body should match '{pattern}'")
    format_ = raw.get("format")
    if format_ and not formats.is_of(format_, value):
        errors.wrong_type(path, value, f"{path} in body must be of type {format_}: {json.dumps(value)}")


def _number(raw: Schema, value: float, path: str, errors: FieldErrors) -> None:
    if (factor := raw.get("multipleOf")) is not None and factor > 0 and not _divides(factor, value):
        errors.invalid(path, value, f"{path} in body should be a multiple of {_go(factor)}")
    if (limit := raw.get("maximum")) is not None:
        exclusive = raw.get("exclusiveMaximum") is True
        if value > limit or (exclusive and value == limit):
            than = "less than" if exclusive else "less than or equal to"
            errors.invalid(path, value, f"{path} in body should be {than} {_go(limit)}")
    if (limit := raw.get("minimum")) is not None:
        exclusive = raw.get("exclusiveMinimum") is True
        if value < limit or (exclusive and value == limit):
            than = "greater than" if exclusive else "greater than or equal to"
            errors.invalid(path, value, f"{path} in body should be {than} {_go(limit)}")


def _divides(factor: float, value: float) -> bool:
    if isinstance(factor, int) and isinstance(value, int):
        return value % factor == 0
    quotient = value / factor
    return abs(quotient - round(quotient)) < 1e-9


def _go(number: float) -> str:
    """As Go's %v prints it."""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def _object(node: Node, value: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    raw = node.raw
    if (limit := raw.get("maxProperties")) is not None and len(value) > limit:
        errors.too_many(path, len(value), limit)
        return
    if (limit := raw.get("minProperties")) is not None and len(value) < limit:
        errors.invalid(path, len(value), f"{path} in body should have at least {limit} properties")
        return
    for name in raw.get("required") or ():
        if name not in value:
            errors.required(f"{path}.{name}" if path else name)
    if node.embedded and path:
        _embedded(value, path, errors)
    for key, each in value.items():
        child = node.child(key)
        if child is not None and not fits(child, each):
            # Keys of a map are written like fields here, unlike in built-in kinds.
            _value(child, each, f"{path}.{key}" if path else key, errors)


def _embedded(value: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    for key in ("apiVersion", "kind"):
        if not value.get(key):
            errors.required(f"{path}.{key}", "must not be empty")
    if not isinstance(value.get("metadata", {}), dict):
        errors.invalid(f"{path}.metadata", value.get("metadata"), "must be an object")


def _list(node: Node, value: list[Any], path: str, errors: FieldErrors) -> None:
    raw = node.raw
    if (limit := raw.get("maxItems")) is not None and len(value) > limit:
        errors.too_many(path, len(value), limit)
        return
    if (limit := raw.get("minItems")) is not None and len(value) < limit:
        errors.invalid(path, len(value), f"{path} in body should have at least {limit} items")
        return
    if raw.get("uniqueItems") is True and len({_canonical(each) for each in value}) < len(value):
        errors.invalid(path, value, f"{path} in body shouldn't contain duplicates")
    if node.items is not None:
        for at, item in enumerate(value):
            if not fits(node.items, item):
                _value(node.items, item, f"{path}[{at}]", errors)
    _unique(node, value, path, errors)


def _unique(node: Node, value: list[Any], path: str, errors: FieldErrors) -> None:
    """That a set has each item once, and a map of items each key."""
    if node.list_type not in ("set", "map"):
        return
    seen: set[str] = set()
    for at, item in enumerate(value):
        shown = item
        if node.list_type == "map":
            if not isinstance(item, dict):
                continue
            shown = {key: found for key in node.map_keys if (found := _key(node, item, key)) is not None}
        mark = _canonical(shown)
        if mark in seen:
            errors.duplicate(f"{path}[{at}]", shown)
        seen.add(mark)


def _key(node: Node, item: Mapping[str, Any], key: str) -> Any:
    found = item.get(key)
    if found is None and node.items is not None:
        child = node.items.property(key)
        found = None if child is None else child.raw.get("default")
    return found


def _alternatives(raw: Schema, value: Any, path: str, errors: FieldErrors) -> None:
    """allOf, anyOf, oneOf and not: value validations only, without types of their own below."""
    if choices := raw.get("allOf"):
        failed = [_failures(each, value, path) for each in choices]
        errors.causes += [cause for each in failed for cause in each]
        if any(failed):
            more = ". None validated" if all(failed) else ""
            errors.invalid(_NOWHERE, "", f'"{path}" must validate all the schemas (allOf){more}')
    if choices := raw.get("anyOf"):
        failed = [_failures(each, value, path) for each in choices]
        if all(failed):
            errors.causes.extend(_fewest(failed))
            errors.invalid(_NOWHERE, "", f'"{path}" must validate at least one schema (anyOf)')
    if choices := raw.get("oneOf"):
        failed = [_failures(each, value, path) for each in choices]
        valid = sum(not each for each in failed)
        if valid != 1:
            text = "Found none valid" if not valid else f"Found {valid} valid alternatives"
            if not valid:
                errors.causes.extend(_fewest(failed))
            errors.invalid(_NOWHERE, "", f'"{path}" must validate one and only one schema (oneOf). {text}')
    negated = raw.get("not")
    if negated is not None and not _failures(negated, value, path):
        errors.invalid(_NOWHERE, "", f'"{path}" must not validate the schema (not)')


def _fewest(failed: list[list[Cause]]) -> list[Cause]:
    """Of the alternative that came nearest."""
    return min(failed, key=len)


def _failures(raw: Schema, value: Any, path: str) -> list[Cause]:
    found = FieldErrors()
    _value(Node(raw), value, path, found)
    return found.causes


def _same(left: Any, right: Any) -> bool:
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _canonical(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)
