"""Models' files brought to containers of SeldonDeployments, as they are to InferenceServices, under Seldon's names.

Source: seldon-core 1.18.2 operator/controllers/model_initializer_injector.go. Not so here: KServe's initializer brings
them, which knows more places; a Secret of rclone's variables is understood as far as it is about S3.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import mapping, mappings, named, text
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.seldon.desired import Fetch
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.kube.meta import Object

_MOST = 63
_RCLONE = {
    "AWS_ACCESS_KEY_ID": "ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY": "SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL": "ENDPOINT",
    "AWS_DEFAULT_REGION": "REGION",
}
"""By what S3's clients know, the ends of rclone's variables `RCLONE_CONFIG_REMOTE_…`."""
_REMOTE = re.compile(r"[A-Za-z0-9_.+-]+:(?!//)")
_SCHEMES = {"s3": "s3", "gs": "gs", "gcs": "gs"}
_PROVISION = "kserve-provision-location"


class Models:
    def __init__(self, storage: ModelStorage) -> None:
        self._storage = storage

    async def bring(self, template: Object, fetch: Fetch, namespace: str, config: StorageConfig) -> Object:
        """A copy of the pod template in which the container sees its model. Raises StorageError, ApiError."""
        container = named(mapping(template.get("spec")).get("containers"), fetch.container)
        if container is None:
            raise ValueError(f"Invalid configuration: cannot find container: {fetch.container}")
        if brings_its_own(template, fetch):
            return _seeing(template, fetch)
        alone = _alone(template, dict(container), fetch)
        component = {"model": {"storageUri": uri(fetch)}}
        made = await self._storage.add(component, alone, namespace, config)
        return _together(template, _renamed(made, fetch), fetch)


def brings_its_own(template: Object, fetch: Fetch) -> bool:
    """Whether an init container of the user's has the name that ours would have: then the URI means nothing."""
    return named(mapping(template.get("spec")).get("initContainers"), _initializer(fetch)) is not None


def uri(fetch: Fetch) -> str:
    """rclone's own way to write one, `s3:bucket/path`, means the same; any other name of a remote (`minio:bucket/path`)
    is that of a store of S3's kind which the Secret describes."""
    remote, _, rest = fetch.uri.partition(":")
    if not _REMOTE.match(fetch.uri) or (remote not in _SCHEMES and not fetch.secret):
        return fetch.uri
    return f"{_SCHEMES.get(remote, 's3')}://{rest.lstrip('/')}"


def remote(fetch: Fetch) -> str:
    """As rclone's variables name it."""
    name = fetch.uri.partition(":")[0] if _REMOTE.match(fetch.uri) else "s3"
    return name.upper().replace("-", "_")


def _seeing(template: Object, fetch: Fetch) -> Object:
    """The container sees what is brought."""
    spec = dict(mapping(template.get("spec")))
    mount = {"name": _provision(fetch), "mountPath": labels.MODEL_DIR, "readOnly": True}

    def seeing(container: Object) -> Object:
        mounts = mappings(container.get("volumeMounts"))
        if any(each.get("mountPath") == labels.MODEL_DIR for each in mounts):
            return container
        return {**container, "volumeMounts": [*mounts, mount]}

    spec["containers"] = [
        seeing(each) if each.get("name") == fetch.container else each
        for each in mappings(spec.get("containers"))
    ]
    return {**template, "spec": spec}


def _initializer(fetch: Fetch) -> str:
    return _short(f"{fetch.container}-model-initializer")


def _provision(fetch: Fetch) -> str:
    return _short(f"{fetch.container}-provision-location")


def _alone(template: Object, container: dict[str, Any], fetch: Fetch) -> Object:
    """A template of that container only, under the name by which storage knows it."""
    container["name"] = labels.CONTAINER
    told = mapping(template.get("spec"))
    spec: Object = {"containers": [container]}
    account = fetch.account or text(told.get("serviceAccountName"))
    if account:
        spec["serviceAccountName"] = account
    return {"metadata": copy.deepcopy(mapping(template.get("metadata"))), "spec": spec}


def _renamed(made: Object, fetch: Fetch) -> Object:
    """Initializer and volume with names of the container's own: a pod may have several."""
    provision = _provision(fetch)
    spec = copy.deepcopy(mapping(made.get("spec")))
    for each in mappings(spec.get("initContainers")):
        if each.get("name") == labels.STORAGE_INITIALIZER:
            each["name"] = _initializer(fetch)
            _credentials(each, fetch)
    for holder in (*mappings(spec.get("initContainers")), *mappings(spec.get("containers"))):
        for mount in mappings(holder.get("volumeMounts")):
            if mount.get("name") == _PROVISION:
                mount["name"] = provision
    for volume in mappings(spec.get("volumes")):
        if volume.get("name") == _PROVISION:
            volume["name"] = provision
    return {**made, "spec": spec}


def _credentials(initializer: Object, fetch: Fetch) -> None:
    if fetch.image:
        initializer["image"] = fetch.image
    if not fetch.secret:
        return
    source = {"secretRef": {"name": fetch.secret, "optional": True}}
    initializer["envFrom"] = [*mappings(initializer.get("envFrom")), source]
    there = {text(each.get("name")) for each in mappings(initializer.get("env"))}
    initializer["env"] = [
        *mappings(initializer.get("env")),
        *(
            {
                "name": name,
                "valueFrom": {
                    "secretKeyRef": {
                        "name": fetch.secret,
                        "key": f"RCLONE_CONFIG_{remote(fetch)}_{end}",
                        "optional": True,
                    }
                },
            }
            for name, end in _RCLONE.items()
            if name not in there
        ),
    ]


def _together(template: Object, made: Object, fetch: Fetch) -> Object:
    spec, added = dict(mapping(template.get("spec"))), mapping(made.get("spec"))
    seeing = {**mappings(added.get("containers"))[0], "name": fetch.container}
    spec["containers"] = [
        seeing if each.get("name") == fetch.container else each for each in mappings(spec.get("containers"))
    ]
    for key in ("initContainers", "volumes"):
        there = {text(each.get("name")) for each in mappings(spec.get(key))}
        more = [each for each in mappings(added.get(key)) if text(each.get("name")) not in there]
        if more:
            spec[key] = [*mappings(spec.get(key)), *more]
    return {**template, "spec": spec}


def _short(name: str) -> str:
    return name[:_MOST].rstrip("-")
