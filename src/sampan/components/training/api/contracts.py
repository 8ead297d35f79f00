"""What each of Training Operator's kinds is by itself: its roles, its container, its port. A table, no logic.

Source: kubeflow/training-operator 1.9 pkg/apis/kubeflow.org/v1/*_types.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contract:
    framework: str
    """As the label `operator-name` and metrics have it."""
    replica_specs: str
    """The field of the spec that holds the replicas of each role."""
    roles: tuple[str, ...]
    container: str
    """The container that trains, in each pod."""
    port_name: str
    port: int
    restart_policy: str
    """Of replicas that say nothing of it."""


CONTRACTS: Mapping[str, Contract] = {
    "TFJob": Contract(
        "tensorflow",
        "tfReplicaSpecs",
        ("PS", "Worker", "Chief", "Master", "Evaluator"),
        "tensorflow",
        "tfjob-port",
        2222,
        "Never",
    ),
    "PyTorchJob": Contract(
        "pytorch",
        "pytorchReplicaSpecs",
        ("Master", "Worker"),
        "pytorch",
        "pytorchjob-port",
        23456,
        "OnFailure",
    ),
    "MPIJob": Contract("mpi", "mpiReplicaSpecs", ("Launcher", "Worker"), "mpi", "mpi-port", 9999, "Never"),
    "XGBoostJob": Contract(
        "xgboost", "xgbReplicaSpecs", ("Master", "Worker"), "xgboost", "xgboostjob-port", 9999, "Never"
    ),
    "JAXJob": Contract("jax", "jaxReplicaSpecs", ("Worker",), "jax", "jaxjob-port", 6666, "Never"),
    "PaddleJob": Contract(
        "paddle", "paddleReplicaSpecs", ("Master", "Worker"), "paddle", "master", 36543, "OnFailure"
    ),
}
"""By kind."""
