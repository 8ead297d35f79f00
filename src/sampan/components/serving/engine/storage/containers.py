"""Which container brings the files: ClusterStorageContainers, chosen by the URI or by name, and merged over ours.

Source: kserve/kserve v0.20.0 pkg/webhook/admission/pod/storage_initializer_injector.go (GetStorageContainerSpec),
pkg/apis/serving/v1alpha1/storage_container_types.go, pkg/utils/container_merge.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.serving.engine.storage.errors import NO_CONTAINER, StorageError
from sampan.kube import meta
from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object
from sampan.kube.schema import Schema
from sampan.kube.strategic import strategic_merge

INIT_CONTAINER = "initContainer"
_SCHEMA = Schema.parse("""
package sampan.serving.storage v1

Container
    env:[Named]@name ports:[Port]@containerPort volumeDevices:[Device]@devicePath volumeMounts:[Mount]@mountPath
Named
    name!:string
Port
    containerPort:int32
Device
    devicePath:string
Mount
    mountPath!:string
""")


def chosen(containers: Sequence[Object], uri: str, name: str) -> Mapping[str, Any] | None:
    """The spec of the one that is named, or of the first that takes the URI; None where none does.

    Raises StorageError for a named one that cannot be used.
    """
    if name:
        return _named(containers, uri, name)
    for each in sorted(containers, key=meta.name):
        if not each.get("disabled") and _is_init(each) and takes(each, uri):
            return meta.spec(each)
    return None


def takes(container: Object, uri: str) -> bool:
    """Raises StorageError for an expression that is none."""
    for each in meta.spec(container).get("supportedUriFormats") or ():
        if prefix := each.get("prefix"):
            if uri.startswith(str(prefix)):
                return True
        elif regex := each.get("regex"):
            try:
                if re.search(str(regex), uri):
                    return True
            except re.error as error:
                raise StorageError(
                    NO_CONTAINER,
                    f"error checking storage container {meta.name(container)}: {regex!r}: {error}",
                ) from error
    return False


def merged(base: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what a ClusterStorageContainer says in its place. Raises StorageError."""
    own = spec.get("container") or {}
    try:
        result: dict[str, Any] = strategic_merge(_SCHEMA, "Container", dict(base), dict(own))
    except BadRequestError as error:
        raise StorageError(NO_CONTAINER, f"could not apply strategic merge patch: {error.message}") from error
    result["name"] = result.get("name") or base["name"]
    # A variable is a value or a reference: what was merged from both is as the later one says.
    said = {each.get("name"): each for each in own.get("env") or ()}
    for each in result.get("env") or ():
        if "value" in each and "valueFrom" in each:
            each.pop("valueFrom" if "value" in said.get(each.get("name"), {}) else "value")
    return result


def _named(containers: Sequence[Object], uri: str, name: str) -> Mapping[str, Any]:
    found = next((each for each in containers if meta.name(each) == name), None)
    if found is None:
        raise StorageError(NO_CONTAINER, f'ClusterStorageContainer "{name}" not found')
    if found.get("disabled"):
        raise StorageError(NO_CONTAINER, f'ClusterStorageContainer "{name}" is disabled')
    if not _is_init(found):
        kind = meta.spec(found).get("workloadType")
        raise StorageError(
            NO_CONTAINER,
            f'ClusterStorageContainer "{name}" has workloadType "{kind}"; explicit selection requires '
            f'"{INIT_CONTAINER}"',
        )
    if not takes(found, uri):
        raise StorageError(
            NO_CONTAINER, f'ClusterStorageContainer "{name}" does not support storageUri "{uri}"'
        )
    return meta.spec(found)


def _is_init(container: Object) -> bool:
    return (meta.spec(container).get("workloadType") or INIT_CONTAINER) == INIT_CONTAINER
