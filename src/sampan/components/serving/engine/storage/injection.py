"""A pod's template with what brings the model's files into it. Called by way of `controller/storage.py`.

Upstream does the same when a pod is made, by a webhook; here the template has it, on every cluster.
Source: kserve/kserve v0.20.0 pkg/webhook/admission/pod/storage_initializer_injector.go.
"""

from __future__ import annotations

import copy
import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.storage import containers, credentials, images, mounts, s3, uris
from sampan.components.serving.engine.storage.config import OwnRules, StorageConfig
from sampan.components.serving.engine.storage.errors import INVALID_SPEC, StorageError
from sampan.components.serving.engine.storage.reads import Reads
from sampan.components.serving.engine.storage.wanted import URI_VARIABLE, StorageUri, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object

PULLER = "internal.serving.kserve.io/agent"
"""Annotation of a pod whose agent fetches models: it gets no initializer."""
READ_ONLY = "storage.kserve.io/readonly"
UID = "serving.kserve.io/storage-initializer-uid"
CONFIDENTIAL = "internal.serving.kserve.io/confidential-enabled"
CONFIDENTIAL_RESOURCE = "internal.serving.kserve.io/confidential-resource-id"

CACHE_VARIABLE, WRITABLE_VARIABLE = "SAMPAN_MODEL_CACHE", "SAMPAN_MODEL_WRITABLE"
ROOTS_VARIABLE, HOSTS_VARIABLE, TMP_VARIABLE = (
    "SAMPAN_FILE_ROOTS",
    "SAMPAN_PRIVATE_HOSTS",
    "SAMPAN_MACHINE_TMP",
)
"""What our own program of the initializer reads, beside upstream's."""
_WORKER = "worker-container"
_VOLUME, _CLAIM_VOLUME = "kserve-provision-location", "kserve-pvc-source"
_TMP_VOLUME, _TMP_PLACE = "machine-tmp", "/mnt/machine/tmp"
_CA_VOLUME, _CA_CONFIG_MAP = "cabundle-cert", "global-ca-bundle"
_CA_VARIABLE, _CA_FOLDER_VARIABLE = "CA_BUNDLE_CONFIGMAP_NAME", "CA_BUNDLE_VOLUME_MOUNT_POINT"
_HUB = {
    "HF_HUB_ENABLE_HF_TRANSFER": "1",
    "HF_XET_HIGH_PERFORMANCE": "1",
    "HF_XET_NUM_CONCURRENT_RANGE_GETS": "8",
}


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is worked on: a template of one's own, and what counts for it."""

    template: Object
    wanted: Wanted
    reads: Reads
    config: StorageConfig

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.template["spec"]
        return found

    @property
    def is_read_only(self) -> bool:
        return meta.annotations(self.template).get(READ_ONLY) != "false"


def with_storage(template: Object, wanted: Wanted, reads: Reads, config: StorageConfig) -> Object:
    """A copy of the pod template (metadata and spec) in which the model's files will be. Raises StorageError.

    Whose namespace, annotations and service account count is what the template says of itself.
    """
    template = copy.deepcopy(template)
    parts = _Parts(template, wanted, reads, config)
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


def _add_images(parts: _Parts, targets: Sequence[dict[str, Any]]) -> list[StorageUri]:
    """Those that are no images are left."""
    found = [images.image_of(each.uri, each.mount_path, parts.config) for each in parts.wanted.uris]
    images.check([each for each in found if each is not None])
    index = 0
    for each in found:
        if each is not None:
            images.add(parts.spec, each, index, targets, parts.config)
            index += 1
    return [uri for uri, image in zip(parts.wanted.uris, found, strict=True) if image is None]


def _add_several(parts: _Parts, left: Sequence[StorageUri], targets: Sequence[dict[str, Any]]) -> None:
    """Each at a path of its own; what is downloaded lies in one volume, at the folder that they have in common."""
    for each in left:
        if each.uri.startswith(uris.PVC):
            claim, path = uris.claim(each.uri)
            volume = mounts.claimed(uris.volume_name(each.mount_path), claim)
            mounts.show(parts.spec, mounts.Show(volume, each.mount_path, path, parts.is_read_only), targets)
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


def _add_one(parts: _Parts, wanted: StorageUri, targets: Sequence[dict[str, Any]]) -> None:
    if wanted.uri.startswith(uris.PVC):
        claim, path = uris.claim(wanted.uri)
        volume = mounts.claimed(_CLAIM_VOLUME, claim)
        shown = mounts.Show(volume, labels.MODEL_DIR, path, parts.is_read_only)
        mounts.show(parts.spec, shown, targets)
    else:
        shown = mounts.Show(mounts.empty(_VOLUME), labels.MODEL_DIR, is_read_only=parts.is_read_only)
        mounts.show(parts.spec, shown, targets)
        chosen = containers.chosen(parts.reads.containers, wanted.uri, parts.wanted.container_name)
        _add_initializer(parts, [wanted.uri, wanted.mount_path], chosen, shown)
    for variable in targets[0].get("env") or ():
        if variable.get("name") == URI_VARIABLE and variable.get("value"):
            variable["value"] = labels.MODEL_DIR


def _add_initializer(parts: _Parts, args: list[str], chosen: Any, shown: mounts.Show) -> None:
    config, wanted = parts.config, parts.wanted
    made = _container(args, config)
    mounts.add_mount(made, mounts.Show(shown.volume, shown.path, is_read_only=False))
    if wanted.spec is not None:
        found = credentials.of_spec(parts.template, wanted, args, parts.reads, config)
    else:
        found = credentials.of_account(parts.template, wanted, parts.reads, config)
    made["args"] = found.args or args
    made["env"] = [*made.get("env", ()), *found.env]
    made["volumeMounts"] = [*made["volumeMounts"], *found.mounts]
    for volume in found.volumes:
        mounts.add_volume(parts.spec, volume)
    bundle = _ca_bundle(made, parts)
    if chosen is not None:
        made = containers.merged(made, chosen)
    if bundle is not None:
        _add_ca_bundle(parts.spec, made, *bundle)
    mounts.default_variables(made, {**_HUB, **_confidential(meta.annotations(parts.template))})
    if config.own.is_embedded:
        _add_own_rules(parts, made)
    parts.spec["initContainers"] = [*(parts.spec.get("initContainers") or ()), made]


def _container(args: list[str], config: StorageConfig) -> dict[str, Any]:
    return {
        "name": labels.STORAGE_INITIALIZER,
        "image": config.image,
        "args": args,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "limits": {"cpu": config.cpu_limit, "memory": config.memory_limit},
            "requests": {"cpu": config.cpu_request, "memory": config.memory_request},
        },
    }


def _confidential(annotations: Mapping[str, str]) -> dict[str, str]:
    if annotations.get(CONFIDENTIAL) != "true":
        return {}
    resource = annotations.get(CONFIDENTIAL_RESOURCE, "")
    return {"CONFIDENTIAL_ENABLED": "true", "CONFIDENTIAL_RESOURCE_ID": resource}


def _add_own_rules(parts: _Parts, made: dict[str, Any]) -> None:
    """A container of another image makes nothing of them. Of a rule nothing else counts, whatever a
    ClusterStorageContainer's own variables say."""
    own = parts.config.own
    said = own_rules(own, parts.reads.namespace, is_read_only=parts.is_read_only)
    if any(uris.is_in_tmp(each) for each in made.get("args") or ()):
        shown = machines_tmp()
        mounts.add_volume(parts.spec, shown.volume)
        mounts.add_mount(made, shown)
        said[TMP_VARIABLE] = shown.path
    for name, text in said.items():
        mounts.set_variable(made, name, text)


def own_rules(own: OwnRules, namespace: str, *, is_read_only: bool) -> dict[str, str]:
    """What a program of ours that fetches models is told by variables: where they are kept, and what it may reach."""
    said: dict[str, str] = {}
    if own.cache:
        said[CACHE_VARIABLE] = own.cache
    if not is_read_only:
        # What the model server may write to shares no file with others.
        said[WRITABLE_VARIABLE] = "true"
    if own.file_roots is not None:
        said[ROOTS_VARIABLE] = json.dumps([each.replace("{namespace}", namespace) for each in own.file_roots])
    if own.private_hosts is not None:
        said[HOSTS_VARIABLE] = json.dumps(list(own.private_hosts))
    return said


def machines_tmp() -> mounts.Show:
    """The machine's /tmp, which pods that are processes do not see, at a place of its own."""
    volume = {"name": _TMP_VOLUME, "hostPath": {"path": "/tmp", "type": "Directory"}}  # noqa: S108
    return mounts.Show(volume, _TMP_PLACE)


def _ca_bundle(made: dict[str, Any], parts: _Parts) -> tuple[str, str] | None:
    """The ConfigMap with certificates to trust, and where it is shown."""
    config = parts.config
    said = {each["name"]: str(each.get("value") or "") for each in made["env"]}
    if not config.ca_bundle_config_map and s3.CA_BUNDLE_CONFIG_MAP not in said:
        return None
    # Elsewhere than in KServe's own namespace an operator's copy of it is meant.
    own = config.ca_bundle_config_map if parts.reads.namespace == labels.NAMESPACE else _CA_CONFIG_MAP
    folder = config.ca_bundle_mount_path
    if s3.CA_BUNDLE in said:
        folder = posixpath.dirname(said[s3.CA_BUNDLE])
    return said.get(s3.CA_BUNDLE_CONFIG_MAP, own), folder


def _add_ca_bundle(spec: mounts.Spec, made: dict[str, Any], name: str, folder: str) -> None:
    mounts.default_variables(made, {_CA_VARIABLE: name, _CA_FOLDER_VARIABLE: folder})
    volume = {"name": _CA_VOLUME, "configMap": {"name": name}}
    mounts.add_volume(spec, volume)
    mounts.add_mount(made, mounts.Show(volume, folder))
