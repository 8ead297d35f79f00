"""What every reconciler of serving is given. Made by `sampan.components.serving.controller.parts`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sampan.client.protocol import Client
from sampan.components import PodFiles
from sampan.components.serving.api.settings import ServingSettings
from sampan.kube.kinds import Resource
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Caches

if TYPE_CHECKING:
    from sampan.store.artifacts.objects import Bucket

Served = Callable[[str, str], Awaitable[Resource | None]]
"""By apiVersion and kind, None while they are not served. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Around:
    client: Client
    clock: Clock
    caches: Caches
    settings: ServingSettings
    home: Path
    url: str
    """Where this server is reached on its machine."""
    pod_files: PodFiles | None
    """How pods reach it from elsewhere; None in the embedded cluster."""
    grpc_port: int = 0
    """At which pods of the embedded cluster reach the gateway by gRPC; 0 where they do not."""
    served: Served | None = None
    """None: every kind that is built into Kubernetes is served in its newest version."""
    has_many_users: bool = False
    """Requests count for users of namespaces, and what one may reach another may not."""

    own_s3: Callable[[str], Bucket] | None = None
    """A bucket of the platform's own S3, by its name; None where there is none."""

    @property
    def is_embedded(self) -> bool:
        return self.pod_files is None
