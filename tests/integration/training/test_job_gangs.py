"""Gangs of training jobs with the scheduler: all pods of a job start, or none; and why pods wait is told."""

from __future__ import annotations

import asyncio

import pytest

from sampan.components.training.api.kinds import JAX_JOBS, PYTORCH_JOBS
from sampan.kube import meta
from sampan.kube.kinds import POD_GROUPS, PODS, PRIORITY_CLASSES, VOLCANO_POD_GROUPS
from sampan.testing.quiet import until_quiet


async def waits(cluster, name: str, *parts: str):
    async def look():
        job = await cluster.get(PYTORCH_JOBS, name)
        found = job.get("status", {}).get("conditions") or [{"message": ""}]
        return all(part in found[0]["message"] for part in parts) and found[0]["message"]

    return await cluster.until(look)


@pytest.mark.parametrize("scheduler", ["scheduler-plugins", "volcano"])
def test_a_job_that_does_not_fit_holds_nothing_and_says_why(run, scheduler):
    async def scenario(cluster):
        await cluster.node("2")
        await cluster.submit(PYTORCH_JOBS, "big", {"Worker": {"replicas": 3, "cpu": "1"}})
        await waits(cluster, "big", "3 of 3 pods wait: big-worker-0: ")
        await cluster.submit(PYTORCH_JOBS, "small", {"Worker": {"replicas": 2, "cpu": "1"}})
        await cluster.placed("small-worker-0", "small-worker-1")
        assert not (await cluster.get(PODS, "big-worker-0"))["spec"].get("nodeName")

        async def told():
            said = await cluster.events("big")
            return any(text.startswith("Error pod big-worker-0 condition message: ") for _, text in said)

        await cluster.until(told)
        await cluster.patch(
            PYTORCH_JOBS, "big", {"spec": {"pytorchReplicaSpecs": {"Worker": {"replicas": 1}}}}
        )
        kind = POD_GROUPS if scheduler == "scheduler-plugins" else VOLCANO_POD_GROUPS

        async def shrunk():
            return (await cluster.get(kind, "big"))["spec"]["minMember"] == 1

        await cluster.until(shrunk)
        for name in ("small-worker-0", "small-worker-1"):
            await cluster.phase(name, "Succeeded", 0)
        await cluster.placed("big-worker-0")
        await cluster.run_all("big-worker-0")
        job = await cluster.becomes(PYTORCH_JOBS, "big", "Running")
        assert job["status"]["conditions"][0]["message"] == "PyTorchJob big is created."

    run(scenario, scheduler=True, gang_scheduler=scheduler)


def test_an_elastic_job_starts_with_its_fewest_workers(run):
    async def scenario(cluster):
        await cluster.node("2")
        policy = {"minReplicas": 1, "maxReplicas": 4}
        await cluster.submit(
            PYTORCH_JOBS, "train", {"Worker": {"replicas": 4, "cpu": "1"}}, elasticPolicy=policy
        )

        async def two_run() -> bool:  # whichever of the four came first
            found = (await cluster.client.list(PODS, "team")).items
            return sum(bool(pod["spec"].get("nodeName")) for pod in found) == 2

        await cluster.until(two_run)
        group = await cluster.get(POD_GROUPS, "train")
        assert group["spec"] == {"minMember": 1, "minResources": {"cpu": "1"}}

    run(scenario, scheduler=True)


def test_a_gang_follows_the_scheduling_policy(run):
    async def scenario(cluster):
        await cluster.client.create(PRIORITY_CLASSES, {"metadata": {"name": "high"}, "value": 1000})
        policy = {
            "minAvailable": 2,
            "queue": "research",
            "minResources": {"cpu": "7"},
            "priorityClass": "high",
            "scheduleTimeoutSeconds": 9,
        }
        await cluster.submit(JAX_JOBS, "train", {"Worker": 3}, runPolicy={"schedulingPolicy": policy})
        await cluster.has(PODS, *(f"train-worker-{index}" for index in range(3)))
        group = await cluster.get(POD_GROUPS, "train")
        assert group["spec"] == {
            "minMember": 2,
            "minResources": {"cpu": "7"},
            "scheduleTimeoutSeconds": 9,
        }
        assert (await cluster.get(PODS, "train-worker-0"))["spec"]["priority"] == 1000

    run(scenario)


def test_a_priority_class_that_does_not_exist_keeps_no_job_from_starting(run):
    async def scenario(cluster):
        policy = {"schedulingPolicy": {"priorityClass": "none-such"}}
        await cluster.submit(JAX_JOBS, "train", {"Worker": 1}, runPolicy=policy)
        await cluster.has(PODS, "train-worker-0")

    run(scenario)


def test_volcano_is_told_of_queue_and_priority(run):
    async def scenario(cluster):
        policy = {"schedulingPolicy": {"queue": "research", "priorityClass": "high"}}
        await cluster.submit(JAX_JOBS, "train", {"Worker": 2}, runPolicy=policy)
        await cluster.has(PODS, "train-worker-0", "train-worker-1")
        group = await cluster.get(VOLCANO_POD_GROUPS, "train")
        assert group["spec"] == {
            "minMember": 2,
            "minResources": {},
            "queue": "research",
            "priorityClassName": "high",
        }
        pod = await cluster.get(PODS, "train-worker-0")
        assert meta.annotations(pod) == {
            "scheduling.k8s.io/group-name": "train",
            "volcano.sh/task-spec": "worker",
        }
        assert pod["spec"]["schedulerName"] == "volcano"

    run(scenario, gang_scheduler="volcano")


def test_without_gangs_pods_are_left_to_the_default_scheduler(run):
    async def scenario(cluster):
        await cluster.submit(JAX_JOBS, "train", {"Worker": 1})
        await cluster.has(PODS, "train-worker-0")
        pod = await cluster.get(PODS, "train-worker-0")
        assert pod["spec"]["schedulerName"] == "default-scheduler"
        assert await cluster.names(POD_GROUPS) == []

    run(scenario, gang_scheduler="none")


def test_nothing_is_written_when_nothing_changes(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1})
        await cluster.run_all("train-worker-0")
        await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        await until_quiet(cluster.client, 0.5)
        before = await cluster.get(PYTORCH_JOBS, "train")
        events = await cluster.events("train")
        await cluster.stop_training()
        await cluster.start_training()
        await asyncio.sleep(0.5)
        after = await cluster.get(PYTORCH_JOBS, "train")
        assert meta.resource_version(after) == meta.resource_version(before)
        assert await cluster.events("train") == events

    run(scenario)


@pytest.mark.slow
def test_two_hundred_jobs_are_queued_and_drained(run):
    async def scenario(cluster):
        await cluster.node("4")
        jobs = 200
        for number in range(jobs):
            await cluster.submit(JAX_JOBS, f"job-{number}", {"Worker": {"replicas": 2, "cpu": "1"}})
        done: set[str] = set()

        async def drained():
            for name in await cluster.names(PODS):
                pod = await cluster.get(PODS, name)
                if name not in done and pod and pod["spec"].get("nodeName"):
                    done.add(name)
                    await cluster.phase(name, "Succeeded", 0)
            return len(done) == 2 * jobs

        async with asyncio.timeout(90):
            while not await drained():
                await asyncio.sleep(0.01)
        for number in range(jobs):
            await cluster.becomes(JAX_JOBS, f"job-{number}", "Succeeded")

    run(scenario, scheduler=True)
