"""Custom kinds that come while the controllers run: they own, are owned, and go with their namespace."""

from __future__ import annotations

from typing import Any

from sampan.cluster.apiserver.custom.definitions import DEFINITIONS
from sampan.kube import meta, owners
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, Resource

BOATS = Resource("boats.example.com", "v1", "Boat", "boats", subresources=())
SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
DEFINITION = {
    "metadata": {"name": "boats.boats.example.com"},
    "spec": {
        "group": BOATS.group,
        "scope": "Namespaced",
        "names": {"plural": "boats", "kind": "Boat"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
    },
}


def child_of(parent: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"ownerReferences": [owners.owner_reference(parent, controller=False)]}}


def test_a_custom_object_takes_its_children_along(run):
    async def scenario(cluster):
        await cluster.client.create(DEFINITIONS, DEFINITION)
        boat = await cluster.create(BOATS, "boat")
        await cluster.create(CONFIG_MAPS, "plan", **child_of(boat))
        chart = await cluster.create(CONFIG_MAPS, "chart")
        await cluster.create(BOATS, "tender", **child_of({"apiVersion": "v1", "kind": "ConfigMap", **chart}))
        await cluster.client.delete(BOATS, "boat", "team")
        await cluster.gone(CONFIG_MAPS, "plan")
        await cluster.client.delete(CONFIG_MAPS, "chart", "team")
        await cluster.gone(BOATS, "tender")

    run(scenario)


def test_children_go_with_the_definition_of_their_owner(run):
    async def scenario(cluster):
        await cluster.client.create(DEFINITIONS, DEFINITION)
        boat = await cluster.create(BOATS, "boat")
        await cluster.create(CONFIG_MAPS, "plan", **child_of(boat))
        # Until the collector watches the new kind, of which only it knows: it takes what is owned there.
        chart = await cluster.create(CONFIG_MAPS, "chart")
        await cluster.create(BOATS, "tender", **child_of({"apiVersion": "v1", "kind": "ConfigMap", **chart}))
        await cluster.client.delete(CONFIG_MAPS, "chart", "team")
        await cluster.gone(BOATS, "tender")
        await cluster.client.delete(DEFINITIONS, "boats.boats.example.com")
        await cluster.gone(CONFIG_MAPS, "plan")

    run(scenario)


def test_a_namespace_is_emptied_of_custom_objects(run):
    async def scenario(cluster):
        await cluster.client.create(DEFINITIONS, DEFINITION)
        await cluster.create(BOATS, "boat")
        await cluster.client.delete(NAMESPACES, "team")

        async def left() -> bool:
            return not [each for each in (await cluster.client.list(BOATS)).items if meta.namespace(each)]

        await cluster.until(left)

    run(scenario)
