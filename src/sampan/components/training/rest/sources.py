"""What the routes are given by the component's door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sampan.client.protocol import Client
from sampan.components.training.store.job_pods import JobPods
from sampan.kube.meta import Object
from sampan.lib.clock import Clock


@dataclass(frozen=True, slots=True)
class LogSource:
    client: Client
    clock: Clock
    home: Path
    is_local: bool
    """Whether the logs of pods are files of this home."""
    pod_places: Callable[[Object], Awaitable[Callable[[str], str]]] | None = None
    """As `sampan.components.Services` has it."""

    @property
    def remembered(self) -> JobPods | None:
        return JobPods(self.home) if self.is_local else None
