"""Which of the two contracts an MPIJob was written for. Pure.

Upstream has two kinds of the same name and of two operators: `kubeflow.org/v1` of training-operator and
`kubeflow.org/v2beta1` of mpi-operator; whoever installs both has one of them. Here one definition serves both versions,
and what a job was written as decides who its launcher is and how ranks are started.
"""

from __future__ import annotations

from typing import Any, Literal

from sampan.components.training.api.kinds import GROUP
from sampan.kube import meta
from sampan.kube.meta import Object

MpiVersion = Literal["v1", "v2beta1"]
API_VERSION = "training.sampan.dev/api-version"
"""An annotation that admission writes when a job is created: the version in which it was."""

_ONLY_V2 = ("sshAuthMountPath", "mpiImplementation", "launcherCreationPolicy", "runLauncherAsWorker")
_ONLY_V1 = ("mainContainer", "cleanPodPolicy")


def mpi_version(job: Object) -> MpiVersion:
    """By what admission noted, else (a cluster without our admission) by who wrote it how, else by its fields."""
    noted = _known(meta.annotations(job).get(API_VERSION))
    return noted or _written(job) or _by_fields(meta.spec(job)) or _known(job.get("apiVersion")) or "v1"


def _known(text: Any) -> MpiVersion | None:
    version = str(text or "").removeprefix(f"{GROUP}/")
    if version == "v1":
        return "v1"
    return "v2beta1" if version == "v2beta1" else None


def _written(job: Object) -> MpiVersion | None:
    """The version of the oldest write of its spec that field managers tell of."""
    writes = [
        each
        for each in meta.metadata(job).get("managedFields") or ()
        if isinstance(each, dict) and "f:spec" in (each.get("fieldsV1") or {})
    ]
    if not writes:
        return None
    return _known(min(writes, key=lambda each: str(each.get("time") or "")).get("apiVersion"))


def _by_fields(spec: Any) -> MpiVersion | None:
    if any(spec.get(field) for field in _ONLY_V2):
        return "v2beta1"
    return "v1" if any(spec.get(field) for field in _ONLY_V1) else None
