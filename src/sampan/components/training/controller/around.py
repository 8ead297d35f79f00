"""What every reconciler of training is given. Made by `sampan.components.training.controller.parts`."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.client.protocol import Client
from sampan.components import PodFiles
from sampan.components.training.api.settings import TrainingSettings
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Cache, Caches


@dataclass(frozen=True, slots=True)
class Around:
    client: Client
    clock: Clock
    caches: Caches
    """Training's own: whole kinds. For pods and Services of jobs there are the two below, which hold only those."""
    pods: Cache
    services: Cache
    settings: TrainingSettings
    gang_scheduler: str
    """`scheduler-plugins`, `volcano` or `none`: the setting, with `auto` decided."""
    url: str
    """Where this server is reached on its machine."""
    pod_files: PodFiles | None
    """How pods reach it from elsewhere; None in the embedded cluster."""
    init_image: str
    """Of the init container that waits for a master's name; empty for none."""
