"""The machine's GPUs and who has them. `nvidia.com/gpu` counts whole ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.kube import quantities

_FILE = "gpus"
RESOURCE_NAME = "nvidia.com/gpu"


class GpuAllocator:
    """Hands out GPUs by index. For one event loop."""

    def __init__(self, gpus: tuple[str, ...]) -> None:
        self.all = gpus
        self._held: dict[str, tuple[str, ...]] = {}

    def acquire(self, container: str, count: int) -> tuple[str, ...] | None:
        """None when so many are not free."""
        if container in self._held:
            return self._held[container]
        taken = {gpu for held in self._held.values() for gpu in held}
        free = [gpu for gpu in self.all if gpu not in taken]
        if len(free) < count:
            return None
        self._held[container] = tuple(free[:count])
        return self._held[container]

    def take(self, container: str, gpus: tuple[str, ...]) -> None:
        """What a container has had since before a restart of the server."""
        if gpus:
            self._held[container] = gpus

    def release(self, container: str) -> None:
        self._held.pop(container, None)


def remember(folder: Path, gpus: tuple[str, ...]) -> None:
    """Says on disk what a container is given, before it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_text(",".join(gpus))


def remembered(folder: Path) -> tuple[str, ...]:
    try:
        text = (folder / _FILE).read_text()
    except OSError:
        return ()
    return tuple(each for each in text.split(",") if each)


def wanted(container: Mapping[str, Any]) -> int:
    limits = (container.get("resources") or {}).get("limits") or {}
    return quantities.whole(limits.get(RESOURCE_NAME, 0))


def detect(driver: Path = Path("/proc/driver/nvidia/gpus")) -> tuple[str, ...]:
    """Indices as CUDA_VISIBLE_DEVICES takes them; empty without a driver."""
    try:
        return tuple(str(index) for index, _ in enumerate(sorted(driver.iterdir())))
    except OSError:
        return ()
