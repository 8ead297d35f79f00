"""Places of a custom kind's schema that hold a built-in type: `x-sampan-type: io.k8s.api.core.v1.PodTemplateSpec`.

Written out, a pod template is ten thousand lines in every definition that has one. Named, it is read from the schema
of the built-in kinds, level by level, as far as objects reach; all definitions share what was read. What stands beside
the name (limits, rules, more properties) holds in addition. An unknown name says nothing, as to a server that does not
know the word: then everything stays, which is why such a place also preserves unknown fields.

Callers are `structural`, which walks objects, `openapi.schemas`, which refers, and `app.definitions`, which writes the
types out for clusters that are not ours. Decision 36.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.kube.schema import Field, Schema, Shape

REFERENCE = "x-sampan-type"
OPTIONAL = "x-sampan-optional"
"""Beside it: names of fields that need not be there, although the type requires them."""
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_WORDS = (REFERENCE, OPTIONAL, _PRESERVE)
_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_EITHER: dict[str, Any] = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
_ANY: dict[str, Any] = {_PRESERVE: True}
_SCALARS: dict[str, dict[str, Any]] = {
    "any": _ANY,
    "json": _ANY,
    "boolean": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "intOrString": _EITHER,
    "microTime": {"type": "string", "format": "date-time"},
    "number": {"type": "number"},
    "quantity": {**_EITHER, "pattern": _QUANTITY},
    "raw": {"type": "object", _PRESERVE: True},
    "string": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
}


class References:
    """The types of one `Schema` as structural schemas."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._known: dict[str, dict[str, Any]] = {}

    def name(self, raw: Mapping[str, Any]) -> str:
        """Of the type at this place; empty where there is none, or none that is known."""
        word = raw.get(REFERENCE)
        return self._schema.named(word) if isinstance(word, str) else ""

    def is_all(self, raw: Mapping[str, Any]) -> bool:
        """Whether nothing but the type is said of this place."""
        return raw.keys() <= {REFERENCE, _PRESERVE, "type", "description"}

    def resolved(self, name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The schema of the place, one level deep: what is below refers again."""
        own = self.of_type(name)
        if self.is_all(raw):
            return own
        more = {key: value for key, value in raw.items() if key not in _WORDS}
        found = {**own, **more}
        if properties := {**(own.get("properties") or {}), **(more.get("properties") or {})}:
            found["properties"] = properties
        left_out = raw.get(OPTIONAL) or ()
        its = {each for each in own.get("required") or () if each not in left_out}
        found.pop("required", None)
        if required := {*its, *(more.get("required") or ())}:
            found["required"] = sorted(required)
        return found

    def of_type(self, name: str) -> dict[str, Any]:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._of_type(name)
        return found

    def _of_type(self, name: str) -> dict[str, Any]:
        type_ = self._schema.type(name)
        if type_.union:
            return _ANY
        found: dict[str, Any] = {
            "type": "object",
            "properties": {key: self._of_field(each) for key, each in type_.fields.items()},
        }
        if required := sorted(key for key, each in type_.fields.items() if each.required):
            found["required"] = required
        if type_.atomic:
            found["x-kubernetes-map-type"] = "atomic"
        return found

    def _of_field(self, field: Field) -> dict[str, Any]:
        found = self._of_shape(field.shape)
        return found if field.default is None else {**found, "default": field.default}

    def _of_shape(self, shape: Shape) -> dict[str, Any]:
        scalar = _SCALARS.get(shape.kind)
        if scalar is not None:
            return scalar
        if shape.item is None:
            type_ = self._schema.type(shape.kind)
            found: dict[str, Any] = {"type": "object", REFERENCE: f"{type_.package}.{type_.kind}"}
            if type_.union:
                found = dict(_ANY)
        elif shape.kind == "map":
            found = {"type": "object", "additionalProperties": self._of_shape(shape.item)}
        else:
            item = {**self._of_shape(shape.item), **self._keyed(shape)}
            found = {"type": "array", "items": item, **_list_marks(shape)}
        if shape.atomic:
            found["x-kubernetes-map-type"] = "atomic"
        return found

    def _keyed(self, shape: Shape) -> dict[str, Any]:
        """What tells items of a list apart must be there, also where the type could do without: an empty default, as
        upstream's definitions have it, is more than older servers take."""
        if not shape.keys or shape.item is None:
            return {}
        fields = self._schema.type(shape.item.kind).fields
        optional = [key for key in shape.keys if not fields[key].required and fields[key].default is None]
        return {"required": optional} if optional else {}


def written_out(raw: Mapping[str, Any], references: References) -> dict[str, Any]:
    """The schema without the word: all types in full."""
    name = references.name(raw)
    found = references.resolved(name, raw) if name else dict(raw)
    made = {key: value for key, value in found.items() if key != REFERENCE}
    properties, items, additional = (made.get(key) for key in ("properties", "items", "additionalProperties"))
    if isinstance(properties, dict):
        made["properties"] = {key: written_out(each, references) for key, each in properties.items()}
    if isinstance(items, dict):
        made["items"] = written_out(items, references)
    if isinstance(additional, dict):
        made["additionalProperties"] = written_out(additional, references)
    return made


def _list_marks(shape: Shape) -> dict[str, Any]:
    if shape.keys is None:
        return {"x-kubernetes-list-type": "atomic"}
    if not shape.keys:
        return {"x-kubernetes-list-type": "set"}
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(shape.keys)}
