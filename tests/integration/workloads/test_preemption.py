"""Pods of a higher priority make room for themselves: who has to go, how gently, and what everybody is told."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.kube import conditions, meta
from sampan.kube.kinds import NODES, POD_DISRUPTION_BUDGETS, PODS, PRIORITY_CLASSES
from sampan.reconcile.cache import Cache

NO_VICTIMS = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


async def prepared(cluster, cpu: str = "2") -> None:
    body = {
        "metadata": {"name": "node"},
        "status": {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "100"}},
    }
    await cluster.client.create(NODES, body)
    for name, value, policy in (("high", 100, "PreemptLowerPriority"), ("patient", 100, "Never")):
        fields = {"value": value, "preemptionPolicy": policy}
        await cluster.client.create(PRIORITY_CLASSES, {"metadata": {"name": name}, **fields})


async def pod(cluster, name: str, cpu: str, priority_class: str = "", **metadata: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": cpu}}}
    spec: dict[str, Any] = {"containers": [container]}
    if priority_class:
        spec["priorityClassName"] = priority_class
    return await cluster.create(PODS, name, metadata=metadata, spec=spec)


async def bound(cluster, *names: str) -> None:
    async def look():
        found = [await cluster.get(PODS, name) for name in names]
        return all(each and each["spec"].get("nodeName") for each in found)

    await cluster.until(look)


async def message(cluster, name: str, part: str) -> str:
    async def look():
        found = conditions.find(await cluster.get(PODS, name), "PodScheduled") or {}
        return part in found.get("message", "") and found["message"]

    return await cluster.until(look)


def test_the_least_important_go_and_the_pod_gets_their_room(run):
    ended: dict[str, Any] = {}

    async def scenario(cluster):
        await prepared(cluster)
        await pod(cluster, "old", "1")
        await bound(cluster, "old")
        # Creation times are in seconds, and age decides who is spared.
        await asyncio.sleep(1.1)
        await pod(cluster, "young", "1")
        await bound(cluster, "young")
        seen = Cache(cluster.client, PODS)
        seen.add_handler(lambda _old, new: ended.update(new) if new and meta.name(new) == "young" else None)
        seen.start()
        await seen.synced()
        await pod(cluster, "urgent", "1", "high")
        await bound(cluster, "urgent")
        await cluster.gone(PODS, "young")
        await seen.stop()
        assert (await cluster.get(PODS, "urgent"))["status"]["nominatedNodeName"] == "node"
        assert meta.is_deleting(ended)
        assert meta.metadata(ended)["deletionGracePeriodSeconds"] == 30
        assert "deletionTimestamp" not in (await cluster.get(PODS, "old"))["metadata"]
        reason = conditions.find(ended, "DisruptionTarget")
        assert reason["reason"] == "PreemptionByScheduler"
        assert reason["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
        uid = meta.uid(await cluster.get(PODS, "urgent"))
        assert (await cluster.events("young", "Preempted"))[
            "Preempted"
        ] == f"Preempted by pod {uid} on node node"

    run(scenario, scheduler=True)


def test_nobody_goes_in_vain(run):
    async def scenario(cluster):
        await prepared(cluster)
        await pod(cluster, "low", "1")
        await bound(cluster, "low")
        await pod(cluster, "patient", "2", "patient")
        told = await message(cluster, "patient", "Insufficient cpu")
        assert "preemption: not eligible due to preemptionPolicy=Never." in told
        await pod(cluster, "equal", "2")
        assert NO_VICTIMS in await message(cluster, "equal", "Insufficient cpu")
        await pod(cluster, "giant", "3", "high")
        told = await message(cluster, "giant", "Insufficient cpu")
        assert "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling." in told
        assert told.endswith("This cannot change by itself (cpu: 3 requested, 2 at most on a node).")
        assert "deletionTimestamp" not in (await cluster.get(PODS, "low"))["metadata"]

    run(scenario, scheduler=True)


def test_a_disruption_budget_is_spared_if_another_can_go(run):
    async def scenario(cluster):
        await prepared(cluster)
        await pod(cluster, "free", "1")
        await bound(cluster, "free")
        await asyncio.sleep(1.1)
        # The younger would go, if nobody protected it.
        await pod(cluster, "protected", "1", labels={"app": "db"})
        await bound(cluster, "protected")
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "db"}}}
        await cluster.create(POD_DISRUPTION_BUDGETS, "db", spec=spec)

        async def counted():
            budget = await cluster.get(POD_DISRUPTION_BUDGETS, "db")
            return meta.status(budget).get("expectedPods") == 1

        await cluster.until(counted)
        await pod(cluster, "urgent", "1", "high")
        await bound(cluster, "urgent")
        assert await cluster.get(PODS, "protected")
        assert await cluster.get(PODS, "free") is None

    run(scenario, scheduler=True)


def test_several_preempt_at_the_same_time(run):
    async def scenario(cluster):
        await prepared(cluster, "4")
        for n in range(4):
            await pod(cluster, f"low-{n}", "1")
        await bound(cluster, *(f"low-{n}" for n in range(4)))
        for n in range(3):
            await pod(cluster, f"high-{n}", "1", "high")
        await bound(cluster, *(f"high-{n}" for n in range(3)))
        left = [meta.name(each) for each in await cluster.list(PODS)]
        assert len([name for name in left if name.startswith("low-")]) == 1

    run(scenario, scheduler=True)
