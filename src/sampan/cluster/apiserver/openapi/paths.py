"""Operations: what may be done with a resource at which path, in both dialects.

Called by `documents`. Clients look here for the parameters of a kind's PATCH: that is how kubectl learns whether the
server knows dry-run and field validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import PatchType
from sampan.cluster.apiserver.openapi import words
from sampan.cluster.apiserver.openapi.schemas import V3, Definitions
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_JSON = "application/json"
_BODIES = (_JSON, "application/yaml", "application/vnd.kubernetes.protobuf")
_WRITING = ("dryRun", "fieldManager", "fieldValidation")
_DELETING = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_LISTING = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_INTEGERS = frozenset({"gracePeriodSeconds", "limit", "timeoutSeconds"})
_BOOLEANS = frozenset({"allowWatchBookmarks", "force", "orphanDependents", "sendInitialEvents", "watch"})
_SUBRESOURCE_KINDS = {
    "binding": ("v1", "Binding"),
    "eviction": ("policy/v1", "Eviction"),
    "scale": ("autoscaling/v1", "Scale"),
    "token": ("authentication.k8s.io/v1", "TokenRequest"),
}
_SUBRESOURCE_METHODS = {
    "approval": ("get", "put", "patch"),
    "binding": ("post",),
    "ephemeralcontainers": ("get", "put", "patch"),
    "eviction": ("post",),
    "finalize": ("put",),
    "resize": ("get", "put", "patch"),
    "scale": ("get", "put", "patch"),
    "status": ("get", "put", "patch"),
    "token": ("post",),
}
"""Streams (log, exec, …) have no schema and are left out."""


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    action: str
    kind: Object
    answer: str
    body: str = ""
    parameters: tuple[str, ...] = ()


def of(resource: Resource, definitions: Definitions) -> dict[str, Object]:
    """Path items by path."""
    collection = resource.path("{namespace}")
    name = definitions.kind_name(resource)
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    listed, options = definitions.list_name(resource), definitions.add_type("DeleteOptions")
    status = definitions.add_type("Status")
    found = {
        collection: (
            _Operation("get", "list", gvk, listed, parameters=_LISTING),
            _Operation("post", "post", gvk, name, name, _WRITING),
            _Operation("delete", "deletecollection", gvk, status, options, (*_LISTING, *_DELETING)),
        ),
        f"{collection}/{{name}}": (
            *_writable(gvk, name, ("get", "put", "patch")),
            _Operation("delete", "delete", gvk, status, options, _DELETING),
        ),
    }
    if resource.namespaced:
        found[resource.path()] = (_Operation("get", "list", gvk, listed, parameters=_LISTING),)
    for subresource, kind, type_name in _subresources(resource, name, gvk, definitions):
        methods = _SUBRESOURCE_METHODS[subresource]
        found[f"{collection}/{{name}}/{subresource}"] = tuple(_writable(kind, type_name, methods))
    patches = _patches(resource, definitions)
    return {path: _item(path, operations, definitions, patches) for path, operations in found.items()}


def _subresources(
    resource: Resource, name: str, gvk: Object, definitions: Definitions
) -> Iterator[tuple[str, Object, str]]:
    for subresource in resource.subresources:
        if subresource not in _SUBRESOURCE_METHODS:
            continue
        if subresource not in _SUBRESOURCE_KINDS:
            yield subresource, gvk, name
            continue
        api_version, kind = _SUBRESOURCE_KINDS[subresource]
        group, _, version = api_version.rpartition("/")
        type_name = definitions.add_type(definitions.schema.type_of(api_version, kind))
        yield subresource, {"group": group, "version": version, "kind": kind}, type_name


def _writable(kind: Object, name: str, methods: tuple[str, ...]) -> Iterator[_Operation]:
    for method in methods:
        if method == "get":
            yield _Operation(method, method, kind, name)
        elif method == "patch":
            yield _Operation(method, method, kind, name, "", (*_WRITING, "force"))
        else:
            yield _Operation(method, method, kind, name, name, _WRITING)


def _patches(resource: Resource, definitions: Definitions) -> list[str]:
    """Of custom resources nobody knows how lists are merged; kubectl would try to where it finds that it may."""
    is_custom = not definitions.schema.type_of(resource.api_version, resource.kind)
    return [str(media) for media in PatchType if not (is_custom and media is PatchType.STRATEGIC)]


def _item(
    path: str, operations: tuple[_Operation, ...], definitions: Definitions, patches: Sequence[str]
) -> Object:
    write = _v3 if definitions.dialect is V3 else _v2
    found: Object = {operation.method: write(operation, definitions, patches) for operation in operations}
    inner = [name for name in ("name", "namespace") if f"{{{name}}}" in path]
    found["parameters"] = [_parameter(name, "path", definitions) for name in (*inner, "pretty")]
    return found


def _v3(operation: _Operation, definitions: Definitions, patches: Sequence[str]) -> Object:
    answer = {media: {"schema": definitions.dialect.refer(operation.answer)} for media in _BODIES[:2]}
    found = _marks(operation)
    found["parameters"] = [_parameter(name, "query", definitions) for name in operation.parameters]
    found["responses"] = {"200": {"description": "OK", "content": answer}}
    if operation.method == "patch":
        body: Object = {media: {"schema": {"type": "object"}} for media in patches}
        found["requestBody"] = {"content": body, "required": True}
    elif operation.body:
        body = {media: {"schema": definitions.dialect.refer(operation.body)} for media in _BODIES}
        found["requestBody"] = {"content": body, "required": operation.method != "delete"}
    return found


def _v2(operation: _Operation, definitions: Definitions, patches: Sequence[str]) -> Object:
    found = _marks(operation)
    parameters = [_parameter(name, "query", definitions) for name in operation.parameters]
    if operation.method == "patch":
        found["consumes"] = list(patches)
        parameters.insert(0, {"name": "body", "in": "body", "required": True, "schema": {"type": "object"}})
    else:
        found["consumes"] = ["*/*"]
    if operation.body:
        parameters.insert(
            0, {"name": "body", "in": "body", "schema": definitions.dialect.refer(operation.body)}
        )
        if operation.method != "delete":
            parameters[0]["required"] = True
    found["parameters"] = parameters
    found["produces"] = list(_BODIES[:2])
    found["responses"] = {"200": {"description": "OK", "schema": definitions.dialect.refer(operation.answer)}}
    return found


def _marks(operation: _Operation) -> Object:
    return {
        "description": f"{operation.action} {operation.kind['kind']}",
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": operation.kind,
    }


def _parameter(name: str, where: str, definitions: Definitions) -> Object:
    kind = "integer" if name in _INTEGERS else "boolean" if name in _BOOLEANS else "string"
    form: dict[str, Any] = {"type": kind, "uniqueItems": True}
    found: Object = {"name": name, "in": "query" if name == "pretty" else where}
    if description := words.of_field(name):
        found["description"] = description
    if found["in"] == "path":
        found["required"] = True
    return {**found, "schema": form} if definitions.dialect is V3 else {**found, **form}
