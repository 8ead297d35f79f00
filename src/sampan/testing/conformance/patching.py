"""The four kinds of patch, and who owns which field."""

from __future__ import annotations

from sampan.client.protocol import (
    Object,
    PatchType,
    WriteOptions,
)
from sampan.kube import meta
from sampan.kube.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
)
from sampan.kube.kinds import CONFIG_MAPS, PODS, SERVICES
from sampan.testing.conformance.world import Connected, World, check, refused, since


class PatchingChecks(Connected):
    # Patch.

    @check
    async def test_merge_patch(self, world: World) -> None:
        await world.created("one", {"a": "1", "b": "2"})
        patched = await world.patch(
            "one", {"data": {"a": None, "c": "3"}, "metadata": {"labels": {"x": "y"}}}
        )
        assert patched["data"] == {"b": "2", "c": "3"}
        assert meta.labels(patched) == {"x": "y"}

    @check
    async def test_json_patch(self, world: World) -> None:
        await world.created("one", {"a": "1"}, annotations={"sampan.test/b": "2"})
        operations = [
            {"op": "test", "path": "/data/a", "value": "1"},
            {"op": "replace", "path": "/data/a", "value": "9"},
            {"op": "move", "from": "/metadata/annotations/sampan.test~1b", "path": "/data/d"},
        ]
        assert (await world.patch("one", operations, PatchType.JSON))["data"] == {"a": "9", "d": "2"}

    @check
    async def test_json_patch_that_does_not_apply_changes_nothing(self, world: World) -> None:
        made = await world.created("one", {"a": "1"})
        operations = [
            {"op": "add", "path": "/data/b", "value": "2"},
            {"op": "test", "path": "/data/a", "value": "wrong"},
        ]
        await refused(InvalidError, world.patch("one", operations, PatchType.JSON))
        await refused(
            InvalidError, world.patch("one", [{"op": "remove", "path": "/data/zzz"}], PatchType.JSON)
        )
        assert await world.get("one") == made

    @check
    async def test_strategic_merge_patch_merges_lists_by_key(self, world: World) -> None:
        await world.create_pod("one")
        patch = {"spec": {"containers": [{"name": "side", "image": "alpine"}]}}
        patched = await world.client.patch(
            PODS, "one", patch, world.namespace, patch_type=PatchType.STRATEGIC
        )
        images = {each["name"]: each["image"] for each in patched["spec"]["containers"]}
        assert images == {"main": "busybox", "side": "alpine"}

    @check
    async def test_strategic_merge_patch_directives(self, world: World) -> None:
        ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
        service = {
            "metadata": {"name": "one", "namespace": world.namespace},
            "spec": {"ports": ports, "clusterIP": "None", "selector": {"x": "y", "z": "w"}},
        }
        await world.client.create(SERVICES, service)
        patch = {
            "spec": {
                "ports": [{"port": 80, "$patch": "delete"}, {"name": "c", "port": 82}],
                "selector": {"$patch": "replace", "only": "this"},
            }
        }
        patched = await world.client.patch(
            SERVICES, "one", patch, world.namespace, patch_type=PatchType.STRATEGIC
        )
        assert sorted(each["port"] for each in patched["spec"]["ports"]) == [81, 82]
        assert patched["spec"]["selector"] == {"only": "this"}

    @check
    async def test_patch_of_an_older_state_is_refused(self, world: World) -> None:
        made = await world.created("one")
        await world.patch("one", {"data": {"a": "1"}})
        version = {"resourceVersion": meta.resource_version(made)}
        await refused(ConflictError, world.patch("one", {"metadata": version, "data": {"a": "2"}}))

    @check
    async def test_patch_of_what_is_not_there(self, world: World) -> None:
        await refused(NotFoundError, world.patch("nothing", {"data": {"a": "1"}}))

    @check
    async def test_patch_without_a_change_changes_nothing(self, world: World) -> None:
        made = await world.created("one", {"a": "1"})
        assert meta.resource_version(await world.patch("one", {"data": {"a": "1"}})) == meta.resource_version(
            made
        )

    # Server-side apply.

    @check
    async def test_apply_creates_and_updates(self, world: World) -> None:
        made = await world.apply(world.config_map("one", {"a": "1", "b": "2"}), "alice")
        assert made["data"] == {"a": "1", "b": "2"}
        assert [(each["manager"], each["operation"]) for each in made["metadata"]["managedFields"]] == [
            ("alice", "Apply")
        ]
        # What the manager no longer mentions goes.
        again = await world.apply(world.config_map("one", {"a": "1"}), "alice")
        assert again["data"] == {"a": "1"}

    @check
    async def test_apply_of_the_same_changes_nothing(self, world: World) -> None:
        made = await world.apply(world.config_map("one", {"a": "1"}), "alice")
        again = await world.apply(world.config_map("one", {"a": "1"}), "alice")
        assert meta.resource_version(again) == meta.resource_version(made)

    @check
    async def test_apply_conflicts_until_forced(self, world: World) -> None:
        await world.apply(world.config_map("one", {"a": "1", "b": "1"}), "alice")
        error = await refused(ConflictError, world.apply(world.config_map("one", {"a": "2"}), "bob"))
        assert [(cause.reason, cause.field) for cause in error.causes] == [
            ("FieldManagerConflict", ".data.a")
        ]
        assert 'conflict with "alice"' in error.message
        forced = await world.apply(world.config_map("one", {"a": "2"}), "bob", force=True)
        assert forced["data"] == {"a": "2", "b": "1"}
        # Alice owns `b` alone by now: not mentioning `a` any more leaves it to Bob.
        assert (await world.apply(world.config_map("one", {"b": "1"}), "alice"))["data"] == {
            "a": "2",
            "b": "1",
        }

    @check
    async def test_apply_shares_what_both_say(self, world: World) -> None:
        await world.apply(world.config_map("one", {"a": "1"}), "alice")
        await world.apply(world.config_map("one", {"a": "1", "b": "2"}), "bob")
        assert (await world.apply(world.config_map("one", {}), "alice"))["data"] == {"a": "1", "b": "2"}

    @check
    async def test_apply_notices_other_writers(self, world: World) -> None:
        await world.apply(world.config_map("one", {"a": "1"}), "alice")
        await world.client.patch(
            CONFIG_MAPS,
            "one",
            {"data": {"a": "2"}},
            world.namespace,
            options=WriteOptions(field_manager="carol"),
        )
        error = await refused(ConflictError, world.apply(world.config_map("one", {"a": "3"}), "alice"))
        assert 'conflict with "carol"' in error.message

    @check
    async def test_apply_merges_lists_by_key(self, world: World) -> None:
        def service(*ports: int) -> Object:
            return {
                "metadata": {"name": "one"},
                "spec": {
                    "clusterIP": "None",
                    "ports": [{"name": f"p{each}", "port": each, "protocol": "TCP"} for each in ports],
                },
            }

        await world.apply(service(80, 81), "alice", SERVICES)
        both = await world.apply(service(82), "bob", SERVICES)
        assert sorted(each["port"] for each in both["spec"]["ports"]) == [80, 81, 82]
        less = await world.apply(service(80), "alice", SERVICES)
        assert sorted(each["port"] for each in less["spec"]["ports"]) == [80, 82]

    @check
    @since((1, 21), "defaults for the keys of lists")
    async def test_apply_knows_the_defaults_of_keys(self, world: World) -> None:
        def service(name: str) -> Object:
            spec = {"clusterIP": "None", "ports": [{"name": name, "port": 80}]}
            return {"metadata": {"name": "one"}, "spec": spec}

        await world.apply(service("a"), "alice", SERVICES)
        error = await refused(ConflictError, world.apply(service("b"), "bob", SERVICES))
        assert [cause.field for cause in error.causes] == [
            '.spec.ports[port=80,protocol="TCP"].name',
        ]

    @check
    async def test_apply_without_a_manager_is_refused(self, world: World) -> None:
        await refused(InvalidError, world.apply(world.config_map("one"), ""))
