"""What a pod keeps on disk, against what it may: a pod beyond its limits is evicted.

`limits_of` and `exceeded` are pure; `measure` walks the pod's folder, and only for pods that have a limit. Called by
`pod_sync` at intervals. Source: kubernetes/pkg/kubelet/eviction (eviction_manager.go, localStorageEviction), v1.31.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.node.layout import PodFolder
from sampan.kube import meta, pods, quantities

_RESOURCE = "ephemeral-storage"
_BLOCK_BYTES = 512
"""What `st_blocks` counts."""


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """As they are written, for the messages."""

    volumes: Mapping[str, str] = field(default_factory=dict)
    containers: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.volumes or self.containers)


@dataclass(frozen=True, slots=True)
class StorageUse:
    """In bytes."""

    volumes: Mapping[str, int]
    containers: Mapping[str, int]
    shared: int
    """What the containers of the pod write together: home and /tmp."""

    @property
    def total(self) -> int:
        return sum(self.volumes.values()) + sum(self.containers.values()) + self.shared


def limits_of(pod: Object) -> StorageLimits:
    """False for most pods: they have none."""
    volumes = {
        str(volume["name"]): str(limit)
        for volume in meta.spec(pod).get("volumes") or ()
        if (limit := (volume.get("emptyDir") or {}).get("sizeLimit")) and quantities.parse(limit) > 0
    }
    containers = {
        str(container["name"]): str(limit)
        for container in pods.containers(pod)
        if (limit := ((container.get("resources") or {}).get("limits") or {}).get(_RESOURCE)) is not None
    }
    return StorageLimits(volumes, containers)


def exceeded(limits: StorageLimits, use: StorageUse) -> str:
    """The message of the eviction; empty while the pod stays within its limits."""
    for name, limit in limits.volumes.items():
        if use.volumes.get(name, 0) > quantities.whole(limit):
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    if limits.containers:
        total = sum(quantities.whole(limit) for limit in limits.containers.values())
        if use.total > total:
            written = next(iter(limits.containers.values()))
            shown = written if len(limits.containers) == 1 else quantities.format_binary(total)
            return f"Pod ephemeral local storage usage exceeds the total limit of containers {shown}. "
    for name, limit in limits.containers.items():
        if use.containers.get(name, 0) > quantities.whole(limit):
            return f'Container {name} exceeded its local ephemeral storage limit "{limit}". '
    return ""


def measure(pod: Object, folder: PodFolder, logs: Path) -> StorageUse:
    """Walks the files: not for the event loop."""
    volumes: dict[str, int] = {}
    for volume in meta.spec(pod).get("volumes") or ():
        if "emptyDir" in volume:
            volumes[str(volume["name"])] = _size(folder.volume(str(volume["name"])))
    containers = {str(each["name"]): 0 for each in pods.all_containers(pod)}
    for place in (folder.path, logs):
        for name, path in _entries(place):
            container = name.partition(".")[0]
            if "." in name and container in containers:
                containers[container] += _size(path)
    return StorageUse(volumes, containers, _size(folder.home) + _size(folder.tmp))


def _entries(folder: Path) -> list[tuple[str, Path]]:
    try:
        return [(entry.name, Path(entry.path)) for entry in os.scandir(folder)]
    except OSError:
        return []


def _size(path: Path) -> int:
    """Of what is on disk: a sparse file counts for what it holds. Files may come and go meanwhile."""
    try:
        found: Any = path.lstat()
    except OSError:
        return 0
    total = int(found.st_blocks) * _BLOCK_BYTES
    if path.is_dir() and not path.is_symlink():
        total += sum(_size(child) for _, child in _entries(path))
    return total
