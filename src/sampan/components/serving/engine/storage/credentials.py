"""Credentials of a model's store, from Secrets to variables and volumes of the initializer.

Secret values are referred to and never copied, save for what says where the store is and how to speak to it.
Source: kserve/kserve v0.20.0 pkg/credentials/service_account_credentials.go and its packages s3, gcs, azure, https,
hdfs, hf. Unlike there, the headers of web servers are referred to as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.components.serving.engine.storage import s3, uris
from sampan.components.serving.engine.storage.config import S3Defaults, StorageConfig
from sampan.components.serving.engine.storage.errors import INVALID_SPEC, NO_SECRET, StorageError
from sampan.components.serving.engine.storage.reads import Reads, secret_names, value
from sampan.components.serving.engine.storage.wanted import StorageSpec, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object

CONFIG_VARIABLE, OVERRIDE_VARIABLE = "STORAGE_CONFIG", "STORAGE_OVERRIDE_CONFIG"
_SPEC_TYPES = ("s3", "hdfs", "webhdfs")
_BUCKET_TYPES = ("s3",)
_DEFAULT_KEY = "default"
_ROLE = "eks.amazonaws.com/role-arn"

_GCS_VOLUME, _GCS_FOLDER = "user-gcp-sa", "/var/secrets/"
_HDFS_VOLUME, _HDFS_FOLDER = "hdfs-secrets", "/var/secrets/kserve-hdfscreds"
_HDFS_KEY, _HTTPS_HOST, _HF_TOKEN = "HDFS_NAMENODE", "https-host", "HF_TOKEN"
_OWN_S3 = S3Defaults("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_S3_KEYS = (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("awsAccessKeyID", "awsSecretAccessKey"))
"""What the settings may call otherwise: KServe's own ConfigMap has the first, Seldon and KFServing the second."""
_AZURE_KEY = "AZURE_STORAGE_ACCESS_KEY"
_AZURE = {
    "AZURE_SUBSCRIPTION_ID": "AZ_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID": "AZ_TENANT_ID",
    "AZURE_CLIENT_ID": "AZ_CLIENT_ID",
    "AZURE_CLIENT_SECRET": "AZ_CLIENT_SECRET",
    _AZURE_KEY: "",
    "AZURE_ACCESS_TOKEN": "",
    "AZURE_ACCESS_EXPIRES_ON_SECONDS": "",
    "AZURE_ACCOUNT_NAME": "",
    "AZURE_SERVICE_URL": "",
}
"""Variables, and the older names of the keys that hold their values."""


@dataclass(slots=True)
class Credentials:
    env: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    args: list[str] | None = None
    """The initializer's, where the Secret says what they lead to."""


def of_account(template: Object, wanted: Wanted, reads: Reads, config: StorageConfig) -> Credentials:
    """From the Secrets of the pod's service account, or from the one that an annotation names.

    Raises StorageError.
    """
    found = Credentials()
    account = reads.service_account
    if account is None:
        return found
    if _ROLE in meta.annotations(account):
        found.env.extend(s3.variables(meta.annotations(account), None, config.s3))
    for name in secret_names(template, wanted, account, config):
        _add(found, _secret(reads, name), config)
    if needs_own_s3(wanted, found.env) and reads.own_s3 is not None:
        merge(found.env, s3.secret_variables(reads.own_s3, _OWN_S3))
    return found


def needs_own_s3(wanted: Wanted, env: Iterable[Mapping[str, Any]] = ()) -> bool:
    """Whether something lies in an S3, and nothing says which and with which keys."""
    told = {each["name"] for each in env} & {
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
        "awsAnonymousCredential",
    }
    return not told and wanted.spec is None and any(each.uri.startswith("s3://") for each in wanted.uris)


def of_spec(
    template: Object, wanted: Wanted, args: list[str], reads: Reads, config: StorageConfig
) -> Credentials:
    """From an entry of the Secret of stores (`storage-config`), for a `storage` in the spec. Raises StorageError."""
    spec = wanted.spec or StorageSpec()
    (name,) = secret_names(template, wanted, None, config)
    kind, bucket = spec.parameters.get("type", ""), spec.parameters.get("bucket", "")
    key, entry = _entry(spec, kind, reads.secrets.get(name), name)
    found = Credentials(args=args)
    if entry is not None:
        told = _told(entry, key, name)
        if not kind:
            kind = _kind(told)
            bucket = bucket or told.get("bucket", "")
            if "cabundle_configmap" in told:
                found.env.append({"name": s3.CA_BUNDLE_CONFIG_MAP, "value": told["cabundle_configmap"]})
        found.env.append(_reference(CONFIG_VARIABLE, name, key))
    if not kind:
        raise StorageError(
            INVALID_SPEC,
            "unable to determine storage type: name one in storage.parameters.type, or an entry of the Secret "
            f"{name} in storage.key",
        )
    if args and args[0].startswith(f"{uris.SCHEME_PLACEHOLDER}://"):
        found.args = _resolved(args, kind, bucket)
    if spec.parameters:
        found.env.append({"name": OVERRIDE_VARIABLE, "value": _written(spec.parameters)})
    return found


def _entry(spec: StorageSpec, kind: str, secret: Object | None, name: str) -> tuple[str, str | None]:
    """The key of the Secret that counts, and what is there. Only one that is named has to be."""
    if spec.key:
        if secret is None:
            raise StorageError(NO_SECRET, f'can\'t read storage secret {name}: secrets "{name}" not found')
        if (entry := value(secret, spec.key)) is None:
            keys = ", ".join(sorted(secret.get("data") or ())) or "nothing"
            raise StorageError(
                NO_SECRET,
                f"specified storage key {spec.key} not found in storage secret {name}, which has {keys}",
            )
        return spec.key, entry
    key = f"{_DEFAULT_KEY}_{kind}" if kind else _DEFAULT_KEY
    return key, None if secret is None else value(secret, key)


def _told(entry: str, key: str, name: str) -> Mapping[str, str]:
    try:
        told = json.loads(entry)
        if not isinstance(told, dict):
            raise ValueError("not an object")
    except ValueError:
        # What the parser says would show a part of the secret.
        raise StorageError(
            NO_SECRET,
            f"invalid json encountered in key {key} of storage secret {name}: write one object of texts",
        ) from None
    return {str(each): str(text) for each, text in told.items()}


def _kind(told: Mapping[str, str]) -> str:
    kind = told.get("type", "")
    if kind and kind not in _SPEC_TYPES:
        raise StorageError(
            INVALID_SPEC,
            f"storage type must be one of [{', '.join(_SPEC_TYPES)}]. storage type [{kind}] is not supported",
        )
    return kind


def _resolved(args: list[str], kind: str, bucket: str) -> list[str]:
    needs_bucket = kind in _BUCKET_TYPES
    if needs_bucket and not bucket:
        raise StorageError(
            INVALID_SPEC,
            f"format [{kind}] requires a bucket but one wasn't found in storage data or parameters",
        )
    start = f"{kind}://{bucket}/" if needs_bucket else f"{kind}://"
    placeholder = f"{uris.SCHEME_PLACEHOLDER}://"
    return [
        start + word.removeprefix(placeholder) if index % 2 == 0 else word for index, word in enumerate(args)
    ]


def _secret(reads: Reads, name: str) -> Object:
    if (secret := reads.secrets.get(name)) is None:
        raise StorageError(
            NO_SECRET,
            f'secrets "{name}" not found in the namespace {reads.namespace}: it is named by the service account '
            "or by an annotation, for the model's storage",
        )
    return secret


def _add(found: Credentials, secret: Object, config: StorageConfig) -> None:
    """What kind of store a Secret is for is told by the keys that it has, in upstream's order."""
    data, name = secret.get("data") or {}, meta.name(secret)
    if (defaults := _s3_names(data, config.s3)) is not None:
        merge(found.env, s3.secret_variables(secret, defaults))
    elif config.gcs_file_name in data:
        _add_volume(found, _GCS_VOLUME, name, _GCS_FOLDER)
        path = _GCS_FOLDER + config.gcs_file_name
        found.env.append({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": path})
    elif any(key in data for key in ("AZ_CLIENT_ID", "AZURE_CLIENT_ID", "AZURE_ACCESS_TOKEN")):
        found.env.extend(_azure(data, name))
    elif _AZURE_KEY in data:
        found.env.append(_reference(_AZURE_KEY, name, _AZURE_KEY))
    elif _HTTPS_HOST in data:
        if "headers" in data:
            found.env.append(_reference(f"{value(secret, _HTTPS_HOST)}-headers", name, "headers"))
    elif _HDFS_KEY in data:
        _add_volume(found, _HDFS_VOLUME, name, _HDFS_FOLDER)
    elif _HF_TOKEN in data:
        found.env.append(_reference(_HF_TOKEN, name, _HF_TOKEN))


def _s3_names(data: Mapping[str, Any], defaults: S3Defaults) -> S3Defaults | None:
    """The settings with the names of the keys that the Secret has; None for one that is not for S3."""
    for access_key, secret_key in ((defaults.access_key_name, defaults.secret_key_name), *_S3_KEYS):
        if secret_key in data:
            return replace(defaults, access_key_name=access_key, secret_key_name=secret_key)
    return None


def _azure(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    made = []
    for variable, older in _AZURE.items():
        key = older if older in data else variable
        # A tenant is referred to even where it is missing, as upstream: the pod then says so.
        if key in data or variable == "AZURE_TENANT_ID":
            made.append(_reference(variable, name, key))
    return made


def _add_volume(found: Credentials, volume: str, secret: str, folder: str) -> None:
    if all(each["name"] != volume for each in found.volumes):
        found.volumes.append({"name": volume, "secret": {"secretName": secret}})
    found.mounts.append({"name": volume, "mountPath": folder, "readOnly": True})


def merge(env: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    """Into `env`: what both have is as `more` says."""
    places = {each["name"]: index for index, each in enumerate(env)}
    for each in more:
        if each["name"] in places:
            env[places[each["name"]]] = each
        else:
            env.append(each)


def _written(parameters: Mapping[str, str]) -> str:
    """As Go writes a map."""
    return json.dumps(dict(parameters), sort_keys=True, separators=(",", ":"))


def _reference(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
