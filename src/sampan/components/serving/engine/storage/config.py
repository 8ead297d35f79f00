"""What `inferenceservice-config` says about storage, and what this platform adds where the cluster is its own.

Source: kserve/kserve v0.20.0 pkg/types/config.go, pkg/credentials/service_account_credentials.go (CredentialConfig),
config/configmap/inferenceservice.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.kube import quantities

NATIVE, MODELCAR, FETCH = OCI_MODES = ("native", "modelcar", "fetch")
_INITIALIZER, _CREDENTIALS = "storageInitializer", "credentials"


@dataclass(frozen=True, slots=True)
class S3Defaults:
    access_key_name: str = "awsAccessKeyID"
    """Key in a Secret; likewise the next."""
    secret_key_name: str = "awsSecretAccessKey"  # noqa: S105  a name
    endpoint: str = ""
    use_https: str = ""
    region: str = ""
    verify_ssl: str = ""
    use_virtual_bucket: str = ""
    use_accelerate: str = ""
    use_anonymous_credential: str = ""
    ca_bundle_config_map: str = ""
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True)
class OwnRules:
    """Where the pods' machine is this one, and the program of the initializer our own."""

    is_embedded: bool = False
    cache: str = ""
    """Folder of this machine where the initializer keeps what it has downloaded; empty for none."""
    file_roots: tuple[str, ...] | None = None
    """Folders below which `file://` models lie, with `{namespace}`; None for anywhere."""
    private_hosts: tuple[str, ...] | None = None
    """Names and networks that may be asked beside the open internet; None for any."""


@dataclass(frozen=True, slots=True)
class StorageConfig:
    image: str = "kserve/storage-initializer:v0.20.0"
    cpu_request: str = "100m"
    cpu_limit: str = "1"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"
    ca_bundle_config_map: str = ""
    ca_bundle_mount_path: str = "/etc/ssl/custom-certs"
    oci_mode: str = MODELCAR
    """Of `oci://` URIs that name none; empty where they are not allowed."""
    cpu_modelcar: str = "10m"
    memory_modelcar: str = "15Mi"
    uid_modelcar: int | None = 1010
    secret_name: str = "storage-config"  # noqa: S105  a name
    secret_annotation: str = "serving.kserve.io/storageSecretName"  # noqa: S105  a name
    gcs_file_name: str = "gcloud-application-credentials.json"
    s3: S3Defaults = field(default_factory=lambda: S3Defaults("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    offers_own_s3: bool = True
    """Whether what lies in an S3 that nothing tells of is in the platform's own."""
    own: OwnRules = field(default_factory=OwnRules)

    @staticmethod
    def of(data: Mapping[str, str], own: OwnRules | None = None) -> StorageConfig:
        """From the ConfigMap's data. What cannot be read counts as not said."""
        told = {**_initializer(_section(data, _INITIALIZER)), **_credentials(_section(data, _CREDENTIALS))}
        return StorageConfig(**told, own=own or OwnRules())


def _section(data: Mapping[str, str], name: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(data[name])
    except (KeyError, ValueError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _initializer(section: Mapping[str, Any] | None) -> dict[str, Any]:
    if section is None:
        return {}
    names = {
        "image": "image",
        "caBundleConfigMapName": "ca_bundle_config_map",
        "caBundleVolumeMountPath": "ca_bundle_mount_path",
    }
    amounts = {
        "cpuRequest": "cpu_request",
        "cpuLimit": "cpu_limit",
        "memoryRequest": "memory_request",
        "memoryLimit": "memory_limit",
        "cpuModelcar": "cpu_modelcar",
        "memoryModelcar": "memory_modelcar",
    }
    found: dict[str, Any] = {
        names[key]: str(value) for key, value in section.items() if key in names and value
    }
    found |= {
        amounts[key]: str(value) for key, value in section.items() if key in amounts and _is_amount(value)
    }
    uid = section.get("uidModelcar")
    found["uid_modelcar"] = uid if isinstance(uid, int) else None
    is_on = bool(section.get("enableModelcar") or section.get("enableOciModelSupport"))
    mode = section.get("ociModelMode")
    found["oci_mode"] = mode if mode in OCI_MODES else MODELCAR if is_on else ""
    return found


def _credentials(section: Mapping[str, Any] | None) -> dict[str, Any]:
    if section is None:
        return {}
    s3, gcs = _mapping(section.get("s3")), _mapping(section.get("gcs"))
    found: dict[str, Any] = {"s3": _s3(s3)}
    for key, name, holder in (
        ("storageSpecSecretName", "secret_name", section),
        ("storageSecretNameAnnotation", "secret_annotation", section),
        ("gcsCredentialFileName", "gcs_file_name", gcs),
    ):
        if holder.get(key):
            found[name] = str(holder[key])
    return found


def _s3(section: Mapping[str, Any]) -> S3Defaults:
    names = {
        "s3AccessKeyIDName": "access_key_name",
        "s3SecretAccessKeyName": "secret_key_name",
        "s3Endpoint": "endpoint",
        "s3UseHttps": "use_https",
        "s3Region": "region",
        "s3VerifySSL": "verify_ssl",
        "s3UseVirtualBucket": "use_virtual_bucket",
        "s3UseAccelerate": "use_accelerate",
        "s3UseAnonymousCredential": "use_anonymous_credential",
        "s3CABundleConfigMap": "ca_bundle_config_map",
        "s3CABundle": "ca_bundle",
    }
    return S3Defaults(**{names[key]: str(value) for key, value in section.items() if key in names and value})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_amount(value: Any) -> bool:
    try:
        return quantities.parse(value) >= 0
    except (ValueError, TypeError):
        return False
