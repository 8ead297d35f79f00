"""Claims that wait for their first consumer, and pods that go where their volumes are."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.kube import conditions, meta
from sampan.kube.kinds import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES

LATE = "WaitForFirstConsumer"


async def nodes(cluster, *names: str) -> None:
    status = {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "100"}}
    for name in names:
        body = {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "status": status}
        await cluster.client.create(NODES, body)


async def storage_class(cluster, name: str, provisioner: str) -> None:
    body = {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": LATE}
    await cluster.client.create(STORAGE_CLASSES, body)


async def volume(cluster, name: str, storage: str, node: str) -> None:
    at = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    spec = {
        "storageClassName": storage,
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "local": {"path": "/data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [at]}]}},
    }
    await cluster.client.create(PERSISTENT_VOLUMES, {"metadata": {"name": name}, "spec": spec})


async def claim(cluster, name: str, storage: str) -> None:
    resources = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": storage}
    await cluster.create(PERSISTENT_VOLUME_CLAIMS, name, spec=spec)


async def consumer(cluster, name: str, claim_name: str, **spec: Any) -> None:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim_name}}]
    containers = [{"name": "main", "image": "busybox"}]
    await cluster.create(PODS, name, spec={"containers": containers, "volumes": volumes, **spec})


async def bound(cluster, name: str) -> str:
    async def look():
        return (await cluster.get(PODS, name))["spec"].get("nodeName")

    return await cluster.until(look)


async def message(cluster, name: str) -> str:
    async def look():
        return conditions.find(await cluster.get(PODS, name), "PodScheduled")

    return (await cluster.until(look))["message"]


def test_a_volume_is_made_when_a_pod_wants_it(run):
    async def scenario(cluster):
        await nodes(cluster, "a")
        await storage_class(cluster, "late", "sampan.dev/folder")
        await claim(cluster, "data", "late")
        told = await cluster.events("data", LATE)
        assert told[LATE] == "waiting for first consumer to be created before binding"
        assert meta.status(await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data")).get("phase") != "Bound"
        await consumer(cluster, "reader", "data")
        assert await bound(cluster, "reader") == "a"
        found = await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data")
        assert found["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "a"
        assert found["status"]["phase"] == "Bound"
        assert found["spec"]["storageClassName"] == "late"

    run(scenario, scheduler=True)


def test_a_pod_goes_where_a_free_local_volume_is(run):
    async def scenario(cluster):
        await nodes(cluster, "a", "b")
        await storage_class(cluster, "local", "kubernetes.io/no-provisioner")
        await claim(cluster, "data", "local")
        await consumer(cluster, "reader", "data")
        told = await message(cluster, "reader")
        assert "2 node(s) didn't find available persistent volumes to bind" in told
        await volume(cluster, "disk", "local", "b")
        assert await bound(cluster, "reader") == "b"
        # The next one follows the volume that the claim has by now.
        await consumer(cluster, "second", "data")
        assert await bound(cluster, "second") == "b"
        await consumer(cluster, "elsewhere", "data", nodeSelector={"kubernetes.io/hostname": "a"})
        told = await message(cluster, "elsewhere")
        assert "1 node(s) had volume node affinity conflict" in told
        await asyncio.sleep(0.1)

    run(scenario, scheduler=True)
