"""Which objects of a JSON schema get no properties that it does not name."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.engine.programs.modelserver.runtimes.language.schemas import closed

A: dict[str, Any] = {"properties": {"a": {"type": "integer"}}}
CLOSED = {**A, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (A, CLOSED),
        ({"items": A}, {"items": CLOSED}),
        ({"anyOf": [A, {"type": "null"}]}, {"anyOf": [CLOSED, {"type": "null"}]}),
        ({"additionalProperties": A}, {"additionalProperties": CLOSED}),
        ({"$defs": {"one": A}, "$ref": "#/$defs/one"}, {"$defs": {"one": CLOSED}, "$ref": "#/$defs/one"}),
        (
            {"properties": {"properties": A}},
            {"properties": {"properties": CLOSED}, "additionalProperties": False},
        ),
        ({**A, "required": ["a"]}, {**CLOSED, "required": ["a"]}),
    ],
)
def test_an_object_that_names_its_properties_gets_no_others(schema: Any, wanted: Any) -> None:
    assert closed(schema) == wanted


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"type": "object"},
        {**A, "additionalProperties": True},
        {**A, "patternProperties": {"^b": {}}},
        {**A, "minProperties": 2},
        {**A, "required": ["b"]},
        {"enum": [A]},
        {"allOf": [A, {"properties": {"b": {}}}]},
        {"oneOf": [A, {"properties": {"b": {}}}]},
        {**A, "anyOf": [{"properties": {"b": {}}}, {"required": ["a"]}]},
        {"$defs": {"one": A}, **A, "$ref": "#/$defs/one"},
        {"$defs": {"one": A}, "items": {"allOf": [{"$ref": "#/$defs/one"}, {"properties": {"b": {}}}]}},
    ],
)
def test_what_says_more_of_them_stays_as_it_is(schema: Any) -> None:
    assert closed(schema) == schema
