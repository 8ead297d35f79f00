"""What is asked for beside an object, so that its page can say more: its pods, its usage, its endpoints. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.dashboard.kubernetes import tables
from sampan.dashboard.kubernetes.described import Object, name_of, namespace_of
from sampan.dashboard.kubernetes.kinds import Catalogue
from sampan.kube import selectors
from sampan.kube.errors import ApiError
from sampan.ui.api import JSON, segment

_MOST = "500"


@dataclass(frozen=True, slots=True)
class Ask:
    name: str
    """Under which a description finds the answer."""
    path: str
    query: Mapping[str, str] = field(default_factory=dict, hash=False)
    accept: str = JSON
    is_usage: bool = False
    """Asked for now and then, and often not there."""


def asks(obj: Object, catalogue: Catalogue) -> list[Ask]:
    kind, namespace, name = str(obj.get("kind")), namespace_of(obj), name_of(obj)
    spec = obj.get("spec") or {}
    found: list[Ask] = []

    def add(
        plural: str, in_namespace: str, query: Mapping[str, str], accept: str = JSON, called: str = ""
    ) -> None:
        known = catalogue.lookup(plural)
        if known is not None:
            path = known.path(in_namespace)
            found.append(Ask(called or plural, path, {"limit": _MOST, **query}, accept))

    if kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"):
        chosen = _selector(spec.get("selector"))
        if chosen:
            add("pods", namespace, {"labelSelector": chosen}, tables.TABLE)
            if kind == "Deployment":
                add("replicasets", namespace, {"labelSelector": chosen}, tables.TABLE)
    elif kind == "CronJob":
        add("jobs", namespace, {}, tables.TABLE)
    elif kind == "Service":
        if spec.get("selector"):
            add("pods", namespace, {"labelSelector": selectors.format_labels(spec["selector"])}, tables.TABLE)
        endpoints = catalogue.lookup("endpoints")
        if endpoints is not None:
            found.append(Ask("endpoints", endpoints.path(namespace, name), is_usage=True))
    elif kind == "PersistentVolumeClaim":
        add("pods", namespace, {}, called="namespace_pods")
    elif kind == "Node":
        add("pods", "", {"fieldSelector": f"spec.nodeName={name}"}, called="node_pods")
        found.append(Ask("metrics", f"/apis/metrics.k8s.io/v1beta1/nodes/{segment(name)}", is_usage=True))
    elif kind == "Pod":
        add("nodes", "", {})
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{segment(namespace)}/pods/{segment(name)}"
        found.append(Ask("metrics", path, is_usage=True))
    return found


def pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(name)}"


def _selector(selector: Any) -> str:
    try:
        return selectors.format_selector(selector or {})
    except (ApiError, AttributeError, TypeError):
        return ""


OWNABLE: Sequence[str] = (
    "replicasets",
    "deployments",
    "statefulsets",
    "daemonsets",
    "jobs",
    "jobsets.jobset.x-k8s.io",
    "pods",
    "services",
    "endpointslices",
    "configmaps",
    "secrets",
    "persistentvolumeclaims",
    "workflows.argoproj.io",
    "controllerrevisions",
    "poddisruptionbudgets",
)
"""Kinds that are looked through for what belongs to an object."""
