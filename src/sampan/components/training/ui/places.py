"""Where jobs and what belongs to them are: paths of the API, and of our own pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.training.api.kinds import (
    ALL_JOB_KINDS,
    CLUSTER_TRAINING_RUNTIMES,
    TRAINING_RUNTIMES,
)
from sampan.components.training.api.summary import Summary, resource_of
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.ui.api import segment

LIST = "/training"
NEW = "/training/new"
RUNTIMES = "/training/runtimes"


def job(resource: Resource, namespace: str, name: str) -> str:
    """The page of a job."""
    return f"{LIST}/{resource.plural}/{segment(namespace)}/{segment(name)}"


def of(summary: Summary) -> str:
    """The page of a job."""
    resource = resource_of(summary.kind)
    return job(resource, summary.namespace, summary.name) if resource is not None else LIST


def runtime(obj: Mapping[str, Any]) -> str:
    """The page of a runtime, of a namespace or of the cluster."""
    namespace, name = meta.namespace(obj), segment(meta.name(obj))
    return f"{RUNTIMES}/{segment(namespace)}/{name}" if namespace else f"{RUNTIMES}/{name}"


def runtime_of(job: Mapping[str, Any]) -> str:
    """The page of the runtime that a TrainJob names."""
    reference: Mapping[str, Any] = meta.spec(job).get("runtimeRef") or {}
    of_namespace = reference.get("kind") == TRAINING_RUNTIMES.kind
    place = f"{segment(meta.namespace(job))}/" if of_namespace else ""
    return f"{RUNTIMES}/{place}{segment(str(reference.get('name') or ''))}"


def api(resource: Resource, namespace: str, name: str = "", subresource: str = "") -> str:
    """The API's path of a collection or an object."""
    return resource.path(segment(namespace), segment(name), subresource)


def cluster(resource: Resource, namespace: str, name: str) -> str:
    """The page of an object among those of the cluster."""
    place = [segment(namespace)] if resource.namespaced else []
    return "/".join(["/cluster", resource.key, *place, segment(name)])


def pod(namespace: str, name: str) -> str:
    return f"/cluster/pods/{segment(namespace)}/{segment(name)}"


def by_plural(plural: str) -> Resource | None:
    """A kind of jobs."""
    return next((each for each in ALL_JOB_KINDS if each.plural == plural), None)


def runtime_kind(namespace: str) -> Resource:
    return TRAINING_RUNTIMES if namespace else CLUSTER_TRAINING_RUNTIMES
