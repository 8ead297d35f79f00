"""What the types of Secrets promise: the keys that a Secret of each must have.

Called by `core` when it validates one. Source: pkg/apis/core/validation/validation.go (ValidateSecret), v1.37.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_ACCOUNT = "kubernetes.io/service-account.name"
_DOCKER = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
_EVERY = {"kubernetes.io/tls": ("tls.crt", "tls.key")}
_ANY = {"kubernetes.io/basic-auth": ("username", "password")}
_FILLED = {"kubernetes.io/ssh-auth": "ssh-privatekey"}


def validate_type(secret: Object, errors: FieldErrors) -> None:
    kind, data = str(secret.get("type") or ""), secret.get("data") or {}
    if kind == "kubernetes.io/service-account-token" and not meta.annotations(secret).get(_ACCOUNT):
        errors.required(f"metadata.annotations[{_ACCOUNT}]")
    if key := _DOCKER.get(kind):
        _validate_docker(key, data, errors)
    missing = [key for key in _EVERY.get(kind, ()) if key not in data]
    if not any(key in data for key in _ANY.get(kind, ())):
        missing += _ANY.get(kind, ())
    if kind in _FILLED and not data.get(_FILLED[kind]):
        missing.append(_FILLED[kind])
    for key in missing:
        errors.required(f"data[{key}]")


def _validate_docker(key: str, data: Mapping[str, str], errors: FieldErrors) -> None:
    if key not in data:
        errors.required(f"data[{key}]")
        return
    try:
        json.loads(base64.b64decode(data[key]))
    except ValueError:
        errors.invalid(f"data[{key}]", "<secret contents redacted>", "must be JSON")
