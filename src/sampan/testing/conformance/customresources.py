"""Custom resources: what Kubernetes promises of CustomResourceDefinitions in v1 since 1.16.

Nothing newer is asked for (no CEL, no selectable fields), so that an older real cluster passes too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sampan.client.protocol import ListOptions, Object, PatchType, WriteOptions
from sampan.kube import conditions, meta
from sampan.kube.errors import (
    ApiError,
    ConflictError,
    InvalidError,
    MethodNotAllowedError,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from sampan.kube.kinds import Resource
from sampan.lib.ids import random_suffix
from sampan.testing.conformance.world import Connected, World, check, refused

DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
T = TypeVar("T")
_TEXT = {"type": "string"}
_SPEC: Object = {
    "type": "object",
    "required": ["length"],
    "properties": {
        "length": {"type": "integer", "minimum": 1, "maximum": 100},
        "name": {"type": "string", "pattern": "^[A-Z][a-z]*$"},
        "crew": {"type": "integer", "default": 1},
        "kind": {"type": "string", "enum": ["sail", "row"]},
        "replicas": {"type": "integer", "default": 1},
        "note": {"type": "string", "nullable": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
        "stations": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["deck", "side"],
            "items": {
                "type": "object",
                "required": ["deck", "side"],
                "properties": {"deck": {"type": "integer"}, "side": _TEXT, "who": _TEXT},
            },
        },
    },
}
_STATUS = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "selector": _TEXT,
        "phase": {**_TEXT, "enum": ["Afloat"]},
    },
}


@dataclass(frozen=True, slots=True)
class Boats:
    """A custom kind of a test's own."""

    world: World
    definition: str
    resource: Resource

    def boat(self, name: str, /, **spec: Any) -> Object:
        return {
            "apiVersion": self.resource.api_version,
            "kind": self.resource.kind,
            "metadata": {"name": name, "namespace": self.world.namespace},
            "spec": {"length": 7, **spec},
        }

    async def create(self, name: str, /, **spec: Any) -> Object:
        return await self.world.client.create(self.resource, self.boat(name, **spec))

    async def get(self, name: str) -> Object:
        return await self.world.client.get(self.resource, name, self.world.namespace)

    async def patch(self, name: str, patch: Object, subresource: Any = "") -> Object:
        return await self.world.client.patch(
            self.resource, name, patch, self.world.namespace, subresource=subresource
        )

    async def apply(self, name: str, manager: str, /, **spec: Any) -> Object:
        return await self.world.client.patch(
            self.resource,
            name,
            self.boat(name, **spec),
            self.world.namespace,
            patch_type=PatchType.APPLY,
            options=WriteOptions(field_manager=manager),
        )


async def _served(action: Callable[[], Awaitable[T]]) -> T:
    """A real server needs a moment to serve a kind that is established."""
    for _ in range(600):
        try:
            return await action()
        except (NotFoundError, MethodNotAllowedError):
            await asyncio.sleep(0.1)
    return await action()


async def _gone(action: Callable[[], Awaitable[Any]]) -> None:
    for _ in range(600):
        try:
            await action()
        except NotFoundError:
            return
        except ApiError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("it is still there")


@asynccontextmanager
async def _boats(world: World, **properties: Object) -> AsyncIterator[Boats]:
    """`properties`: of the spec, beside those that all have."""
    client, group = world.client, f"{random_suffix(8)}.sampan-test.example.com"
    name = f"boats.{group}"
    definition = {
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "boats", "kind": "Boat"},
            "versions": [
                _version("v1", properties, storage=True),
                _version("v1beta1", properties, storage=False),
            ],
        },
    }
    await client.create(DEFINITIONS, definition)
    resource = Resource(group, "v1", "Boat", "boats", subresources=("status", "scale"))
    try:
        await _served(lambda: client.list(resource, world.namespace))
        yield Boats(world, name, resource)
    finally:
        with suppress(NotFoundError):
            await client.delete(DEFINITIONS, name)


def _version(name: str, more: Object, *, storage: bool) -> Object:
    spec = {**_SPEC, "properties": {**_SPEC["properties"], **more}}
    properties = {"spec": spec, "status": _STATUS}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": properties}},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
    }


class CustomResourceChecks(Connected):
    @check
    async def test_a_definition_is_completed_and_established(self, world: World) -> None:
        async with _boats(world) as boats:
            found = await world.client.get(DEFINITIONS, boats.definition)
            names = found["spec"]["names"]
            assert (names["singular"], names["listKind"]) == ("boat", "BoatList")
            assert found["spec"]["conversion"] == {"strategy": "None"}
            assert found["status"]["storedVersions"] == ["v1"]
            assert found["status"]["acceptedNames"]["kind"] == "Boat"
            assert conditions.is_true(found, "NamesAccepted")
            assert conditions.is_true(found, "Established")

    @check
    async def test_a_definition_that_is_not_structural_is_refused(self, world: World) -> None:
        version = _version("v1", {}, storage=True)
        version["schema"]["openAPIV3Schema"]["properties"]["spec"] = {"properties": {"a": _TEXT}}
        spec = {"group": "x.example.com", "names": {"plural": "xs", "kind": "X"}, "scope": "Namespaced"}
        made: Object = {"metadata": {"name": "xs.x.example.com"}, "spec": {**spec, "versions": [version]}}
        error = await refused(InvalidError, world.client.create(DEFINITIONS, made))
        assert {cause.field for cause in error.causes} == {
            "spec.validation.openAPIV3Schema.properties[spec].type"
        }
        made["metadata"]["name"] = "ys.x.example.com"
        made["spec"]["versions"] = [_version("v1", {}, storage=False)]
        error = await refused(InvalidError, world.client.create(DEFINITIONS, made))
        assert {cause.field for cause in error.causes} >= {"metadata.name", "spec.versions"}

    @check
    async def test_unknown_fields_go_and_defaults_come(self, world: World) -> None:
        async with _boats(world) as boats:
            made = await boats.create("one", extra=1, crew=None, note=None, free={"any": {"thing": 1}})
            assert made["spec"] == {
                "length": 7,
                "crew": 1,
                "replicas": 1,
                "note": None,
                "free": {"any": {"thing": 1}},
            }
            assert await boats.get("one") == made

    @check
    async def test_objects_are_held_against_the_schema(self, world: World) -> None:
        # Not for all: Kubernetes 1.20 forgets the types of lists for apply where there is such a field.
        async with _boats(world, port={"x-kubernetes-int-or-string": True}) as boats:
            for spec, field, reason in (
                ({"length": None}, "spec.length", "FieldValueRequired"),
                ({"length": 0}, "spec.length", "FieldValueInvalid"),
                ({"length": 101}, "spec.length", "FieldValueInvalid"),
                ({"kind": "motor"}, "spec.kind", "FieldValueNotSupported"),
                ({"name": "small"}, "spec.name", "FieldValueInvalid"),
                ({"tags": ["a", "a"]}, "spec.tags[1]", "FieldValueDuplicate"),
                ({"stations": [{"deck": 1, "side": "a"}] * 2}, "spec.stations[1]", "FieldValueDuplicate"),
            ):
                error = await refused(InvalidError, boats.create("one", **spec))
                assert [(cause.field, cause.reason) for cause in error.causes] == [(field, reason)]
            mistyped: tuple[Object, ...] = ({"length": "7"}, {"port": True}, {"stations": {}})
            for wrong in mistyped:
                error = await refused(InvalidError, boats.create("one", **wrong))
                assert {cause.field for cause in error.causes} == {f"spec.{key}" for key in wrong}

    @check
    async def test_custom_spec_and_status_are_apart(self, world: World) -> None:
        async with _boats(world) as boats:
            made = await world.client.create(
                boats.resource, {**boats.boat("one"), "status": {"phase": "Afloat"}}
            )
            assert "status" not in made
            assert meta.generation(made) == 1
            both = {"status": {"phase": "Afloat"}, "spec": {"length": 9}}
            through_status = await boats.patch("one", both, "status")
            assert (through_status["status"], through_status["spec"]["length"]) == ({"phase": "Afloat"}, 7)
            assert meta.generation(through_status) == 1
            through_main = await boats.patch("one", {**both, "status": {"phase": None}})
            assert (through_main["status"], through_main["spec"]["length"]) == ({"phase": "Afloat"}, 9)
            assert meta.generation(through_main) == 2
            await refused(InvalidError, boats.patch("one", {"status": {"phase": "Sunk"}}, "status"))

    @check
    async def test_custom_objects_scale(self, world: World) -> None:
        async with _boats(world) as boats:
            await boats.create("one", replicas=2)
            await boats.patch("one", {"status": {"replicas": 1, "selector": "a=b"}}, "status")
            scaled = await boats.patch("one", {"spec": {"replicas": 5}}, "scale")
            assert (scaled["kind"], scaled["spec"]) == ("Scale", {"replicas": 5})
            assert scaled["status"] == {"replicas": 1, "selector": "a=b"}
            found = await boats.get("one")
            assert (found["spec"]["replicas"], meta.generation(found)) == (5, 2)
            # One that says nothing of replicas has no scale to be read, but can be given one.
            await boats.create("two")
            scaled = await boats.patch("two", {"spec": {"replicas": 3}}, "scale")
            assert (scaled["spec"], (await boats.get("two"))["spec"]["replicas"]) == ({"replicas": 3}, 3)

    @check
    async def test_custom_objects_know_no_strategic_patch(self, world: World) -> None:
        async with _boats(world) as boats:
            await boats.create("one")
            await refused(
                UnsupportedMediaTypeError,
                world.client.patch(
                    boats.resource, "one", {}, world.namespace, patch_type=PatchType.STRATEGIC
                ),
            )
            made = boats.boat("one")
            await refused(InvalidError, world.client.replace(boats.resource, made))

    @check
    async def test_apply_goes_by_the_schema_of_the_kind(self, world: World) -> None:
        async with _boats(world) as boats:
            await boats.apply("one", "a", tags=["x"], stations=[{"deck": 1, "side": "l", "who": "Ann"}])
            both = await boats.apply("one", "b", tags=["y"], stations=[{"deck": 1, "side": "r", "who": "Bo"}])
            assert both["spec"]["tags"] == ["x", "y"]
            assert [each["who"] for each in both["spec"]["stations"]] == ["Ann", "Bo"]
            error = await refused(
                ConflictError, boats.apply("one", "b", stations=[{"deck": 1, "side": "l", "who": "Bo"}])
            )
            assert [cause.field for cause in error.causes] == ['.spec.stations[deck=1,side="l"].who']
            left = await boats.apply("one", "a")
            assert left["spec"]["tags"] == ["y"]
            assert [each["who"] for each in left["spec"]["stations"]] == ["Bo"]

    @check
    async def test_versions_show_the_same_object(self, world: World) -> None:
        async with _boats(world) as boats:
            group = boats.resource.group
            beta = Resource(group, "v1beta1", "Boat", "boats", subresources=("status", "scale"))
            await _served(lambda: world.client.list(beta, world.namespace))
            made = await world.client.create(beta, {**boats.boat("one"), "apiVersion": f"{group}/v1beta1"})
            assert made["apiVersion"] == f"{group}/v1beta1"
            found = await boats.get("one")
            assert found["apiVersion"] == f"{group}/v1"
            assert meta.uid(found) == meta.uid(made)
            changed = await boats.patch("one", {"spec": {"length": 8}})
            again = await world.client.get(beta, "one", world.namespace)
            assert (again["apiVersion"], again["spec"]["length"]) == (f"{group}/v1beta1", 8)
            assert meta.resource_version(again) == meta.resource_version(changed)

    @check
    async def test_a_definition_takes_its_objects_along(self, world: World) -> None:
        async with _boats(world) as boats:
            held = boats.boat("held")
            held["metadata"]["finalizers"] = ["example.com/hold"]
            await world.client.create(boats.resource, held)
            await boats.create("free")
            going = await world.client.delete(DEFINITIONS, boats.definition)
            assert "customresourcecleanup.apiextensions.k8s.io" in meta.finalizers(going)
            await _gone(lambda: boats.get("free"))

            # In which order they are deleted, a real cluster does not say.
            for _ in range(600):
                if meta.is_deleting(held := await boats.get("held")):
                    break
                await asyncio.sleep(0.1)
            assert meta.is_deleting(held)
            assert meta.is_deleting(await world.client.get(DEFINITIONS, boats.definition))
            await boats.patch("held", {"metadata": {"finalizers": None}})
            await _gone(lambda: world.client.get(DEFINITIONS, boats.definition))
            await _gone(lambda: world.client.list(boats.resource, world.namespace, ListOptions()))
