"""A training job of any kind in short."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.api.kinds import MPI_JOBS, PYTORCH_JOBS, TF_JOBS, TRAIN_JOBS
from sampan.components.training.api.summary import State, in_order, rank_of, resource_of, summarise


def job(kind: str, conditions: list[tuple[str, str]], **status: Any) -> dict[str, Any]:
    said = [{"type": type_, "status": value, "reason": f"{kind}{type_}"} for type_, value in conditions]
    return {
        "kind": kind,
        "metadata": {"name": "train", "namespace": "team", "uid": "u"},
        "spec": {"pytorchReplicaSpecs": {"Worker": {"replicas": 3}, "Master": {}}},
        "status": {"conditions": said, **status},
    }


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], State.PENDING),
        ([("Created", "True")], State.PENDING),
        ([("Created", "True"), ("Running", "True")], State.RUNNING),
        ([("Created", "True"), ("Running", "False"), ("Succeeded", "True")], State.SUCCEEDED),
        ([("Running", "False"), ("Suspended", "True")], State.SUSPENDED),
        ([("Suspended", "False"), ("Running", "True")], State.RUNNING),
        ([("Restarting", "True"), ("Failed", "True")], State.FAILED),
    ],
)
def test_a_jobs_state_is_its_last_word(conditions: list[tuple[str, str]], expected: State) -> None:
    assert summarise(job("PyTorchJob", conditions)).state is expected


def test_replicas_stand_with_the_master_first() -> None:
    summary = summarise(job("PyTorchJob", [], replicaStatuses={"Worker": {"active": 2, "failed": 1}}))
    assert [(each.role, each.wanted, each.active, each.failed) for each in summary.replicas] == [
        ("Master", 1, 0, 0),
        ("Worker", 3, 2, 1),
    ]


def test_a_train_job_runs_while_its_nodes_are_active() -> None:
    nodes = [{"name": "node", "active": 2}]
    assert summarise(job("TrainJob", [], jobsStatus=nodes)).state is State.RUNNING
    assert summarise(job("TrainJob", [("Complete", "True")], jobsStatus=nodes)).state is State.SUCCEEDED


def test_kinds_are_found_by_what_people_call_them() -> None:
    assert resource_of("pytorchjobs") is PYTORCH_JOBS
    assert resource_of("torch") is PYTORCH_JOBS
    assert resource_of("TFJob") is TF_JOBS
    assert resource_of("mpi") is MPI_JOBS
    assert resource_of("trainjob") is TRAIN_JOBS
    assert resource_of("job") is None


def test_ranks_are_read_from_either_operators_labels() -> None:
    def pod(name: str, **labels: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": labels}}

    master = pod(
        "m", **{"training.kubeflow.org/replica-type": "master", "training.kubeflow.org/replica-index": "0"}
    )
    worker = pod(
        "w", **{"training.kubeflow.org/replica-type": "worker", "training.kubeflow.org/replica-index": "10"}
    )
    node = pod(
        "n",
        **{"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "2"},
    )
    assert [str(rank_of(each)) for each in in_order([node, worker, master])] == [
        "master-0",
        "worker-10",
        "node-2",
    ]


def test_pods_of_mpi_operator_bear_their_role_in_another_label() -> None:
    marks = {"training.kubeflow.org/job-role": "worker", "training.kubeflow.org/replica-index": "3"}
    assert str(rank_of({"metadata": {"labels": marks}})) == "worker-3"
    marks = {"training.kubeflow.org/job-role": "launcher"}
    assert str(rank_of({"metadata": {"labels": marks}})) == "launcher-0"
