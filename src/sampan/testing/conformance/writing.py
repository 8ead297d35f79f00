"""Create, get, replace and delete."""

from __future__ import annotations

import asyncio

from sampan.client.protocol import (
    DeleteOptions,
    ListOptions,
    Propagation,
    WriteOptions,
)
from sampan.kube import meta
from sampan.kube.errors import (
    AlreadyExistsError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES
from sampan.lib.ids import random_suffix
from sampan.testing.conformance.world import Connected, World, check, refused, since


class WritingChecks(Connected):
    # Create and get.

    @check
    async def test_create_sets_what_the_server_decides(self, world: World) -> None:
        made = await world.created("one", {"a": "b"})
        metadata = made["metadata"]
        assert (made["kind"], made["apiVersion"], made["data"]) == ("ConfigMap", "v1", {"a": "b"})
        assert metadata["uid"]
        assert metadata["creationTimestamp"].endswith("Z")
        assert int(metadata["resourceVersion"]) > 0
        assert await world.get("one") == made

    @check
    async def test_create_twice_is_refused(self, world: World) -> None:
        await world.created("one")
        error = await refused(AlreadyExistsError, world.created("one"))
        assert error.message == 'configmaps "one" already exists'
        assert error.details["name"] == "one"

    @check
    async def test_create_with_generate_name(self, world: World) -> None:
        obj = {"metadata": {"generateName": "some-", "namespace": world.namespace}}
        made = [await world.client.create(CONFIG_MAPS, obj) for _ in range(3)]
        names = {meta.name(each) for each in made}
        assert len(names) == 3
        assert all(name.startswith("some-") and len(name) == len("some-") + 5 for name in names)

    @check
    async def test_create_without_a_name_is_refused(self, world: World) -> None:
        obj = {"metadata": {"namespace": world.namespace}}
        error = await refused(InvalidError, world.client.create(CONFIG_MAPS, obj))
        assert [cause.field for cause in error.causes] == ["metadata.name"]

    @check
    async def test_create_with_a_bad_name_is_refused(self, world: World) -> None:
        error = await refused(InvalidError, world.created("Not_A_Name"))
        assert error.causes[0].field == "metadata.name"
        assert error.causes[0].reason == "FieldValueInvalid"

    @check
    async def test_create_in_a_missing_namespace_is_refused(self, world: World) -> None:
        obj = {"metadata": {"name": "one", "namespace": "there-is-no-such-namespace"}}
        error = await refused(NotFoundError, world.client.create(CONFIG_MAPS, obj))
        assert error.message == 'namespaces "there-is-no-such-namespace" not found'

    @check
    async def test_create_of_a_wrong_type_is_refused(self, world: World) -> None:
        obj = {**world.config_map("one"), "data": {"a": 1}}
        await refused(BadRequestError, world.client.create(CONFIG_MAPS, obj))
        await refused(NotFoundError, world.get("one"))

    @check
    @since((1, 25), "field validation by the server")
    async def test_strict_validation_names_unknown_fields(self, world: World) -> None:
        obj = {**world.config_map("one"), "dada": {}}
        strict = WriteOptions(field_validation="Strict")
        error = await refused(BadRequestError, world.client.create(CONFIG_MAPS, obj, strict))
        assert 'unknown field "dada"' in error.message
        await world.client.create(CONFIG_MAPS, obj)

    @check
    async def test_get_of_what_is_not_there(self, world: World) -> None:
        error = await refused(NotFoundError, world.get("nothing"))
        assert error.message == 'configmaps "nothing" not found'
        assert (error.details["name"], error.details["kind"]) == ("nothing", "configmaps")

    @check
    async def test_objects_are_isolated(self, world: World) -> None:
        given = world.config_map("one", {"a": "b"})
        made = await world.client.create(CONFIG_MAPS, given)
        assert given == world.config_map("one", {"a": "b"})
        made["data"]["a"] = "changed"
        assert (await world.get("one"))["data"] == {"a": "b"}

    @check
    async def test_dry_run_keeps_nothing(self, world: World) -> None:
        dry = WriteOptions(dry_run=True)
        made = await world.client.create(CONFIG_MAPS, world.config_map("one"), dry)
        assert made["metadata"]["uid"]
        await refused(NotFoundError, world.get("one"))
        before = await world.created("two", {"a": "1"})
        options = WriteOptions(dry_run=True)
        patched = await world.client.patch(
            CONFIG_MAPS, "two", {"data": {"a": "2"}}, world.namespace, options=options
        )
        assert patched["data"] == {"a": "2"}
        await world.client.delete(CONFIG_MAPS, "two", world.namespace, DeleteOptions(dry_run=True))
        assert await world.get("two") == before

    @check
    async def test_concurrent_creates_have_one_winner(self, world: World) -> None:
        outcomes = await asyncio.gather(
            *(world.created("one", {"by": str(at)}) for at in range(10)), return_exceptions=True
        )
        winners = [each for each in outcomes if isinstance(each, dict)]
        assert len(winners) == 1
        assert all(isinstance(each, AlreadyExistsError) for each in outcomes if each is not winners[0])

    # Replace.

    @check
    async def test_replace_moves_the_resource_version(self, world: World) -> None:
        made = await world.created("one", {"a": "1"})
        replaced = await world.client.replace(CONFIG_MAPS, {**made, "data": {"b": "2"}})
        assert replaced["data"] == {"b": "2"}
        assert int(meta.resource_version(replaced)) > int(meta.resource_version(made))
        assert meta.uid(replaced) == meta.uid(made)
        assert await world.get("one") == replaced

    @check
    async def test_replace_without_a_change_changes_nothing(self, world: World) -> None:
        made = await world.created("one", {"a": "1"})
        assert meta.resource_version(await world.client.replace(CONFIG_MAPS, made)) == meta.resource_version(
            made
        )

    @check
    async def test_replace_of_an_older_state_is_refused(self, world: World) -> None:
        made = await world.created("one", {"a": "1"})
        await world.client.replace(CONFIG_MAPS, {**made, "data": {"a": "2"}})
        error = await refused(ConflictError, world.client.replace(CONFIG_MAPS, {**made, "data": {"a": "3"}}))
        assert "the object has been modified" in error.message
        assert (await world.get("one"))["data"] == {"a": "2"}

    @check
    async def test_replace_without_a_resource_version_wins(self, world: World) -> None:
        await world.created("one", {"a": "1"})
        replaced = await world.client.replace(CONFIG_MAPS, world.config_map("one", {"a": "2"}))
        assert replaced["data"] == {"a": "2"}

    @check
    async def test_replace_of_what_is_not_there(self, world: World) -> None:
        await refused(NotFoundError, world.client.replace(CONFIG_MAPS, world.config_map("nothing")))

    @check
    async def test_replace_with_another_uid_is_refused(self, world: World) -> None:
        await world.created("one")
        other = world.config_map("one", uid="00000000-0000-0000-0000-000000000000")
        await refused(ConflictError, world.client.replace(CONFIG_MAPS, other))

    @check
    async def test_every_concurrent_increment_counts(self, world: World) -> None:
        await world.created("counter", {"n": "0"})

        async def increment() -> None:
            while True:
                obj = await world.get("counter")
                obj["data"]["n"] = str(int(obj["data"]["n"]) + 1)
                try:
                    await world.client.replace(CONFIG_MAPS, obj)
                except ConflictError:
                    continue
                return

        await asyncio.gather(*(increment() for _ in range(10)))
        assert (await world.get("counter"))["data"] == {"n": "10"}

    # Delete.

    @check
    async def test_delete(self, world: World) -> None:
        made = await world.created("one")
        gone = await world.client.delete(CONFIG_MAPS, "one", world.namespace)
        assert (meta.name(gone), meta.uid(gone)) == ("one", meta.uid(made))
        await refused(NotFoundError, world.get("one"))
        await refused(NotFoundError, world.client.delete(CONFIG_MAPS, "one", world.namespace))

    @check
    async def test_delete_with_preconditions(self, world: World) -> None:
        made = await world.created("one")
        other = DeleteOptions(uid="00000000-0000-0000-0000-000000000000")
        await refused(ConflictError, world.client.delete(CONFIG_MAPS, "one", world.namespace, other))
        await world.patch("one", {"data": {"a": "1"}})
        older = DeleteOptions(resource_version=meta.resource_version(made))
        await refused(ConflictError, world.client.delete(CONFIG_MAPS, "one", world.namespace, older))
        await world.client.delete(CONFIG_MAPS, "one", world.namespace, DeleteOptions(uid=meta.uid(made)))
        await refused(NotFoundError, world.get("one"))

    @check
    async def test_finalizers_delay_the_end(self, world: World) -> None:
        await world.created("one", finalizers=["sampan.test/one", "sampan.test/two"])
        going = await world.client.delete(CONFIG_MAPS, "one", world.namespace)
        assert meta.is_deleting(going)
        assert meta.is_deleting(await world.get("one"))
        await world.patch("one", {"metadata": {"finalizers": ["sampan.test/two"]}})
        assert meta.finalizers(await world.get("one")) == ["sampan.test/two"]
        await world.patch("one", {"metadata": {"finalizers": None}})
        await refused(NotFoundError, world.get("one"))

    @check
    async def test_no_new_finalizer_on_what_is_being_deleted(self, world: World) -> None:
        await world.created("one", finalizers=["sampan.test/one"])
        await world.client.delete(CONFIG_MAPS, "one", world.namespace)
        more = {"metadata": {"finalizers": ["sampan.test/one", "sampan.test/two"]}}
        error = await refused(InvalidError, world.patch("one", more))
        assert error.causes[0].field == "metadata.finalizers"
        await world.patch("one", {"metadata": {"finalizers": None}})

    @check
    async def test_propagation_is_recorded(self, world: World) -> None:
        await world.created("one", finalizers=["sampan.test/stay"])
        going = await world.client.delete(
            CONFIG_MAPS, "one", world.namespace, DeleteOptions(propagation=Propagation.FOREGROUND)
        )
        assert "foregroundDeletion" in meta.finalizers(going)
        await world.patch("one", {"metadata": {"finalizers": None}})

    @check
    async def test_delete_collection(self, world: World) -> None:
        for name, tier in (("one", "a"), ("two", "b"), ("three", "a")):
            await world.created(name, labels={"tier": tier})
        await world.client.delete_collection(
            CONFIG_MAPS, world.namespace, ListOptions(label_selector="tier=a")
        )
        assert await world.names(ListOptions()) == ["two"]

    @check
    async def test_nothing_new_in_a_namespace_that_ends(self, world: World) -> None:
        name = f"ending-{random_suffix(8)}"
        await world.client.create(NAMESPACES, {"metadata": {"name": name}})
        obj = {"metadata": {"name": "one", "namespace": name, "finalizers": ["sampan.test/stay"]}}
        await world.client.create(CONFIG_MAPS, obj)
        await world.client.delete(NAMESPACES, name)
        namespace = await world.client.get(NAMESPACES, name)
        assert meta.status(namespace)["phase"] == "Terminating"
        late = {"metadata": {"name": "two", "namespace": name}}
        error = await refused(ForbiddenError, world.client.create(CONFIG_MAPS, late))
        assert "because it is being terminated" in error.message
        await world.client.patch(CONFIG_MAPS, "one", {"metadata": {"finalizers": None}}, name)
