"""MPIJobs: each by the rules of the operator it was written for.

Upstream's operators check them when they come to them: v1 says so in an event and goes on trying, v2beta1 in an event
alone. Refused when they are written, nobody has to look for that. Source: kubeflow/training-operator 1.9
pkg/apis/kubeflow.org/v1/mpi_validation.go, kubeflow/mpi-operator 0.8 pkg/apis/kubeflow/validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.defaults import defaulted
from sampan.components.training.api.mpi_version import mpi_version
from sampan.components.training.engine.validation import operator
from sampan.components.training.engine.validation.reading import at, each, number
from sampan.kube import meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

MANAGERS_V2 = ("kubeflow.org/mpi-operator", "kueue.x-k8s.io/multikueue")
_PATH = "spec.mpiReplicaSpecs"
_ROLES = CONTRACTS["MPIJob"].roles


def check(job: Object, old: Object | None, errors: FieldErrors) -> None:
    if mpi_version(job) == "v1":
        operator.check_manager(job, old, operator.MANAGERS, errors)
        _check_v1(meta.spec(job).get("mpiReplicaSpecs"), errors)
    else:
        # As mpi-operator does: what is missing has its default by then.
        job = defaulted(job)
        operator.check_manager(job, old, MANAGERS_V2, errors)
        _check_v2(job, errors)


def _check_v1(roles: Any, errors: FieldErrors) -> None:
    """Only the first that is wrong is told of."""
    if not isinstance(roles, Mapping):
        errors.required(_PATH, "MPIReplicaSpecs is not valid")
        return
    for role, replica in roles.items():
        place = f"{_PATH}[{role}]"
        containers = list(each(replica, "template", "spec", "containers"))
        path = f"{place}.template.spec.containers"
        if not containers:
            detail = f"MPIReplicaSpecs is not valid: containers definition expected in {role}"
            errors.required(path, detail)
            return
        if role not in _ROLES:
            detail = f"MPIReplicaType is {role} but must be one of [{' '.join(_ROLES)}]"
            errors.invalid_as_a_whole(place, detail)
            return
        for number_, container in enumerate(containers):
            for key, word in (("image", "Image"), ("name", "ImageName")):
                if not container.get(key):
                    detail = f"MPIReplicaSpec is not valid: {word} is undefined in the container of {role}"
                    errors.required(f"{path}[{number_}].{key}", detail)
                    return
        replicas = at(replica).get("replicas")
        if role == "Launcher" and replicas is not None and replicas != 1:
            detail = "MPIReplicaSpec is not valid: There must be only 1 launcher replica"
            errors.invalid(f"{place}.replicas", replicas, detail)
            return
    if "Launcher" not in roles:
        errors.required(
            f"{_PATH}[Launcher]", "MPIReplicaSpec is not valid: Master ReplicaSpec must be present"
        )


def _check_v2(job: Object, errors: FieldErrors) -> None:
    spec = meta.spec(job)
    roles = at(spec, "mpiReplicaSpecs")
    workers = max(number(at(roles, "Worker").get("replicas")) or 1, 1)
    host = f"{meta.name(job)}-worker-{workers - 1}"
    if problems := names.dns_1035_label(host):
        detail = (
            f'will not able to create pod and service with invalid DNS label "{host}": {", ".join(problems)}'
        )
        errors.invalid("metadata.name", meta.name(job), detail)
    if not isinstance(spec.get("mpiReplicaSpecs"), Mapping):
        errors.required(_PATH, "must have replica specs")
    else:
        _launcher(roles.get("Launcher"), errors)
        _worker(roles.get("Worker"), errors)
    _not_negative(spec, "slotsPerWorker", "spec", errors)
    _run_policy(at(spec, "runPolicy"), errors)
    implementation = spec.get("mpiImplementation")
    if implementation not in ("OpenMPI", "Intel", "MPICH"):
        errors.unsupported("spec.mpiImplementation", implementation, ("OpenMPI", "Intel", "MPICH"))


def _run_policy(policy: Mapping[str, Any], errors: FieldErrors) -> None:
    clean = policy.get("cleanPodPolicy")
    if clean not in ("None", "Running", "All"):
        errors.unsupported("spec.runPolicy.cleanPodPolicy", clean, ("None", "Running", "All"))
    for key in ("ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit"):
        _not_negative(policy, key, "spec.runPolicy", errors)


def _not_negative(holder: Mapping[str, Any], key: str, path: str, errors: FieldErrors) -> None:
    value = number(holder.get(key))
    if value is not None and value < 0:
        errors.invalid(f"{path}.{key}", value, "must be greater than or equal to 0")


def _launcher(replica: Any, errors: FieldErrors) -> None:
    place = f"{_PATH}[Launcher]"
    if not isinstance(replica, Mapping):
        errors.required(place, "must have Launcher replica spec")
        return
    _replica(replica, place, errors)
    if replica.get("replicas") != 1:
        errors.invalid(f"{place}.replicas", replica.get("replicas"), "must be 1")


def _worker(replica: Any, errors: FieldErrors) -> None:
    if not isinstance(replica, Mapping):
        return
    place = f"{_PATH}[Worker]"
    _replica(replica, place, errors)
    replicas = number(replica.get("replicas"))
    if replicas is not None and replicas <= 0:
        errors.invalid(f"{place}.replicas", replicas, "must be greater than or equal to 1")


def _replica(replica: Mapping[str, Any], place: str, errors: FieldErrors) -> None:
    policy = replica.get("restartPolicy")
    if policy not in ("Never", "OnFailure"):
        errors.unsupported(f"{place}.restartPolicy", policy, ("Never", "OnFailure"))
    if not list(each(replica, "template", "spec", "containers")):
        errors.required(f"{place}.template.spec.containers", "must define at least one container")
