"""What jobs mean where they say nothing. Cases by upstream's tests (training-operator 1.9, mpi-operator 0.8)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.defaults import defaulted

_FIELDS = {kind: each.replica_specs for kind, each in CONTRACTS.items()}


def job(kind: str, roles: dict[str, Any], version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"kubeflow.org/{version}",
        "kind": kind,
        "metadata": {"name": "j"},
        "spec": {_FIELDS[kind]: roles, **spec},
    }


def replica(*containers: str, **more: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": name} for name in containers]}}, **more}


def roles_of(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = defaulted(job)["spec"][_FIELDS[job["kind"]]]
    return found


@pytest.mark.parametrize(
    ("kind", "container", "port_name", "port", "policy"),
    [
        ("TFJob", "tensorflow", "tfjob-port", 2222, "Never"),
        ("PyTorchJob", "pytorch", "pytorchjob-port", 23456, "OnFailure"),
        ("XGBoostJob", "xgboost", "xgboostjob-port", 9999, "Never"),
        ("JAXJob", "jax", "jaxjob-port", 6666, "Never"),
        ("PaddleJob", "paddle", "master", 36543, "OnFailure"),
    ],
)
def test_replicas_policy_and_port(kind: str, container: str, port_name: str, port: int, policy: str) -> None:
    given = job(kind, {"worker": replica("sidecar", container)})
    before = deepcopy(given)
    made = defaulted(given)
    assert given == before
    assert made["spec"]["runPolicy"] == {"cleanPodPolicy": "None"}
    worker = made["spec"][_FIELDS[kind]]["Worker"]
    assert (worker["replicas"], worker["restartPolicy"]) == (1, policy)
    assert worker["template"]["spec"]["containers"] == [
        {"name": "sidecar"},
        {"name": container, "ports": [{"name": port_name, "containerPort": port}]},
    ]
    assert defaulted(made) == made


def test_what_is_said_stays() -> None:
    said = replica("tensorflow", replicas=0, restartPolicy="ExitCode")
    said["template"]["spec"]["containers"][0]["ports"] = [{"name": "tfjob-port", "containerPort": 4711}]
    given = job("TFJob", {"PS": said}, runPolicy={"cleanPodPolicy": "All"}, successPolicy="AllWorkers")
    assert defaulted(given) == given


def test_another_port_does_not_stand_for_the_kinds_own() -> None:
    said = replica("jax")
    said["template"]["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": 6666}]
    ports = roles_of(job("JAXJob", {"Worker": said}))["Worker"]["template"]["spec"]["containers"][0]["ports"]
    assert [port["name"] for port in ports] == ["web", "jaxjob-port"]


def test_the_first_container_stands_for_one_that_has_the_kinds_name() -> None:
    containers = roles_of(job("PyTorchJob", {"Master": replica("a", "b")}))["Master"]["template"]["spec"][
        "containers"
    ]
    assert [bool(each.get("ports")) for each in containers] == [True, False]


def test_names_of_roles_are_spelled_as_upstream_does() -> None:
    roles = {"ps": replica("tensorflow"), "WORKER": replica("tensorflow"), "evaluator": replica("tensorflow")}
    assert set(roles_of(job("TFJob", roles))) == {"PS", "Worker", "Evaluator"}
    both = {"worker": replica("tensorflow", replicas=7), "Worker": replica("tensorflow", replicas=2)}
    assert roles_of(job("TFJob", both))["Worker"]["replicas"] == 2
    assert set(roles_of(job("TFJob", {"Stranger": replica("tensorflow")}))) == {"Stranger"}


@pytest.mark.parametrize("kind", ["PyTorchJob", "PaddleJob"])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, (3, 3)),
        ({"minReplicas": 1}, (1, 1)),
        ({"maxReplicas": 4}, (4, 4)),
        ({"minReplicas": 1, "maxReplicas": 4}, (1, 4)),
        ({"minReplicas": None, "maxReplicas": 4}, (4, 4)),
    ],
)
def test_elastic_policy(kind: str, policy: dict[str, Any], expected: tuple[int, int]) -> None:
    given = job(kind, {"worker": replica(CONTRACTS[kind].container, replicas=3)}, elasticPolicy=policy)
    made = defaulted(given)["spec"]["elasticPolicy"]
    assert (made["minReplicas"], made["maxReplicas"]) == expected


def test_elastic_policy_without_workers_has_no_bounds_to_take() -> None:
    given = job("PyTorchJob", {"Master": replica("pytorch")}, elasticPolicy={})
    assert defaulted(given)["spec"]["elasticPolicy"] == {}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "auto"),
        ({"nprocPerNode": "gpu"}, "gpu"),
        ({"elasticPolicy": {"nProcPerNode": 2}}, None),
        ({"elasticPolicy": {"rdzvBackend": "c10d"}}, "auto"),
    ],
)
def test_processes_per_node(spec: dict[str, Any], expected: str | None) -> None:
    given = job("PyTorchJob", {"Worker": replica("pytorch")}, **spec)
    assert defaulted(given)["spec"].get("nprocPerNode") == expected


def test_mpi_v1() -> None:
    given = job("MPIJob", {"Launcher": replica("mpi"), "Worker": replica("mpi")})
    made = defaulted(given)["spec"]
    assert made["cleanPodPolicy"] == "None"
    assert made["runPolicy"] == {"cleanPodPolicy": "None"}
    assert "slotsPerWorker" not in made
    roles = made["mpiReplicaSpecs"]
    assert [(roles[each]["replicas"], roles[each]["restartPolicy"]) for each in ("Launcher", "Worker")] == [
        (1, "Never"),
        (0, "Never"),
    ]
    assert "ports" not in roles["Launcher"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("place", ["spec", "runPolicy"])
def test_mpi_v1_with_a_policy_in_one_place(place: str) -> None:
    spec = {"cleanPodPolicy": "All"} if place == "spec" else {"runPolicy": {"cleanPodPolicy": "All"}}
    made = defaulted(job("MPIJob", {"Launcher": replica("mpi")}, **spec))["spec"]
    assert made.get("cleanPodPolicy") == ("All" if place == "spec" else None)
    assert made["runPolicy"] == ({} if place == "spec" else {"cleanPodPolicy": "All"})


def test_mpi_v2() -> None:
    made = defaulted(job("MPIJob", {"Launcher": replica("l"), "Worker": replica("w")}, "v2beta1"))["spec"]
    roles = made.pop("mpiReplicaSpecs")
    assert made == {
        "runPolicy": {"cleanPodPolicy": "None"},
        "slotsPerWorker": 1,
        "sshAuthMountPath": "/root/.ssh",
        "mpiImplementation": "OpenMPI",
        "launcherCreationPolicy": "AtStartup",
    }
    assert [(roles[each]["replicas"], roles[each]["restartPolicy"]) for each in ("Launcher", "Worker")] == [
        (1, "OnFailure"),
        (0, "Never"),
    ]


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {},
        {"pytorchReplicaSpecs": None},
        {"pytorchReplicaSpecs": {"Worker": None}},
        {"pytorchReplicaSpecs": {"Worker": {"template": {"spec": {"containers": []}}}}},
        {"pytorchReplicaSpecs": {"Worker": {"template": {"spec": {"containers": [None]}}}}},
        {"pytorchReplicaSpecs": [], "elasticPolicy": "yes"},
    ],
)
def test_nonsense_is_nobodys_end(spec: Any) -> None:
    made = defaulted({"kind": "PyTorchJob", "spec": spec})
    assert made["spec"]["runPolicy"] == {"cleanPodPolicy": "None"}


def test_other_kinds_are_left_alone() -> None:
    assert defaulted({"kind": "TrainJob", "spec": {}}) == {"kind": "TrainJob", "spec": {}}
