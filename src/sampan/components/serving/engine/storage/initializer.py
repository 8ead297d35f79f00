"""The container that fetches models: with its credentials, certificates and rules. For `injection` and local models.

What it needs of volumes is added to the pod that it is made for.
Source: kserve/kserve v0.20.0 pkg/webhook/admission/pod/storage_initializer_injector.go.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import mappings, text
from sampan.components.serving.engine.storage import containers, credentials, mounts, s3, uris
from sampan.components.serving.engine.storage.config import OwnRules, StorageConfig
from sampan.components.serving.engine.storage.reads import Reads
from sampan.components.serving.engine.storage.wanted import Wanted
from sampan.kube import meta
from sampan.kube.meta import Object

READ_ONLY = "storage.kserve.io/readonly"
CONFIDENTIAL = "internal.serving.kserve.io/confidential-enabled"
CONFIDENTIAL_RESOURCE = "internal.serving.kserve.io/confidential-resource-id"

CACHE_VARIABLE, WRITABLE_VARIABLE = "SAMPAN_MODEL_CACHE", "SAMPAN_MODEL_WRITABLE"
ROOTS_VARIABLE, HOSTS_VARIABLE, TMP_VARIABLE, KEPT_VARIABLE = (
    "SAMPAN_FILE_ROOTS",
    "SAMPAN_PRIVATE_HOSTS",
    "SAMPAN_MACHINE_TMP",
    "SAMPAN_MODEL_KEPT",
)
"""What our own program of the initializer reads, beside upstream's."""
LOGINS_VARIABLE = "SAMPAN_PULL_SECRETS"
_LOGINS_PLACE = "/mnt/pull-secrets"
_LOGIN_FILES = {".dockerconfigjson": "config.json", ".dockercfg": ".dockercfg"}
_TMP_VOLUME, _TMP_PLACE = "machine-tmp", "/mnt/machine/tmp"
_CA_VOLUME = "cabundle-cert"
CA_CONFIG_MAP = "global-ca-bundle"
"""The operator's copy of the certificates that the configuration names, in each namespace with endpoints."""
_CA_VARIABLE, _CA_FOLDER_VARIABLE = "CA_BUNDLE_CONFIGMAP_NAME", "CA_BUNDLE_VOLUME_MOUNT_POINT"
_HUB = {
    "HF_HUB_ENABLE_HF_TRANSFER": "1",
    "HF_XET_HIGH_PERFORMANCE": "1",
    "HF_XET_NUM_CONCURRENT_RANGE_GETS": "8",
}


@dataclass(frozen=True, slots=True)
class Parts:
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


def container(parts: Parts, args: list[str], chosen: Any, shown: mounts.Show) -> dict[str, Any]:
    """`chosen` is the spec of a ClusterStorageContainer, or None. Raises StorageError."""
    config, wanted = parts.config, parts.wanted
    made = _container(args, config)
    mounts.add_mount(made, replace(shown, is_read_only=False))
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
    return made


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


def _add_own_rules(parts: Parts, made: dict[str, Any]) -> None:
    """A container of another image makes nothing of them. Of a rule nothing else counts, whatever a
    ClusterStorageContainer's own variables say."""
    own = parts.config.own
    said = own_rules(own, parts.reads.owner or parts.reads.namespace, is_read_only=parts.is_read_only)
    if any(uris.is_in_tmp(each) for each in made.get("args") or ()):
        shown = machines_tmp()
        mounts.add_volume(parts.spec, shown.volume)
        mounts.add_mount(made, shown)
        said[TMP_VARIABLE] = shown.path
    said |= _logins(parts, made)
    for name, value in said.items():
        mounts.set_variable(made, name, value)


def _logins(parts: Parts, made: dict[str, Any]) -> dict[str, str]:
    """The Secrets with which a kubelet would pull images, where a model is one: the pod's, or its account's."""
    if not any(uris.oci(str(each)) for each in made.get("args") or ()):
        return {}
    account = parts.reads.service_account or {}
    named = mappings(parts.spec.get("imagePullSecrets")) or mappings(account.get("imagePullSecrets"))
    folders = []
    for index, secret in enumerate(dict.fromkeys(text(each.get("name")) for each in named)):
        if not secret:
            continue
        files = [{"key": key, "path": path} for key, path in _LOGIN_FILES.items()]
        told = {"secretName": secret, "items": files, "optional": True, "defaultMode": 0o400}
        shown = mounts.Show({"name": f"pull-secret-{index}", "secret": told}, f"{_LOGINS_PLACE}/{index}")
        mounts.add_volume(parts.spec, shown.volume)
        mounts.add_mount(made, shown)
        folders.append(shown.path)
    return {LOGINS_VARIABLE: json.dumps(folders)} if folders else {}


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


def _ca_bundle(made: dict[str, Any], parts: Parts) -> tuple[str, str] | None:
    """The ConfigMap with certificates to trust, and where it is shown."""
    config = parts.config
    said = {each["name"]: str(each.get("value") or "") for each in made["env"]}
    if not config.ca_bundle_config_map and s3.CA_BUNDLE_CONFIG_MAP not in said:
        return None
    # Elsewhere than in KServe's own namespace an operator's copy of it is meant.
    own = config.ca_bundle_config_map if parts.reads.namespace == labels.NAMESPACE else CA_CONFIG_MAP
    folder = config.ca_bundle_mount_path
    if s3.CA_BUNDLE in said:
        folder = posixpath.dirname(said[s3.CA_BUNDLE])
    return said.get(s3.CA_BUNDLE_CONFIG_MAP, own), folder


def _add_ca_bundle(spec: mounts.Spec, made: dict[str, Any], name: str, folder: str) -> None:
    mounts.default_variables(made, {_CA_VARIABLE: name, _CA_FOLDER_VARIABLE: folder})
    volume = {"name": _CA_VOLUME, "configMap": {"name": name}}
    mounts.add_volume(spec, volume)
    mounts.add_mount(made, mounts.Show(volume, folder))
