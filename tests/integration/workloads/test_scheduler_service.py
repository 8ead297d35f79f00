"""The scheduler on the embedded cluster: who is bound, who waits, and what they are told."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.kube import conditions, meta
from sampan.kube.kinds import NODES, PERSISTENT_VOLUME_CLAIMS, PODS, PRIORITY_CLASSES

HELPLESS = " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
ADVICE = " It starts when PersistentVolumeClaim team/data exists and is bound."
INSUFFICIENT = (
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found "
    "for incoming pod. It needs 1 cpu; 500m of 2 on node node is free, held by team/first 1500m. It can start when "
    "500m more is free."
)
ALLOCATABLE = {"cpu": "2", "memory": "4Gi", "pods": "100"}


def pod(cpu: str = "", **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": "busybox"}
    if cpu:
        container["resources"] = {"requests": {"cpu": cpu}}
    return {"spec": {"containers": [container], **spec}}


async def node(cluster, name: str = "node", **fields: Any) -> None:
    body = {"metadata": {"name": name}, "status": {"allocatable": ALLOCATABLE}, **fields}
    await cluster.client.create(NODES, body)


async def bound(cluster, name: str) -> str:
    async def look():
        return (await cluster.get(PODS, name))["spec"].get("nodeName")

    return await cluster.until(look)


async def waiting(cluster, name: str) -> str:
    """What the pod is told."""

    async def look():
        return conditions.find(await cluster.get(PODS, name), "PodScheduled")

    condition = await cluster.until(look)
    assert condition["status"] == "False"
    return condition["message"]


def test_a_pod_that_fits_is_bound(run):
    async def scenario(cluster):
        await node(cluster)
        await cluster.create(PODS, "one", **pod("1"))
        assert await bound(cluster, "one") == "node"
        assert conditions.is_true(await cluster.get(PODS, "one"), "PodScheduled")
        events = await cluster.events("one", "Scheduled")
        assert events["Scheduled"] == "Successfully assigned team/one to node"

    run(scenario, scheduler=True)


def test_a_pod_that_does_not_fit_waits_is_told_and_gets_its_turn(run):
    async def scenario(cluster):
        await node(cluster)
        first = await cluster.create(PODS, "first", **pod("1500m"))
        await bound(cluster, "first")
        await cluster.create(PODS, "second", **pod("1"))
        assert await waiting(cluster, "second") == INSUFFICIENT
        await cluster.events("second", "FailedScheduling")
        await cluster.finish(first)
        assert await bound(cluster, "second") == "node"

    run(scenario, scheduler=True)


def test_pods_wait_for_a_node(run):
    async def scenario(cluster):
        await cluster.create(PODS, "early", **pod())
        assert await waiting(cluster, "early") == "no nodes available to schedule pods"
        await node(cluster)
        assert await bound(cluster, "early") == "node"

    run(scenario, scheduler=True)


def test_priority_goes_before_age(run):
    async def scenario(cluster):
        await node(cluster)
        blocker = await cluster.create(PODS, "blocker", **pod("2"))
        await bound(cluster, "blocker")
        await cluster.create(PODS, "older", **pod("2"))
        urgent = {"value": 100, "preemptionPolicy": "Never"}
        await cluster.client.create(PRIORITY_CLASSES, {"metadata": {"name": "high"}, **urgent})
        await cluster.create(PODS, "urgent", **pod("2", priorityClassName="high"))
        await waiting(cluster, "older")
        await waiting(cluster, "urgent")
        await cluster.finish(blocker)
        assert await bound(cluster, "urgent")
        await asyncio.sleep(0.1)
        assert "nodeName" not in (await cluster.get(PODS, "older"))["spec"]

    run(scenario, scheduler=True)


def test_a_pod_waits_for_its_claim(run):
    async def scenario(cluster):
        await node(cluster)
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
        await cluster.create(PODS, "reader", **pod(volumes=volumes))
        message = await waiting(cluster, "reader")
        assert (
            message == '0/1 nodes are available: persistentvolumeclaim "data" not found.' + HELPLESS + ADVICE
        )
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", spec=spec)
        assert await bound(cluster, "reader") == "node"

    run(scenario, scheduler=True)


def test_gated_and_foreign_pods_are_left_alone(run):
    async def scenario(cluster):
        await node(cluster)
        await cluster.create(PODS, "gated", **pod(schedulingGates=[{"name": "example.com/wait"}]))
        await cluster.create(PODS, "foreign", **pod(schedulerName="other"))
        assert "scheduling gates" in await waiting(cluster, "gated")
        assert "nodeName" not in (await cluster.get(PODS, "foreign"))["spec"]
        assert "nodeName" not in (await cluster.get(PODS, "gated"))["spec"]

    run(scenario, scheduler=True)


def test_what_ran_before_a_restart_still_counts(run):
    async def before(cluster):
        await node(cluster)
        await cluster.create(PODS, "first", **pod("1500m"))
        await bound(cluster, "first")

    async def after(cluster):
        await cluster.create(PODS, "second", **pod("1"))
        assert await waiting(cluster, "second") == INSUFFICIENT

    run(before, scheduler=True)
    run(after, scheduler=True)


def test_the_node_is_never_overcommitted(run):
    async def scenario(cluster):
        await node(cluster)
        names = [f"p{n}" for n in range(40)]
        await asyncio.gather(*(cluster.create(PODS, name, **pod("300m")) for name in names))
        placed: set[str] = set()
        while len(placed) < len(names):
            active = [
                each
                for each in await cluster.list(PODS)
                if each["spec"].get("nodeName") and meta.status(each).get("phase") != "Succeeded"
            ]
            assert len(active) <= 6
            for each in active:
                placed.add(meta.name(each))
                await cluster.finish(each)

    run(scenario, scheduler=True)
