"""Training Operator's kinds on the embedded API server: what the controllers make, and what becomes of it."""

from __future__ import annotations

import pytest

from sampan.components.training.api.kinds import JAX_JOBS, PADDLE_JOBS, PYTORCH_JOBS, TF_JOBS, XGBOOST_JOBS
from sampan.kube.kinds import POD_GROUPS, PODS, SERVICES

WORKERS = ("train-worker-0", "train-worker-1")


def test_a_job_gets_pods_services_and_a_gang_and_ends_with_its_master(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Master": {"replicas": 1, "cpu": "500m"}, "Worker": 2})
        names = ("train-master-0", *WORKERS)
        await cluster.has(PODS, *names)
        await cluster.has(SERVICES, *names)
        group = await cluster.get(POD_GROUPS, "train")
        assert group["spec"] == {"minMember": 3, "minResources": {"cpu": "500m"}}
        pod = await cluster.get(PODS, "train-worker-1")
        assert pod["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"] == "train"
        assert pod["spec"]["schedulerName"] == "scheduler-plugins-scheduler"
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Created")
        assert job["status"]["startTime"]
        await cluster.run_all(*names)
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        await cluster.phase("train-master-0", "Succeeded", 0)
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Succeeded")
        assert job["status"]["completionTime"]
        await cluster.has(POD_GROUPS)

        async def counted():
            found = (await cluster.get(PYTORCH_JOBS, "train"))["status"]["replicaStatuses"]
            return {key: value for key, value in found["Worker"].items() if key != "selector"} == {
                "succeeded": 2
            }

        await cluster.until(counted)
        assert await cluster.names(PODS) == sorted(names), "the clean-up policy is None"
        await cluster.told("train", "PyTorchJobSucceeded", "PyTorchJob train is successfully completed.")
        await cluster.told("train", "SuccessfulCreatePod", "Created pod: train-worker-0")
        await cluster.told("train", "ExitedWithCode", "Pod: team.train-master-0 exited with code 0")

    run(scenario)


@pytest.mark.parametrize(
    ("resource", "roles", "decides"),
    [
        (TF_JOBS, {"PS": 1, "Worker": 2}, ("train-worker-0",)),
        (XGBOOST_JOBS, {"Master": 1, "Worker": 1}, ("train-master-0",)),
        (JAX_JOBS, {"Worker": 2}, WORKERS),
        (PADDLE_JOBS, {"Worker": 2}, WORKERS),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_every_kind_runs_and_succeeds(run, resource, roles, decides):
    async def scenario(cluster):
        await cluster.submit(resource, "train", roles)
        await cluster.run_all(*decides)
        await cluster.becomes(resource, "train", "Running")
        for name in decides:
            await cluster.phase(name, "Succeeded", 0)
        await cluster.becomes(resource, "train", "Succeeded")

    run(scenario)
