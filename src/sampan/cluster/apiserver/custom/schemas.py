"""Whether the schemas of a CustomResourceDefinition are structural, in the words of Kubernetes. Pure.

Source: apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go and
pkg/apiserver/schema/{validation,complete}.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sampan.cluster.apiserver.cel import patterns
from sampan.cluster.apiserver.custom import shaping, values
from sampan.cluster.apiserver.custom.structural import Node
from sampan.kube.fielderrors import FieldErrors

MAX_DEPTH = 100
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_FORBIDDEN = {
    "$ref": "$ref is not supported",
    "$schema": "$schema is not supported",
    "id": "id is not supported",
    "patternProperties": "patternProperties is not supported",
    "additionalItems": "additionalItems is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
}
# Inside allOf, anyOf, oneOf and not only what checks values may stand.
_OUTSIDE_ONLY = (
    "description",
    "type",
    "default",
    "additionalProperties",
    "nullable",
    "title",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-validations",
)
RuleCheck = Callable[[Mapping[str, Any], Mapping[str, Any], str, FieldErrors], None]
"""(rule, schema it stands at, path, errors): whether a CEL rule can be used."""


@dataclass(frozen=True, slots=True)
class _Walk:
    errors: FieldErrors
    check_rule: RuleCheck


def check(raw: Any, path: str, errors: FieldErrors, check_rule: RuleCheck) -> None:
    """The root schema of a version, of which `kube.fieldcheck` has found that its keywords are of their types."""
    walk = _Walk(errors, check_rule)
    if not isinstance(raw, dict):
        errors.required(path, "schemas are required")
        return
    if raw.get("type") != "object":
        if raw.get("type"):
            errors.invalid(f"{path}.type", raw["type"], "must be object at the root")
        else:
            errors.required(f"{path}.type", "must not be empty at the root")
    if raw.get("nullable") is True:
        errors.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    before = len(errors.causes)
    _schema(walk, raw, path, 0, root=True)
    if len(errors.causes) == before:
        _metadata(raw, path, errors)
        _defaults(raw, path, errors)


def _schema(walk: _Walk, raw: Any, path: str, depth: int, *, root: bool = False) -> None:
    errors = walk.errors
    if not isinstance(raw, dict):
        errors.wrong_type(path, values.type_of(raw), "must be an object")
        return
    if depth > MAX_DEPTH:
        errors.forbidden(path, f"schemas may not be nested more than {MAX_DEPTH} levels deep")
        return
    for key, why in _FORBIDDEN.items():
        if raw.get(key):
            errors.forbidden(f"{path}.{key}", why)
    if raw.get("uniqueItems") is True:
        errors.forbidden(
            f"{path}.uniqueItems",
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        )
    if raw.get("additionalProperties") is not None and raw.get("properties"):
        errors.forbidden(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    _type(raw, path, errors, root=root)
    _value_checks(raw, path, errors)
    _lists(raw, path, errors)
    for at, rule in enumerate(raw.get("x-kubernetes-validations") or ()):
        walk.check_rule(
            rule if isinstance(rule, dict) else {}, raw, f"{path}.x-kubernetes-validations[{at}]", errors
        )
    _junctors(walk, raw, path, depth)
    for name, each in (raw.get("properties") or {}).items():
        _schema(walk, each, f"{path}.properties[{name}]", depth + 1)
    if isinstance(raw.get("additionalProperties"), dict):
        _schema(walk, raw["additionalProperties"], f"{path}.additionalProperties", depth + 1)
    items = raw.get("items")
    if isinstance(items, list):
        errors.forbidden(f"{path}.items", "items must be a schema object and not an array")
    elif items is not None:
        _schema(walk, items, f"{path}.items", depth + 1)


def _type(raw: Mapping[str, Any], path: str, errors: FieldErrors, *, root: bool) -> None:
    type_ = raw.get("type") or ""
    int_or_string = raw.get("x-kubernetes-int-or-string") is True
    if type_ and type_ not in _TYPES:
        errors.unsupported(f"{path}.type", type_, _TYPES)
    if (
        not type_
        and not int_or_string
        and not root
        and raw.get("x-kubernetes-preserve-unknown-fields") is not True
    ):
        where = "array items" if path.endswith(".items") else "object fields"
        errors.required(f"{path}.type", f"must not be empty for specified {where}")
    if raw.get("x-kubernetes-embedded-resource") is True:
        if type_ != "object":
            errors.invalid(f"{path}.type", type_, "must be object if x-kubernetes-embedded-resource is true")
        if not raw.get("properties") and raw.get("x-kubernetes-preserve-unknown-fields") is not True:
            errors.required(
                f"{path}.properties",
                "must not be empty if x-kubernetes-embedded-resource is true without "
                "x-kubernetes-preserve-unknown-fields",
            )
    if type_ == "array" and raw.get("items") is None:
        errors.required(f"{path}.items", "must be specified")
    if raw.get("x-kubernetes-preserve-unknown-fields") is False:
        errors.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")


def _value_checks(raw: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    pattern = raw.get("pattern")
    if pattern and (why := patterns.problem(pattern)):
        errors.invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {why}")
    if raw.get("multipleOf") is not None and raw["multipleOf"] <= 0:
        errors.invalid(f"{path}.multipleOf", raw["multipleOf"], "must be greater than 0")
    for key in ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"):
        if raw.get(key) is not None and raw[key] < 0:
            errors.invalid(f"{path}.{key}", raw[key], "must be greater than or equal to 0")


def _lists(raw: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    kind, keys = raw.get("x-kubernetes-list-type"), raw.get("x-kubernetes-list-map-keys") or []
    map_type = raw.get("x-kubernetes-map-type")
    if map_type and map_type not in ("atomic", "granular"):
        errors.unsupported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))
    if map_type and raw.get("type") != "object":
        errors.invalid(
            f"{path}.type", raw.get("type"), "must be object if x-kubernetes-map-type is specified"
        )
    if kind is None:
        if keys:
            errors.forbidden(
                f"{path}.x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty"
            )
        return
    if kind not in ("atomic", "set", "map"):
        errors.unsupported(f"{path}.x-kubernetes-list-type", kind, ("atomic", "set", "map"), in_order=True)
        return
    if raw.get("type") != "array":
        errors.invalid(
            f"{path}.type", raw.get("type") or "", "must be array if x-kubernetes-list-type is specified"
        )
        return
    items = raw.get("items") if isinstance(raw.get("items"), dict) else {}
    assert isinstance(items, dict)
    if kind == "map":
        _map_keys(items, keys, path, errors)
    elif keys:
        errors.forbidden(
            f"{path}.x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty"
        )
    elif kind == "set" and items.get("nullable") is True:
        errors.forbidden(f"{path}.items.nullable", "cannot be nullable when x-kubernetes-list-type is set")


def _map_keys(items: Mapping[str, Any], keys: list[str], path: str, errors: FieldErrors) -> None:
    if not keys:
        errors.required(
            f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"
        )
    if items.get("type") != "object":
        errors.invalid(
            f"{path}.items.type",
            items.get("type") or "",
            "must be object if parent array's x-kubernetes-list-type is map",
        )
    properties = items.get("properties") if isinstance(items.get("properties"), dict) else {}
    assert isinstance(properties, dict)
    for key in keys:
        found = properties.get(key)
        if not isinstance(found, dict):
            errors.invalid(
                f"{path}.x-kubernetes-list-map-keys", keys, "entries must all be names of item properties"
            )
        elif found.get("type") in ("array", "object"):
            errors.invalid(
                f"{path}.items.properties[{key}].type",
                found["type"],
                "must be a scalar type if parent array's x-kubernetes-list-type is map",
            )
        elif key not in (items.get("required") or ()) and found.get("default") is None:
            errors.required(
                f"{path}.items.properties[{key}].default",
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
            )
    if len(set(keys)) < len(keys):
        errors.invalid(f"{path}.x-kubernetes-list-map-keys", keys, "must not contain duplicate keys")


def _junctors(walk: _Walk, raw: Mapping[str, Any], path: str, depth: int) -> None:
    int_or_string = raw.get("x-kubernetes-int-or-string") is True
    for junctor in _JUNCTORS:
        for at, each in enumerate(raw.get(junctor) or ()):
            _inside(walk, each, f"{path}.{junctor}[{at}]", depth + 1, int_or_string=int_or_string)
    if raw.get("not") is not None:
        _inside(walk, raw["not"], f"{path}.not", depth + 1)


def _inside(walk: _Walk, raw: Any, path: str, depth: int, *, int_or_string: bool = False) -> None:
    """Below allOf, anyOf, oneOf and not: only what checks values may stand."""
    errors = walk.errors
    if not isinstance(raw, dict) or depth > MAX_DEPTH:
        errors.wrong_type(path, values.type_of(raw), "must be an object, and not nested deeper than allowed")
        return
    for key in _OUTSIDE_ONLY:
        # The one way to write int-or-string that also clients understand.
        if raw.get(key) is not None and not (int_or_string and key == "type"):
            errors.forbidden(f"{path}.{key}", "must be empty to be structural")
    _value_checks(raw, path, errors)
    for name, each in (raw.get("properties") or {}).items():
        _inside(walk, each, f"{path}.properties[{name}]", depth + 1)
    if isinstance(raw.get("items"), dict):
        _inside(walk, raw["items"], f"{path}.items", depth + 1)
    for junctor in _JUNCTORS:
        for at, each in enumerate(raw.get(junctor) or ()):
            _inside(walk, each, f"{path}.{junctor}[{at}]", depth + 1, int_or_string=int_or_string)
    if raw.get("not") is not None:
        _inside(walk, raw["not"], f"{path}.not", depth + 1)


def _metadata(raw: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    properties = raw.get("properties") or {}
    for name, type_ in (("apiVersion", "string"), ("kind", "string"), ("metadata", "object")):
        declared = properties.get(name)
        if declared is not None and declared.get("type") != type_:
            errors.invalid(f"{path}.properties[{name}].type", declared.get("type"), f"must be {type_}")
    metadata = properties.get("metadata") or {}
    beyond = (metadata.get("properties") or {}).keys() - {"name", "generateName"}
    if beyond or metadata.get("additionalProperties") is not None:
        errors.forbidden(
            f"{path}.properties[metadata]",
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        )


def _defaults(raw: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    """That every default is what its schema allows, with nothing in it that would be pruned."""
    default = raw.get("default")
    if default is not None:
        node, where, found = Node(dict(raw)), f"{path}.default", FieldErrors()
        values.validate(node, default, found)
        for cause in found.causes:
            below = f".{cause.field}" if cause.field and not cause.field.startswith("[") else cause.field
            errors.causes.append(replace(cause, field=where + below))
        if isinstance(default, dict) and not found and shaping.prune(node, _copied(default)):
            errors.invalid(where, default, "must not have unknown fields")
    for name, each in (raw.get("properties") or {}).items():
        _defaults(each, f"{path}.properties[{name}]", errors)
    for key in ("items", "additionalProperties"):
        if isinstance(raw.get(key), dict):
            _defaults(raw[key], f"{path}.{key}", errors)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
