"""OpenAPI documents, as far as kubectl needs them: to validate, to explain, and to merge on apply.

Built when first asked for; clients keep them by the hash in the index.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from sampan.cluster.apiserver import discovery
from sampan.cluster.apiserver.codec import JSON
from sampan.kube.kinds import KindRegistry, Resource
from sampan.kube.meta import Object
from sampan.kube.schema import Schema, Shape

_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_SCALARS: dict[str, Object] = {
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "raw": {"type": "object"},
    "json": {},
    "bytes": {"type": "string", "format": "byte"},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "number": {"type": "number", "format": "double"},
    "intOrString": {"type": "string", "format": "int-or-string"},
    "quantity": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "microTime": {"type": "string", "format": "date-time"},
}


class OpenApi:
    """Documents over the kinds that are registered when they are asked for."""

    def __init__(self, registry: KindRegistry, schema: Schema) -> None:
        self._registry = registry
        self._schema = schema

    def index(self) -> Object:
        """GET /openapi/v3."""
        paths = {}
        for path in dict.fromkeys(_path(resource) for resource in self._registry):
            digest = hashlib.sha256(msgspec.json.encode(self.document(path))).hexdigest()[:32]
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest.upper()}"}
        return {"paths": paths}

    def document(self, path: str) -> Object | None:
        """GET /openapi/v3/api/v1, …; None for a group and version without kinds."""
        resources = [resource for resource in self._registry if _path(resource) == path]
        if not resources:
            return None
        schemas: dict[str, Object] = {}
        paths: dict[str, Object] = {}
        for resource in resources:
            self._add_kind(resource, schemas)
            paths |= _paths(resource)
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": discovery.VERSION["gitVersion"]},
            "paths": paths,
            "components": {"schemas": schemas},
        }

    def v2(self) -> Object:
        """GET /openapi/v2: for clients that only look whether it is there."""
        return {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": discovery.VERSION["gitVersion"]},
            "paths": {},
        }

    def _add_kind(self, resource: Resource, schemas: dict[str, Object]) -> None:
        group_version_kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        name = self._schema.type_of(resource.api_version, resource.kind)
        if name:
            self._add_type(name, schemas)
            found = schemas.pop(name)
        else:
            found = {"type": "object", "properties": {"metadata": {"type": "object"}}}
            found["x-kubernetes-preserve-unknown-fields"] = True
        found["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
        found["x-kubernetes-group-version-kind"] = [group_version_kind]
        schemas[_schema_name(resource)] = found

    def _add_type(self, name: str, schemas: dict[str, Object]) -> None:
        if name in schemas:
            return
        found: Object = {"type": "object", "properties": {}}
        schemas[name] = found
        fields = self._schema.type(name).fields
        for key, field in fields.items():
            found["properties"][key] = self._shape(field.shape, schemas)
        if required := [key for key, field in fields.items() if field.required]:
            found["required"] = required

    def _shape(self, shape: Shape, schemas: dict[str, Object]) -> Object:
        found: Object
        if shape.kind in _SCALARS:
            return _SCALARS[shape.kind]
        if shape.kind == "list":
            assert shape.item is not None
            found = {"type": "array", "items": self._shape(shape.item, schemas)}
            if shape.merge_key is not None:
                found["x-kubernetes-patch-strategy"] = "merge,retainKeys" if shape.retains_keys else "merge"
            if shape.merge_key:
                found["x-kubernetes-patch-merge-key"] = shape.merge_key
            return found
        if shape.kind == "map":
            assert shape.item is not None
            return {"type": "object", "additionalProperties": self._shape(shape.item, schemas)}
        self._add_type(shape.kind, schemas)
        return {"allOf": [_reference(shape.kind)]}


def _path(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _schema_name(resource: Resource) -> str:
    """As Kubernetes names them: `io.k8s.api.core.v1.Pod`."""
    group = resource.group.partition(".")[0] or "core"
    return f"io.k8s.api.{group}.{resource.version}.{resource.kind}"


def _reference(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def _paths(resource: Resource) -> dict[str, Object]:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    body = {"content": {JSON: {"schema": _reference(_schema_name(resource))}}}
    answer = {"200": {"description": "OK", **body}}

    def operation(action: str, **more: Any) -> Object:
        return {
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
            "responses": answer,
            **more,
        }

    options = [_parameter(name) for name in ("dryRun", "fieldManager", "fieldValidation")]
    patched = {"content": {media_type: {"schema": {"type": "object"}} for media_type in _PATCH_TYPES}}
    collection = resource.path("{namespace}")
    return {
        collection: {
            "get": operation("list"),
            "post": operation("post", parameters=options, requestBody=body),
        },
        f"{collection}/{{name}}": {
            "get": operation("get"),
            "put": operation("put", parameters=options, requestBody=body),
            "patch": operation(
                "patch", parameters=[*options, _parameter("force", "boolean")], requestBody=patched
            ),
            "delete": operation("delete"),
        },
    }


def _parameter(name: str, type_: str = "string") -> Object:
    return {"name": name, "in": "query", "schema": {"type": type_, "uniqueItems": True}}
