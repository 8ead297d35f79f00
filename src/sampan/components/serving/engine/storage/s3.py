"""Variables of S3: keys by reference, and where the store is, from annotations, the Secret, or the settings.

Source: kserve/kserve v0.20.0 pkg/credentials/s3; seldon-core 1.18.2 operator/controllers/resources/credentials/s3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.serving.engine.storage.config import S3Defaults
from sampan.components.serving.engine.storage.reads import value
from sampan.kube import meta
from sampan.kube.meta import Object

CA_BUNDLE, CA_BUNDLE_CONFIG_MAP = "AWS_CA_BUNDLE", "AWS_CA_BUNDLE_CONFIGMAP"
_ENDPOINT, _USE_HTTPS = "S3_ENDPOINT", "S3_USE_HTTPS"
_GROUPS = ("serving.kserve.io", "machinelearning.seldon.io", "serving.kubeflow.org")
"""Of annotations: Seldon's and KFServing's Secrets have their own."""


def secret_variables(secret: Object, defaults: S3Defaults) -> list[dict[str, Any]]:
    """Raises StorageError."""
    name = meta.name(secret)
    keys = [
        _reference("AWS_ACCESS_KEY_ID", name, defaults.access_key_name),
        _reference("AWS_SECRET_ACCESS_KEY", name, defaults.secret_key_name),
    ]
    return [*keys, *variables(meta.annotations(secret), secret, defaults)]


def variables(
    annotations: Mapping[str, str], secret: Object | None, defaults: S3Defaults
) -> list[dict[str, Any]]:
    """Raises StorageError."""

    def told(annotation: str, key: str, default: str) -> str:
        names = (f"{group}/{annotation}" for group in _GROUPS)
        said = next((annotations[name] for name in names if name in annotations), None)
        if said is None and secret is not None:
            said = value(secret, key)
        return default if said is None else said

    found: dict[str, str] = {}
    if endpoint := told("s3-endpoint", _ENDPOINT, defaults.endpoint).strip():
        found |= _endpoint(endpoint, told("s3-usehttps", _USE_HTTPS, defaults.use_https))
    found |= {
        "S3_VERIFY_SSL": told("s3-verifyssl", "S3_VERIFY_SSL", defaults.verify_ssl),
        "awsAnonymousCredential": told(
            "s3-useanoncredential", "awsAnonymousCredential", defaults.use_anonymous_credential
        ),
        "AWS_DEFAULT_REGION": told("s3-region", "AWS_DEFAULT_REGION", defaults.region),
        "S3_USER_VIRTUAL_BUCKET": told(
            "s3-usevirtualbucket", "S3_USER_VIRTUAL_BUCKET", defaults.use_virtual_bucket
        ),
        "S3_USE_ACCELERATE": told("s3-useaccelerate", "S3_USE_ACCELERATE", defaults.use_accelerate),
        CA_BUNDLE: told("s3-cabundle", CA_BUNDLE, defaults.ca_bundle),
        CA_BUNDLE_CONFIG_MAP: told(
            "s3-cabundle-configmap", CA_BUNDLE_CONFIG_MAP, defaults.ca_bundle_config_map
        ),
    }
    return [{"name": name, "value": text} for name, text in found.items() if text]


def _endpoint(endpoint: str, use_https: str) -> dict[str, str]:
    """A scheme in the endpoint counts before what is said about https."""
    for scheme, said in (("https://", "1"), ("http://", "0")):
        if endpoint.lower().startswith(scheme):
            return {_USE_HTTPS: said, _ENDPOINT: endpoint[len(scheme) :], "AWS_ENDPOINT_URL": endpoint}
    scheme = "http://" if use_https == "0" else "https://"
    return {_USE_HTTPS: use_https, _ENDPOINT: endpoint, "AWS_ENDPOINT_URL": scheme + endpoint}


def _reference(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
