"""What nodes, pods and containers use: the seam between who runs them and who serves `metrics.k8s.io`. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sampan.kube.meta import Object


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_nanocores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    name: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class PodUsage:
    pod: Object
    containers: Sequence[ContainerUsage]
    window_seconds: float


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Of the file system that holds what pods write."""

    capacity_bytes: int
    available_bytes: int
    """To us: what is kept for root is neither used nor available."""
    used_bytes: int


@dataclass(frozen=True, slots=True)
class NodeUsage:
    name: str
    usage: Usage
    window_seconds: float


class UsageProvider(Protocol):
    """Whoever runs pods. Used in one event loop; must not block it."""

    async def node(self) -> NodeUsage: ...

    async def disk(self) -> DiskUsage: ...

    async def pods(self) -> list[PodUsage]:
        """Of the pods that run."""
        ...
