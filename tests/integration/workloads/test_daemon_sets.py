"""DaemonSets on the embedded cluster: a pod on every node where it belongs."""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import DeleteOptions, Object
from sampan.kube import meta, pods
from sampan.kube.kinds import DAEMON_SETS, NODES, PODS
from sampan.lib.clock import rfc3339


def daemon_set(image: str = "a", **spec: Any) -> dict[str, Any]:
    labels = {"app": "agent"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {"spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


async def node(cluster, name: str, **spec: Any) -> None:
    labels = {"kubernetes.io/hostname": name, **spec.pop("labels", {})}
    metadata = {"name": name, "labels": labels}
    status = {"allocatable": {"cpu": "9", "pods": "9"}}
    await cluster.client.create(NODES, {"metadata": metadata, "spec": spec, "status": status})


async def settled(cluster, *nodes: str, image: str = "a") -> Object:
    """Every pod becomes ready as soon as it has its node, until these nodes have one of that image."""

    async def look() -> Object | None:
        found = [pod for pod in await cluster.list(PODS) if not meta.is_deleting(pod)]
        for pod in found:
            if pods.node_name(pod) and not pods.is_ready(pod) and not pods.is_terminal(pod):
                ready = {
                    "type": "Ready",
                    "status": "True",
                    "lastTransitionTime": rfc3339(cluster.clock.now()),
                }
                status = {"phase": "Running", "conditions": [ready]}
                await cluster.client.patch(
                    PODS, meta.name(pod), {"status": status}, "team", subresource="status"
                )
        status = meta.status(await cluster.get(DAEMON_SETS, "agent"))
        there = sorted((pods.node_name(pod), pod["spec"]["containers"][0]["image"]) for pod in found)
        right = there == sorted((name, image) for name in nodes)
        counted = all(
            status.get(key) == len(nodes)
            for key in ("desiredNumberScheduled", "numberAvailable", "updatedNumberScheduled")
        )
        return status if right and (counted or not nodes) else None

    return await cluster.until(look)


def test_every_node_where_it_belongs_has_one(run):
    async def scenario(cluster):
        await node(cluster, "one")
        await node(cluster, "tainted", taints=[{"key": "gpu", "effect": "NoSchedule"}])
        await cluster.create(DAEMON_SETS, "agent", **daemon_set())
        await settled(cluster, "one")
        await node(cluster, "two")
        await settled(cluster, "one", "two")
        for pod in await cluster.list(PODS):
            await cluster.client.delete(PODS, meta.name(pod), "team", DeleteOptions(grace_period_seconds=0))
        await settled(cluster, "one", "two")
        await cluster.finish((await cluster.list(PODS))[0], 1)
        await settled(cluster, "one", "two")
        await cluster.events("agent", "FailedDaemonPod")
        selector = {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "two"}}}}
        await cluster.client.patch(DAEMON_SETS, "agent", {"spec": selector}, "team")
        await settled(cluster, "two")

    run(scenario, scheduler=True)


def test_pods_are_replaced_when_the_template_changes(run):
    async def scenario(cluster):
        await node(cluster, "one")
        await node(cluster, "two")
        await cluster.create(DAEMON_SETS, "agent", **daemon_set())
        await settled(cluster, "one", "two")
        for image, rolling in (("b", {"maxUnavailable": 1}), ("c", {"maxSurge": 1, "maxUnavailable": 0})):
            spec = daemon_set(image, updateStrategy={"rollingUpdate": rolling})["spec"]
            await cluster.client.patch(DAEMON_SETS, "agent", {"spec": spec}, "team")
            await settled(cluster, "one", "two", image=image)

    run(scenario, scheduler=True)
