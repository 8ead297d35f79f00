"""Gangs: all pods of a PodGroup start, or none, as the coscheduling plugin and Volcano have it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.kube import conditions
from sampan.kube.kinds import NODES, POD_GROUPS, PODS, PRIORITY_CLASSES, VOLCANO_POD_GROUPS, Resource

COSCHEDULING, VOLCANO = "scheduling.x-k8s.io/pod-group", "scheduling.k8s.io/group-name"


async def node(cluster, cpu: str = "4") -> None:
    body = {
        "metadata": {"name": "node"},
        "status": {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "100"}},
    }
    await cluster.client.create(NODES, body)


async def member(
    cluster, name: str, group: str, kind: Resource = POD_GROUPS, priority: str = "", *, gang: bool = True
) -> dict[str, Any]:
    if not gang:
        metadata, scheduler = {}, "default-scheduler"
    elif kind is POD_GROUPS:
        metadata, scheduler = {"labels": {COSCHEDULING: group}}, "scheduler-plugins-scheduler"
    else:
        metadata, scheduler = {"annotations": {VOLCANO: group}}, "volcano"
    container = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}
    spec = {"containers": [container], "schedulerName": scheduler}
    if priority:
        spec["priorityClassName"] = priority
    return await cluster.create(PODS, name, metadata=metadata, spec=spec)


async def placed(cluster) -> set[str]:
    return {each["metadata"]["name"] for each in await cluster.list(PODS) if each["spec"].get("nodeName")}


async def placed_are(cluster, *names: str) -> None:
    async def look():
        return await placed(cluster) == set(names)

    await cluster.until(look)


async def message(cluster, name: str, part: str) -> str:
    async def look():
        found = conditions.find(await cluster.get(PODS, name), "PodScheduled") or {}
        return part in found.get("message", "") and found["message"]

    return await cluster.until(look)


@pytest.mark.parametrize("kind", [POD_GROUPS, VOLCANO_POD_GROUPS], ids=["coscheduling", "volcano"])
def test_all_start_or_none(run, kind):
    async def scenario(cluster):
        await node(cluster)
        await member(cluster, "a-0", "a", kind=kind)
        told = await message(cluster, "a-0", "PodGroup not found")
        assert "PodGroup team/a, which does not exist" in told
        await cluster.create(kind, "a", spec={"minMember": 3})
        await member(cluster, "a-1", "a", kind=kind)
        told = await message(cluster, "a-1", "sibling")
        assert "cannot find enough sibling pods, current pods number: 2, minMember of group: 3." in told
        assert told.endswith(
            "PodGroup team/a starts all of 3 pods or none: 2 wait, 0 started, 1 are still to be created."
        )
        assert await placed(cluster) == set()
        await member(cluster, "a-2", "a", kind=kind)
        await placed_are(cluster, "a-0", "a-1", "a-2")

    run(scenario, scheduler=True)


def test_two_gangs_that_fit_alone_never_lock_each_other_out(run):
    async def scenario(cluster):
        await node(cluster, "3")
        for group in ("a", "b"):
            await cluster.create(POD_GROUPS, group, spec={"minMember": 2})
        # Interleaved: one by one, each would get half of what it needs.
        for n in range(2):
            for group in ("a", "b"):
                await member(cluster, f"{group}-{n}", group)

        async def one_is_whole():
            found = await placed(cluster)
            assert found in (set(), {"a-0", "a-1"}, {"b-0", "b-1"})
            return found

        first = await cluster.until(one_is_whole)
        waits = "b" if "a-0" in first else "a"
        told = await message(cluster, f"{waits}-0", "Insufficient cpu")
        assert f"PodGroup team/{waits} starts all of 2 pods or none" in told
        assert await placed(cluster) == first
        for each in await cluster.list(PODS):
            if each["metadata"]["name"] in first:
                await cluster.finish(each)

        async def both():
            return {f"{waits}-0", f"{waits}-1"} <= await placed(cluster)

        await cluster.until(both)

    run(scenario, scheduler=True)


def test_a_pod_that_replaces_another_starts_in_a_running_gang(run):
    async def scenario(cluster):
        await node(cluster)
        await cluster.create(POD_GROUPS, "a", spec={"minMember": 2})
        first = await member(cluster, "a-0", "a")
        second = await member(cluster, "a-1", "a")
        await placed_are(cluster, "a-0", "a-1")
        await cluster.finish(first)
        await cluster.finish(second, 1)
        await member(cluster, "a-2", "a")
        await placed_are(cluster, "a-0", "a-1", "a-2")

    run(scenario, scheduler=True)


def test_what_the_group_asks_for_in_all_must_be_there(run):
    async def scenario(cluster):
        await node(cluster)
        await cluster.create(POD_GROUPS, "a", spec={"minMember": 1, "minResources": {"cpu": "8"}})
        await member(cluster, "a-0", "a")
        told = await message(cluster, "a-0", "minResources")
        assert "cluster resource not enough for minResources of the group: cpu" in told
        await cluster.client.patch(POD_GROUPS, "a", {"spec": {"minResources": {"cpu": "4"}}}, "team")
        await placed_are(cluster, "a-0")

    run(scenario, scheduler=True)


def test_a_gang_that_cannot_start_anyway_stops_nobody(run):
    async def scenario(cluster):
        await node(cluster, "2")
        container = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}
        await cluster.create(PODS, "low", spec={"containers": [container], "priority": 0})
        await placed_are(cluster, "low")
        await cluster.create(POD_GROUPS, "a", spec={"minMember": 3})
        for n in range(3):
            await member(cluster, f"a-{n}", "a")
        await message(cluster, "a-0", "No preemption victims")
        await asyncio.sleep(0.2)
        assert await placed(cluster) == {"low"}

    run(scenario, scheduler=True)


def test_a_more_important_gang_gets_the_room_of_a_whole_one(run):
    async def scenario(cluster):
        await node(cluster, "4")
        for name, value in (("high", 1000), ("low", 1)):
            await cluster.client.create(PRIORITY_CLASSES, {"metadata": {"name": name}, "value": value})
        await cluster.create(POD_GROUPS, "old", spec={"minMember": 2})
        for n in range(2):
            await member(cluster, f"old-{n}", "old", priority="low")
        await member(cluster, "single", "", priority="high", gang=False)
        await placed_are(cluster, "old-0", "old-1", "single")
        await cluster.create(POD_GROUPS, "new", spec={"minMember": 2})
        for n in range(2):
            await member(cluster, f"new-{n}", "new", priority="high")

        await placed_are(cluster, "new-0", "new-1", "single")
        for name in ("old-0", "old-1"):
            await cluster.events(name, "Preempted")

    run(scenario, scheduler=True)


def test_what_is_freed_as_gangs_come_is_for_those_who_wait(run):
    async def scenario(cluster):
        await node(cluster, "1")
        names = [f"g{n:03}" for n in range(60)]
        for name in names:
            await cluster.create(POD_GROUPS, name, spec={"minMember": 1})
        for name in names[:2]:
            await member(cluster, name, name)
        await message(cluster, names[1], "Insufficient cpu")
        # Some come in the very turn of the event loop in which the first is seen to have ended.
        ends = await cluster.get(PODS, names[0])
        coming = [member(cluster, name, name) for name in names[2:]]
        await asyncio.gather(*coming[:30], cluster.finish(ends), *coming[30:])
        await placed_are(cluster, *names[:2])

    run(scenario, scheduler=True)
