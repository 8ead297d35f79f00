"""Restart, limits, clean-up, suspension and scaling of Training Operator's kinds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from sampan.client.protocol import DeleteOptions, Propagation
from sampan.components.training.api.kinds import JAX_JOBS, PYTORCH_JOBS, TF_JOBS
from sampan.kube import meta
from sampan.kube.kinds import HORIZONTAL_POD_AUTOSCALERS, POD_GROUPS, PODS, RESOURCE_QUOTAS, SERVICES
from sampan.lib.clock import parse_rfc3339, rfc3339
from sampan.testing.quiet import until_quiet

WORKERS = ("train-worker-0", "train-worker-1")
MOUNT = {"name": "no-such-volume", "mountPath": "/data"}


async def replaced(cluster, name: str, uid: str) -> None:
    async def look():
        pod = await cluster.get(PODS, name)
        return pod is not None and meta.uid(pod) != uid

    await cluster.until(look)


def test_a_worker_that_a_signal_ended_is_made_anew_with_its_index(run):
    async def scenario(cluster):
        await cluster.submit(TF_JOBS, "train", {"Worker": {"replicas": 2, "restartPolicy": "ExitCode"}})
        await cluster.run_all(*WORKERS)
        await cluster.becomes(TF_JOBS, "train", "Running")
        before = await cluster.get(PODS, "train-worker-1")
        await cluster.phase("train-worker-1", "Failed", 137)
        await replaced(cluster, "train-worker-1", meta.uid(before))
        after = await cluster.get(PODS, "train-worker-1")
        assert meta.labels(after)["training.kubeflow.org/replica-index"] == "1"
        assert after["spec"]["containers"][0]["env"] == before["spec"]["containers"][0]["env"]
        await cluster.run_all("train-worker-1")
        await cluster.becomes(TF_JOBS, "train", "Running")
        await cluster.told(
            "train", "TFJobRestarting", "job train is restarting because Worker replica(s) failed."
        )
        await cluster.told("train", "ExitedWithCode", "Pod: team.train-worker-1 exited with code 137")

    run(scenario)


def test_a_permanent_exit_code_fails_the_job(run):
    async def scenario(cluster):
        await cluster.submit(TF_JOBS, "train", {"Worker": {"replicas": 2, "restartPolicy": "ExitCode"}})
        await cluster.run_all(*WORKERS)
        await cluster.phase("train-worker-1", "Failed", 1)
        job = await cluster.becomes(TF_JOBS, "train", "Failed")
        assert job["status"]["completionTime"]
        assert job["status"]["replicaStatuses"]["Worker"]["failed"] == 1

    run(scenario)


def test_backoff_limit_counts_restarts_of_running_pods_and_leaves_nothing(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 2}, runPolicy={"backoffLimit": 3})
        await cluster.run_all(*WORKERS)
        await cluster.phase("train-worker-0", "Running", restarts=2)
        await asyncio.sleep(0.2)
        assert await cluster.names(PODS) == list(WORKERS)
        await cluster.phase("train-worker-1", "Running", restarts=1)
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Failed")
        reason = job["status"]["conditions"][-1]
        assert reason["message"] == "Job train has failed because it has reached the specified backoff limit"
        await cluster.has(PODS)
        await cluster.has(SERVICES)
        await cluster.has(POD_GROUPS)

    run(scenario)


def test_backoff_limit_counts_pods_made_anew_across_a_restart(run):
    async def scenario(cluster):
        worker = {"replicas": 1, "restartPolicy": "ExitCode"}
        await cluster.submit(JAX_JOBS, "train", {"Worker": worker}, runPolicy={"backoffLimit": 2})
        for _ in range(2):
            await cluster.run_all("train-worker-0")
            uid = meta.uid(await cluster.get(PODS, "train-worker-0"))
            await cluster.stop_training()
            await cluster.phase("train-worker-0", "Failed", 137)
            await cluster.start_training()
            await replaced(cluster, "train-worker-0", uid)
        await cluster.run_all("train-worker-0")
        await cluster.phase("train-worker-0", "Failed", 137)
        job = await cluster.becomes(JAX_JOBS, "train", "Failed")
        assert "backoff limit" in job["status"]["conditions"][-1]["message"]
        await cluster.has(PODS)

    run(scenario)


def test_a_deadline_ends_the_job_and_its_pods(run):
    async def scenario(cluster):
        policy = {"activeDeadlineSeconds": 1, "cleanPodPolicy": "None"}
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 2}, runPolicy=policy)
        await cluster.run_all(*WORKERS)
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Failed")
        assert job["status"]["conditions"][-1]["message"] == (
            "Job train has failed because it was active longer than specified deadline"
        )
        await cluster.has(PODS)
        await cluster.has(SERVICES)

    run(scenario)


def test_what_was_done_before_the_deadline_is_done_though_nobody_looked(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1}, runPolicy={"activeDeadlineSeconds": 600})
        await cluster.run_all("train-worker-0")
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        await cluster.stop_training()
        await cluster.phase("train-worker-0", "Succeeded", 0)
        long_ago = rfc3339(parse_rfc3339(job["status"]["startTime"]) - timedelta(hours=1))
        status = {"status": {"startTime": long_ago}}
        await cluster.patch(PYTORCH_JOBS, "train", status, subresource="status")
        await cluster.start_training()
        await cluster.becomes(PYTORCH_JOBS, "train", "Succeeded")

    run(scenario)


def test_what_a_template_says_in_vain_is_told(run):
    async def scenario(cluster):
        spec = {
            "restartPolicy": "Always",
            "schedulerName": "somebody",
            "containers": [{"name": "pytorch", "image": "busybox"}],
        }
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": {"replicas": 2, "template": {"spec": spec}}})
        await cluster.has(PODS, *WORKERS)
        pod = await cluster.get(PODS, "train-worker-0")
        assert (pod["spec"]["restartPolicy"], pod["spec"]["schedulerName"]) == ("OnFailure", "somebody")
        await cluster.told("train", "SetPodTemplateRestartPolicy")
        await cluster.told("train", "SetPodTemplateSchedulerName")
        await until_quiet(cluster.client)
        reasons = [reason for reason, _ in await cluster.events("train")]
        assert reasons.count("SetPodTemplateRestartPolicy") == 1
        assert reasons.count("SetPodTemplateSchedulerName") == 1

    run(scenario)


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ("None", ("train-master-0", "train-worker-0", "train-worker-1")),
        ("Running", ("train-master-0",)),
        ("All", ()),
    ],
)
def test_clean_up(run, policy, left):
    async def scenario(cluster):
        await cluster.submit(
            PYTORCH_JOBS, "train", {"Master": 1, "Worker": 2}, runPolicy={"cleanPodPolicy": policy}
        )
        await cluster.run_all("train-master-0", "train-worker-0")  # worker 1 is pending
        await cluster.phase("train-master-0", "Succeeded", 0)
        await cluster.becomes(PYTORCH_JOBS, "train", "Succeeded")
        await cluster.has(PODS, *left)
        await cluster.has(SERVICES, *left)
        await asyncio.sleep(0.1)
        assert await cluster.names(PODS) == sorted(left), "nothing is made anew"

    run(scenario)


def test_a_job_goes_with_its_pods_when_its_time_to_live_is_over(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Master": 1}, runPolicy={"ttlSecondsAfterFinished": 1})
        await cluster.run_all("train-master-0")
        await cluster.phase("train-master-0", "Succeeded", 0)
        await cluster.becomes(PYTORCH_JOBS, "train", "Succeeded")
        await cluster.has(PYTORCH_JOBS)
        await cluster.has(PODS)
        await cluster.has(SERVICES)

    run(scenario)


def test_suspension_takes_all_away_and_resuming_starts_anew(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 2}, runPolicy={"suspend": True})
        await cluster.becomes(PYTORCH_JOBS, "train", "Suspended")
        assert await cluster.names(PODS) == []
        await cluster.patch(PYTORCH_JOBS, "train", {"spec": {"runPolicy": {"suspend": False}}})
        await cluster.run_all(*WORKERS)
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        started = job["status"]["startTime"]
        await cluster.patch(PYTORCH_JOBS, "train", {"spec": {"runPolicy": {"suspend": True}}})
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Suspended")
        assert [(each["type"], each["status"]) for each in job["status"]["conditions"]] == [
            ("Created", "True"),
            ("Running", "False"),
            ("Suspended", "True"),
        ]
        assert job["status"]["conditions"][-1]["reason"] == "PyTorchJobSuspended"
        assert "active" not in job["status"]["replicaStatuses"]["Worker"]
        for kind in (PODS, SERVICES, POD_GROUPS):
            await cluster.has(kind)
        await asyncio.sleep(1)
        await cluster.patch(PYTORCH_JOBS, "train", {"spec": {"runPolicy": {"suspend": False}}})
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Suspended", "False")
        assert job["status"]["startTime"] > started
        await cluster.has(PODS, *WORKERS)
        await cluster.told("train", "PyTorchJobResumed", "PyTorchJob train is resumed.")

    run(scenario)


def test_pods_of_before_a_suspension_are_no_failures_after_it(run):
    async def scenario(cluster):
        await cluster.node("4")
        await cluster.submit(TF_JOBS, "train", {"Worker": {"replicas": 1, "restartPolicy": "Never"}})
        await cluster.placed("train-worker-0")
        await cluster.run_all("train-worker-0")
        await cluster.becomes(TF_JOBS, "train", "Running")
        old = await cluster.get(PODS, "train-worker-0")
        await cluster.patch(TF_JOBS, "train", {"spec": {"runPolicy": {"suspend": True}}})
        await cluster.becomes(TF_JOBS, "train", "Suspended")
        await cluster.patch(TF_JOBS, "train", {"spec": {"runPolicy": {"suspend": False}}})
        await asyncio.sleep(0.3)
        assert meta.uid(await cluster.get(PODS, "train-worker-0")) == meta.uid(old), "it is on its way still"
        await cluster.client.delete(PODS, "train-worker-0", "team", DeleteOptions(grace_period_seconds=0))
        await replaced(cluster, "train-worker-0", meta.uid(old))
        await cluster.run_all("train-worker-0")
        await cluster.becomes(TF_JOBS, "train", "Running")

    run(scenario, linger=True, scheduler=True)


def test_workers_come_and_go_by_scale(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1}, elasticPolicy={"minReplicas": 1})
        await cluster.has(PODS, "train-worker-0")

        async def scale(replicas: int) -> None:
            worker = {"Worker": {"replicas": replicas}}
            await cluster.patch(PYTORCH_JOBS, "train", {"spec": {"pytorchReplicaSpecs": worker}})

        await scale(3)
        names = [f"train-worker-{index}" for index in range(3)]
        await cluster.has(PODS, *names)
        await cluster.has(SERVICES, *names)
        await cluster.run_all(*names)
        await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        await scale(1)
        await cluster.has(PODS, "train-worker-0")
        await cluster.has(SERVICES, "train-worker-0")

        async def counted() -> bool:
            job = await cluster.becomes(PYTORCH_JOBS, "train", "Running")
            return job["status"]["replicaStatuses"]["Worker"]["active"] == 1

        await cluster.until(counted)

    run(scenario)


def test_an_elastic_job_with_metrics_keeps_an_autoscaler_while_it_runs(run):
    async def scenario(cluster):
        target = {"type": "Utilization", "averageUtilization": 80}
        metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        policy = {"minReplicas": 1, "maxReplicas": 3, "metrics": metrics}
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1}, elasticPolicy=policy)

        async def most(replicas: int) -> bool:
            found = await cluster.get(HORIZONTAL_POD_AUTOSCALERS, "train")
            return found is not None and found["spec"]["maxReplicas"] == replicas

        await cluster.until(lambda: most(3))
        await cluster.patch(PYTORCH_JOBS, "train", {"spec": {"elasticPolicy": {"maxReplicas": 5}}})
        await cluster.until(lambda: most(5))
        await cluster.patch(PYTORCH_JOBS, "train", {"spec": {"runPolicy": {"suspend": True}}})
        await cluster.gone(HORIZONTAL_POD_AUTOSCALERS, "train")

    run(scenario)


def test_orphans_are_adopted_and_those_without_the_labels_let_go(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1})
        await cluster.run_all("train-worker-0")
        uid = meta.uid(await cluster.get(PODS, "train-worker-0"))
        await cluster.client.delete(
            PYTORCH_JOBS, "train", "team", DeleteOptions(propagation=Propagation.ORPHAN)
        )
        await cluster.gone(PYTORCH_JOBS, "train")
        job = await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1})
        await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        pod = await cluster.get(PODS, "train-worker-0")
        assert meta.uid(pod) == uid
        assert pod["metadata"]["ownerReferences"][0]["uid"] == meta.uid(job)

    run(scenario)


def test_what_belongs_to_somebody_else_stays_and_is_told(run):
    async def scenario(cluster):
        body = {
            "metadata": {"name": "train-worker-0", "namespace": "team"},
            "spec": {"containers": [{"name": "mine", "image": "busybox"}]},
        }
        await cluster.client.create(PODS, body)
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1})

        async def told():
            job = await cluster.get(PYTORCH_JOBS, "train")
            found = job.get("status", {}).get("conditions") or [{"message": ""}]
            return "already exists" in found[0]["message"]

        await cluster.until(told)
        await cluster.client.delete(PODS, "train-worker-0", "team", DeleteOptions(grace_period_seconds=0))
        await cluster.run_all("train-worker-0")
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        assert job["status"]["conditions"][0]["message"] == "PyTorchJob train is created."

    run(scenario)


def test_a_job_that_is_managed_elsewhere_is_left_alone(run):
    async def scenario(cluster):
        policy = {"managedBy": "kueue.x-k8s.io/multikueue"}
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 1}, runPolicy=policy)
        await cluster.submit(PYTORCH_JOBS, "other", {"Worker": 1})
        await cluster.has(PODS, "other-worker-0")
        assert not (await cluster.get(PYTORCH_JOBS, "train")).get("status")

    run(scenario)


def test_pods_that_the_api_refuses_fail_the_job_and_leave_nothing(run):
    async def scenario(cluster):
        spec = {"containers": [{"name": "pytorch", "image": "busybox", "volumeMounts": [MOUNT]}]}
        roles = {"Master": 1, "Worker": {"replicas": 2, "template": {"spec": spec}}}
        await cluster.submit(PYTORCH_JOBS, "train", roles)
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Failed")
        condition = job["status"]["conditions"][-1]
        assert condition["reason"] == "PyTorchJobFailedValidation"
        assert "volumeMounts" in condition["message"]
        await cluster.has(PODS)
        await cluster.has(SERVICES)

    run(scenario)


def test_a_quota_that_is_in_the_way_is_told_and_waited_for(run):
    async def scenario(cluster):
        quota = {"metadata": {"name": "few", "namespace": "team"}, "spec": {"hard": {"pods": "1"}}}
        await cluster.client.create(RESOURCE_QUOTAS, quota)

        async def counted() -> bool:
            return bool((await cluster.get(RESOURCE_QUOTAS, "few")).get("status", {}).get("hard"))

        await cluster.until(counted)
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 2})

        async def told() -> bool:
            job = await cluster.get(PYTORCH_JOBS, "train")
            return "exceeded quota" in str(job.get("status", {}).get("conditions"))

        await cluster.until(told)
        await cluster.told("train", "FailedCreatePod")
        await cluster.patch(RESOURCE_QUOTAS, "few", {"spec": {"hard": {"pods": "2"}}})
        await cluster.run_all(*WORKERS)
        await cluster.becomes(PYTORCH_JOBS, "train", "Running")

    run(scenario)


def test_what_no_hook_has_refused_fails_with_the_reason_and_makes_nothing(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Master": 2, "Worker": 1})
        job = await cluster.becomes(PYTORCH_JOBS, "train", "Failed")
        condition = job["status"]["conditions"][-1]
        assert condition["reason"] == "PyTorchJobFailedValidation"
        assert "spec.pytorchReplicaSpecs[Master].replicas" in condition["message"]
        assert await cluster.names(PODS) == []
        await cluster.told("train", "PyTorchJobFailedValidation", condition["message"])

    run(scenario)


def test_a_deleted_pod_comes_back_and_so_does_its_service(run):
    async def scenario(cluster):
        await cluster.submit(PYTORCH_JOBS, "train", {"Worker": 2})
        await cluster.run_all(*WORKERS)
        await cluster.becomes(PYTORCH_JOBS, "train", "Running")
        uid = meta.uid(await cluster.get(PODS, "train-worker-1"))
        await cluster.client.delete(PODS, "train-worker-1", "team")
        await cluster.client.delete(SERVICES, "train-worker-0", "team")
        await replaced(cluster, "train-worker-1", uid)
        await cluster.has(SERVICES, *WORKERS)

    run(scenario)
