"""Deployments and the sub-resource `scale`: an object seen as a Scale."""

from __future__ import annotations

from collections.abc import Awaitable

from sampan.client.protocol import Object, PatchType
from sampan.kube import meta
from sampan.kube.errors import ConflictError, InvalidError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, Resource
from sampan.testing.conformance.world import Connected, World, check, refused


class ScalingChecks(Connected):
    @check
    async def test_replace_of_a_scale_changes_the_replicas(self, world: World) -> None:
        made = await world.client.create(DEPLOYMENTS, _deployment(world))
        metadata = {"name": "web", "namespace": world.namespace}
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": metadata,
            "spec": {"replicas": 3},
        }
        scaled = await world.client.replace(DEPLOYMENTS, scale, subresource="scale")
        assert (scaled["kind"], scaled["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert scaled["spec"] == {"replicas": 3}
        assert scaled["status"]["selector"] == "app=web"
        assert meta.uid(scaled) == meta.uid(made)
        found = await world.client.get(DEPLOYMENTS, "web", world.namespace)
        assert found["spec"]["replicas"] == 3
        assert meta.generation(found) > meta.generation(made)
        assert found["spec"]["template"] == made["spec"]["template"]

    @check
    async def test_every_kind_of_patch_scales(self, world: World) -> None:
        await world.client.create(DEPLOYMENTS, _deployment(world))
        json_patch = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
        for patch_type, patch, count in (
            (PatchType.MERGE, {"spec": {"replicas": 2}}, 2),
            (PatchType.STRATEGIC, {"spec": {"replicas": 3}}, 3),
            (PatchType.JSON, json_patch, 4),
        ):
            scaled = await world.client.patch(
                DEPLOYMENTS, "web", patch, world.namespace, patch_type=patch_type, subresource="scale"
            )
            assert scaled["spec"]["replicas"] == count
            found = await world.client.get(DEPLOYMENTS, "web", world.namespace)
            assert found["spec"]["replicas"] == count

    @check
    async def test_what_is_no_scale_is_refused(self, world: World) -> None:
        await world.client.create(DEPLOYMENTS, _deployment(world))
        less: Object = {"spec": {"replicas": -1}}
        outdated: Object = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}}
        wrong: Object = {"spec": {"replicas": "many"}}

        def scale(patch: Object, name: str = "web", resource: Resource = DEPLOYMENTS) -> Awaitable[Object]:
            return world.client.patch(resource, name, patch, world.namespace, subresource="scale")

        error = await refused(InvalidError, scale(less))
        assert [cause.field for cause in error.causes] == ["spec.replicas"]
        await refused(ConflictError, scale(outdated))
        await refused(InvalidError, scale(wrong))
        await refused(NotFoundError, scale(less, "other"))
        await world.created("plain")
        await refused(NotFoundError, scale(less, "plain", CONFIG_MAPS))


def _deployment(world: World) -> Object:
    labels = {"app": "web"}
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    return {
        "metadata": {"name": "web", "namespace": world.namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
