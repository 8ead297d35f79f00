"""Sets of fields in the form of FieldsV1, nested as the objects are: of an object, of a difference, and their algebra.

Called by `managedfields` for every write that is tracked, hence one pass over what differs and no list of paths. A node
without entries is a field; one with `.` among others is a field and has fields. Pure. Source:
sigs.k8s.io/structured-merge-diff/v4 (fieldpath, typed/tofieldset.go), v4.6.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object
from sampan.kube.schema import Schema, Shape

FieldSet = dict[str, Any]

ANY = Shape("any")
SELF = "."
UNMANAGED = frozenset({"apiVersion", "kind"})
"""Of the object's identity: nobody's to manage."""
UNMANAGED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "generateName",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    }
)
"""Of the server or of the object's identity."""


def of_object(schema: Schema, shape: Shape, obj: Object) -> FieldSet:
    """Every field of `obj` that somebody can own."""
    return difference(schema, shape, {}, obj)[0]


def _of_value(schema: Schema, part: _Part, value: Any) -> FieldSet:
    shape = part.shape
    found: FieldSet = {SELF: {}} if part.is_field else {}
    if isinstance(value, dict) and value and not is_atomic(schema, shape):
        for key, each in value.items():
            below = _part(schema, shape, key)
            if part.is_field and not below.is_field:
                # What is in something new is new too: nobody has its zero value.
                below = _Part(below.shape, is_field=True)
            if each != {} or below.is_field:
                found[f"f:{key}"] = _of_value(schema, below, each)
        return found
    if isinstance(value, list) and shape.keys is not None and value:
        for item in value:
            step = item_step(schema, shape, item)
            found[step] = (
                _of_value(schema, _Part(shape.item or ANY, is_field=True), item) if shape.keys else {}
            )
        return found
    return {}


def difference(schema: Schema, shape: Shape, old: Object, new: Object) -> tuple[FieldSet, FieldSet]:
    """What `new` has that is not in `old` or differs, and what it no longer has."""
    changed: FieldSet = {}
    gone: FieldSet = {}
    for key in (old.keys() | new.keys()) - UNMANAGED:
        was, now = old.get(key), new.get(key)
        part = _part(schema, shape, key)
        if key == "metadata":
            was, now, part = _managed(was), _managed(now), _Part(part.shape, is_field=False)
        _note((changed, gone), f"f:{key}", _differ(schema, part, was, now))
    return changed, gone


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """Fields of either. Shares parts with both."""
    if not one or not other:
        # A field by itself, together with fields of it.
        return {SELF: {}, **one, **other} if one or other else {}
    found = dict(one)
    for step, below in other.items():
        found[step] = union(found[step], below) if step in found else below
    return found


def without(fields: FieldSet, taken: FieldSet) -> FieldSet | None:
    """What is left of `fields`, which is returned itself where nothing was taken; None when nothing is left.

    A field taken by itself goes with all that is in it.
    """
    if not taken:
        return None
    found: FieldSet | None = None
    for step, below in taken.items():
        if step not in fields:
            continue
        left = None if step == SELF else without(fields[step], below) if fields[step] else None
        if left is fields[step]:
            continue
        if found is None:
            found = dict(fields)
        if left is None:
            del found[step]
        else:
            found[step] = left
    if found is None:
        return fields
    return found or None


_Difference = tuple[FieldSet | None, FieldSet | None]
"""Changed and gone; None for nothing, an empty set for the value by itself."""


class _Part(NamedTuple):
    """Of an object, as its parent declares it."""

    shape: Shape
    is_field: bool
    """Whether it is a field beside what is in it: entries of maps and lists, and whatever Go's zero value lacks."""


def _part(schema: Schema, shape: Shape, key: str) -> _Part:
    if shape.kind in schema:
        declared = schema.type(shape.kind).fields.get(key)
        if declared is None:
            return _Part(ANY, is_field=True)
        below = declared.shape
        is_absent = below.kind in ("map", "list") and not declared.required
        # Numbers are those of protobuf: custom kinds have none, and no zero values either.
        return _Part(below, is_field=is_absent or declared.pointer or not declared.number)
    return _Part(child(schema, shape, key), is_field=True)


def _differ(schema: Schema, part: _Part, old: Any, new: Any) -> _Difference:
    if old == new:
        return None, None
    if old is None:
        if new == {} and not part.is_field:
            return None, None
        return _of_value(schema, part, new), None
    if new is None:
        return None, _of_value(schema, part, old)
    shape = part.shape
    if old and new and isinstance(old, dict) and isinstance(new, dict) and not is_atomic(schema, shape):
        keys = old.keys() | new.keys()
        return _differ_below(
            schema, {f"f:{key}": (_part(schema, shape, key), old.get(key), new.get(key)) for key in keys}
        )
    if old and new and isinstance(old, list) and isinstance(new, list) and shape.keys is not None:
        was = {item_step(schema, shape, item): item for item in old}
        now = {item_step(schema, shape, item): item for item in new}
        below = _Part(shape.item or ANY, is_field=bool(shape.keys))
        steps = was.keys() | now.keys()
        return _differ_below(schema, {step: (below, was.get(step), now.get(step)) for step in steps})
    return _of_value(schema, part, new), _of_value(schema, part, old) or None


def _differ_below(schema: Schema, pairs: Mapping[str, tuple[_Part, Any, Any]]) -> _Difference:
    changed: FieldSet = {}
    gone: FieldSet = {}
    for step, (part, old, new) in pairs.items():
        _note((changed, gone), step, _differ(schema, part, old, new))
    return changed or None, gone or None


def _note(into: tuple[FieldSet, FieldSet], step: str, found: _Difference) -> None:
    for fields, below in zip(into, found, strict=True):
        if below is not None:
            fields[step] = below


def _managed(metadata: Object | None) -> Object | None:
    return {key: value for key, value in (metadata or {}).items() if key not in UNMANAGED_METADATA} or None


def child(schema: Schema, shape: Shape, key: str) -> Shape:
    if shape.kind == "map":
        return shape.item or ANY
    if shape.kind == "any":
        return _metadata_shape(schema) if key == "metadata" else ANY
    return schema.field(shape.kind, key) or ANY


def _metadata_shape(schema: Schema) -> Shape:
    """Every kind has it, those without a schema too."""
    return Shape("ObjectMeta") if "ObjectMeta" in schema else ANY


def is_atomic(schema: Schema, shape: Shape) -> bool:
    return shape.atomic or (shape.kind in schema and schema.type(shape.kind).atomic)


def item_step(schema: Schema, shape: Shape, item: Any) -> str:
    """How an item of a list is told apart. Raises BadRequestError for one that cannot be."""
    if not shape.keys:
        return f"v:{_compact(item)}"
    if not isinstance(item, dict):
        raise BadRequestError(
            f"an item of a list that is merged by {', '.join(shape.keys)} must be an object"
        )
    keys = {key: item.get(key, missing) for key, missing in schema.list_keys(shape).items()}
    # All but the first may be missing: they tell apart what the first alone does not.
    if keys[shape.keys[0]] is None:
        raise BadRequestError(f"an item of a list does not have its key: {shape.keys[0]}")
    return f"k:{_compact({key: value for key, value in keys.items() if value is not None})}"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
