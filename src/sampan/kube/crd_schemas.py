"""What the schemas of CustomResourceDefinitions are written with. Callers are the components' `api` rooms."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INT32: Schema = {"type": "integer", "format": "int32"}
INT64: Schema = {"type": "integer", "format": "int64"}
TIME: Schema = {"type": "string", "format": "date-time"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
"""By name, such as labels."""
QUANTITIES: Schema = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
        r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        "x-kubernetes-int-or-string": True,
    },
}

CORE = "io.k8s.api.core.v1"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"


def an_object(properties: Schema, *required: str, **more: Any) -> Schema:
    """`required` are names of properties."""
    found: Schema = {"type": "object", "properties": properties}
    if required:
        found["required"] = sorted(required)
    return {**found, **more}


def built_in(name: str, **more: Any) -> Schema:
    """The place of a built-in type, by the name that OpenAPI has for it (decision 36)."""
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "x-sampan-type": name, **more}


def a_list(item: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": item, **more}


def by_name(item: Schema, **more: Any) -> Schema:
    """A list whose items are told apart by their names."""
    return by_key("name", item, **more)


def by_key(key: str, item: Schema, **more: Any) -> Schema:
    required = sorted({*(item.get("required") or ()), key})
    known = {**item, "properties": {key: TEXT, **(item.get("properties") or {})}, "required": required}
    return a_list(known, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}, **more)


def ruled(schema: Schema, rule: str, message: str) -> Schema:
    """With one more rule in CEL."""
    rules = [*(schema.get("x-kubernetes-validations") or ()), {"rule": rule, "message": message}]
    return {**schema, "x-kubernetes-validations": rules}


def immutable(schema: Schema, message: str = "field is immutable") -> Schema:
    return ruled(schema, "self == oldSelf", message)


def about(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def kind(description: str, spec: Schema, status: Schema | None = None, **more: Any) -> Schema:
    """The schema of a whole object."""
    properties = {"apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}, "spec": spec}
    if status is not None:
        properties["status"] = status
    return an_object(properties, description=description, **more)
