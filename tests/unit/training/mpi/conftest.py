"""MPIJobs of both contracts as objects, for the pure parts."""

from __future__ import annotations

from typing import Any

import pytest

Object = dict[str, Any]


def mpi_job(version: str, workers: int | None = 2, launcher: Object | None = None, **spec: Any) -> Object:
    """`launcher`: fields of its container."""
    container = {"name": "mpi", "image": "mpioperator/openmpi", **(launcher or {})}
    roles: Object = {"Launcher": {"replicas": 1, "template": {"spec": {"containers": [container]}}}}
    if workers is not None:
        other = {"name": "mpi", "image": "mpioperator/openmpi"}
        roles["Worker"] = {"replicas": workers, "template": {"spec": {"containers": [other]}}}
    return {
        "apiVersion": f"kubeflow.org/{version}",
        "kind": "MPIJob",
        "metadata": {
            "name": "pi",
            "namespace": "team",
            "uid": "job-uid",
            "annotations": {"training.sampan.dev/api-version": version},
        },
        "spec": {"mpiReplicaSpecs": roles, **spec},
    }


@pytest.fixture
def make() -> Any:
    return mpi_job
