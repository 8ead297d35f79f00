"""Jobs that nobody should write, and hands that meddle: each costs its own job, and no other.

Here are no admission hooks, as on a cluster that is not ours: what they would refuse reaches the controllers.
"""

from __future__ import annotations

import asyncio
import copy
from contextlib import suppress
from typing import Any

import pytest

from sampan.client.protocol import DeleteOptions, ListOptions
from sampan.components.training.api.kinds import PYTORCH_JOBS, TF_JOBS
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, InvalidError, NotFoundError
from sampan.kube.kinds import EVENTS, NAMESPACES, PODS, RESOURCE_QUOTAS, SERVICES
from sampan.testing.quiet import until_quiet

_CONTAINER = {"name": "pytorch", "image": "busybox"}


def body(name: str, **roles: Any) -> dict[str, Any]:
    roles = roles or {"Master": replica()}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"pytorchReplicaSpecs": roles},
    }


def replica(*containers: Any, replicas: Any = 1, **spec: Any) -> dict[str, Any]:
    pod = {"containers": list(containers or (_CONTAINER,)), **spec}
    return {"replicas": replicas, "restartPolicy": "Never", "template": {"spec": pod}}


def edited(name: str, *path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(body(name))
    at: Any = made
    for key in path[:-1]:
        at = at.setdefault(key, {})
    at[path[-1]] = value
    return made


TEMPLATE = ("spec", "pytorchReplicaSpecs", "Master", "template")
LONG = "x" * 62
ODD = {
    "negative": body("negative", Master=replica(replicas=-1)),
    "zero": body("zero", Master=replica(), Worker=replica(replicas=0)),
    "no-masters": body("no-masters", Master=replica(replicas=0)),
    "fractions": body("fractions", Master=replica(replicas=1.5)),
    "words": body("words", Master=replica(replicas="many")),
    "two-masters": body("two-masters", Master=replica(replicas=2)),
    "no-containers": edited("no-containers", *TEMPLATE, "spec", "containers", value=[]),
    "no-template": edited("no-template", "spec", "pytorchReplicaSpecs", "Master", value={}),
    "null-role": edited("null-role", "spec", "pytorchReplicaSpecs", "Master", value=None),
    "no-roles": edited("no-roles", "spec", "pytorchReplicaSpecs", value={}),
    "no-spec": edited("no-spec", "spec", value=None),
    "two-mains": body("two-mains", Master=replica(_CONTAINER, _CONTAINER)),
    "not-main": body("not-main", Master=replica({"name": "other", "image": "busybox"})),
    "odd-container": body("odd-container", Master=replica("text", 7, None, _CONTAINER)),
    "odd-role": body("odd-role", Master=replica(), Größe=replica()),
    "same-role": body("same-role", Master=replica(), master=replica()),
    "long": body(LONG),
    "unicode": body(
        "unicode", Master=replica({**_CONTAINER, "env": [{"name": "KÖNIG\x00", "value": "\ud7ff\U0001f600"}]})
    ),
    "no-image": body("no-image", Master=replica({"name": "pytorch"})),
    "odd-labels": edited("odd-labels", *TEMPLATE, "metadata", "labels", value={"a b": "ü" * 400}),
    "own-labels": edited(
        "own-labels", *TEMPLATE, "metadata", "labels", value={"training.kubeflow.org/replica-index": "99"}
    ),
    "odd-metadata": edited(
        "odd-metadata", *TEMPLATE, "metadata", value={"name": "mine", "namespace": "other"}
    ),
    "bomb": edited(
        "bomb", *TEMPLATE, "metadata", "annotations", value={f"a/{n}": "x" * 1000 for n in range(250)}
    ),
    "policy": edited(
        "policy", "spec", "runPolicy", value={"backoffLimit": -3, "ttlSecondsAfterFinished": -1}
    ),
    "cleaning": edited("cleaning", "spec", "runPolicy", value={"cleanPodPolicy": "Everything"}),
    "gang": edited("gang", "spec", "runPolicy", value={"schedulingPolicy": {"minAvailable": 10**9}}),
    "resources": body(
        "resources", Master=replica({**_CONTAINER, "resources": {"requests": {"cpu": "lots"}}})
    ),
    "elastic": edited("elastic", "spec", "elasticPolicy", value={"minReplicas": 5, "maxReplicas": 1}),
    "procs": edited("procs", "spec", "nprocPerNode", value="all of them"),
    "status": {**body("status"), "status": {"conditions": "yes", "replicaStatuses": [1]}},
}
STARTS = ("own-labels", "status", "bomb", "odd-metadata", "gang", "procs")
"""Odd as they are, upstream starts them too."""


@pytest.fixture
def quiet():
    async def wait(cluster: Any) -> None:
        """Until nothing is written any more: a controller that goes round in circles never lets it be."""

        async def look() -> bool:
            before = (await cluster.client.list(PODS, "team")).resource_version
            await asyncio.sleep(0.5)
            return (await cluster.client.list(PODS, "team")).resource_version == before

        await cluster.until(look)

    return wait


async def runs(cluster: Any, name: str) -> None:
    """A job that is in order goes from its beginning to its end."""
    await cluster.submit(PYTORCH_JOBS, name, {"Master": 1, "Worker": 1})
    await cluster.run_all(f"{name}-master-0", f"{name}-worker-0")
    await cluster.becomes(PYTORCH_JOBS, name, "Running")
    await cluster.phase(f"{name}-master-0", "Succeeded", 0)
    await cluster.becomes(PYTORCH_JOBS, name, "Succeeded")


def test_odd_jobs_are_refused_or_fail_with_a_reason_and_harm_nobody(run, quiet):
    fails, starts = [], []

    async def scenario(cluster):
        for job in ODD.values():
            try:
                made = await cluster.client.create(PYTORCH_JOBS, job)
            except (InvalidError, BadRequestError):
                continue
            (starts if meta.name(made) in STARTS else fails).append(meta.name(made))
        await runs(cluster, "sound")

        async def settled() -> bool:
            told = {name: await verdict(cluster, name) for name in fails}
            return all(told.values())

        await cluster.until(settled)

        async def started() -> bool:
            return {f"{name}-master-0" for name in starts} <= set(await cluster.names(PODS))

        await cluster.until(started)
        await quiet(cluster)
        await runs(cluster, "afterwards")

    run(scenario)
    assert fails
    assert starts


async def verdict(cluster: Any, name: str) -> str:
    """What the job says of itself, or what is told of it: that it failed, or why it has no pods."""
    job = await cluster.get(PYTORCH_JOBS, name)
    true = [each for each in job.get("status", {}).get("conditions") or () if each["status"] == "True"]
    failed = next((each["message"] for each in true if each["type"] == "Failed"), "")
    if failed:
        return failed
    told = [message for reason, message in await cluster.events(name) if reason.startswith(("Failed", "Set"))]
    return told[0] if told else " ".join(each["message"] for each in true if each["type"] != "Created")


def test_somebody_elses_pod_of_that_name_stays(run, quiet):
    async def scenario(cluster):
        pod = {"metadata": {"name": "j-master-0", "namespace": "team"}, "spec": {"containers": [_CONTAINER]}}
        made = await cluster.client.create(PODS, pod)
        await cluster.submit(PYTORCH_JOBS, "j", {"Master": 1})
        await runs(cluster, "sound")
        found = await cluster.get(PODS, "j-master-0")
        assert meta.uid(found) == meta.uid(made)

        async def told() -> bool:
            return any("already exists" in message for _, message in await cluster.events("j"))

        await cluster.until(told)
        # When it goes, the job goes on.
        await cluster.client.delete(PODS, "j-master-0", "team")

        async def ours() -> bool:
            found = await cluster.get(PODS, "j-master-0")
            return found is not None and meta.uid(found) != meta.uid(made)

        await cluster.until(ours)
        await quiet(cluster)

    run(scenario)


def test_a_quota_refuses_pods_until_there_is_room(run):
    async def scenario(cluster):
        await cluster.client.create(
            RESOURCE_QUOTAS, {"metadata": {"name": "q", "namespace": "team"}, "spec": {"hard": {"pods": "1"}}}
        )

        async def counted() -> bool:
            quota = await cluster.get(RESOURCE_QUOTAS, "q")
            return "pods" in (quota.get("status", {}).get("hard") or {})

        await cluster.until(counted)
        await cluster.submit(PYTORCH_JOBS, "j", {"Master": 1, "Worker": 2})

        async def told() -> bool:
            return any("exceeded quota" in message for _, message in await cluster.events("j"))

        await cluster.until(told)
        job = await cluster.get(PYTORCH_JOBS, "j")
        assert not any(each["type"] == "Failed" for each in job["status"]["conditions"])
        await cluster.client.delete(RESOURCE_QUOTAS, "q", "team")
        await cluster.has(PODS, "j-master-0", "j-worker-0", "j-worker-1")

    run(scenario)


def test_a_status_that_a_user_wrote_does_not_last(run, quiet):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "j", {"Master": 1})
        await cluster.run_all("j-master-0")
        await cluster.becomes(PYTORCH_JOBS, "j", "Running")
        odd = {
            "conditions": [{"type": "Odd", "status": "Perhaps", "message": "m", "reason": "r"}],
            "replicaStatuses": {"Master": {"active": 77}, "Unheard": {"failed": 3}},
            "startTime": "2001-01-01T00:00:00Z",
        }
        await cluster.patch(PYTORCH_JOBS, "j", {"status": odd}, subresource="status")
        await cluster.becomes(PYTORCH_JOBS, "j", "Running")
        await cluster.phase("j-master-0", "Succeeded", 0)
        job = await cluster.becomes(PYTORCH_JOBS, "j", "Succeeded")
        assert job["status"]["replicaStatuses"]["Master"].get("active") is None
        await quiet(cluster)

    run(scenario)


def test_jobs_of_a_namespace_that_goes_are_gone_and_others_go_on(run):
    async def scenario(cluster):
        await cluster.client.create(NAMESPACES, {"metadata": {"name": "doomed"}})
        for n in range(3):
            job = body(f"j{n}", Master=replica(), Worker=replica(replicas=2))
            job["metadata"]["namespace"] = "doomed"
            await cluster.client.create(PYTORCH_JOBS, job)

        async def has_pods() -> bool:
            return len((await cluster.client.list(PODS, "doomed")).items) == 9

        await cluster.until(has_pods)
        await cluster.client.delete(NAMESPACES, "doomed")

        async def empty() -> bool:
            for pod in (await cluster.client.list(PODS, "doomed")).items:
                with suppress(NotFoundError):
                    await cluster.client.delete(
                        PODS, meta.name(pod), "doomed", DeleteOptions(grace_period_seconds=0)
                    )
            kinds = (PYTORCH_JOBS, PODS, SERVICES)
            return not any([(await cluster.client.list(kind, "doomed")).items for kind in kinds])

        await cluster.until(empty)
        await runs(cluster, "sound")

    run(scenario)


def test_a_job_that_is_deleted_as_it_starts_leaves_nothing(run, quiet):
    async def scenario(cluster):
        for n in range(10):
            await cluster.submit(TF_JOBS, f"j{n}", {"Chief": 1, "Worker": 3})
            await asyncio.sleep(0.004 * n)
            await cluster.client.delete(TF_JOBS, f"j{n}", "team")

        async def nothing() -> bool:
            return not await cluster.names(PODS) and not await cluster.names(SERVICES)

        await quiet(cluster)
        await cluster.until(nothing)
        # Nor do their makers go on talking about them.
        await until_quiet(cluster.client)
        before = len((await cluster.client.list(EVENTS, "team", ListOptions())).items)
        await asyncio.sleep(0.3)
        assert len((await cluster.client.list(EVENTS, "team", ListOptions())).items) == before

    run(scenario)
