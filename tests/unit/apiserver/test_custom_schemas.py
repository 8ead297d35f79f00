"""Structural schemas: which are refused, how objects are pruned and defaulted, columns by JSONPath."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.cluster.apiserver.cel import formats, patterns
from sampan.cluster.apiserver.custom import (
    columns,
    jsonpath,
    ratchet,
    rules,
    schemas,
    shaping,
    values,
)
from sampan.cluster.apiserver.custom.structural import root
from sampan.kube.errors import Cause
from sampan.kube.fielderrors import FieldErrors

TEXT = {"type": "string"}


def of(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


def problems(schema: Any) -> dict[str, str]:
    errors = FieldErrors()
    schemas.check(schema, "s", errors, rules.check)
    return {cause.field: cause.message for cause in errors.causes}


@pytest.mark.parametrize(
    ("schema", "field", "message"),
    [
        ({"type": "string"}, "s.type", 'Invalid value: "string": must be object at the root'),
        ({}, "s.type", "Required value: must not be empty at the root"),
        (
            of({"a": {}}),
            "s.properties[a].type",
            "Required value: must not be empty for specified object fields",
        ),
        (
            of({"a": {"type": "array", "items": {}}}),
            "s.properties[a].items.type",
            "Required value: must not be empty for specified array items",
        ),
        (of({"a": {"type": "array"}}), "s.properties[a].items", "Required value: must be specified"),
        (
            of({"a": {"type": "text"}}),
            "s.properties[a].type",
            'Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"',
        ),
        (
            of({"a": {"type": "array", "items": TEXT, "uniqueItems": True}}),
            "s.properties[a].uniqueItems",
            "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            of({"a": TEXT}, additionalProperties=TEXT),
            "s.additionalProperties",
            "Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            of({"a": {**TEXT, "anyOf": [{"type": "string"}]}}),
            "s.properties[a].anyOf[0].type",
            "Forbidden: must be empty to be structural",
        ),
        (
            of({"a": {"$ref": "x", **TEXT}}),
            "s.properties[a].$ref",
            "Forbidden: $ref is not supported",
        ),
        (
            of({"a": {"type": "array", "x-kubernetes-list-type": "map", "items": of({})}}),
            "s.properties[a].x-kubernetes-list-map-keys",
            "Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            of({"metadata": of({"labels": {"type": "object"}})}),
            "s.properties[metadata]",
            "Forbidden: must not specify anything other than name and generateName, "
            "but metadata is implicitly specified",
        ),
        (
            of({"a": {**TEXT, "default": 1}}),
            "s.properties[a].default",
            'Invalid value: "integer":  in body must be of type string: "integer"',
        ),
        (
            of(
                {"a": {"type": "integer", "x-kubernetes-validations": [{"rule": "self.b > 1"}]}, "b": TEXT},
                **{"x-kubernetes-validations": [{"rule": "self.c == 1"}]},
            ),
            "s.x-kubernetes-validations[0].rule",
            "Invalid value: \"self.c == 1\": compilation failed: undefined field 'c'",
        ),
        (
            of({"a": {**TEXT, "x-kubernetes-validations": [{"rule": "other == 1"}]}}),
            "s.properties[a].x-kubernetes-validations[0].rule",
            "Invalid value: \"other == 1\": compilation failed: undeclared reference to 'other' (in container '')",
        ),
    ],
)
def test_a_schema_that_is_not_structural(schema: Any, field: str, message: str) -> None:
    assert problems(schema)[field] == message


def test_schemas_of_every_trait_are_structural() -> None:
    schema = of(
        {
            "any": {"x-kubernetes-preserve-unknown-fields": True},
            "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "embedded": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            "map": {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}},
            "one": of({"a": TEXT, "b": TEXT}, oneOf=[{"required": ["a"]}, {"required": ["b"]}]),
            "metadata": of({"name": {**TEXT, "maxLength": 10}}),
        },
        **{
            "x-kubernetes-validations": [
                {"rule": "self.map.all(k, self.map[k].size() < 3) && has(self.metadata.name)"}
            ]
        },
    )
    assert problems(schema) == {}


def test_a_pattern_that_makes_engines_go_back_takes_no_time() -> None:
    assert not patterns.search("^(a+)+$", "a" * 5000 + "b")
    assert problems(of({"a": {**TEXT, "pattern": "("}}))["s.properties[a].pattern"].startswith(
        "Invalid value"
    )


def test_pruning_and_defaults() -> None:
    schema = root(
        of(
            {
                "spec": of(
                    {
                        "a": {**TEXT, "default": "x"},
                        "inner": of({"b": {"type": "integer", "default": 2}}, default={}),
                        "absent": of({"c": {"type": "integer", "default": 3}}),
                        "null": {**TEXT, "nullable": True, "default": "n"},
                        "list": {"type": "array", "items": of({"d": {"type": "integer", "default": 4}})},
                        "map": {
                            "type": "object",
                            "additionalProperties": of({"e": {**TEXT, "default": "5"}}),
                        },
                        "free": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                            "properties": {"known": of({"f": TEXT})},
                        },
                    }
                )
            }
        )
    )
    obj: dict[str, Any] = {
        "apiVersion": "g/v1",
        "kind": "K",
        "metadata": {"name": "n", "labels": {}},
        "zzz": 1,
        "spec": {
            "a": None,
            "null": None,
            "list": [{"x": 1}],
            "map": {"k": {"y": 1}},
            "free": {"z": {"deep": 1}, "known": {"f": "", "g": 1}},
        },
    }
    gone = shaping.prune(schema, obj)
    shaping.default(schema, obj)
    assert gone == ["spec.list[0].x", "spec.map.k.y", "spec.free.known.g", "zzz"]
    assert obj["metadata"] == {"name": "n", "labels": {}}
    assert obj["spec"] == {
        "a": "x",
        "inner": {"b": 2},
        "null": None,
        "list": [{"d": 4}],
        "map": {"k": {"e": "5"}},
        "free": {"z": {"deep": 1}, "known": {"f": ""}},
    }


def test_defaults_are_not_shared_between_objects() -> None:
    schema = root(of({"a": of({"l": {"type": "array", "items": TEXT}}, default={"l": []})}))
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    shaping.default(schema, one)
    one["a"]["l"].append("x")
    shaping.default(schema, other)
    assert other == {"a": {"l": []}}


@pytest.mark.parametrize(
    ("schema", "value", "messages"),
    [
        ({"type": "integer"}, 1.0, []),
        ({"type": "number"}, 1, []),
        (
            {"type": "integer"},
            True,
            ['Invalid value: "boolean": a in body must be of type integer: "boolean"'],
        ),
        ({"type": "string", "maxLength": 2}, "abc", ["Too long: may not be more than 2 bytes"]),
        (
            {"type": "string", "minLength": 1},
            "",
            ['Invalid value: "": a in body should be at least 1 chars long'],
        ),
        ({"type": "number", "multipleOf": 0.1}, 0.3, []),
        ({"type": "integer", "multipleOf": 5}, 7, ["Invalid value: 7: a in body should be a multiple of 5"]),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            1,
            ["Invalid value: 1: a in body should be greater than 1"],
        ),
        (
            {"type": "array", "items": TEXT, "maxItems": 1},
            ["a", "b"],
            ["Too many: 2: must have at most 1 item"],
        ),
        (
            {"type": "array", "items": TEXT, "minItems": 1},
            [],
            ["Invalid value: 0: a in body should have at least 1 items"],
        ),
        ({"type": "object", "maxProperties": 0}, {"a": 1}, ["Too many: 1: must have at most 0 items"]),
        (
            {"type": "integer", "enum": [1]},
            True,
            ['Invalid value: "boolean": a in body must be of type integer: "boolean"'],
        ),
        ({"type": "string", "nullable": True, "enum": ["x"]}, None, []),
        (
            of({"b": TEXT, "c": TEXT}, oneOf=[{"required": ["b"]}, {"required": ["c"]}]),
            {"b": "", "c": ""},
            [
                'Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives'
            ],
        ),
        (
            of({"b": TEXT}, anyOf=[{"required": ["b"]}]),
            {},
            ["Required value", 'Invalid value: "": "a" must validate at least one schema (anyOf)'],
        ),
        (
            of({"b": TEXT}, **{"not": {"required": ["b"]}}),
            {"b": ""},
            ['Invalid value: "": "a" must not validate the schema (not)'],
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            {"kind": "Pod"},
            ["Required value: must not be empty"],
        ),
    ],
)
def test_values(schema: dict[str, Any], value: Any, messages: list[str]) -> None:
    errors = FieldErrors()
    values.validate(root(of({"a": schema})), {"a": value}, errors)
    assert [cause.message for cause in errors.causes] == messages


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("date-time", "2024-01-01T00:00:00Z", "2024-01-01"),
        ("date", "2024-01-31", "2024-31-01"),
        ("duration", "1h30m", "1x"),
        ("byte", "YQ==", "%"),
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("hostname", "a.example", "-a"),
        ("email", "a@example.com", "a"),
        ("uri", "https://example.com", "example"),
    ],
)
def test_formats(format_: str, good: str, bad: str) -> None:
    assert formats.is_of(format_, good)
    assert not formats.is_of(format_, bad)
    assert formats.is_of("whatever", bad)


DOC = {
    "a": {"b.c": 1, "l": [{"t": "x", "v": 1}, {"t": "y", "v": 2}]},
    "m": {"annotations": {"example.com/x": "found"}},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.l[0].v", [1]),
        (".a.l[-1].v", [2]),
        (".a.l[*].v", [1, 2]),
        (".a.l[0:1].t", ["x"]),
        (".a['b.c']", [1]),
        (".a.b\\.c", [1]),
        (".m.annotations.example\\.com/x", ["found"]),
        ('.a.l[?(@.t=="y")].v', [2]),
        (".a.l[?(@.v>1)].t", ["y"]),
        ("..t", ["x", "y"]),
        ("{.a.l[1].t}", ["y"]),
        (".a.none", []),
        (".a.l[7]", []),
    ],
)
def test_json_path(path: str, found: list[Any]) -> None:
    assert jsonpath.find(path, DOC) == found


@pytest.mark.parametrize("path", ["a b", ".a[", ".a[?(@.x)", "]"])
def test_what_is_no_json_path(path: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any reason will do
        jsonpath.parse(path)


def test_cells_are_of_their_columns_type() -> None:
    now = datetime(2024, 1, 2, tzinfo=UTC)
    made = columns.columns(
        {"name": str(at), "type": type_, "jsonPath": path}
        for at, (type_, path) in enumerate(
            [
                ("integer", ".i"),
                ("integer", ".s"),
                ("boolean", ".b"),
                ("number", ".i"),
                ("date", ".t"),
                ("string", ".l"),
                ("string", ".l[*]"),
                ("string", ".b"),
            ]
        )
    )
    obj = {
        "metadata": {"name": "n"},
        "i": 1,
        "s": "x",
        "b": True,
        "t": "2024-01-01T00:00:00Z",
        "l": ["p", "q"],
    }
    assert [column.value(obj, now) for column in made] == [
        "n",
        1,
        None,
        True,
        1.0,
        "24h",
        '["p","q"]',
        "p",
        "true",
    ]


def test_ratcheting_forgives_only_what_stays() -> None:
    old = {"spec": {"a": 1, "l": [{"b": "x"}], "c": {}}}
    new = {"spec": {"a": 1, "l": [{"b": "y"}], "c": {}}}
    errors = FieldErrors()
    errors.causes = [
        Cause("FieldValueInvalid", "spec.a", "stays"),
        Cause("FieldValueInvalid", "spec.l[0].b", "changed"),
        Cause("FieldValueRequired", "spec.c.d", "stays"),
        Cause("FieldValueRequired", "spec.e", "in what changed"),
        Cause("FieldValueInvalid", "metadata.name", "stays to be told"),
        Cause(
            "FieldValueInvalid",
            "<nil>",
            'Invalid value: "": "spec.c" must validate at least one schema (anyOf)',
        ),
    ]
    ratchet.forgive(new, old, errors)
    assert [cause.field for cause in errors.causes] == ["spec.l[0].b", "spec.e", "metadata.name"]


def run_rules(schema: dict[str, Any], new: Any, old: Any = None) -> list[tuple[str, str]]:
    errors = FieldErrors()
    rules.validate(root(schema), new, old, errors)
    return [(cause.field, cause.message) for cause in errors.causes]


def with_rule(schema: dict[str, Any], rule: str, **more: Any) -> dict[str, Any]:
    return {**schema, "x-kubernetes-validations": [{"rule": rule, **more}]}


def test_rules_find_their_place_and_their_before() -> None:
    item = with_rule(of({"k": TEXT, "v": {"type": "integer"}}), "self.v >= oldSelf.v", message="only up")
    schema = of(
        {
            "l": {
                "type": "array",
                "items": item,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
            },
            "m": {"type": "object", "additionalProperties": with_rule({"type": "integer"}, "self > 0")},
            "t": with_rule(
                {"type": "string", "format": "date-time"}, "self < timestamp('2024-01-01T00:00:00Z')"
            ),
            "d": with_rule(
                of({"min": {"type": "number"}}),
                "self.min < 1.5",
                reason="FieldValueForbidden",
                fieldPath=".min",
            ),
        }
    )
    old = {"l": [{"k": "a", "v": 2}, {"k": "b", "v": 5}]}
    new = {
        "l": [{"k": "b", "v": 6}, {"k": "a", "v": 1}, {"k": "c", "v": 0}],
        "m": {"x": 0},
        "t": "2025-01-01T00:00:00Z",
        "d": {"min": 2},
    }
    assert run_rules(schema, new, old) == [
        ("l[1]", 'Invalid value: "object": only up'),
        ("m[x]", 'Invalid value: "integer": failed rule: self > 0'),
        ("t", "Invalid value: \"string\": failed rule: self < timestamp('2024-01-01T00:00:00Z')"),
        ("d.min", "Forbidden: failed rule: self.min < 1.5"),
    ]
    assert run_rules(schema, {"l": new["l"]}) == []


def test_messages_and_optional_old_self() -> None:
    schema = with_rule(
        of({"a": {"type": "integer"}}),
        "!oldSelf.hasValue() || oldSelf.value().a == self.a",
        optionalOldSelf=True,
        messageExpression="'a was ' + string(oldSelf.value().a)",
    )
    assert run_rules(schema, {"a": 1}) == []
    assert run_rules(schema, {"a": 2}, {"a": 1}) == [("<nil>", 'Invalid value: "object": a was 1')]


def test_an_unchanged_value_is_not_judged_by_a_new_rule() -> None:
    schema = of({"a": with_rule({"type": "integer"}, "self > 5"), "b": TEXT})
    assert run_rules(schema, {"a": 1, "b": "y"}, {"a": 1, "b": "x"}) == []
    assert len(run_rules(schema, {"a": 2, "b": "y"}, {"a": 1, "b": "x"})) == 1


def test_rules_that_cost_too_much_end() -> None:
    schema = of(
        {"l": with_rule({"type": "array", "items": TEXT}, "self.all(a, self.all(b, self.all(c, a != '')))")}
    )
    found = run_rules(schema, {"l": ["x"] * 2000})
    assert found == [
        ("<nil>", 'Invalid value: "": call cost exceeds limit, no further validation rules will be run')
    ]
