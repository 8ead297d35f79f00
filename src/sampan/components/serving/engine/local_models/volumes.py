"""The volumes and claims through which Jobs and pods see what a node group keeps.

Each is a PersistentVolume of the group's own spec, and a claim that names it. Where users must not see each other's
files, what a namespace has cached and what all may have lie in folders of their own below the group's, and their
volumes are of those.
Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/localmodel/reconcilers.
"""

from __future__ import annotations

import copy
import posixpath
from typing import Any

from sampan.components.serving.api.reading import child, mapping, text
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from sampan.kube.meta import Object

MODELS = "models"
"""Folder of a volume in which models are."""
_OF_NAMESPACES, _OF_ALL = "namespaces", "shared"
_ON_NODE = ("local", "hostPath")


def claim_name(cache: str, group: str) -> str:
    """Of pods of InferenceServices."""
    return f"{cache}-{group}"


def volume_name(cache: str, group: str, namespace: str) -> str:
    """Behind that claim, in that namespace."""
    return f"{claim_name(cache, group)}-{namespace}"


def download_names(cache: str, group: str, namespace: str) -> tuple[str, str]:
    """Of the volume and the claim of the Job that downloads; `namespace` is the cache's, if it has one."""
    if namespace:
        name = f"{volume_name(cache, group, namespace)}-download"
        return name, name
    return f"{claim_name(cache, group)}-download", claim_name(cache, group)


def volume(name: str, group: Object, namespace: str = "", *, apart: bool = False) -> Object:
    """A PersistentVolume. `namespace` is that of the cache, if it has one; `apart` keeps it from others'."""
    spec = copy.deepcopy(child(group, "spec", "persistentVolumeSpec"))
    if apart:
        for kind in _ON_NODE:
            if isinstance(spec.get(kind), dict):
                spec[kind] = {"path": _apart(text(spec[kind].get("path")), namespace)}
    return {
        "apiVersion": PERSISTENT_VOLUMES.api_version,
        "kind": PERSISTENT_VOLUMES.kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def claim(name: str, volume: str, group: Object, namespace: str) -> Object:
    spec: dict[str, Any] = copy.deepcopy(child(group, "spec", "persistentVolumeClaimSpec"))
    return {
        "apiVersion": PERSISTENT_VOLUME_CLAIMS.api_version,
        "kind": PERSISTENT_VOLUME_CLAIMS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**spec, "volumeName": volume},
    }


def folder(group: Object, namespace: str = "", *, apart: bool = False) -> str:
    """Where on its nodes the group keeps models; empty for a volume that is not of the node."""
    if not (path := _path(group)):
        return ""
    return posixpath.normpath(posixpath.join(_apart(path, namespace) if apart else path, MODELS))


def folder_of_namespaces(group: Object) -> str:
    """In which those of namespaces are, where they are apart; empty likewise."""
    path = _path(group)
    return posixpath.join(path, _OF_NAMESPACES) if path else ""


def sub_path(key: str) -> str:
    """Of a model, in its volume."""
    return f"{MODELS}/{key}"


def _apart(path: str, namespace: str) -> str:
    return posixpath.join(path, _OF_NAMESPACES, namespace) if namespace else posixpath.join(path, _OF_ALL)


def _path(group: Object) -> str:
    spec = child(group, "spec", "persistentVolumeSpec")
    path = next((text(mapping(spec.get(kind)).get("path")) for kind in _ON_NODE if spec.get(kind)), "")
    return path if posixpath.isabs(path) else ""
