"""What each replica is told, as upstream's operator tells it (training-operator v1.9.0, its tests and its sources)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.training.engine.jobs.pods import PodOptions, Slot, desired_pod


def told(framework: Any, job: Any, role: str, index: int) -> dict[str, Any]:
    found = framework(job.kind).environment(job, role, index)
    assert len({each["name"] for each in found}) == len(found)
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in found}


def test_pytorch_with_a_master(framework, read):
    job = read("PyTorchJob", {"Master": 1, "Worker": 3}, nprocPerNode="2")
    assert told(framework, job, "Master", 0) == {
        "PYTHONUNBUFFERED": "1",
        "MASTER_PORT": "23456",
        "PET_MASTER_PORT": "23456",
        "MASTER_ADDR": "train-master-0",
        "PET_MASTER_ADDR": "train-master-0",
        "WORLD_SIZE": "8",
        "RANK": "0",
        "PET_NODE_RANK": "0",
        "PET_NPROC_PER_NODE": "2",
        "PET_NNODES": "4",
    }
    third = told(framework, job, "Worker", 2)
    assert (third["RANK"], third["PET_NODE_RANK"]) == ("3", "3")


@pytest.mark.parametrize("per_node", ["auto", "cpu", "gpu", None])
def test_pytorch_whose_processes_the_pod_will_count(framework, read, per_node):
    job = read("PyTorchJob", {"Master": 1, "Worker": 1}, **({"nprocPerNode": per_node} if per_node else {}))
    found = told(framework, job, "Worker", 0)
    assert (found["WORLD_SIZE"], found["PET_NPROC_PER_NODE"]) == ("2", per_node or "auto")


def test_pytorch_without_a_master_has_no_rank(framework, read):
    job = read("PyTorchJob", {"Worker": 2})
    assert told(framework, job, "Worker", 1) == {
        "PYTHONUNBUFFERED": "1",
        "PET_NPROC_PER_NODE": "auto",
        "PET_NNODES": "2",
    }


def test_pytorch_takes_the_port_of_its_container(framework, read):
    ports = [{"name": "web", "containerPort": 80}, {"name": "pytorchjob-port", "containerPort": 1234}]
    container = {"name": "pytorch", "image": "python", "ports": ports}
    master = {"template": {"spec": {"containers": [container]}}}
    assert told(framework, read("PyTorchJob", {"Master": master}), "Master", 0)["MASTER_PORT"] == "1234"


def test_pytorch_elastic(framework, read):
    policy = {
        "minReplicas": 1,
        "maxReplicas": 3,
        "maxRestarts": 5,
        "nProcPerNode": 2,
        "rdzvId": "id",
        "rdzvConf": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
        "standalone": True,
    }
    job = read("PyTorchJob", {"Worker": 2}, elasticPolicy=policy)
    assert told(framework, job, "Worker", 0) == {
        "PYTHONUNBUFFERED": "1",
        "PET_RDZV_ENDPOINT": "train-worker-0:23456",
        "PET_RDZV_BACKEND": "c10d",
        "PET_NNODES": "1:3",
        "PET_MAX_RESTARTS": "5",
        "PET_NPROC_PER_NODE": "2",
        "PET_RDZV_ID": "id",
        "PET_RDZV_CONF": "a=1,b=2",
        "PET_STANDALONE": "",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }


@pytest.mark.parametrize(
    ("policy", "nodes", "endpoint"),
    [
        ({}, "2:2", "train-worker-0:23456"),
        ({"minReplicas": 1}, "1:1", "train-worker-0:23456"),
        ({"maxReplicas": 4}, "4:4", "train-worker-0:23456"),
        ({"rdzvHost": "etcd", "rdzvPort": 2379, "rdzvBackend": "etcd"}, "2:2", "etcd:2379"),
    ],
)
def test_pytorch_elastic_by_default(framework, read, policy, nodes, endpoint):
    found = told(framework, read("PyTorchJob", {"Worker": 2}, elasticPolicy=policy), "Worker", 0)
    assert (found["PET_NNODES"], found["PET_RDZV_ENDPOINT"]) == (nodes, endpoint)
    assert found["PET_RDZV_BACKEND"] == policy.get("rdzvBackend", "c10d")


def test_tensorflow(framework, read):
    job = read("TFJob", {"Worker": 2, "PS": 1, "Chief": 1})
    config = told(framework, job, "Worker", 1)["TF_CONFIG"]
    assert config == (
        '{"cluster":{"chief":["train-chief-0.team.svc:2222"],"ps":["train-ps-0.team.svc:2222"],'
        '"worker":["train-worker-0.team.svc:2222","train-worker-1.team.svc:2222"]},'
        '"task":{"type":"worker","index":1},"environment":"cloud"}'
    )


def test_tensorflow_of_one_replica_is_not_distributed(framework, read):
    assert told(framework, read("TFJob", {"Worker": 1}), "Worker", 0) == {}


@pytest.mark.parametrize(
    ("role", "index", "cluster"),
    [
        ("Worker", 1, {"worker": {"1": "train-worker-1.team.svc:2222"}, "ps": ["train-ps-0.team.svc:2222"]}),
        ("PS", 0, {"worker": {}, "ps": ["train-ps-0.team.svc:2222"]}),
    ],
)
def test_tensorflow_whose_workers_come_and_go(framework, read, role, index, cluster):
    job = read("TFJob", {"Worker": 2, "PS": 1}, enableDynamicWorker=True)
    found = json.loads(told(framework, job, role, index)["TF_CONFIG"])
    assert found == {"cluster": cluster, "task": {"type": role.lower(), "index": index}}


def test_tensorflow_tells_only_the_container_that_trains(framework, read):
    containers = [{"name": "side", "image": "a"}, {"name": "tensorflow", "image": "b"}]
    worker = {"replicas": 2, "template": {"spec": {"containers": containers}}}
    pod = desired_pod(framework("TFJob"), read("TFJob", {"Worker": worker}), Slot("Worker", 0), PodOptions())
    assert [[each["name"] for each in c.get("env", ())] for c in pod["spec"]["containers"]] == [
        [],
        ["TF_CONFIG"],
    ]


def test_xgboost(framework, read):
    job = read("XGBoostJob", {"Master": 1, "Worker": 2})
    assert told(framework, job, "Worker", 1) == {
        "MASTER_PORT": "9999",
        "MASTER_ADDR": "train-master-0",
        "WORLD_SIZE": "3",
        "RANK": "2",
        "PYTHONUNBUFFERED": "1",
        "WORKER_PORT": "9999",
        "WORKER_ADDRS": "train-worker-0,train-worker-1",
    }
    alone = told(framework, read("XGBoostJob", {"Master": 1}), "Master", 0)
    assert alone["RANK"] == "0"
    assert "WORKER_ADDRS" not in alone


def test_jax(framework, read):
    assert told(framework, read("JAXJob", {"Worker": 3}), "Worker", 2) == {
        "PYTHONUNBUFFERED": "1",
        "COORDINATOR_PORT": "6666",
        "COORDINATOR_ADDRESS": "train-worker-0",
        "NUM_PROCESSES": "3",
        "PROCESS_ID": "2",
    }


ADDRESS = {"fieldRef": {"fieldPath": "status.podIP"}}


@pytest.mark.parametrize(
    ("roles", "role", "index", "expected"),
    [
        ({"Worker": 2}, "Worker", 0, {"POD_IP_DUMMY": ADDRESS, "PADDLE_MASTER": "$(POD_IP_DUMMY):36543"}),
        ({"Worker": 2}, "Worker", 1, {"PADDLE_MASTER": "train-worker-0:36543"}),
        (
            {"Master": 1, "Worker": 1},
            "Master",
            0,
            {
                "POD_IP_DUMMY": ADDRESS,
                "PADDLE_MASTER": "$(POD_IP_DUMMY):36543",
                "PADDLE_SERVER_NUM": "1",
            },
        ),
        (
            {"Master": 1, "Worker": 1},
            "Worker",
            0,
            {"PADDLE_MASTER": "train-master-0:36543", "PADDLE_TRAINER_NUM": "1"},
        ),
    ],
    ids=["collective-host", "collective", "servers-host", "servers-worker"],
)
def test_paddle(framework, read, roles, role, index, expected):
    basis = {"PYTHONUNBUFFERED": "1", "PADDLE_JOB_ID": "train", "PADDLE_NNODES": "2"}
    assert told(framework, read("PaddleJob", roles), role, index) == {**basis, **expected}
