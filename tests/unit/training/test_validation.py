"""What of Training Operator's jobs is refused. Cases by upstream's tests (training-operator 1.9, mpi-operator 0.8)."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.mpi_version import API_VERSION
from sampan.components.training.engine.validation import mpi, operator
from sampan.kube.fielderrors import FieldErrors

MPI = "spec.mpiReplicaSpecs"


def replica(name: str, image: str = "python:3.11", **more: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": name, "image": image}]}}, **more}


def job(kind: str, roles: Any, name: str = "train", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {CONTRACTS[kind].replica_specs: roles, **spec},
    }


def problems(obj: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    errors = FieldErrors()
    (mpi.check if obj["kind"] == "MPIJob" else operator.check)(obj, old, errors)
    return {cause.field: cause.message for cause in errors.causes}


GOOD = {
    "TFJob": {"Chief": replica("tensorflow"), "Worker": replica("tensorflow", replicas=2)},
    "PyTorchJob": {"Master": replica("pytorch", replicas=1), "Worker": replica("pytorch")},
    "XGBoostJob": {"Master": replica("xgboost", replicas=1), "Worker": replica("xgboost", replicas=0)},
    "JAXJob": {"Worker": replica("jax")},
    "PaddleJob": {"Master": replica("paddle"), "Worker": replica("paddle")},
    "MPIJob": {"Launcher": replica("mpi"), "Worker": replica("anything")},
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_right_passes(kind: str) -> None:
    assert problems(job(kind, GOOD[kind])) == {}


OPERATOR_KINDS = [kind for kind in GOOD if kind != "MPIJob"]


@pytest.mark.parametrize("kind", OPERATOR_KINDS)
def test_rules_of_all_kinds(kind: str) -> None:
    contract = CONTRACTS[kind]
    path = f"spec.{contract.replica_specs}"
    (name,) = problems(job(kind, GOOD[kind], "1st")).items()
    assert name[0] == "metadata.name"
    assert name[1].startswith('Invalid value: "1st": should match: a DNS-1035 label must consist of')
    assert problems(job(kind, None))[path] == "Required value: must be required"
    role = contract.roles[0] if kind in ("PyTorchJob", "XGBoostJob") else "Worker"
    containers = f"{path}[{role}].template.spec.containers"

    def with_(spec: dict[str, Any]) -> dict[str, str]:
        return problems(job(kind, {**GOOD[kind], role: {"replicas": 1, "template": {"spec": spec}}}))

    wrong = with_({"containers": [{"name": contract.container}, {"name": "b", "image": "x"}]})
    assert wrong == {f"{containers}[0].image": "Required value: must be required"}
    quoted = f'"{contract.container}"' if kind == "PaddleJob" else contract.container
    assert with_({"containers": [{"name": "other", "image": "x"}]}) == {
        containers: f"Required value: must have at least one container with name {quoted}"
    }


@pytest.mark.parametrize("kind", OPERATOR_KINDS)
def test_no_containers(kind: str) -> None:
    errors = FieldErrors()
    role = CONTRACTS[kind].roles[0]
    operator.check(job(kind, {**GOOD[kind], role: {"replicas": 1}}), None, errors)
    assert "Required value: must be specified" in [cause.message for cause in errors.causes]


@pytest.mark.parametrize("kind", ["PyTorchJob", "XGBoostJob", "JAXJob", "PaddleJob"])
def test_roles_that_a_kind_does_not_have(kind: str) -> None:
    contract = CONTRACTS[kind]
    found = problems(job(kind, {**GOOD[kind], "worker": replica(contract.container)}))
    listed = ", ".join(f'"{role}"' for role in contract.roles)
    path = f"spec.{contract.replica_specs}[worker]"
    assert found == {path: f'Unsupported value: "worker": supported values: {listed}'}


def test_tensorflow_takes_any_role_but_one_chief() -> None:
    assert problems(job("TFJob", {"Stranger": replica("tensorflow")})) == {}
    both = {"Chief": replica("tensorflow"), "Master": replica("tensorflow")}
    assert problems(job("TFJob", both)) == {
        "spec.tfReplicaSpecs": "Forbidden: must not have more than 1 Chief or Master role"
    }


@pytest.mark.parametrize("kind", ["PyTorchJob", "XGBoostJob"])
@pytest.mark.parametrize("replicas", [None, 0, 2])
def test_one_master(kind: str, replicas: int | None) -> None:
    contract = CONTRACTS[kind]
    roles = {**GOOD[kind], "Master": replica(contract.container, replicas=replicas)}
    assert problems(job(kind, roles)) == {
        f"spec.{contract.replica_specs}[Master].replicas": "Forbidden: must be 1"
    }


def test_masters_and_workers() -> None:
    assert problems(job("XGBoostJob", {"Worker": replica("xgboost")})) == {
        "spec.xgbReplicaSpecs[Master]": "Required value: must be present"
    }
    assert problems(job("PyTorchJob", {"Worker": replica("pytorch", replicas=0)})) == {
        "spec.pytorchReplicaSpecs[Worker].replicas": "Forbidden: must be at least 1"
    }
    assert problems(job("PyTorchJob", {"Worker": replica("pytorch")})) == {}


def test_elastic_policy() -> None:
    alone = {"Master": replica("pytorch", replicas=1)}
    assert problems(job("PyTorchJob", alone, elasticPolicy={})) == {
        "spec.pytorchReplicaSpecs[Worker]": "Required value: must be configured if elastic policy is used"
    }
    both = job("PyTorchJob", GOOD["PyTorchJob"], elasticPolicy={"nProcPerNode": 1}, nprocPerNode="1")
    assert problems(both) == {
        "spec.elasticPolicy.nProcPerNode": "Forbidden: must not be used with spec.nprocPerNode"
    }
    one = job("PyTorchJob", GOOD["PyTorchJob"], elasticPolicy={"nProcPerNode": 1})
    assert problems(one) == {}


@pytest.mark.parametrize("kind", GOOD)
def test_who_manages_a_job(kind: str) -> None:
    def managed(manager: str | None) -> dict[str, Any]:
        return job(kind, GOOD[kind], runPolicy={} if manager is None else {"managedBy": manager})

    ours, theirs = "kubeflow.org/training-operator", "kueue.x-k8s.io/multikueue"
    path = "spec.runPolicy.managedBy"
    assert problems(managed(ours)) == problems(managed(theirs)) == {}
    assert problems(managed(ours), managed(ours)) == problems(managed(None), managed(None)) == {}
    assert problems(managed("me")) == {
        path: f'Unsupported value: "me": supported values: "{ours}", "{theirs}"'
    }
    for before, after in ((ours, theirs), (None, ours), (theirs, None)):
        assert problems(managed(after), managed(before))[path].endswith("field is immutable")


# MPIJob v1: the first problem alone.


@pytest.mark.parametrize(
    ("roles", "field", "message"),
    [
        (None, MPI, "MPIReplicaSpecs is not valid"),
        (
            {"Launcher": {}},
            f"{MPI}[Launcher].template.spec.containers",
            "MPIReplicaSpecs is not valid: containers definition expected in Launcher",
        ),
        (
            {"Boss": replica("mpi")},
            f"{MPI}[Boss]",
            "MPIReplicaType is Boss but must be one of [Launcher Worker]",
        ),
        (
            {"Launcher": replica("mpi", "")},
            f"{MPI}[Launcher].template.spec.containers[0].image",
            "MPIReplicaSpec is not valid: Image is undefined in the container of Launcher",
        ),
        (
            {"Launcher": replica("")},
            f"{MPI}[Launcher].template.spec.containers[0].name",
            "MPIReplicaSpec is not valid: ImageName is undefined in the container of Launcher",
        ),
        (
            {"Launcher": replica("mpi", replicas=2), "Worker": {}},
            f"{MPI}[Launcher].replicas",
            "MPIReplicaSpec is not valid: There must be only 1 launcher replica",
        ),
        (
            {"Worker": replica("mpi")},
            f"{MPI}[Launcher]",
            "MPIReplicaSpec is not valid: Master ReplicaSpec must be present",
        ),
    ],
)
def test_mpi_v1(roles: Any, field: str, message: str) -> None:
    found = problems(job("MPIJob", roles))
    assert list(found) == [field]
    assert found[field].endswith(message)


# MPIJob v2beta1.


def mpi_v2(roles: Any, name: str = "train", **spec: Any) -> dict[str, Any]:
    made = job("MPIJob", roles, name, **spec)
    made["metadata"]["annotations"] = {API_VERSION: "v2beta1"}
    return made


TWO = {"Launcher": replica("l"), "Worker": replica("w", replicas=2)}


@pytest.mark.parametrize(
    ("obj", "field", "message"),
    [
        (mpi_v2(None), MPI, "Required value: must have replica specs"),
        (mpi_v2({"Worker": replica("w", replicas=1)}), f"{MPI}[Launcher]", "must have Launcher replica spec"),
        (mpi_v2({**TWO, "Launcher": replica("l", replicas=2)}), f"{MPI}[Launcher].replicas", "2: must be 1"),
        (
            mpi_v2({**TWO, "Worker": replica("w")}),
            f"{MPI}[Worker].replicas",
            "0: must be greater than or equal to 1",
        ),
        (
            mpi_v2({**TWO, "Worker": replica("w", replicas=1, restartPolicy="Always")}),
            f"{MPI}[Worker].restartPolicy",
            'Unsupported value: "Always": supported values: "Never", "OnFailure"',
        ),
        (
            mpi_v2({**TWO, "Launcher": {"template": {}}}),
            f"{MPI}[Launcher].template.spec.containers",
            "must define at least one container",
        ),
        (mpi_v2(TWO, slotsPerWorker=-1), "spec.slotsPerWorker", "-1: must be greater than or equal to 0"),
        (
            mpi_v2(TWO, runPolicy={"backoffLimit": -1}),
            "spec.runPolicy.backoffLimit",
            "-1: must be greater than or equal to 0",
        ),
        (
            mpi_v2(TWO, runPolicy={"ttlSecondsAfterFinished": -1}),
            "spec.runPolicy.ttlSecondsAfterFinished",
            "-1: must be greater than or equal to 0",
        ),
        (
            mpi_v2(TWO, runPolicy={"activeDeadlineSeconds": -1}),
            "spec.runPolicy.activeDeadlineSeconds",
            "-1: must be greater than or equal to 0",
        ),
        (
            mpi_v2(TWO, runPolicy={"cleanPodPolicy": "Some"}),
            "spec.runPolicy.cleanPodPolicy",
            'supported values: "All", "None", "Running"',
        ),
        (
            mpi_v2(TWO, runPolicy={"managedBy": "kubeflow.org/training-operator"}),
            "spec.runPolicy.managedBy",
            'supported values: "kubeflow.org/mpi-operator", "kueue.x-k8s.io/multikueue"',
        ),
        (mpi_v2(TWO, mpiImplementation="LAM"), "spec.mpiImplementation", '"Intel", "MPICH", "OpenMPI"'),
        (mpi_v2(TWO, "1st"), "metadata.name", 'invalid DNS label "1st-worker-1": a DNS-1035 label'),
        (
            mpi_v2({**TWO, "Worker": replica("w", replicas=100)}, "a" * 54),
            "metadata.name",
            "must be no more than 63",
        ),
    ],
)
def test_mpi_v2(obj: dict[str, Any], field: str, message: str) -> None:
    assert message in problems(obj)[field]


def test_mpi_v2_that_is_right() -> None:
    assert problems(mpi_v2(TWO)) == {}
    assert problems(mpi_v2({"Launcher": replica("l")})) == {}


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize(
    "nonsense", [[], "roles", {"Worker": None}, {"Worker": {"template": {"spec": {"containers": "x"}}}}]
)
def test_nonsense_is_told_of(kind: str, nonsense: Any) -> None:
    assert problems(job(kind, nonsense))
