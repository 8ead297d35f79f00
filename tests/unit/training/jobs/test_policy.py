"""Limits, retries, what is left at the end, gangs, and why pods wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.components.training.engine.jobs import elastic, policy
from sampan.components.training.engine.jobs.gangs import desired_group
from sampan.components.training.engine.jobs.pods import Slot
from sampan.components.training.engine.jobs.recreation import Recreations
from sampan.kube.troubles import summary, troubles_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def over(type_: str, message: str = "", reason: str = "") -> dict[str, Any]:
    condition = {"type": type_, "status": "True", "message": message, "reason": reason}
    return {"conditions": [condition], "completionTime": "2026-01-01T11:59:00Z"}


@pytest.mark.parametrize(
    ("limit", "restarts", "failed", "reached"),
    [
        (None, 100, 100, False),
        (0, 0, 0, False),
        (0, 1, 0, True),
        (0, 0, 1, True),
        (3, 2, 3, False),
        (3, 3, 0, True),
        (3, 0, 4, True),
    ],
)
def test_the_backoff_limit(read, limit, restarts, failed, reached):
    job = read("PyTorchJob", {"Worker": 1}, runPolicy={"backoffLimit": limit})
    assert bool(policy.limit_reached(job, {}, restarts, failed, NOW)) is reached


def test_restarts_count_of_running_pods_whose_role_restarts(read, pod):
    roles = {"Master": {"restartPolicy": "Never"}, "Worker": {"replicas": 3, "restartPolicy": "OnFailure"}}
    job = read("PyTorchJob", roles)
    owned = [
        ("Master", pod("PyTorchJob", "Master", 0, restarts=9)),
        ("Worker", pod("PyTorchJob", "Worker", 0, restarts=1)),
        ("Worker", pod("PyTorchJob", "Worker", 1, restarts=2)),
        ("Worker", pod("PyTorchJob", "Worker", 2, "Failed", restarts=4)),
    ]
    assert policy.restarts_of(job, owned) == 3


def test_a_deadline_counts_from_the_start(read):
    job = read("JAXJob", {"Worker": 1}, runPolicy={"activeDeadlineSeconds": 60})
    assert policy.until_deadline(job.policy, {}, NOW) is None
    started = {"startTime": "2026-01-01T11:59:30Z"}
    assert policy.until_deadline(job.policy, started, NOW) == timedelta(seconds=30)
    assert not policy.limit_reached(job, started, 0, 0, NOW)
    message = policy.limit_reached(job, {"startTime": "2026-01-01T11:59:00Z"}, 0, 0, NOW)
    assert message == "Job train has failed because it was active longer than specified deadline"


def test_a_time_to_live_counts_from_the_end(read):
    job = read("JAXJob", {"Worker": 1}, runPolicy={"ttlSecondsAfterFinished": 90})
    assert policy.until_expiry(job.policy, {}, NOW) is None
    assert policy.until_expiry(job.policy, over("Succeeded"), NOW) == timedelta(seconds=30)
    without = over("Failed") | {"completionTime": None}
    without["conditions"][0]["lastTransitionTime"] = "2026-01-01T11:58:00Z"
    assert policy.until_expiry(job.policy, without, NOW) == timedelta(seconds=-30)


@pytest.mark.parametrize("clean", ["None", "Running", "All"])
@pytest.mark.parametrize(
    "status",
    [
        over("Failed", "Job train has failed because it has reached the specified backoff limit"),
        over("Failed", "Job train has failed because it was active longer than specified deadline"),
        over("Failed", "what it lacks", "PyTorchJobFailedValidation"),
    ],
    ids=["backoff", "deadline", "invalid"],
)
def test_a_job_that_a_limit_ended_keeps_nothing(read, pod, clean, status):
    job = read("PyTorchJob", {"Worker": 1}, runPolicy={"cleanPodPolicy": clean})
    assert not policy.is_left(pod("PyTorchJob", "Worker", 0), "train", job.policy, status)


def test_retries_are_counted_once_each_and_forget_what_is_gone(pod):
    first, second = (pod("JAXJob", "Worker", 0, "Failed", uid=uid) for uid in ("a", "b"))
    retries = policy.Retries().with_failures([first], [first])
    assert retries == policy.Retries(1, ("a",))
    assert retries.with_failures([first], [first]) == retries
    assert retries.with_failures([second], [second]) == policy.Retries(2, ("b",))
    annotated = {"metadata": {"annotations": {policy.RETRIES_ANNOTATION: retries.text()}}}
    assert policy.read_retries(annotated) == retries


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"count": "x"}', '{"uids": 3}', "null"])
def test_what_is_no_count_of_retries_reads_as_none(text):
    annotated = {"metadata": {"annotations": {policy.RETRIES_ANNOTATION: text}}}
    assert policy.read_retries(annotated) == policy.Retries()


def test_a_replica_that_keeps_failing_at_once_waits_ever_longer():
    recreations, slot = Recreations(), Slot("Worker", 0)
    held = []
    for number in range(1, 12):
        recreations.failed(slot, str(number), 0.5, 100.0)
        recreations.failed(slot, str(number), 0.5, 100.0)  # seen again
        held.append(recreations.held(100.0).get(slot, 0.0))
    assert held == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert recreations.held(161.0) == {}
    recreations.failed(slot, "long", 3600.0, 200.0)
    assert recreations.held(200.0) == {}, "one that lived starts from the beginning"


@pytest.mark.parametrize(
    ("workers", "policy_", "minimum"),
    [
        (4, {"minReplicas": 2, "maxReplicas": 4}, 2),
        (1, {"minReplicas": 2, "maxReplicas": 4}, 1),
        (3, {}, 3),
        (0, {"minReplicas": 2}, 0),
    ],
)
def test_an_elastic_job_needs_its_fewest_workers(read, workers, policy_, minimum):
    assert elastic.minimum(read("PyTorchJob", {"Worker": workers}, elasticPolicy=policy_)) == minimum


def test_an_elastic_job_with_metrics_has_an_autoscaler(read):
    metrics = [{"type": "Resource", "resource": {"name": "cpu"}}]
    job = read("PyTorchJob", {"Worker": 2}, elasticPolicy={"maxReplicas": 5, "metrics": metrics})
    found = elastic.autoscaler(job)
    assert found["spec"] == {
        "scaleTargetRef": {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "name": "train"},
        "minReplicas": 5,
        "maxReplicas": 5,
        "metrics": metrics,
    }
    assert found["metadata"]["ownerReferences"][0]["uid"] == "job-uid"
    assert elastic.autoscaler(read("PyTorchJob", {"Worker": 2}, elasticPolicy={})) is None


def replica(replicas: int, priority: str = "", **resources: Any) -> dict[str, Any]:
    containers = [{"name": "pytorch", "image": "a", "resources": resources}]
    spec = {"containers": containers, **({"priorityClassName": priority} if priority else {})}
    return {"replicas": replicas, "template": {"spec": spec}}


def test_a_gang_adds_up_what_its_pods_request(read):
    roles = {
        "Master": replica(1, requests={"cpu": "500m", "memory": "512Mi"}),
        "Worker": replica(3, limits={"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": 1}),
    }
    group = desired_group(read("PyTorchJob", roles), 4, "scheduler-plugins", {})
    assert group["spec"]["minMember"] == 4
    assert group["spec"]["minResources"] == {"cpu": "6500m", "memory": "3584Mi", "nvidia.com/gpu": "3"}
    assert group["metadata"]["name"] == "train"


def test_those_of_higher_priority_are_added_first(read):
    roles = {"Master": replica(1, requests={"cpu": "1"}), "Worker": replica(2, "high", requests={"cpu": "8"})}
    group = desired_group(read("PyTorchJob", roles), 2, "volcano", {"high": 100})
    assert group["spec"]["minResources"] == {"cpu": "16"}


def test_no_gang_scheduler_no_gang(read):
    assert desired_group(read("JAXJob", {"Worker": 2}), 2, "none", {}) is None


def test_a_pod_says_what_keeps_it(pod):
    unplaced = pod("JAXJob", "Worker", 0, "Pending")
    unplaced["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    ]
    pulling = pod("JAXJob", "Worker", 1, "Running")
    state = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    pulling["status"]["containerStatuses"][0]["state"] = state
    ended = pod("JAXJob", "Worker", 2, "Running", code=3)
    gone = pod("JAXJob", "Worker", 3, "Running", deleting=True, code=3)
    found = troubles_of([unplaced, pulling, ended, gone, pod("JAXJob", "Worker", 4)])
    assert [(each.reason, each.event) for each in found] == [
        ("Unschedulable", "Error pod train-worker-0 condition message: 0/1 nodes"),
        ("ErrImagePull", "Error pod train-worker-1 container jax waiting message: no such image"),
        ("Error", "Error pod train-worker-2 container jax exitCode: 3 terminated message: "),
    ]
    assert summary(found, 5) == "2 of 5 pods wait: train-worker-0: Unschedulable: 0/1 nodes"
    assert summary([], 5) == ""
