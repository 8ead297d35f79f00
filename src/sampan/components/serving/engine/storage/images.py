"""Models in OCI images, where containers run: beside the model server ("modelcar"), or as an image volume ("native").

For `injection`. Source: kserve/kserve v0.20.0 pkg/utils/storage.go (ConfigureModelcarToContainer,
ConfigureOciNativeToContainer, ValidateOCIMountPaths).
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.storage import mounts, uris
from sampan.components.serving.engine.storage.config import FETCH, NATIVE, StorageConfig
from sampan.components.serving.engine.storage.errors import INVALID_SPEC, INVALID_URI, StorageError

MOST = 10
_CAR, _CAR_INIT = "modelcar", "modelcar-init"
_VOLUME = "kserve-provision-location"


@dataclass(frozen=True, slots=True)
class ModelImage:
    image: str
    mode: str
    path: str


def image_of(uri: str, path: str, config: StorageConfig) -> ModelImage | None:
    """None for what is no image, and for one that the initializer is to fetch. Raises StorageError."""
    found = uris.oci(uri)
    if found is None or config.own.is_embedded:
        # The program of the initializer is our own then, and takes the files out of the image.
        return None
    mode, plain = found[0] or config.oci_mode, found[1]
    if mode == FETCH:
        raise StorageError(
            INVALID_URI,
            f"{uri}: images are not fetched on this cluster; use oci+modelcar:// or oci+native://",
        )
    if not mode:
        raise StorageError(
            INVALID_URI,
            f"{uri}: models in images are switched off: set enableModelcar in storageInitializer of "
            "inferenceservice-config",
        )
    return ModelImage(plain.removeprefix(uris.OCI), mode, path)


def check(images: Sequence[ModelImage]) -> None:
    """Raises StorageError for images that would hide one another."""
    if len(images) > MOST:
        raise StorageError(INVALID_SPEC, f"too many OCI sources ({len(images)}); maximum is {MOST} per pod")
    seen: dict[str, str] = {}
    for each in images:
        place = each.path if each.mode == NATIVE else posixpath.dirname(each.path) or "/"
        if place in seen:
            raise StorageError(
                INVALID_SPEC,
                f'OCI mount paths "{seen[place]}" and "{each.path}" cannot both be shown; use mount paths with '
                "distinct parent directories",
            )
        seen[place] = each.path


def add(
    spec: mounts.Spec, found: ModelImage, index: int, targets: Sequence[dict[str, Any]], config: StorageConfig
) -> None:
    """`index` numbers the images of a pod."""
    if found.mode == NATIVE:
        volume = {
            "name": uris.volume_name(found.path),
            "image": {"reference": found.image, "pullPolicy": "IfNotPresent"},
        }
        mounts.show(spec, mounts.Show(volume, found.path, "models"), targets)
        return
    suffix = f"-{index}" if index else ""
    volume = mounts.empty(_VOLUME + suffix)
    shown = mounts.Show(volume, posixpath.dirname(found.path) or "/", is_read_only=False)
    for each in targets:
        # The server must wait for the link, which the image's container makes when it starts.
        mounts.set_variable(each, "MODEL_INIT_MODE", "async")
        if config.uid_modelcar is not None:
            each["securityContext"] = {
                **(each.get("securityContext") or {}),
                "runAsUser": config.uid_modelcar,
            }
    mounts.show(spec, shown, targets)
    if mounts.container(spec, _CAR + suffix) is None:
        car = _container(_CAR + suffix, found.image, _link(found.path), config)
        mounts.add_mount(car, shown)
        if config.uid_modelcar is not None:
            car["securityContext"] = {"runAsUser": config.uid_modelcar}
        spec["containers"] = [*(spec.get("containers") or ()), car]
        fetch = _container(_CAR_INIT + suffix, found.image, _look(found.image), config)
        spec["initContainers"] = [*(spec.get("initContainers") or ()), fetch]
    # Through /proc the model server sees the files of the image's container.
    spec["shareProcessNamespace"] = True


def _container(name: str, image: str, command: str, config: StorageConfig) -> dict[str, Any]:
    amounts = {"cpu": config.cpu_modelcar, "memory": config.memory_modelcar}
    return {
        "name": name,
        "image": image,
        "args": ["sh", "-c", command],
        "resources": {"limits": dict(amounts), "requests": dict(amounts)},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _link(path: str) -> str:
    # Kubernetes makes $$ of $$$$, and the shell its process id.
    make = "" if path == labels.MODEL_DIR else f"mkdir -p {shlex.quote(posixpath.dirname(path))} && "
    return f"{make}ln -sf /proc/$$$$/root/models {shlex.quote(path)} && sleep infinity"


def _look(image: str) -> str:
    return (
        f"echo 'Fetched {image}'; [ -d /models ] && [ \"$$(ls -A /models)\" ] || "
        "{ echo 'the image holds no files at /models' >&2; exit 1; }"
    )
