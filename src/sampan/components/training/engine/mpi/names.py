"""What the children of an MPIJob are called, and the files that they are given.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/mpi/mpijob.go, kubeflow/mpi-operator v0.8
pkg/controller/mpi_job_controller.go.
"""

from __future__ import annotations

from typing import Any

from sampan.kube.meta import Object

LAUNCHER, WORKER = "Launcher", "Worker"
CONFIG_VOLUME, CONFIG_PATH = "mpi-job-config", "/etc/mpi"
HOSTFILE, DISCOVER_HOSTS, KUBEXEC = "hostfile", "discover_hosts.sh", "kubexec.sh"


def launcher_name(job: str) -> str:
    return f"{job}-launcher"


def worker_name(job: str, index: int) -> str:
    return f"{job}-worker-{index}"


def config_name(job: str) -> str:
    return f"{job}-config"


def config_volume(job: str, files: dict[str, int]) -> Object:
    """Of the job's ConfigMap: the files, each with its mode."""
    items = [{"key": name, "path": name, "mode": mode} for name, mode in files.items()]
    return {"name": CONFIG_VOLUME, "configMap": {"name": config_name(job), "items": items}}


def env(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


def with_first(containers: list[Object], **added: list[Any]) -> list[Object]:
    """The containers, with lists of the first one made longer: of an MPIJob's pods it is the one that counts."""
    first = dict(containers[0])
    for key, values in added.items():
        first[key] = [*(first.get(key) or ()), *values]
    return [first, *containers[1:]]
