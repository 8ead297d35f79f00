"""What every reconciler of tuning is given. Made by `sampan.components.tuning.controller.parts`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sampan.client.protocol import Client
from sampan.components import PodFiles
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.api.suggesting import Algorithms
from sampan.components.tuning.store.observations import Observations
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Caches


@dataclass(frozen=True, slots=True)
class Around:
    client: Client
    clock: Clock
    caches: Caches
    """Tuning's own: whole kinds."""
    settings: TuningSettings
    observations: Observations
    algorithms: Algorithms
    home: Path
    url: str
    """Where this server is reached on its machine."""
    pod_files: PodFiles | None
    """How pods reach it from elsewhere; None in the embedded cluster."""
