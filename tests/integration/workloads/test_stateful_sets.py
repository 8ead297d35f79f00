"""StatefulSets on the embedded cluster; the test is the kubelet and says which pods are ready."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sampan.client.protocol import DeleteOptions, Object
from sampan.kube import meta, owners, pods
from sampan.kube.kinds import CONTROLLER_REVISIONS, EVENTS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from sampan.lib.clock import rfc3339

REVISION = "controller-revision-hash"


def stateful_set(replicas: int = 2, **spec: Any) -> dict[str, Any]:
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "a"}]}}
    common = {
        "replicas": replicas,
        "serviceName": "db",
        "selector": {"matchLabels": labels},
        "template": template,
    }
    return {"spec": {**common, **spec}}


async def make_ready(cluster, name: str) -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(datetime.now(UTC))}
    status = {"phase": "Running", "conditions": [ready]}
    await cluster.client.patch(PODS, name, {"status": status}, "team", subresource="status")


async def names(cluster) -> list[str]:
    return sorted(meta.name(pod) for pod in await cluster.list(PODS) if not meta.is_deleting(pod))


async def until_names(cluster, *wanted: str) -> None:
    async def look() -> bool:
        return await names(cluster) == list(wanted)

    await cluster.until(look)


async def settled(cluster) -> Object:
    """Every pod becomes ready as soon as it is there, until nothing moves any more."""

    async def look() -> Object | None:
        for pod in await cluster.list(PODS):
            if not pods.is_ready(pod) and not meta.is_deleting(pod) and not pods.is_terminal(pod):
                await make_ready(cluster, meta.name(pod))
        found = await cluster.get(STATEFUL_SETS, "db")
        status, replicas = meta.status(found), found["spec"]["replicas"]
        done = status.get("observedGeneration") == meta.generation(found) and all(
            status.get(key, 0) == replicas for key in ("replicas", "readyReplicas", "availableReplicas")
        )
        return found if done else None

    return await cluster.until(look)


async def images(cluster) -> dict[str, str]:
    return {
        meta.name(pod): pod["spec"]["containers"][0]["image"]
        for pod in await cluster.list(PODS)
        if not meta.is_deleting(pod)
    }


async def change_image(cluster, image: str, **spec: Any) -> None:
    template = {"spec": {"containers": [{"name": "main", "image": image}]}}
    await cluster.client.patch(STATEFUL_SETS, "db", {"spec": {"template": template, **spec}}, "team")


async def until_images(cluster, *wanted: str) -> Object:
    async def look() -> Object | None:
        found = await settled(cluster)
        return (
            found if tuple(image for _, image in sorted((await images(cluster)).items())) == wanted else None
        )

    return await cluster.until(look)


def test_pods_come_one_after_the_other_and_go_in_the_opposite_order(run):
    async def scenario(cluster):
        await cluster.create(STATEFUL_SETS, "db", **stateful_set(3))
        await until_names(cluster, "db-0")
        await make_ready(cluster, "db-0")
        await until_names(cluster, "db-0", "db-1")
        done = await settled(cluster)
        assert await names(cluster) == ["db-0", "db-1", "db-2"]
        pod = await cluster.get(PODS, "db-1")
        assert meta.labels(pod)["statefulset.kubernetes.io/pod-name"] == "db-1"
        assert meta.labels(pod)["apps.kubernetes.io/pod-index"] == "1"
        assert (
            meta.labels(pod)[REVISION]
            == done["status"]["currentRevision"]
            == done["status"]["updateRevision"]
        )
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")
        assert owners.is_controlled_by(pod, done)
        await cluster.client.patch(
            STATEFUL_SETS, "db", {"spec": {"replicas": 1}}, "team", subresource="scale"
        )
        await until_names(cluster, "db-0")

        async def told() -> bool:
            messages = {each["message"] for each in await cluster.list(EVENTS)}
            return "delete Pod db-1 in StatefulSet db successful" in messages

        await cluster.until(told)

    run(scenario)


def test_parallel_pods_come_at_once_and_start_at_any_ordinal(run):
    async def scenario(cluster):
        spec = stateful_set(2, podManagementPolicy="Parallel", ordinals={"start": 5})
        await cluster.create(STATEFUL_SETS, "db", **spec)
        await until_names(cluster, "db-5", "db-6")

    run(scenario)


def test_a_pod_that_is_lost_or_has_ended_comes_again_under_its_name(run):
    async def scenario(cluster):
        await cluster.create(STATEFUL_SETS, "db", **stateful_set(2))
        await settled(cluster)
        before = {meta.name(pod): meta.uid(pod) for pod in await cluster.list(PODS)}
        await cluster.client.delete(PODS, "db-0", "team", DeleteOptions(grace_period_seconds=0))
        await cluster.finish(await cluster.get(PODS, "db-1"), 1)

        async def renewed() -> bool:
            await settled(cluster)
            after = {meta.name(pod): meta.uid(pod) for pod in await cluster.list(PODS)}
            return after.keys() == before.keys() and not set(after.values()) & set(before.values())

        await cluster.until(renewed)
        await cluster.events("db", "RecreatingFailedPod")

    run(scenario)


def test_a_rolling_update_stops_at_its_partition_and_can_be_undone(run):
    async def scenario(cluster):
        await cluster.create(STATEFUL_SETS, "db", **stateful_set(3))
        first = (await settled(cluster))["status"]["currentRevision"]
        await change_image(
            cluster, "b", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        )
        half = await until_images(cluster, "a", "a", "b")
        assert half["status"]["currentRevision"] == first != half["status"]["updateRevision"]
        assert (half["status"]["currentReplicas"], half["status"]["updatedReplicas"]) == (2, 1)
        # What is below the partition comes again as it was.
        await cluster.client.delete(PODS, "db-0", "team", DeleteOptions(grace_period_seconds=0))
        await until_images(cluster, "a", "a", "b")
        await change_image(cluster, "b", updateStrategy={"rollingUpdate": {"partition": 0}})
        await until_images(cluster, "b", "b", "b")

        async def complete() -> bool:
            status = (await cluster.get(STATEFUL_SETS, "db"))["status"]
            return status["currentRevision"] == status["updateRevision"] and status["updatedReplicas"] == 3

        await cluster.until(complete)
        await change_image(cluster, "a")
        back = await until_images(cluster, "a", "a", "a")
        assert back["status"]["updateRevision"] == first
        numbers = {meta.name(each): each["revision"] for each in await cluster.list(CONTROLLER_REVISIONS)}
        assert sorted(numbers.values()) == [2, 3]
        assert numbers[first] == 3

    run(scenario)


def test_on_delete_replaces_nothing_by_itself(run):
    async def scenario(cluster):
        await cluster.create(STATEFUL_SETS, "db", **stateful_set(2, updateStrategy={"type": "OnDelete"}))
        await settled(cluster)
        await change_image(cluster, "b")
        await settled(cluster)
        assert set((await images(cluster)).values()) == {"a"}
        await cluster.client.delete(PODS, "db-1", "team", DeleteOptions(grace_period_seconds=0))
        await until_images(cluster, "a", "b")

    run(scenario)


def test_claims_are_kept_or_go_as_the_policy_says(run):
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}

    async def scenario(cluster):
        spec = stateful_set(2, volumeClaimTemplates=[claim], persistentVolumeClaimRetentionPolicy=policy)
        await cluster.create(STATEFUL_SETS, "db", **spec)
        await settled(cluster)
        pod = await cluster.get(PODS, "db-1")
        assert pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "data-db-1"
        found = await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data-db-1")
        assert meta.labels(found) == {"app": "db"}
        # Bound claims are protected, and their pod must be gone first.
        await cluster.client.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 1}}, "team")
        await cluster.gone(PERSISTENT_VOLUME_CLAIMS, "data-db-1")
        await cluster.client.delete(STATEFUL_SETS, "db", "team")
        await cluster.gone(STATEFUL_SETS, "db")
        await until_names(cluster)
        assert await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data-db-0") is not None

    run(scenario)
