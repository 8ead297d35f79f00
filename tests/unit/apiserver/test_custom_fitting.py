"""`custom.fitting`: a quick yes is one that the close look says too, and never keeps a value from being pruned."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sampan.cluster.apiserver.custom import shaping, structural, values
from sampan.cluster.apiserver.custom.fitting import fits
from sampan.kube.fielderrors import FieldErrors

_SCALARS = ("string", "integer", "number", "boolean")
_ASKS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {},
    {"enum": ["a", 1]},
    {"pattern": "^a+$"},
    {"maxLength": 1},
    {"minimum": 1},
    {"format": "int32"},
    {"format": "date-time"},
    {"nullable": True},
    {"not": {"enum": ["a"]}},
    {"x-kubernetes-int-or-string": True},
)


def schema(chance: random.Random, depth: int) -> dict[str, Any]:
    kind = chance.choice((*_SCALARS, "object", "object", "array", "")) if depth else chance.choice(_SCALARS)
    found: dict[str, Any] = {"type": kind, **chance.choice(_ASKS)} if kind else dict(chance.choice(_ASKS))
    if kind == "object":
        found["properties"] = {key: schema(chance, depth - 1) for key in "abc" if chance.random() < 0.7}
        found |= chance.choice(
            (
                {},
                {},
                {"required": ["a"]},
                {"x-kubernetes-preserve-unknown-fields": True},
                {"maxProperties": 2},
            )
        )
        if chance.random() < 0.2:
            del found["properties"]
            found["additionalProperties"] = schema(chance, depth - 1)
    elif kind == "array":
        found["items"] = schema(chance, depth - 1)
        found |= chance.choice(({}, {}, {"maxItems": 1}, {"x-kubernetes-list-type": "set"}))
    return found


def value(chance: random.Random, raw: dict[str, Any]) -> Any:
    """One that mostly is of the type."""
    kind = raw.get("type") if chance.random() < 0.9 else chance.choice(_SCALARS)
    if kind == "object":
        properties = raw.get("properties") or {}
        found = {key: value(chance, each) for key, each in properties.items() if chance.random() < 0.8}
        if chance.random() < 0.3:
            found["z"] = value(
                chance, raw.get("additionalProperties") or {"type": "object", "properties": {}}
            )
        return found
    if kind == "array":
        return [value(chance, raw.get("items") or {}) for _ in range(chance.randrange(3))]
    return {
        "string": lambda: chance.choice(("a", "aa", "b", "2026-01-01T00:00:00Z")),
        "integer": lambda: chance.choice((0, 1, 2)),
        "number": lambda: chance.choice((0.5, 1.0, 2)),
        "boolean": lambda: True,
    }.get(str(kind), lambda: chance.choice((None, "a", 1, {}, [])))()


def test_a_quick_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that every part is looked at closely.
    monkeypatch.setattr(values, "fits", lambda _node, _value: False)
    chance = random.Random(11)
    quick = 0
    for _ in range(4000):
        raw = schema(chance, 3)
        found = value(chance, raw)
        if not fits(structural.Node(raw), found):
            continue
        quick += 1
        errors = FieldErrors()
        values.validate(structural.Node(raw), found, errors)
        assert not errors.causes, (raw, found, errors.causes)
    assert quick > 500


def test_what_keeps_all_is_pruned_of_nothing() -> None:
    chance = random.Random(5)
    kept = 0
    for _ in range(4000):
        raw = schema(chance, 3)
        node = structural.Node(raw)
        if raw.get("type") != "object" or not node.keeps_all:
            continue
        found = value(chance, raw)
        if isinstance(found, dict):
            kept += 1
            assert shaping.prune(node, found) == []
    assert kept > 50


def test_errors_in_the_midst_of_good_values_are_told_with_their_paths() -> None:
    raw = {
        "type": "object",
        "properties": {
            "list": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"n": {"type": "integer"}, "t": {"type": "string"}},
                },
            }
        },
    }
    errors = FieldErrors()
    values.validate(
        structural.Node(raw), {"list": [{"n": 1, "t": "a"}, {"n": "x", "t": "a"}, {"t": 3}]}, errors
    )
    assert [each.field for each in errors.causes] == ["list[1].n", "list[2].t"]
