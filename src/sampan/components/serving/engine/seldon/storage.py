"""How SeldonDeployments' models are fetched: what `seldon-config` says of it, and where rclone would look. Pure.

Source: seldon-core 1.18.2 operator/controllers/model_initializer_injector.go, operator/controllers/resources,
components/rclone-storage-initializer. rclone's URIs are `REMOTE:BUCKET/PATH`, and its remotes are told by variables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.kube import quantities

_AMOUNTS = {
    "cpuRequest": "cpu_request",
    "cpuLimit": "cpu_limit",
    "memoryRequest": "memory_request",
    "memoryLimit": "memory_limit",
}
_S3 = {
    "s3AccessKeyIDName": "access_key_name",
    "s3SecretAccessKeyName": "secret_key_name",
    "s3Endpoint": "endpoint",
    "s3UseHttps": "use_https",
}
_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY": "SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL": "ENDPOINT",
    "AWS_DEFAULT_REGION": "REGION",
}
"""Of S3, and what rclone calls them after the remote's name."""
_REMOTE = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*):/{0,2}(?P<rest>.*)", re.DOTALL)
_SCHEMES = frozenset(("file", "hdfs", "hf", "http", "https", "oci", "pvc", "webhdfs"))
_GOOGLE = ("gs", "gcs")


def storage_config(base: StorageConfig, data: Mapping[str, str]) -> StorageConfig:
    """`base` with what `seldon-config` says otherwise. What cannot be read counts as not said."""
    initializer, credentials = _section(data, "storageInitializer"), _section(data, "credentials")
    s3, gcs = _section(credentials, "s3"), _section(credentials, "gcs")
    told: dict[str, Any] = {
        name: str(initializer[key]) for key, name in _AMOUNTS.items() if _is_amount(initializer.get(key))
    }
    if initializer.get("image"):
        told["image"] = str(initializer["image"])
    if gcs.get("gcsCredentialFileName"):
        told["gcs_file_name"] = str(gcs["gcsCredentialFileName"])
    names = {name: str(s3[key]) for key, name in _S3.items() if s3.get(key)}
    return replace(base, **told, s3=replace(base.s3, **names))


def uri_of(told: str) -> str:
    """A `modelUri` as KServe's initializer has it. Names that mean nothing to it are remotes, which are S3."""
    found = _REMOTE.fullmatch(told)
    if found is None or found["name"] in _SCHEMES:
        return told
    scheme = "gs" if found["name"] in _GOOGLE else "s3"
    return f"{scheme}://{found['rest'].lstrip('/')}"


def keys_of(told: str) -> dict[str, str]:
    """Variables of S3, and the keys of a Secret of rclone's that hold them for the remote that a `modelUri` names."""
    found = _REMOTE.fullmatch(told)
    remote = found["name"] if found is not None and uri_of(told).startswith("s3:") else "s3"
    return {name: f"RCLONE_CONFIG_{remote.upper()}_{key}" for name, key in _VARIABLES.items()}


def _section(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    try:
        found = json.loads(found) if isinstance(found, str) else found
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_amount(value: Any) -> bool:
    try:
        return value is not None and quantities.parse(value) >= 0
    except (ValueError, TypeError):
        return False
