"""The policy `mpi`. Cases by upstream's tests (kubeflow/trainer 2.3 pkg/runtime/framework/plugins/mpi/mpi_test.go)."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.engine.trainer import mpi, plugins
from sampan.components.training.engine.trainer.contract import Info, UnbuildableError
from sampan.components.training.engine.trainer.info import info_of
from sampan.kube.kinds import SECRETS

ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"


def replicated(name: str, ancestor: str = "", **container: Any) -> dict[str, Any]:
    template: dict[str, Any] = {
        "spec": {"template": {"spec": {"containers": [{"name": "node", "image": "a", **container}]}}}
    }
    if ancestor:
        template["metadata"] = {"labels": {ANCESTOR: ancestor}}
    return {"name": name, "template": template}


def enforced(trainer: dict[str, Any], node: dict[str, Any] | None = None, **policy: Any) -> Info:
    policy = {
        "numProcPerNode": 1,
        "mpiImplementation": "OpenMPI",
        "sshAuthMountPath": "/home/mpiuser/.ssh",
        "runLauncherAsNode": True,
        **policy,
    }
    jobs = [replicated("node", **(node or {})), replicated("launcher", "trainer")]
    runtime = {
        "metadata": {"name": "r"},
        "spec": {
            "mlPolicy": {"numNodes": 1, "mpi": policy},
            "template": {"spec": {"replicatedJobs": jobs}},
        },
    }
    job = {
        "metadata": {"name": "job", "namespace": "team", "uid": "u"},
        "spec": {"runtimeRef": {"name": "r"}, "trainer": trainer},
    }
    info = info_of(job, runtime)
    plugins.enforce(info)
    return info


def hosts(info: Info) -> list[str]:
    config_map = mpi.build(info, lambda kind, name: {})[-1]
    assert config_map["metadata"]["name"] == "job-mpi-hostfile"
    return str(config_map["data"]["hostfile"]).splitlines()


def slots(info: Info) -> str:
    pods = info.by_name("launcher")
    assert pods is not None
    told = {each["name"]: each["value"] for each in pods.containers[0]["env"]}
    return str(told["OMPI_MCA_orte_set_default_slots"])


@pytest.mark.parametrize(
    ("nodes", "launcher_is_node", "pods", "listed"),
    [
        (4, True, 3, ["node-0-0", "node-0-1", "node-0-2", "launcher-0-0"]),
        (1, True, 1, ["node-0-0", "launcher-0-0"]),
        (None, True, 1, ["node-0-0", "launcher-0-0"]),
        (3, False, 3, ["node-0-0", "node-0-1", "node-0-2"]),
    ],
)
def test_hosts_are_the_nodes_and_maybe_the_launcher(
    nodes: int | None, launcher_is_node: bool, pods: int, listed: list[str]
) -> None:
    trainer = {} if nodes is None else {"numNodes": nodes}
    info = enforced(trainer, runLauncherAsNode=launcher_is_node)
    node = info.by_name("node")
    assert node is not None
    assert node.count == pods
    assert hosts(info) == [f"job-{name}.job slots=1" for name in listed]


@pytest.mark.parametrize(
    ("trainer", "node", "policy", "count"),
    [
        ({}, None, {}, "1"),
        ({"numProcPerNode": 3}, None, {}, "3"),
        ({}, None, {"numProcPerNode": 2}, "2"),
        ({"resourcesPerNode": {"limits": {"nvidia.com/gpu": 4}}}, None, {}, "4"),
        ({}, {"resources": {"requests": {"nvidia.com/gpu": "2"}}}, {}, "2"),
        ({"resourcesPerNode": {"limits": {"nvidia.com/gpu": 4}}}, None, {"numProcPerNode": 2}, "2"),
    ],
)
def test_a_node_has_so_many_slots(
    trainer: dict[str, Any], node: dict[str, Any] | None, policy: dict[str, Any], count: str
) -> None:
    info = enforced(trainer, node, **policy)
    assert slots(info) == count
    assert hosts(info)[0].endswith(f" slots={count}")


def test_all_pods_have_the_keys_and_the_launcher_the_hosts() -> None:
    info = enforced({"numNodes": 2})
    mounts = {}
    for pods in info.pod_sets:
        mounts[pods.name] = {m["name"]: m["mountPath"] for m in pods.containers[0]["volumeMounts"]}
        (keys, *_) = pods.volumes
        assert keys["secret"]["secretName"] == "job-mpi-ssh-auth"
        assert keys["secret"]["defaultMode"] == 0o400
        modes = {item["path"]: item["mode"] for item in keys["secret"]["items"]}
        assert modes == {"id_rsa": 0o640, "id_rsa.pub": 0o644, "authorized_keys": 0o644}
    assert mounts["node"] == {"mpi-ssh-auth": "/home/mpiuser/.ssh"}
    assert mounts["launcher"] == {"mpi-ssh-auth": "/home/mpiuser/.ssh", "mpi-hostfile": "/etc/mpi"}


def test_the_keys_are_made_once() -> None:
    info = enforced({})
    assert mpi.looks_up(info) == [(SECRETS, "job-mpi-ssh-auth")]
    secret, _ = mpi.build(info, lambda kind, name: None)
    assert secret["type"] == "kubernetes.io/ssh-auth"
    assert secret["immutable"] is True
    assert set(secret["data"]) == {"ssh-privatekey", "ssh-publickey"}
    assert [each["kind"] for each in mpi.build(info, lambda kind, name: secret)] == ["ConfigMap"]


@pytest.mark.parametrize(
    ("trainer", "policy", "says"),
    [
        ({"numProcPerNode": "auto"}, {}, "must be a whole number"),
        ({}, {"mpiImplementation": "Intel"}, "only OpenMPI is supported"),
    ],
)
def test_what_cannot_be_is_named(trainer: dict[str, Any], policy: dict[str, Any], says: str) -> None:
    with pytest.raises(UnbuildableError, match=says):
        enforced(trainer, **policy)
