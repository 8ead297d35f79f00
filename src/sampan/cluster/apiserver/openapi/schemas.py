"""Definitions: the types of the schema as OpenAPI writes them, and those of custom kinds.

Called by `documents`. The two dialects differ in how a definition is referred to, and in the two types that are
either of two others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sampan.cluster.apiserver.custom.references import OPTIONAL, REFERENCE
from sampan.cluster.apiserver.openapi import words
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.schema import Field, Schema, Shape

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_PLAIN: dict[str, Object] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "number": {"type": "number", "format": "double"},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_NAMED = {
    "json": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "intOrString": "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "microTime": f"{_META}.MicroTime",
    "quantity": "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "raw": "io.k8s.apimachinery.pkg.runtime.RawExtension",
    "time": f"{_META}.Time",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    prefix: str
    named: dict[str, Object]
    """Of the scalars that have a definition of their own."""
    wraps: bool
    """Whether a reference stands alone below `allOf`, as in v3, where nothing may stand beside it."""

    def refer(self, name: str) -> Object:
        return {"$ref": self.prefix + name}

    def field(self, name: str) -> Object:
        return {"allOf": [self.refer(name)]} if self.wraps else self.refer(name)


_QUANTITY = "A number with a suffix: 250m is a quarter, 1Gi is 2 to the 30th."
_INT_OR_STRING = "A whole number or a text, such as a port or its name."
_BOTH: dict[str, Object] = {
    "time": {"type": "string", "format": "date-time", "description": "A time, to the second."},
    "microTime": {"type": "string", "format": "date-time", "description": "A time, to the microsecond."},
    "raw": {"type": "object", "description": "An object of any kind."},
    # Not empty: kubectl's templates take an empty definition for none.
    "json": {"description": "Any JSON value."},
}
V2 = Dialect(
    "#/definitions/",
    {
        **_BOTH,
        "quantity": {"type": "string", "description": _QUANTITY},
        "intOrString": {"type": "string", "format": "int-or-string", "description": _INT_OR_STRING},
    },
    wraps=False,
)
V3 = Dialect(
    "#/components/schemas/",
    {
        **_BOTH,
        "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}], "description": _QUANTITY},
        "intOrString": {
            "format": "int-or-string",
            "oneOf": [{"type": "integer"}, {"type": "string"}],
            "description": _INT_OR_STRING,
        },
    },
    wraps=True,
)


@dataclass
class Definitions:
    """Grows with what is asked for, and all that it refers to."""

    schema: Schema
    dialect: Dialect
    found: dict[str, Object] = field(default_factory=dict)

    def add_kind(self, resource: Resource, custom: Callable[[], Object] | None) -> None:
        """The kind and its list."""
        name = self.kind_name(resource)
        type_name = self.schema.type_of(resource.api_version, resource.kind)
        if type_name:
            self.add_type(type_name)
        else:
            self.found[name] = self._custom(resource, custom)
        self.found[name]["x-kubernetes-group-version-kind"] = [_gvk(resource, resource.kind)]
        self.found[self.list_name(resource)] = {
            "type": "object",
            "description": f"{resource.collection_kind} is a list of {resource.kind}.",
            "required": ["items"],
            "properties": {
                **_type_meta(),
                "items": {"type": "array", "items": self.dialect.field(name)},
                "metadata": self.dialect.field(self.add_type("ListMeta")),
            },
            "x-kubernetes-group-version-kind": [_gvk(resource, resource.collection_kind)],
        }

    def add_type(self, type_name: str) -> str:
        """Its name in the document."""
        type_ = self.schema.type(type_name)
        name = f"{type_.package}.{type_.kind}"
        if name in self.found:
            return name
        found = self.found[name] = {"type": "object"}
        if description := words.of_type(type_.kind):
            found["description"] = description
        if type_.atomic:
            found["x-kubernetes-map-type"] = "atomic"
        if type_.union:
            # Any of several JSON types: no definition could say more.
            del found["type"]
            found["description"] = "One of several JSON types."
            return name
        properties = {key: self._field(key, declared) for key, declared in type_.fields.items()}
        if properties:
            found["properties"] = properties
        if required := sorted(key for key, declared in type_.fields.items() if declared.required):
            found["required"] = required
        return name

    def kind_name(self, resource: Resource) -> str:
        type_name = self.schema.type_of(resource.api_version, resource.kind)
        if type_name:
            type_ = self.schema.type(type_name)
            return f"{type_.package}.{type_.kind}"
        return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])

    def list_name(self, resource: Resource) -> str:
        return f"{self.kind_name(resource).rpartition('.')[0]}.{resource.collection_kind}"

    def _custom(self, resource: Resource, custom: Callable[[], Object] | None) -> Object:
        found: Object = self._linked(custom() if custom else {"x-kubernetes-preserve-unknown-fields": True})
        found.setdefault("type", "object")
        found.setdefault("description", words.of_type(resource.kind) or f"{resource.kind} is a custom kind.")
        properties = dict(found.get("properties") or {})
        metadata = {
            **self.dialect.field(self.add_type("ObjectMeta")),
            "description": words.FIELDS["metadata"],
        }
        found["properties"] = {**properties, **_type_meta(), "metadata": metadata}
        return found

    def _linked(self, raw: Object) -> Object:
        """The schema of a custom kind, with references to the built-in types that it names."""
        if name := self.schema.named(str(raw.get(REFERENCE) or "")):
            if raw.get("properties") or raw.get(OPTIONAL):
                return self._extended(name, raw)
            found = self.dialect.field(self.add_type(name))
            return {**found, **_beside(raw)} if self.dialect.wraps else found
        found = dict(raw)
        if isinstance(properties := raw.get("properties"), dict):
            found["properties"] = {key: self._linked(each) for key, each in properties.items()}
        for key in ("items", "additionalProperties"):
            if isinstance(below := raw.get(key), dict):
                found[key] = self._linked(below)
        return found

    def _extended(self, name: str, raw: Object) -> Object:
        """A built-in type with more fields, or fewer that are required: its fields are written out, one level deep."""
        fields = self.schema.type(name).fields
        its = {key: self._field(key, declared) for key, declared in fields.items()}
        own = {key: self._linked(each) for key, each in (raw.get("properties") or {}).items()}
        found: Object = {"type": "object", "properties": {**its, **own}, **_beside(raw)}
        optional = raw.get(OPTIONAL) or ()
        required = {key for key, declared in fields.items() if declared.required and key not in optional}
        if required := required.union(raw.get("required") or ()):
            found["required"] = sorted(required)
        return found

    def _field(self, key: str, declared: Field) -> Object:
        found = dict(self._shape(declared.shape))
        if description := words.of_field(key):
            found["description"] = description
        if declared.default is not None:
            found["default"] = declared.default
        return found

    def _shape(self, shape: Shape) -> Object:
        if shape.kind in _PLAIN:
            return _PLAIN[shape.kind]
        if shape.kind in _NAMED:
            name = _NAMED[shape.kind]
            self.found.setdefault(name, self.dialect.named[shape.kind])
            return self.dialect.field(name)
        if shape.item is None:
            found = self.dialect.field(self.add_type(shape.kind))
            if shape.retains_keys:
                found["x-kubernetes-patch-strategy"] = "retainKeys"
        elif shape.kind == "map":
            found = {"type": "object", "additionalProperties": self._shape(shape.item)}
        else:
            found = {"type": "array", "items": self._shape(shape.item), **_list_marks(shape)}
        if shape.atomic:
            found["x-kubernetes-map-type"] = "atomic"
        return found


def _list_marks(shape: Shape) -> Object:
    found: Object = {"x-kubernetes-list-type": "atomic"}
    if shape.keys is not None:
        found["x-kubernetes-list-type"] = "map" if shape.keys else "set"
    if shape.keys:
        found["x-kubernetes-list-map-keys"] = list(shape.keys)
    if shape.merge_key is not None:
        found["x-kubernetes-patch-strategy"] = "merge,retainKeys" if shape.retains_keys else "merge"
    if shape.merge_key:
        found["x-kubernetes-patch-merge-key"] = shape.merge_key
    return found


def _beside(raw: Object) -> Object:
    """What is said of a place that refers, beside what its type says."""
    kept = ("description", "default", "nullable", "x-kubernetes-validations")
    return {key: raw[key] for key in kept if key in raw}


def _type_meta() -> Object:
    return {key: {"type": "string", "description": words.FIELDS[key]} for key in ("apiVersion", "kind")}


def _gvk(resource: Resource, kind: str) -> dict[str, Any]:
    return {"group": resource.group, "version": resource.version, "kind": kind}
