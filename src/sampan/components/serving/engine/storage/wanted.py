"""Which files a component of an InferenceService wants, from its spec.

Source: kserve/kserve v0.20.0 pkg/apis/serving/v1beta1 (GetStorageUri and GetStorageSpec of each kind of component,
StorageUri), pkg/controller/v1beta1/inferenceservice/components/component.go (addStorageSpecAnnotations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.storage import uris
from sampan.components.serving.engine.storage.errors import INVALID_SPEC, StorageError

URI_VARIABLE = "STORAGE_URI"
"""By which a custom container asks for files."""
_FRAMEWORKS = ("model", "art", "alibi", "aix")


@dataclass(frozen=True, slots=True)
class StorageUri:
    uri: str
    mount_path: str = labels.MODEL_DIR


@dataclass(frozen=True, slots=True)
class StorageSpec:
    """`storage`, beside or in place of a `storageUri`."""

    key: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    uris: tuple[StorageUri, ...] = ()
    is_list: bool = False
    """Given as `storageUris`."""
    spec: StorageSpec | None = None
    container_name: str = ""
    """Of the ClusterStorageContainer; empty for the first that takes the URI."""


def wanted(component: Mapping[str, Any]) -> Wanted:
    """Of a predictor, transformer or explainer, with defaults in. Raises StorageError."""
    name = str(component.get("storageContainerName") or "")
    listed = component.get("storageUris") or ()
    model: Mapping[str, Any] = next((component[each] for each in _FRAMEWORKS if component.get(each)), {})
    spec = _spec(model.get("storage"))
    if listed:
        several = tuple(
            StorageUri(str(each.get("uri") or ""), str(each.get("mountPath") or labels.MODEL_DIR))
            for each in listed
        )
        for each in several:
            uris.check(each.uri, "storageUris")
        return Wanted(several, is_list=True, spec=spec, container_name=name)
    path = (model.get("storage") or {}).get("path")
    uri = model.get("storageUri") if model else _variable(component)
    if uri is not None and path is not None:
        raise StorageError(INVALID_SPEC, "must provide only one of storageUri and storage.path")
    if path is not None:
        uri = f"{uris.SCHEME_PLACEHOLDER}://{str(path).removeprefix('/')}"
    if not uri:
        return Wanted(spec=spec, container_name=name)
    uris.check(str(uri))
    return Wanted((StorageUri(str(uri)),), spec=spec, container_name=name)


def _spec(storage: Mapping[str, Any] | None) -> StorageSpec | None:
    if storage is None:
        return None
    parameters = {str(key): str(value) for key, value in (storage.get("parameters") or {}).items()}
    return StorageSpec(str(storage.get("key") or ""), parameters)


def _variable(component: Mapping[str, Any]) -> str | None:
    """What a custom container asks for."""
    containers = component.get("containers") or ()
    named = [each for each in containers if each.get("name") == labels.CONTAINER]
    for each in (named or list(containers))[:1]:
        for variable in each.get("env") or ():
            if variable.get("name") == URI_VARIABLE:
                return str(variable.get("value") or "")
    return None
