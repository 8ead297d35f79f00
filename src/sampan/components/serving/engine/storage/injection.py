"""A pod's template with what brings the model's files into it. Called by way of `controller/storage.py`.

Upstream does the same when a pod is made, by a webhook; here the template has it, on every cluster.
Source: kserve/kserve v0.20.0 pkg/webhook/admission/pod/storage_initializer_injector.go.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.storage import containers, images, initializer, mounts, uris
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.components.serving.engine.storage.errors import INVALID_SPEC, StorageError
from sampan.components.serving.engine.storage.initializer import Parts
from sampan.components.serving.engine.storage.reads import Reads
from sampan.components.serving.engine.storage.wanted import URI_VARIABLE, StorageUri, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object

PULLER = "internal.serving.kserve.io/agent"
"""Annotation of a pod whose agent fetches models: it gets no initializer."""
_WORKER = "worker-container"
_VOLUME, _CLAIM_VOLUME = "kserve-provision-location", "kserve-pvc-source"


def with_storage(template: Object, wanted: Wanted, reads: Reads, config: StorageConfig) -> Object:
    """A copy of the pod template (metadata and spec) in which the model's files will be. Raises StorageError.

    Whose namespace, annotations and service account count is what the template says of itself.
    """
    template = copy.deepcopy(template)
    parts = Parts(template, wanted, reads, config)
    if PULLER in meta.annotations(template) or not wanted.uris:
        return template
    if any(each.get("name") == labels.STORAGE_INITIALIZER for each in parts.spec.get("initContainers") or ()):
        return template
    targets = _targets(parts.spec)
    left = _add_images(parts, targets)
    if wanted.is_list:
        _add_several(parts, left, targets)
    elif left:
        _add_one(parts, left[0], targets)
    return template


def _targets(spec: mounts.Spec) -> list[dict[str, Any]]:
    """Who sees the files: the model server first."""
    server = mounts.container(spec, labels.CONTAINER) or mounts.container(spec, _WORKER)
    if server is None:
        raise StorageError(INVALID_SPEC, f"Invalid configuration: cannot find container: {labels.CONTAINER}")
    transformer = mounts.container(spec, labels.TRANSFORMER_CONTAINER)
    return [server] if transformer is None else [server, transformer]


def _add_images(parts: Parts, targets: Sequence[dict[str, Any]]) -> list[StorageUri]:
    """Those that are no images are left."""
    found = [images.image_of(each.uri, each.mount_path, parts.config) for each in parts.wanted.uris]
    images.check([each for each in found if each is not None])
    index = 0
    for each in found:
        if each is not None:
            images.add(parts.spec, each, index, targets, parts.config)
            index += 1
    return [uri for uri, image in zip(parts.wanted.uris, found, strict=True) if image is None]


def _add_several(parts: Parts, left: Sequence[StorageUri], targets: Sequence[dict[str, Any]]) -> None:
    """Each at a path of its own; what is downloaded lies in one volume, at the folder that they have in common."""
    for each in left:
        if each.uri.startswith(uris.PVC):
            claim, path = uris.claim(each.uri)
            _show_claim(parts, uris.volume_name(each.mount_path), claim, (each.mount_path, path), targets)
    fetched = [each for each in left if not each.uri.startswith(uris.PVC)]
    if not fetched:
        return
    first = parts.wanted.uris[0].uri
    chosen = containers.chosen(parts.reads.containers, first, parts.wanted.container_name)
    if chosen is not None and not chosen.get("supportsMultiModelDownload"):
        name = (chosen.get("container") or {}).get("name")
        raise StorageError(
            INVALID_SPEC,
            f'storage container "{name}" does not support multi-model download; use the default kserve storage '
            "initializer or a compatible storage container",
        )
    folder = uris.common_folder([each.mount_path for each in fetched])
    if folder == "/":
        raise StorageError(
            INVALID_SPEC,
            "storage paths must have a common parent directory. Current paths: "
            f"{', '.join(each.mount_path for each in fetched)} have no common parent beyond root",
        )
    args = [word for each in fetched for word in (each.uri, each.mount_path)]
    shown = mounts.Show(mounts.empty(uris.volume_name(folder)), folder, is_read_only=parts.is_read_only)
    mounts.show(parts.spec, shown, targets)
    _add_initializer(parts, args, chosen, shown)


def _add_one(parts: Parts, wanted: StorageUri, targets: Sequence[dict[str, Any]]) -> None:
    if wanted.uri.startswith(uris.PVC):
        claim, path = uris.claim(wanted.uri)
        _show_claim(parts, _CLAIM_VOLUME, claim, (labels.MODEL_DIR, path), targets)
    else:
        shown = mounts.Show(mounts.empty(_VOLUME), labels.MODEL_DIR, is_read_only=parts.is_read_only)
        mounts.show(parts.spec, shown, targets)
        chosen = containers.chosen(parts.reads.containers, wanted.uri, parts.wanted.container_name)
        _add_initializer(parts, [wanted.uri, wanted.mount_path], chosen, shown)
    for variable in targets[0].get("env") or ():
        if variable.get("name") == URI_VARIABLE and variable.get("value"):
            variable["value"] = labels.MODEL_DIR


def _show_claim(
    parts: Parts, name: str, claim: str, places: tuple[str, str], targets: Sequence[dict[str, Any]]
) -> None:
    """`places`: where it is to be seen, and what of the claim."""
    at, path = places
    volume = mounts.of_claim(parts.spec, name, claim)
    shown = mounts.Show(volume, uris.place(path, at), path, parts.is_read_only, is_shared=True)
    mounts.show(parts.spec, shown, targets)


def _add_initializer(parts: Parts, args: list[str], chosen: Any, shown: mounts.Show) -> None:
    made = initializer.container(parts, args, chosen, shown)
    parts.spec["initContainers"] = [*(parts.spec.get("initContainers") or ()), made]
