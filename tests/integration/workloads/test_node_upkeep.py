"""What follows from taints, cordons, drains and disruption budgets, as kubectl's users expect it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from sampan.kube import conditions, meta
from sampan.kube.errors import ConflictError, InvalidError
from sampan.kube.kinds import NODES, POD_DISRUPTION_BUDGETS, PODS

CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


async def node(cluster) -> None:
    status = {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "100"}}
    await cluster.client.create(NODES, {"metadata": {"name": "node"}, "status": status})


async def pod(cluster, name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"labels": spec.pop("labels", {})}
    containers = [{"name": "main", "image": "busybox"}]
    return await cluster.create(PODS, name, metadata=metadata, spec={"containers": containers, **spec})


async def bound(cluster, name: str) -> None:
    async def look():
        return (await cluster.get(PODS, name))["spec"].get("nodeName")

    await cluster.until(look)


async def taints(cluster) -> list[tuple[str, str]]:
    found = meta.spec(await cluster.client.get(NODES, "node")).get("taints") or ()
    return [(each["key"], each["effect"]) for each in found]


async def message(cluster, name: str) -> str:
    async def look():
        return conditions.find(await cluster.get(PODS, name), "PodScheduled")

    return (await cluster.until(look))["message"]


def test_a_cordoned_node_is_tainted_and_takes_none(run):
    async def scenario(cluster):
        await node(cluster)
        await cluster.client.patch(NODES, "node", {"spec": {"unschedulable": True}})

        async def tainted():
            return await taints(cluster) == [(CORDONED["key"], "NoSchedule")]

        await cluster.until(tainted)
        await pod(cluster, "late")
        assert "1 node(s) were unschedulable. preemption" in await message(cluster, "late")
        await cluster.client.patch(NODES, "node", {"spec": {"unschedulable": None}})
        await bound(cluster, "late")
        assert await taints(cluster) == []

    run(scenario, scheduler=True)


def test_a_no_execute_taint_evicts_whoever_does_not_tolerate_it(run):
    async def scenario(cluster):
        await node(cluster)
        taint = {"key": "broken", "operator": "Exists", "effect": "NoExecute"}
        await pod(cluster, "plain")
        await pod(cluster, "patient", tolerations=[taint])
        await pod(cluster, "for-a-while", tolerations=[{**taint, "tolerationSeconds": 1}])
        for name in ("plain", "patient", "for-a-while"):
            await bound(cluster, name)
        wanted = [{"key": "broken", "effect": "NoExecute"}]
        await cluster.client.patch(NODES, "node", {"spec": {"taints": wanted}})
        await cluster.gone(PODS, "plain")
        told = await cluster.events("plain", "TaintManagerEviction")
        assert told["TaintManagerEviction"] == "Marking for deletion Pod team/plain"
        await cluster.gone(PODS, "for-a-while")
        assert not meta.is_deleting(await cluster.get(PODS, "patient"))

    run(scenario, scheduler=True)


def test_a_taint_that_goes_in_time_evicts_nobody(run):
    async def scenario(cluster):
        await node(cluster)
        taint = {"key": "broken", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
        await pod(cluster, "one", tolerations=[taint])
        await pod(cluster, "other")
        await bound(cluster, "one")
        await bound(cluster, "other")
        wanted = [{"key": "broken", "effect": "NoExecute"}]
        await cluster.client.patch(NODES, "node", {"spec": {"taints": wanted}})
        await cluster.gone(PODS, "other")  # then the taint was seen
        await cluster.client.patch(NODES, "node", {"spec": {"taints": None}})
        told = await cluster.events("one", "TaintManagerEviction")
        assert told["TaintManagerEviction"] == "Cancelling deletion of Pod team/one"
        await asyncio.sleep(5.2)
        assert not meta.is_deleting(await cluster.get(PODS, "one"))

    run(scenario, scheduler=True)


async def ready(cluster, name: str) -> None:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await cluster.client.patch(PODS, name, {"status": status}, "team", subresource="status")


async def allowed(cluster, count: int) -> dict[str, Any]:
    async def look():
        budget = await cluster.get(POD_DISRUPTION_BUDGETS, "db")
        return (
            budget["status"].get("disruptionsAllowed") == count
            and "observedGeneration" in budget["status"]
            and budget
        )

    return await cluster.until(look)


def test_a_budget_counts_and_stops_evictions(run):
    async def scenario(cluster):
        await node(cluster)
        for name in ("a", "b"):
            await pod(cluster, name, labels={"app": "db"})
            await bound(cluster, name)
            await ready(cluster, name)
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "db"}}}
        await cluster.create(POD_DISRUPTION_BUDGETS, "db", spec=spec)
        status = (await allowed(cluster, 1))["status"]
        assert (status["currentHealthy"], status["desiredHealthy"], status["expectedPods"]) == (2, 1, 2)
        assert conditions.is_true({"status": status}, "DisruptionAllowed")
        await evict(cluster, "a")
        await cluster.gone(PODS, "a")
        await allowed(cluster, 0)
        refused = await evict(cluster, "b")
        assert (refused["code"], refused["reason"]) == (429, "TooManyRequests")
        assert refused["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
        (cause,) = refused["details"]["causes"]
        assert cause["reason"] == "DisruptionBudget"
        assert cause["message"] == "The disruption budget db needs 1 healthy pods and has 1 currently"
        assert not meta.is_deleting(await cluster.get(PODS, "b"))

    run(scenario, scheduler=True)


async def evict(cluster, name: str) -> dict[str, Any]:
    """As kubectl drain asks for it."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "team"}}
    transport = httpx.ASGITransport(app=cluster.api.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.post(f"/api/v1/namespaces/team/pods/{name}/eviction", json=body)
    return answer.json()


def test_gates_hold_a_pod_until_all_are_gone(run):
    async def scenario(cluster):
        await node(cluster)
        made = await pod(
            cluster, "held", schedulingGates=[{"name": "example.com/a"}, {"name": "example.com/b"}]
        )
        assert conditions.find(made, "PodScheduled")["reason"] == "SchedulingGated"

        async def told():
            return "example.com/a, example.com/b" in await message(cluster, "held")

        await cluster.until(told)
        with pytest.raises(ConflictError):
            await cluster.client.bind("held", "team", "node")
        more = {"spec": {"schedulingGates": [{"name": "example.com/c"}]}}
        with pytest.raises(InvalidError, match="only deletion is allowed"):
            await cluster.client.patch(PODS, "held", more, "team")
        await cluster.client.patch(
            PODS, "held", {"spec": {"schedulingGates": [{"name": "example.com/b"}]}}, "team"
        )
        await asyncio.sleep(0.1)
        assert "nodeName" not in (await cluster.get(PODS, "held"))["spec"]
        await cluster.client.patch(PODS, "held", {"spec": {"schedulingGates": None}}, "team")
        await bound(cluster, "held")

    run(scenario, scheduler=True)
