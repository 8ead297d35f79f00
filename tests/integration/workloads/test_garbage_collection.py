"""Ownership on the embedded cluster, with plain ConfigMaps: what goes, what stays, and when."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from sampan.client.protocol import DeleteOptions, ListOptions, Object, PatchType, Propagation
from sampan.kube import meta, owners
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, PODS


def child_of(*parents: Object, block: bool = True) -> dict[str, Any]:
    references = []
    for parent in parents:
        reference = owners.owner_reference(
            {"apiVersion": "v1", "kind": "ConfigMap", **parent}, controller=False
        )
        references.append({**reference, "blockOwnerDeletion": block})
    return {"metadata": {"ownerReferences": references}}


async def delete(cluster, name: str, propagation: Propagation | None = None) -> None:
    await cluster.client.delete(CONFIG_MAPS, name, "team", DeleteOptions(propagation=propagation))


async def settled() -> None:
    """Long enough for the collector to have acted on something, had it wanted to."""
    await asyncio.sleep(0.3)


@pytest.mark.parametrize("propagation", [None, Propagation.BACKGROUND])
def test_background_deletion_reaches_grandchildren(run, propagation):
    async def scenario(cluster):
        parent = await cluster.create(CONFIG_MAPS, "parent")
        child = await cluster.create(CONFIG_MAPS, "child", **child_of(parent))
        await cluster.create(CONFIG_MAPS, "grandchild", **child_of(child))
        await cluster.create(CONFIG_MAPS, "stranger")
        await delete(cluster, "parent", propagation)
        await cluster.gone(CONFIG_MAPS, "child")
        await cluster.gone(CONFIG_MAPS, "grandchild")
        assert await cluster.get(CONFIG_MAPS, "stranger") is not None

    run(scenario)


def test_a_child_with_another_owner_stays_and_forgets_the_first(run):
    async def scenario(cluster):
        first, second = (
            await cluster.create(CONFIG_MAPS, "first"),
            await cluster.create(CONFIG_MAPS, "second"),
        )
        await cluster.create(CONFIG_MAPS, "child", **child_of(first, second))
        await delete(cluster, "first")

        async def forgotten() -> bool:
            child = await cluster.get(CONFIG_MAPS, "child")
            return [each["uid"] for each in owners.owner_references(child)] == [meta.uid(second)]

        await cluster.until(forgotten)
        await delete(cluster, "second")
        await cluster.gone(CONFIG_MAPS, "child")

    run(scenario)


def test_foreground_deletion_waits_for_what_blocks_it(run):
    async def scenario(cluster):
        parent = await cluster.create(CONFIG_MAPS, "parent")
        held = child_of(parent)
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await cluster.create(CONFIG_MAPS, "child", **held)
        await delete(cluster, "parent", Propagation.FOREGROUND)

        async def child_is_going() -> bool:
            return meta.is_deleting(await cluster.get(CONFIG_MAPS, "child"))

        await cluster.until(child_is_going)
        await settled()
        waiting = await cluster.get(CONFIG_MAPS, "parent")
        assert meta.finalizers(waiting) == ["foregroundDeletion"]
        patch = [{"op": "remove", "path": "/metadata/finalizers"}]
        await cluster.client.patch(CONFIG_MAPS, "child", patch, "team", patch_type=PatchType.JSON)
        await cluster.gone(CONFIG_MAPS, "parent")
        assert await cluster.get(CONFIG_MAPS, "child") is None

    run(scenario)


def test_foreground_deletion_does_not_wait_for_what_does_not_block(run):
    async def scenario(cluster):
        parent = await cluster.create(CONFIG_MAPS, "parent")
        held = child_of(parent, block=False)
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await cluster.create(CONFIG_MAPS, "child", **held)
        await delete(cluster, "parent", Propagation.FOREGROUND)
        await cluster.gone(CONFIG_MAPS, "parent")

        async def going() -> bool:
            return meta.is_deleting(await cluster.get(CONFIG_MAPS, "child"))

        await cluster.until(going)

    run(scenario)


def test_orphans_lose_the_reference_and_stay(run):
    async def scenario(cluster):
        parent = await cluster.create(CONFIG_MAPS, "parent")
        await cluster.create(CONFIG_MAPS, "child", **child_of(parent))
        await delete(cluster, "parent", Propagation.ORPHAN)
        await cluster.gone(CONFIG_MAPS, "parent")
        await settled()
        assert owners.owner_references(await cluster.get(CONFIG_MAPS, "child")) == []

    run(scenario)


def test_a_child_whose_owner_never_was_goes(run):
    async def scenario(cluster):
        parent = await cluster.create(CONFIG_MAPS, "parent")
        impostor = {
            **parent,
            "metadata": {**parent["metadata"], "uid": "00000000-0000-0000-0000-000000000000"},
        }
        await cluster.create(CONFIG_MAPS, "child", **child_of(impostor))
        await cluster.gone(CONFIG_MAPS, "child")
        assert await cluster.get(CONFIG_MAPS, "parent") is not None

    run(scenario)


def test_an_owner_in_another_namespace_owns_nothing(run):
    async def scenario(cluster):
        await cluster.client.create(NAMESPACES, {"metadata": {"name": "other"}})
        foreign = await cluster.client.create(
            CONFIG_MAPS, {"metadata": {"name": "parent", "namespace": "other"}}
        )
        await cluster.create(CONFIG_MAPS, "child", **child_of(foreign))
        await cluster.gone(CONFIG_MAPS, "child")
        assert await cluster.client.get(CONFIG_MAPS, "parent", "other")

    run(scenario)


def test_an_owner_of_a_kind_that_nobody_knows_is_left_to_others(run):
    async def scenario(cluster):
        reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "u-1"}
        await cluster.create(CONFIG_MAPS, "child", metadata={"ownerReferences": [reference]})
        await settled()
        assert await cluster.get(CONFIG_MAPS, "child") is not None

    run(scenario)


def test_a_circle_of_owners_is_left_alone_until_it_is_broken(run):
    async def scenario(cluster):
        first = await cluster.create(CONFIG_MAPS, "first")
        second = await cluster.create(CONFIG_MAPS, "second", **child_of(first))
        await cluster.client.patch(CONFIG_MAPS, "first", child_of(second), "team")
        await settled()
        assert await cluster.get(CONFIG_MAPS, "first") is not None
        await delete(cluster, "first")
        await cluster.gone(CONFIG_MAPS, "second")

    run(scenario)


def test_what_happened_while_the_collector_was_down_is_made_up_for(run):
    async def before(cluster):
        parent = await cluster.create(CONFIG_MAPS, "parent")
        reference = owners.owner_reference({"apiVersion": "v1", "kind": "ConfigMap", **parent})
        held = {"ownerReferences": [reference], "finalizers": ["example.com/hold"]}
        await cluster.create(CONFIG_MAPS, "child", metadata=held)
        # Right before the end: the collector has no time to see it.
        await delete(cluster, "parent")

    async def after(cluster):
        async def going() -> bool:
            return meta.is_deleting(await cluster.get(CONFIG_MAPS, "child"))

        await cluster.until(going)

    run(before)
    run(after)


def test_many_dependents_cost_as_much_each_as_few(run):
    async def one(cluster, name: str, count: int) -> float:
        parent = await cluster.create(CONFIG_MAPS, name)
        fields = child_of(parent)
        fields["metadata"]["labels"] = {"of": name}
        for at in range(0, count, 250):
            await asyncio.gather(
                *(cluster.create(CONFIG_MAPS, f"{name}-{at + n}", **fields) for n in range(250))
            )
        await settled()
        # Of this process: what others do on the machine counts for nothing.
        began = time.process_time()
        await delete(cluster, name)

        # Of one of them: on a slow machine looking at all of them again and again would be what costs.
        any_left = ListOptions(label_selector=f"of={name}", limit=1)

        async def empty() -> bool:
            return not (await cluster.client.list(CONFIG_MAPS, "team", any_left)).items

        await cluster.until(empty)
        return (time.process_time() - began) / count

    async def scenario(cluster):
        few = await one(cluster, "few", 250)
        many = await one(cluster, "many", 2500)
        assert many < 4 * few

    run(scenario)


def test_pods_of_a_deleted_owner_go_with_their_grace(run):
    async def scenario(cluster):
        parent = await cluster.create(CONFIG_MAPS, "parent")
        spec = {"containers": [{"name": "main", "image": "busybox"}]}
        await cluster.create(PODS, "pod", spec=spec, **child_of(parent))
        await delete(cluster, "parent")
        await cluster.gone(PODS, "pod")

    run(scenario)
