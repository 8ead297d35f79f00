"""Strategic merge patch: a merge patch that knows which lists are merged, and by which key.

Source: k8s.io/apimachinery/pkg/util/strategicpatch/patch.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan.kube.errors import BadRequestError
from sampan.kube.schema import Schema, Shape

_DIRECTIVE, _RETAIN, _DELETE_VALUES, _ORDER = (
    "$patch",
    "$retainKeys",
    "$deleteFromPrimitiveList",
    "$setElementOrder",
)
_ANY = Shape("any")


def strategic_merge(schema: Schema, type_name: str, target: Any, patch: Any) -> Any:
    """The patched object; nothing of `target` is changed. Raises BadRequestError for a malformed patch."""
    return _merge_object(schema, Shape(type_name), target if isinstance(target, dict) else {}, patch)


def _merge_object(schema: Schema, shape: Shape, target: dict[str, Any], patch: dict[str, Any]) -> Any:
    match patch.get(_DIRECTIVE):
        case "replace":
            return {key: value for key, value in patch.items() if key != _DIRECTIVE}
        case "delete":
            return {}
        case None | "merge":
            pass
        case other:
            raise BadRequestError(f"unknown patch directive $patch: {other!r}")
    result = dict(target)
    if _RETAIN in patch:
        kept = patch[_RETAIN]
        if not isinstance(kept, list):
            raise BadRequestError("$retainKeys must be an array")
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in patch.items():
        name = _directed(key, _DELETE_VALUES)
        if name is not None and isinstance(result.get(name), list):
            result[name] = [each for each in result[name] if each not in _listed(key, value)]
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
            continue
        order = patch.get(f"{_ORDER}/{key}")
        result[key] = _merge_value(schema, _child(schema, shape, key), result.get(key), value, order)
    for key, value in patch.items():
        # An order alone, without changes to the list itself.
        name = _directed(key, _ORDER)
        if name is not None and name not in patch and isinstance(result.get(name), list):
            child = _child(schema, shape, name)
            result[name] = _ordered(result[name], _listed(key, value), result[name], child.merge_key)
    return result


def _merge_value(schema: Schema, shape: Shape, current: Any, value: Any, order: Any) -> Any:
    if isinstance(value, dict):
        if shape.kind == "any":
            # Unknown to the schema: as a plain merge patch.
            return _merge_object(schema, _ANY, current if isinstance(current, dict) else {}, value)
        return _merge_object(schema, shape, current if isinstance(current, dict) else {}, value)
    if not isinstance(value, list) or shape.merge_key is None:
        return value
    before = current if isinstance(current, list) else []
    if not shape.merge_key:
        merged = _merge_values(before, value)
    elif _replaces(value):
        return [item for item in value if _DIRECTIVE not in item]
    else:
        merged = _merge_items(schema, shape, shape.merge_key, before, value)
    merged = _ordered(merged, value, before, shape.merge_key)
    return merged if order is None else _ordered(merged, _listed(_ORDER, order), before, shape.merge_key)


def _replaces(patch: list[Any]) -> bool:
    return any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch)


def _merge_values(current: list[Any], added: list[Any]) -> list[Any]:
    return current + [each for each in added if each not in current]


def _merge_items(
    schema: Schema, shape: Shape, merge_key: str, current: list[Any], patch: list[Any]
) -> list[Any]:
    assert shape.item is not None
    merged = list(current)
    for item in patch:
        if not isinstance(item, dict):
            raise BadRequestError(f"an item of a list that is merged by {merge_key} must be an object")
        if merge_key not in item:
            raise BadRequestError(f"map: {item} does not contain declared merge key: {merge_key}")
        at = _position(merged, merge_key, item[merge_key])
        if item.get(_DIRECTIVE) == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(_merge_object(schema, shape.item, {}, item))
        else:
            merged[at] = _merge_object(schema, shape.item, merged[at], item)
    return merged


def _ordered(items: list[Any], order: list[Any], before: list[Any], merge_key: str | None) -> list[Any]:
    """Items that `order` names, in its order; among them the others, each before the first that it was before. So
    what is new comes first."""

    def identity(item: Any) -> Any:
        found = item.get(merge_key) if merge_key and isinstance(item, dict) else item
        return found if isinstance(found, str | int | float) else repr(found)

    wanted = _places(identity(each) for each in order)
    stood = _places(identity(each) for each in before)
    named = sorted(
        (item for item in items if identity(item) in wanted), key=lambda item: wanted[identity(item)]
    )
    others = [item for item in items if identity(item) not in wanted]
    others.sort(key=lambda item: stood.get(identity(item), -1))
    found: list[Any] = []
    for item in named:
        at = stood.get(identity(item), -1)
        while others and -1 < stood.get(identity(others[0]), -1) < at:
            found.append(others.pop(0))
        found.append(item)
    return found + others


def _places(identities: Iterable[Any]) -> dict[Any, int]:
    """Of each the first."""
    found: dict[Any, int] = {}
    for at, each in enumerate(identities):
        found.setdefault(each, at)
    return found


def _position(items: list[Any], merge_key: str, value: Any) -> int | None:
    for at, item in enumerate(items):
        if isinstance(item, dict) and item.get(merge_key) == value:
            return at
    return None


def _child(schema: Schema, shape: Shape, key: str) -> Shape:
    if shape.kind == "map" and shape.item is not None:
        return shape.item
    return schema.field(shape.kind, key) or _ANY


def _directed(key: str, directive: str) -> str | None:
    """The field that `$directive/field` is about."""
    return key[len(directive) + 1 :] if key.startswith(directive + "/") else None


def _listed(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequestError(f"{key} must be an array")
    return value
