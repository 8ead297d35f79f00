"""Deployments and ReplicaSets on the embedded cluster; the test is the kubelet and says which pods are ready."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sampan.client.protocol import DeleteOptions, Object, Propagation
from sampan.kube import conditions, meta, owners, pods
from sampan.kube.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from sampan.lib.clock import rfc3339

REVISION = "deployment.kubernetes.io/revision"


def deployment(image: str = "a", replicas: int = 2, **spec: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {"spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}}


async def make_ready(cluster, pod: Object) -> None:
    now = rfc3339(datetime.now(UTC))
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
    status = {"phase": "Running", "conditions": [ready]}
    await cluster.client.patch(PODS, meta.name(pod), {"status": status}, "team", subresource="status")


async def active(cluster, image: str | None = None) -> list[Object]:
    return [
        pod
        for pod in await cluster.list(PODS)
        if not meta.is_deleting(pod)
        and not pods.is_terminal(pod)
        and image in (None, pod["spec"]["containers"][0]["image"])
    ]


async def rolled_out(cluster, name: str = "web", *, at_each_step: Any = None) -> Object:
    """As `kubectl rollout status` sees it; every pod becomes ready as soon as it is there."""

    async def look() -> Object | None:
        for pod in await active(cluster):
            if not pods.is_ready(pod):
                await make_ready(cluster, pod)
        if at_each_step is not None:
            at_each_step(await active(cluster))
        found = await cluster.get(DEPLOYMENTS, name)
        status, replicas = meta.status(found), found["spec"]["replicas"]
        settled = status.get("observedGeneration") == meta.generation(found) and all(
            status.get(key, 0) == replicas for key in ("replicas", "updatedReplicas", "availableReplicas")
        )
        progressing = conditions.find(found, "Progressing") or {}
        return found if settled and progressing.get("reason") == "NewReplicaSetAvailable" else None

    return await cluster.until(look)


async def change_image(cluster, image: str) -> None:
    spec = {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}
    await cluster.client.patch(DEPLOYMENTS, "web", {"spec": spec}, "team")


def test_a_deployment_makes_its_pods_and_says_so(run):
    async def scenario(cluster):
        await cluster.create(DEPLOYMENTS, "web", **deployment())
        done = await rolled_out(cluster)
        assert conditions.find(done, "Available")["reason"] == "MinimumReplicasAvailable"
        assert conditions.is_true(done, "Progressing")
        assert meta.annotations(done)[REVISION] == "1"
        [replica_set] = await cluster.list(REPLICA_SETS)
        assert owners.is_controlled_by(replica_set, done)
        digest = meta.labels(replica_set)["pod-template-hash"]
        assert meta.name(replica_set) == f"web-{digest}"
        assert meta.annotations(replica_set)["deployment.kubernetes.io/max-replicas"] == "3"
        for pod in await active(cluster):
            assert meta.labels(pod) == {"app": "web", "pod-template-hash": digest}
            assert owners.is_controlled_by(pod, replica_set)
        events = await cluster.events("web", "ScalingReplicaSet")
        assert events["ScalingReplicaSet"] == f"Scaled up replica set web-{digest} from 0 to 2"
        await cluster.events(meta.name(replica_set), "SuccessfulCreate")
        generation = meta.generation(done)
        assert (await cluster.get(DEPLOYMENTS, "web"))["status"]["observedGeneration"] == generation

    run(scenario)


def test_a_rollout_never_has_too_many_or_too_few(run):
    async def scenario(cluster):
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        await cluster.create(DEPLOYMENTS, "web", **deployment(replicas=3, strategy=rolling))
        await rolled_out(cluster)

        def within(found: list[Object]) -> None:
            assert len(found) <= 4
            assert sum(map(pods.is_ready, found)) >= 3

        await change_image(cluster, "b")
        done = await rolled_out(cluster, at_each_step=within)
        assert meta.annotations(done)[REVISION] == "2"
        assert len(await active(cluster, "b")) == 3
        sizes = {
            meta.annotations(each)[REVISION]: each["spec"]["replicas"]
            for each in await cluster.list(REPLICA_SETS)
        }
        assert sizes == {"1": 0, "2": 3}

    run(scenario)


def test_going_back_makes_the_old_set_the_newest_revision(run):
    async def scenario(cluster):
        await cluster.create(DEPLOYMENTS, "web", **deployment(replicas=1))
        await rolled_out(cluster)
        for image, revision in (("b", "2"), ("a", "3")):
            await change_image(cluster, image)
            done = await rolled_out(cluster)
            assert meta.annotations(done)[REVISION] == revision
        by_revision = {meta.annotations(each)[REVISION]: each for each in await cluster.list(REPLICA_SETS)}
        assert sorted(by_revision) == ["2", "3"]
        assert meta.annotations(by_revision["3"])["deployment.kubernetes.io/revision-history"] == "1"

    run(scenario)


def test_recreate_waits_for_the_last_old_pod(run):
    async def scenario(cluster):
        await cluster.create(DEPLOYMENTS, "web", **deployment(strategy={"type": "Recreate"}))
        await rolled_out(cluster)
        [held, *_] = await active(cluster)
        patch = {"metadata": {"finalizers": ["test/held"]}}
        await cluster.client.patch(PODS, meta.name(held), patch, "team")
        await cluster.client.bind(meta.name(held), "team", "node")
        await cluster.client.patch(
            PODS, meta.name(held), {"status": {"phase": "Running"}}, "team", subresource="status"
        )
        await change_image(cluster, "b")

        async def others_gone() -> bool:
            return not await active(cluster, "a")

        await cluster.until(others_gone)
        await cluster.client.patch(PODS, meta.name(held), {"metadata": {"finalizers": None}}, "team")
        await rolled_out(cluster)
        assert len(await active(cluster, "b")) == 2

    run(scenario)


def test_a_paused_deployment_scales_but_does_not_roll(run):
    async def scenario(cluster):
        await cluster.create(DEPLOYMENTS, "web", **deployment())
        await rolled_out(cluster)
        await cluster.client.patch(DEPLOYMENTS, "web", {"spec": {"paused": True}}, "team")
        await change_image(cluster, "b")
        await cluster.client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 3}}, "team", subresource="scale")

        async def grown() -> bool:
            found = await cluster.get(DEPLOYMENTS, "web")
            reason = (conditions.find(found, "Progressing") or {}).get("reason")
            return len(await active(cluster, "a")) == 3 and reason == "DeploymentPaused"

        await cluster.until(grown)
        assert await active(cluster, "b") == []
        await cluster.client.patch(DEPLOYMENTS, "web", {"spec": {"paused": None}}, "team")
        await rolled_out(cluster)
        assert len(await active(cluster, "b")) == 3

    run(scenario)


def test_a_rollout_that_does_not_progress_is_reported(run):
    async def scenario(cluster):
        await cluster.create(DEPLOYMENTS, "web", **deployment(replicas=1, progressDeadlineSeconds=1))

        async def late() -> Object | None:
            found = await cluster.get(DEPLOYMENTS, "web")
            condition = conditions.find(found, "Progressing") or {}
            return condition if condition.get("reason") == "ProgressDeadlineExceeded" else None

        condition = await cluster.until(late)
        assert condition["status"] == "False"
        assert condition["message"].endswith("has timed out progressing.")
        # It goes on all the same, and then has succeeded.
        await rolled_out(cluster)

    run(scenario)


def test_what_the_api_refuses_is_in_the_conditions(run):
    async def scenario(cluster):
        spec = deployment(replicas=1)
        # No validation of a template sees this: the pod's name for a volume is taken by its metadata.
        spec["spec"]["template"]["metadata"]["finalizers"] = ["not a finalizer"]
        await cluster.create(DEPLOYMENTS, "web", **spec)

        async def failed() -> Object | None:
            found = await cluster.get(DEPLOYMENTS, "web")
            return conditions.find(found, "ReplicaFailure")

        condition = await cluster.until(failed)
        assert (condition["status"], condition["reason"]) == ("True", "FailedCreate")
        assert "metadata.finalizers" in condition["message"]

    run(scenario)


def test_old_sets_go_beyond_the_history_limit(run):
    async def scenario(cluster):
        await cluster.create(DEPLOYMENTS, "web", **deployment(replicas=1, revisionHistoryLimit=1))
        for image in ("a", "b", "c"):
            await change_image(cluster, image)
            await rolled_out(cluster)

        async def tidied() -> bool:
            found = {meta.annotations(each)[REVISION] for each in await cluster.list(REPLICA_SETS)}
            return found == {"2", "3"}

        await cluster.until(tidied)

    run(scenario)


def test_a_set_adopts_what_matches_and_lets_go_what_does_not(run):
    async def scenario(cluster):
        spec = {"containers": [{"name": "main", "image": "a"}]}
        await cluster.create(PODS, "stray", metadata={"labels": {"app": "web"}}, spec=spec)
        await cluster.create(REPLICA_SETS, "web", **deployment())

        async def two() -> list[Object] | None:
            found = [pod for pod in await active(cluster) if owners.controller_of(pod)]
            return found if len(found) == 2 else None

        assert "stray" in {meta.name(pod) for pod in await cluster.until(two)}
        await cluster.client.patch(PODS, "stray", {"metadata": {"labels": {"app": "other"}}}, "team")

        async def replaced() -> bool:
            found = {meta.name(pod): owners.controller_of(pod) for pod in await active(cluster)}
            return found["stray"] is None and len(found) == 3

        await cluster.until(replaced)

    run(scenario)


def test_deleting_cascades_as_told(run):
    async def scenario(cluster):
        for how, left in ((Propagation.FOREGROUND, 0), (Propagation.BACKGROUND, 0), (Propagation.ORPHAN, 2)):
            await cluster.create(DEPLOYMENTS, "web", **deployment())
            await rolled_out(cluster)
            await cluster.client.delete(DEPLOYMENTS, "web", "team", DeleteOptions(propagation=how))
            await cluster.gone(DEPLOYMENTS, "web")

            async def settled(left: int = left) -> bool:
                sets = await cluster.list(REPLICA_SETS)
                orphaned = all(owners.controller_of(each) is None for each in sets)
                return orphaned and len(sets) == bool(left) and len(await active(cluster)) == left

            await cluster.until(settled)

    run(scenario)
