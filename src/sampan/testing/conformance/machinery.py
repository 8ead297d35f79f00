"""What every kind has from the API machinery: metadata rules, refused patches, deletion, missing sub-resources.

Sources: the API conventions, and k8s.io/apiserver's and apimachinery's own validation, v1.31.
"""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import (
    DeleteOptions,
    ListOptions,
    Object,
    PatchType,
    Propagation,
    WriteOptions,
)
from sampan.kube import meta
from sampan.kube.errors import ApiError, BadRequestError, InternalError, InvalidError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS, SERVICES
from sampan.testing.conformance.world import Connected, World, check, refused


class MachineryChecks(Connected):
    # Metadata.

    @check
    async def test_create_with_a_resource_version_is_refused(self, world: World) -> None:
        obj = world.config_map("one", resourceVersion="1")
        # Of all errors a 500: the storage refuses it, and nobody says more of it.
        error = await refused(InternalError, world.client.create(CONFIG_MAPS, obj))
        assert "resourceVersion should not be set on objects to be created" in error.message

    @check
    async def test_metadata_is_validated(self, world: World) -> None:
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u", "controller": True}
        for metadata, field in (
            ({"labels": {"a b": "c"}}, "metadata.labels"),
            ({"labels": {"a": "b c"}}, "metadata.labels"),
            ({"labels": {"a": "b" * 64}}, "metadata.labels"),
            ({"annotations": {"a/b/c": "d"}}, "metadata.annotations"),
            ({"annotations": {"big": "x" * (256 * 1024 + 1)}}, "metadata.annotations"),
            ({"finalizers": ["no-domain"]}, "metadata.finalizers[0]"),
            ({"ownerReferences": [{**owner, "uid": ""}]}, "metadata.ownerReferences.uid"),
            ({"ownerReferences": [owner, {**owner, "name": "b", "uid": "v"}]}, "metadata.ownerReferences"),
        ):
            given: dict[str, Any] = dict(metadata)
            error = await refused(InvalidError, world.created("one", **given))
            assert field in {cause.field for cause in error.causes}, metadata

    @check
    async def test_what_the_server_decides_cannot_be_written(self, world: World) -> None:
        made = await world.created("one")
        written = {**made, "metadata": {**made["metadata"], "deletionTimestamp": "2020-01-01T00:00:00Z"}}
        error = await refused(InvalidError, world.client.replace(CONFIG_MAPS, written))
        assert {cause.field for cause in error.causes} == {"metadata.deletionTimestamp"}
        less = world.config_map("one", {"a": "1"})
        replaced = await world.client.replace(CONFIG_MAPS, less)
        for key in ("uid", "creationTimestamp"):
            assert replaced["metadata"][key] == made["metadata"][key]

    # Patches that cannot be.

    @check
    async def test_a_patch_to_a_wrong_type_is_invalid(self, world: World) -> None:
        await world.created("one", {"a": "1"})
        for patch, patch_type in (
            ({"data": {"a": 1}}, PatchType.MERGE),
            ([{"op": "replace", "path": "/data/a", "value": 1}], PatchType.JSON),
            ({"data": {"a": 1}}, PatchType.STRATEGIC),
        ):
            error = await refused(InvalidError, world.patch("one", patch, patch_type))
            assert [cause.field for cause in error.causes] == ["patch"], patch_type
        assert (await world.get("one"))["data"] == {"a": "1"}

    @check
    async def test_a_body_that_is_no_patch_is_refused(self, world: World) -> None:
        await world.created("one")
        await refused(BadRequestError, world.patch("one", {"data": {}}, PatchType.JSON))
        await refused(BadRequestError, world.patch("one", "text", PatchType.STRATEGIC))
        # A merge patch may be anything: this one leaves no object. Servers since 1.25 read it as one before that.
        error = await refused(ApiError, world.patch("one", [{"op": "add"}], PatchType.MERGE))
        assert error.code in (400, 422)

    @check
    async def test_a_patch_cannot_rename(self, world: World) -> None:
        await world.created("one")
        await refused(BadRequestError, world.patch("one", {"metadata": {"name": "two"}}))
        await refused(BadRequestError, world.patch("one", {"metadata": {"namespace": "default"}}))
        await refused(NotFoundError, world.get("two"))

    @check
    async def test_apply_of_managed_fields_is_refused(self, world: World) -> None:
        made = await world.apply(world.config_map("one", {"a": "1"}), "alice")
        again = world.config_map("one", managedFields=made["metadata"]["managedFields"])
        error = await refused(BadRequestError, world.apply(again, "alice"))
        assert "metadata.managedFields must be nil" in error.message

    @check
    async def test_a_dry_run_of_apply_tells_conflicts_and_keeps_nothing(self, world: World) -> None:
        config = {**world.config_map("one", {"a": "1"}), "apiVersion": "v1", "kind": "ConfigMap"}
        options = WriteOptions(field_manager="alice", dry_run=True)
        made = await world.client.patch(
            CONFIG_MAPS, "one", config, world.namespace, patch_type=PatchType.APPLY, options=options
        )
        assert made["data"] == {"a": "1"}
        await refused(NotFoundError, world.get("one"))

    # Deletion.

    @check
    async def test_orphans_are_asked_for_by_a_finalizer(self, world: World) -> None:
        await world.created("one", finalizers=["sampan.test/stay"])
        going = await world.client.delete(
            CONFIG_MAPS, "one", world.namespace, DeleteOptions(propagation=Propagation.ORPHAN)
        )
        assert "orphan" in meta.finalizers(going)
        await world.patch("one", {"metadata": {"finalizers": None}})

    @check
    async def test_a_second_delete_changes_nothing(self, world: World) -> None:
        await world.created("one", finalizers=["sampan.test/stay"])
        first = await world.client.delete(CONFIG_MAPS, "one", world.namespace)
        second = await world.client.delete(CONFIG_MAPS, "one", world.namespace)
        assert second["metadata"]["deletionTimestamp"] == first["metadata"]["deletionTimestamp"]
        await world.patch("one", {"metadata": {"finalizers": None}})

    @check
    async def test_delete_collection_by_field_and_dry(self, world: World) -> None:
        for name in ("one", "two", "three"):
            await world.created(name)
        everything = ListOptions(field_selector="metadata.name!=kube-root-ca.crt")
        await world.client.delete_collection(
            CONFIG_MAPS, world.namespace, everything, DeleteOptions(dry_run=True)
        )
        assert await world.names(ListOptions()) == ["one", "three", "two"]
        chosen = ListOptions(field_selector="metadata.name=two")
        await world.client.delete_collection(CONFIG_MAPS, world.namespace, chosen)
        assert await world.names(ListOptions()) == ["one", "three"]

    @check
    async def test_an_exact_list_shows_the_past(self, world: World) -> None:
        await world.created("one", {"a": "1"})
        then = await world.client.list(CONFIG_MAPS, world.namespace)
        await world.patch("one", {"data": {"a": "2"}})
        await world.created("two")
        past = ListOptions(
            field_selector="metadata.name!=kube-root-ca.crt",
            resource_version=then.resource_version,
            exact=True,
        )
        found = await world.client.list(CONFIG_MAPS, world.namespace, past)
        assert [each["data"] for each in found.items] == [{"a": "1"}]

    # Sub-resources and single kinds.

    @check
    async def test_what_has_no_status(self, world: World) -> None:
        await world.created("one")
        patch = {"metadata": {"labels": {"a": "b"}}}
        await refused(
            NotFoundError,
            world.client.patch(CONFIG_MAPS, "one", patch, world.namespace, subresource="status"),
        )

    @check
    async def test_the_status_of_a_pod(self, world: World) -> None:
        await world.create_pod("one")
        patch = {"status": {"message": "said"}, "spec": {"hostname": "other"}}
        patched = await world.client.patch(PODS, "one", patch, world.namespace, subresource="status")
        assert patched["status"]["message"] == "said"
        assert "hostname" not in patched["spec"]
        through_main = await world.client.patch(PODS, "one", {"status": {"message": "no"}}, world.namespace)
        assert through_main["status"]["message"] == "said"

    @check
    async def test_the_type_of_a_secret_stays(self, world: World) -> None:
        secret: Object = {"metadata": {"name": "one", "namespace": world.namespace}, "type": "a/b"}
        await world.client.create(SECRETS, secret)
        error = await refused(
            InvalidError, world.client.patch(SECRETS, "one", {"type": "c/d"}, world.namespace)
        )
        assert [cause.field for cause in error.causes] == ["type"]

    @check
    async def test_defaults_of_a_headless_service(self, world: World) -> None:
        spec = {"clusterIP": "None", "ports": [{"port": 80}]}
        service = {"metadata": {"name": "one", "namespace": world.namespace}, "spec": spec}
        made = (await world.client.create(SERVICES, service))["spec"]
        assert made["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
        assert (made["type"], made["sessionAffinity"]) == ("ClusterIP", "None")

    @check
    async def test_claims_are_checked_and_fixed(self, world: World) -> None:
        spec: Object = {
            # A class that nobody provides, so that nothing is made for it.
            "storageClassName": "sampan-test",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        claim = {"metadata": {"name": "one", "namespace": world.namespace}, "spec": spec}
        made = await world.client.create(PERSISTENT_VOLUME_CLAIMS, claim)
        assert (made["spec"]["volumeMode"], made["status"]["phase"]) == ("Filesystem", "Pending")
        other = {"spec": {"accessModes": ["ReadWriteMany"]}}
        error = await refused(
            InvalidError, world.client.patch(PERSISTENT_VOLUME_CLAIMS, "one", other, world.namespace)
        )
        assert [cause.field for cause in error.causes] == ["spec"]
        bad = {"metadata": {"name": "two", "namespace": world.namespace}, "spec": {"accessModes": []}}
        error = await refused(InvalidError, world.client.create(PERSISTENT_VOLUME_CLAIMS, bad))
        assert {cause.field for cause in error.causes} >= {"spec.accessModes", "spec.resources[storage]"}
