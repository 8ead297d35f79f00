"""Pods and Services as a job makes them."""

from __future__ import annotations

import pytest

from sampan.components.training.engine.jobs.pods import (
    PodOptions,
    Slot,
    desired_pod,
    desired_service,
    role_selector,
)
from sampan.components.training.engine.jobs.spec import InvalidJobError

LABELS = {
    "training.kubeflow.org/operator-name": "pytorchjob-controller",
    "training.kubeflow.org/job-name": "train",
    "training.kubeflow.org/replica-type": "worker",
    "training.kubeflow.org/replica-index": "1",
}


def test_a_pod_has_its_labels_its_owner_and_the_replicas_restart_policy(framework, read):
    spec = {"containers": [{"name": "pytorch", "image": "a", "env": [{"name": "RANK", "value": "7"}]}]}
    template = {
        "metadata": {"labels": {"mine": "x"}, "annotations": {"note": "y"}},
        "spec": {**spec, "restartPolicy": "Always"},
    }
    worker = {"replicas": 2, "restartPolicy": "ExitCode", "template": template}
    job = read("PyTorchJob", {"Master": 1, "worker": worker})
    pod = desired_pod(framework("PyTorchJob"), job, Slot("Worker", 1), PodOptions())
    assert pod["metadata"]["name"] == "train-worker-1"
    assert pod["metadata"]["labels"] == {"mine": "x", **LABELS}
    assert pod["metadata"]["annotations"] == {"note": "y"}
    assert pod["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "name": "train",
            "uid": "job-uid",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert pod["spec"]["restartPolicy"] == "Never"
    env = pod["spec"]["containers"][0]["env"]
    assert [each["value"] for each in env if each["name"] == "RANK"] == ["7", "2"], "the last one counts"
    assert "initContainers" not in pod["spec"]


@pytest.mark.parametrize(
    ("kind", "roles", "masters"),
    [
        ("PyTorchJob", {"Master": 1, "Worker": 2}, {"master-0"}),
        ("PyTorchJob", {"Worker": 2}, {"worker-0"}),
        ("TFJob", {"Chief": 1, "Worker": 2}, {"chief-0"}),
        ("TFJob", {"PS": 1, "Worker": 2}, {"worker-0"}),
        ("XGBoostJob", {"Master": 1, "Worker": 1}, {"master-0"}),
        ("JAXJob", {"Worker": 2}, {"worker-0"}),
        ("PaddleJob", {"Worker": 2}, set()),
    ],
)
def test_who_is_the_master(framework, read, kind, roles, masters):
    job = read(kind, roles)
    found = {
        f"{role.lower()}-{index}"
        for role, replica in job.roles.items()
        for index in range(replica.replicas)
        if desired_pod(framework(kind), job, Slot(role, index), PodOptions())["metadata"]["labels"].get(
            "training.kubeflow.org/job-role"
        )
        == "master"
    }
    assert found == masters


def test_workers_wait_for_the_masters_name_where_there_is_an_image_for_it(framework, read):
    job, options = read("PyTorchJob", {"Master": 1, "Worker": 1}), PodOptions(waiting_image="alpine:3.10")
    worker = desired_pod(framework("PyTorchJob"), job, Slot("Worker", 0), options)
    waiter = worker["spec"]["initContainers"][0]
    assert (waiter["name"], waiter["image"]) == ("init-pytorch", "alpine:3.10")
    assert "nslookup train-master-0" in waiter["command"][2]
    assert (
        "initContainers" not in desired_pod(framework("PyTorchJob"), job, Slot("Master", 0), options)["spec"]
    )


def test_a_service_is_headless_and_selects_its_pod_alone(framework, read):
    ports = [{"name": "web", "containerPort": 80}]
    template = {"spec": {"containers": [{"name": "pytorch", "image": "a", "ports": ports}]}}
    job = read("PyTorchJob", {"Worker": {"replicas": 2, "template": template}})
    service = desired_service(framework("PyTorchJob").shape, job, Slot("Worker", 1))
    assert service["metadata"]["name"] == "train-worker-1"
    assert service["metadata"]["labels"] == LABELS
    assert service["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": LABELS,
        "ports": [{"name": "web", "port": 80}, {"name": "pytorchjob-port", "port": 23456}],
    }


def test_the_selector_is_written_in_order(framework):
    assert role_selector(framework("TFJob").shape, "train", "Worker") == (
        "training.kubeflow.org/job-name=train,training.kubeflow.org/operator-name=tfjob-controller,"
        "training.kubeflow.org/replica-type=worker"
    )


@pytest.mark.parametrize(
    ("kind", "roles", "spec", "words"),
    [
        ("PyTorchJob", {}, {}, "spec.pytorchReplicaSpecs"),
        ("PyTorchJob", {"Boss": 1}, {}, "spec.pytorchReplicaSpecs[Boss]"),
        ("PyTorchJob", {"Master": 2}, {}, "must be 1"),
        ("PyTorchJob", {"Worker": {"replicas": -1}}, {}, "replicas is -1"),
        ("PyTorchJob", {"Worker": {"template": {}}}, {}, "containers"),
        ("PyTorchJob", {"Worker": {"template": {"spec": {"containers": [{"name": "x"}]}}}}, {}, "pytorch"),
        ("PyTorchJob", {"Worker": {"restartPolicy": "Sometimes"}}, {}, "restartPolicy"),
        ("PyTorchJob", {"Master": 1}, {"elasticPolicy": {}}, "Worker"),
        ("PyTorchJob", {"Worker": 1}, {"elasticPolicy": {"minReplicas": 3, "maxReplicas": 1}}, "minReplicas"),
        ("PyTorchJob", {"Worker": 1}, {"runPolicy": {"cleanPodPolicy": "Some"}}, "cleanPodPolicy"),
        ("PyTorchJob", {"Worker": 1}, {"runPolicy": {"backoffLimit": "3"}}, "backoffLimit"),
        ("XGBoostJob", {"Worker": 1}, {}, "Master"),
        ("XGBoostJob", {"Master": 2}, {}, "must be 1"),
        ("TFJob", {"Chief": 1, "Master": 1}, {}, "Chief"),
    ],
)
def test_what_makes_no_job_is_told_by_its_field(read, kind, roles, spec, words):
    with pytest.raises(InvalidJobError) as error:
        read(kind, roles, **spec)
    assert words in str(error.value)
