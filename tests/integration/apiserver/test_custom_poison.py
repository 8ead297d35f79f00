"""Malformed and hostile definitions and custom objects: each is stored or refused by name, none holds the server."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import ListOptions, PatchType, WriteOptions
from sampan.cluster.apiserver.custom.definitions import DEFINITIONS
from sampan.kube.errors import ApiError, InternalError, InvalidError
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.testing.apiserver import embedded

POISON: tuple[Any, ...] = (
    None, "", "x", -1, 0, 2**70, 1.5, True, [], {}, [None], [[]], [{}], {"": ""}, {"name": None}, "é" * 300,
)  # fmt: skip
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["a"],
    "x-kubernetes-validations": [
        {"rule": "self.a.size() < 9 && self.n < 5", "messageExpression": "'too ' + self.a"},
        {"rule": "!has(oldSelf.s) || self.s.all(x, x in oldSelf.s)", "reason": "FieldValueForbidden"},
    ],
    "properties": {
        "a": {"type": "string", "pattern": "^[a-z]*$", "maxLength": 20, "format": "hostname", "default": "x"},
        "n": {"type": "number", "minimum": 0, "multipleOf": 0.5, "default": 1},
        "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "m": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}},
        },
        "d": {"type": "object", "additionalProperties": {"type": "integer", "nullable": True}},
        "p": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "e": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "o": {"type": "object", "properties": {"b": {"type": "integer"}}, "oneOf": [{"required": ["b"]}]},
    },
}
VERSION: dict[str, Any] = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
    "subresources": {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.n",
            "statusReplicasPath": ".status.n",
            "labelSelectorPath": ".spec.a",
        },
    },
    "additionalPrinterColumns": [{"name": "A", "type": "integer", "jsonPath": ".spec.m[?(@.k=='a')].k"}],
    "selectableFields": [{"jsonPath": ".spec.a"}],
}
DEFINITION: dict[str, Any] = {
    "metadata": {"name": "things.poison.example.com"},
    "spec": {
        "group": "poison.example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"], "categories": ["all"]},
        "conversion": {"strategy": "None"},
        "versions": [VERSION],
    },
}
THINGS = Resource("poison.example.com", "v1", "Thing", "things", subresources=("status", "scale"))
THING: dict[str, Any] = {
    "apiVersion": "poison.example.com/v1",
    "kind": "Thing",
    "metadata": {"name": "good", "namespace": "default", "labels": {"a": "b"}},
    "spec": {
        "a": "a",
        "n": 1,
        "s": ["x"],
        "m": [{"k": "a"}],
        "d": {"x": 1},
        "p": "1",
        "e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
        "o": {"b": 1},
    },
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found += places(each, (*path, key))
    return found


def poisoned(obj: dict[str, Any], path: tuple[Any, ...], poison: Any) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    holder: Any = result
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = poison
    return result


async def answered(request: Awaitable[Any], case: Any) -> bool:
    try:
        await request
    except InternalError:
        pytest.fail(f"the server did not expect {case}")
    except ApiError:
        return False
    return True


def test_every_field_of_a_definition_can_be_wrong(tmp_path: Path) -> None:
    cases = [(path, poison) for path in places(DEFINITION) for poison in POISON]
    chosen = random.Random(7).sample(cases, 700)

    async def main() -> None:
        async with embedded(tmp_path) as server:
            for path, poison in chosen:
                bad = poisoned(DEFINITION, path, poison)
                if not await answered(server.client.create(DEFINITIONS, bad), (path, poison)):
                    continue
                # Whatever it was, what it makes can be used, and goes.
                thing = {**copy.deepcopy(THING), "metadata": {"name": "good", "namespace": "default"}}
                await answered(server.client.create(THINGS, thing), (path, poison))
                await answered(server.client.list(THINGS, None), (path, poison))
                await server.client.delete(DEFINITIONS, DEFINITION["metadata"]["name"])
                async with asyncio.timeout(60):
                    while (await server.client.list(DEFINITIONS)).items:
                        await asyncio.sleep(0.002)

    asyncio.run(main())


def test_every_field_of_a_custom_object_can_be_wrong(tmp_path: Path) -> None:
    cases = [(path, poison) for path in places(THING) for poison in POISON]

    async def main() -> None:
        async with embedded(tmp_path) as server:
            client = server.client
            await client.create(DEFINITIONS, copy.deepcopy(DEFINITION))
            await client.create(THINGS, copy.deepcopy(THING))
            for at, (path, poison) in enumerate(random.Random(8).sample(cases, 400)):
                bad = poisoned(THING, path, poison)
                if isinstance(bad.get("metadata"), dict):
                    bad["metadata"]["name"] = f"bad-{at}"
                await answered(client.create(THINGS, bad), (path, poison))
                for patch_type in (PatchType.MERGE, PatchType.APPLY):
                    options = WriteOptions(field_manager="m", force=True)
                    request = client.patch(
                        THINGS,
                        "good",
                        poisoned(THING, path, poison),
                        "default",
                        patch_type=patch_type,
                        options=options,
                    )
                    await answered(request, (path, poison, patch_type))
            assert (await client.list(THINGS, None, ListOptions(field_selector="spec.a=a"))).items

    asyncio.run(main())


def test_a_rule_or_pattern_that_takes_for_ever_holds_nobody(tmp_path: Path) -> None:
    hostile = copy.deepcopy(DEFINITION)
    hostile["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = {
        "type": "object",
        "properties": {
            "l": {
                "type": "array",
                "items": {"type": "string"},
                "x-kubernetes-validations": [{"rule": "self.all(a, self.all(b, self.all(c, a + b != c)))"}],
            },
            "p": {"type": "string", "pattern": "^(a+)+$"},
        },
    }
    hostile["spec"]["versions"][0].pop("selectableFields")

    async def main() -> None:
        async with embedded(tmp_path) as server:
            client = server.client
            await client.create(DEFINITIONS, hostile)
            base = {"metadata": {"name": "one", "namespace": "default"}}
            long = client.create(THINGS, {**base, "spec": {"l": ["x"] * 5000}})
            pattern = client.create(THINGS, {**base, "spec": {"p": "a" * 5000 + "!"}})
            other = {"metadata": {"name": "two", "namespace": "default"}}
            async with asyncio.timeout(60):
                found = await asyncio.gather(
                    long, pattern, client.create(CONFIG_MAPS, other), return_exceptions=True
                )
            assert isinstance(found[0], InvalidError)
            assert "cost" in found[0].message
            assert isinstance(found[1], InvalidError)
            assert isinstance(found[2], dict)

    asyncio.run(main())
