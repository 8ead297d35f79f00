"""Where a component's models come from. For `services`.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_validation.go (validateMultipleStorageURIs,
validateConfidential), component.go (validateStorageSpec), pkg/validation/confidential.go. Unlike upstream, a URI
without a scheme is refused: no file of the server's image is ever meant (kserve#3873). One of an unknown scheme waits
for a ClusterStorageContainer, and its InferenceService says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.components.serving.api import models
from sampan.components.serving.api.kinds import CLUSTER_STORAGE_CONTAINERS
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.components.serving.engine.storage.containers import takes
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.components.serving.engine.storage.uris import PREFIXES, PVC, common_folder
from sampan.components.serving.engine.validation import components
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_KBS = re.compile(r"kbs:///[a-zA-Z0-9_.-]+/[a-zA-Z0-9_.-]+/[a-zA-Z0-9_.-]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+", re.DOTALL)
_EXPLAINERS = ("art", "alibi", "aix")


def check(component: Object, at: str, around: Surroundings, errors: FieldErrors) -> None:
    field = models.framework(component) or next(
        (each for each in _EXPLAINERS if isinstance(component.get(each), dict)), "containers"
    )
    uri = components.storage_uri(component)
    if uri:
        _check_uri(
            uri, f"{at}.{field}" if field == "containers" else f"{at}.{field}.storageUri", around, errors
        )
    said = mapping(component.get(field)) if field != "containers" else {}
    if said.get("storageUri") is not None and child(said, "storage").get("path") is not None:
        errors.forbidden(f"{at}.{field}.storage.path", "must provide only one of storageUri and storage.path")
    several = component.get("storageUris")
    if isinstance(several, list):
        if uri:
            errors.forbidden(f"{at}.storageUris", "Setting both StorageURI and StorageURIs is not supported.")
        _check_several(mappings(several), f"{at}.storageUris", around, errors)
    _check_confidential(said, uri, f"{at}.{field}", errors)


def _check_uri(uri: str, at: str, around: Surroundings, errors: FieldErrors) -> None:
    if _SCHEME.fullmatch(uri) or _is_taken(uri, around):
        return
    hint = (
        f"for a file of this machine write file://{uri}"
        if uri.startswith("/")
        else "write where it is in full"
    )
    errors.invalid(
        at,
        uri,
        f"storageUri, must be one of: [{', '.join(PREFIXES)}] or match"
        f" https://{{}}.blob.core.windows.net/{{}}/{{}}. StorageUri [{uri}] is not supported; it names no scheme:"
        f" {hint}",
    )


def _is_taken(uri: str, around: Surroundings) -> bool:
    for container in around.all(CLUSTER_STORAGE_CONTAINERS, ""):
        try:
            if not container.get("disabled") and takes(container, uri):
                return True
        except StorageError:
            continue
    return False


def _check_several(several: Sequence[Object], at: str, around: Surroundings, errors: FieldErrors) -> None:
    paths: list[str] = []
    of_volumes: list[str] = []
    for index, each in enumerate(several):
        here, uri, path = (
            f"{at}[{index}]",
            text(each.get("uri")),
            text(each.get("mountPath")) or "/mnt/models",
        )
        if not uri:
            errors.required(f"{here}.uri", "storage URI cannot be empty")
        else:
            _check_uri(uri, f"{here}.uri", around, errors)
        if path == "/":
            errors.invalid(f"{here}.mountPath", path, "storage path cannot be empty")
        elif not path.startswith("/"):
            errors.invalid(f"{here}.mountPath", path, f"storage path must be absolute: {path}")
        elif ".." in path:
            errors.invalid(
                f"{here}.mountPath", path, f"storage path cannot contain '..' for security reasons: {path}"
            )
        (of_volumes if uri.startswith(PVC) else paths).append(path)
    if len(set(of_volumes)) < len(of_volumes):
        errors.invalid(at, of_volumes, "PVC storage paths must be unique")
    if len(paths) > 1 and common_folder(paths) == "/":
        errors.invalid(
            at,
            paths,
            f"storage paths must have a common parent directory. Current paths: [{' '.join(paths)}] have no common"
            " parent beyond root",
        )


def _check_confidential(said: Object, uri: str, at: str, errors: FieldErrors) -> None:
    confidential = child(said, "confidential")
    if confidential.get("enabled") is not True:
        return
    if not uri:
        errors.required(f"{at}.storageUri", "confidential model serving requires storageUri to be set")
    resource = text(confidential.get("resourceId"))
    if resource and not _KBS.fullmatch(resource):
        errors.invalid(
            f"{at}.confidential.resourceId", resource, "must be in the format kbs:///<repo>/<type>/<tag>"
        )
