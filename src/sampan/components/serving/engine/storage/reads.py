"""What of the cluster the injection looks at: read by `controller/storage.py`, which asks here what to read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.components.serving.engine.storage.errors import NO_SECRET, StorageError
from sampan.components.serving.engine.storage.wanted import Wanted
from sampan.kube import meta
from sampan.kube.meta import Object


@dataclass(frozen=True, slots=True)
class Reads:
    namespace: str
    service_account: Object | None = None
    """As whom the pod runs; None where there is none of that name."""
    secrets: Mapping[str, Object] = field(default_factory=dict)
    """By name: those of `secret_names` that are there."""
    containers: Sequence[Object] = ()
    """All ClusterStorageContainers."""
    owner: str = ""
    """The namespace whose files and hosts count, where that is another."""
    own_s3: Object | None = None
    """A Secret with the keys of the platform's own S3: for `s3://` where nothing else gives any."""


def service_account_name(template: Object) -> str:
    return str(meta.spec(template).get("serviceAccountName") or "default")


def secret_names(
    template: Object, wanted: Wanted, account: Object | None, config: StorageConfig
) -> tuple[str, ...]:
    """Of the Secrets that hold the credentials: the one that an annotation names, or those of the account."""
    named = meta.annotations(template).get(config.secret_annotation, "") if config.secret_annotation else ""
    if wanted.spec is not None:
        return (named or config.secret_name,)
    if account is None:
        # Without an account no pod starts, and Kubernetes says so.
        return ()
    if named:
        return (named,)
    return tuple(str(each.get("name")) for each in account.get("secrets") or () if each.get("name"))


def value(secret: Object, key: str) -> str | None:
    """What a Secret holds at a key, as text. Raises StorageError for what is none, without showing it."""
    data = secret.get("data") or {}
    if key not in data:
        return None
    try:
        return base64.b64decode(str(data[key] or ""), validate=True).decode()
    except (binascii.Error, ValueError):
        raise StorageError(NO_SECRET, f"the key {key} of the Secret {meta.name(secret)} is no text") from None
