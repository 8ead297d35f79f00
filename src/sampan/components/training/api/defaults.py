"""What a job of Training Operator's kinds means where it says nothing. Pure.

Upstream's controllers default each job that they read, whatever admission did, and never write the result back; so do
the reconcilers here, at the top. Source: kubeflow/training-operator 1.9 pkg/apis/kubeflow.org/v1/*_defaults.go and
defaulting_utils.go, kubeflow/mpi-operator 0.8 pkg/apis/kubeflow/v2beta1/default.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from sampan.components.training.api.contracts import CONTRACTS, Contract
from sampan.components.training.api.mpi_version import mpi_version
from sampan.kube.meta import Object

DEFAULT_NPROC_PER_NODE = "auto"
SSH_AUTH_MOUNT_PATH = "/root/.ssh"


def defaulted(job: Object) -> Object:
    """A copy with everything filled in. Names of roles are spelled as upstream spells them."""
    job = deepcopy(job)
    kind = str(job.get("kind") or "")
    contract = CONTRACTS.get(kind)
    if contract is None:
        return job
    spec = _mapping(job, "spec")
    roles = spec.get(contract.replica_specs)
    if kind == "MPIJob":
        _MPI[mpi_version(job)](spec, roles if isinstance(roles, dict) else {})
        return job
    _fill(_mapping(spec, "runPolicy"), "cleanPodPolicy", "None")
    if isinstance(roles, dict):
        spec[contract.replica_specs] = roles = _camel_cased(roles, contract.roles)
        for replica in roles.values():
            if isinstance(replica, dict):
                _fill_replica(replica, 1, contract.restart_policy)
                _fill_port(replica, contract)
    more = _MORE.get(kind)
    if more is not None:
        more(spec, roles if isinstance(roles, dict) else {})
    return job


def _mapping(parent: Object, key: str) -> Object:
    """The mapping at `key`, made where there is none."""
    found = parent.get(key)
    if not isinstance(found, dict):
        found = parent[key] = {}
    return found


def _fill(into: Object, key: str, value: Any) -> None:
    """Null is as good as absent, as in Go."""
    if into.get(key) is None:
        into[key] = value


def _camel_cased(roles: Mapping[str, Any], known: tuple[str, ...]) -> Object:
    """One that is spelled in both ways stays the one that is spelled right."""
    spelled = {name.lower(): name for name in known}
    named: Object = {}
    for name, replica in roles.items():
        right = spelled.get(name.lower(), name)
        if right == name or (right not in roles and right not in named):
            named[right] = replica
    return named


def _fill_replica(replica: Object, replicas: int, restart_policy: str) -> None:
    _fill(replica, "replicas", replicas)
    if not replica.get("restartPolicy"):
        replica["restartPolicy"] = restart_policy


def _fill_port(replica: Object, contract: Contract) -> None:
    """On the container of the kind, or on the first where none has its name."""
    template = replica.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    containers = pod.get("containers") if isinstance(pod, dict) else None
    found = [each for each in containers if isinstance(each, dict)] if isinstance(containers, list) else []
    if not found:
        return
    container = next((each for each in found if each.get("name") == contract.container), found[0])
    ports = container.get("ports")
    ports = list(ports) if isinstance(ports, list) else []
    if not any(isinstance(port, dict) and port.get("name") == contract.port_name for port in ports):
        container["ports"] = [*ports, {"name": contract.port_name, "containerPort": contract.port}]


# What only one kind has.


def _tensorflow(spec: Object, _roles: Object) -> None:
    _fill(spec, "successPolicy", "")


def _pytorch(spec: Object, roles: Object) -> None:
    _elastic(spec, roles)
    elastic = spec.get("elasticPolicy")
    if not isinstance(elastic, dict) or elastic.get("nProcPerNode") is None:
        _fill(spec, "nprocPerNode", DEFAULT_NPROC_PER_NODE)


def _elastic(spec: Object, roles: Object) -> None:
    """One bound stands for the other; with neither both are the number of workers."""
    elastic = spec.get("elasticPolicy")
    if not isinstance(elastic, dict):
        return
    worker = roles.get("Worker")
    workers = worker.get("replicas") if isinstance(worker, dict) else None
    least, most = elastic.get("minReplicas"), elastic.get("maxReplicas")
    for key, value, other in (("minReplicas", least, most), ("maxReplicas", most, least)):
        if value is None:
            meant = other if other is not None else workers
            if meant is not None:
                elastic[key] = meant


def _mpi_v1(spec: Object, roles: Object) -> None:
    """A policy in one of the two places leaves the other as it is; upstream's controller takes runPolicy's first."""
    run_policy = _mapping(spec, "runPolicy")
    if spec.get("cleanPodPolicy") is None and run_policy.get("cleanPodPolicy") is None:
        spec["cleanPodPolicy"] = run_policy["cleanPodPolicy"] = "None"
    _mpi_roles(roles, "Never")


def _mpi_v2(spec: Object, roles: Object) -> None:
    _fill(_mapping(spec, "runPolicy"), "cleanPodPolicy", "None")
    _fill(spec, "slotsPerWorker", 1)
    for key, value in (
        ("sshAuthMountPath", SSH_AUTH_MOUNT_PATH),
        ("mpiImplementation", "OpenMPI"),
        ("launcherCreationPolicy", "AtStartup"),
    ):
        if not spec.get(key):
            spec[key] = value
    _mpi_roles(roles, "OnFailure")


def _mpi_roles(roles: Object, launcher_restart_policy: str) -> None:
    for role, replicas, policy in (("Launcher", 1, launcher_restart_policy), ("Worker", 0, "Never")):
        replica = roles.get(role)
        if isinstance(replica, dict):
            _fill_replica(replica, replicas, policy)


_Fill = Callable[[Object, Object], None]
_MORE: Mapping[str, _Fill] = {"TFJob": _tensorflow, "PyTorchJob": _pytorch, "PaddleJob": _elastic}
_MPI: Mapping[str, _Fill] = {"v1": _mpi_v1, "v2beta1": _mpi_v2}
