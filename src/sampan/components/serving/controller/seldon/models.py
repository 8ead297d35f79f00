"""Models' files brought to containers of SeldonDeployments, as they are to InferenceServices, under Seldon's names.

Source: seldon-core 1.18.2 operator/controllers/model_initializer_injector.go. Not so here: KServe's initializer brings
them, which knows more places; a Secret of rclone's variables is understood as far as it is about S3.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import mapping, mappings, named, text
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.seldon import storage
from sampan.components.serving.engine.seldon.desired import Fetch
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.kube.meta import Object

_MOST = 63
_PROVISION = "kserve-provision-location"


class Models:
    def __init__(self, storage: ModelStorage) -> None:
        self._storage = storage

    async def bring(self, template: Object, fetch: Fetch, namespace: str, config: StorageConfig) -> Object:
        """A copy of the pod template in which the container sees its model. Raises StorageError, ApiError."""
        container = named(mapping(template.get("spec")).get("containers"), fetch.container)
        if container is None:
            raise ValueError(f"Invalid configuration: cannot find container: {fetch.container}")
        if _brings_its_own(template, fetch):
            return _seeing(template, fetch)
        alone = _alone(template, dict(container), fetch)
        component = {"model": {"storageUri": storage.uri_of(fetch.uri)}}
        if fetch.secret:
            config = replace(config, offers_own_s3=False)
        made = await self._storage.add(component, alone, namespace, config)
        renamed = _renamed(made, fetch)
        if not config.own.is_embedded:
            _leave_rclone_its_own(renamed, fetch)
        return _together(template, renamed, fetch)


def _brings_its_own(template: Object, fetch: Fetch) -> bool:
    """Whether an init container of the user's has the name that ours would have: then the URI means nothing."""
    return named(mapping(template.get("spec")).get("initContainers"), _initializer(fetch)) is not None


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
                "valueFrom": {"secretKeyRef": {"name": fetch.secret, "key": key, "optional": True}},
            }
            for name, key in storage.keys_of(fetch.uri).items()
            if name not in there
        ),
    ]


def _leave_rclone_its_own(made: Object, fetch: Fetch) -> None:
    """An image of rclone's knows its own remotes by their names."""
    for each in mappings(mapping(made.get("spec")).get("initContainers")):
        args = each.get("args") or []
        if "rclone" in text(each.get("image")) and args and args[0] == storage.uri_of(fetch.uri):
            each["args"] = [fetch.uri, *args[1:]]


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
