"""What every reconciler of tuning is given. Made by `sampan.components.tuning.controller.parts`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sampan.client.protocol import Client
from sampan.components import PodFiles
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.api.suggesting import Algorithms
from sampan.components.tuning.engine.counting import Totals
from sampan.components.tuning.store.observations import Observations
from sampan.components.tuning.store.trial_pods import TrialPods
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Caches

Served = Callable[[str, str], Awaitable[Resource | None]]
"""By apiVersion and kind: how objects of that kind are read and written; None while they are not served. Raises
ApiError."""
PodPlaces = Callable[[Object], Awaitable[Callable[[str], str]]]
"""Where files lie that a pod's first container sees. Raises ApiError."""


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
    served: Served | None = None
    pod_places: PodPlaces | None = None
    """None where pods run elsewhere."""
    remembered: TrialPods | None = None
    """Pods that trials have had; None where pods run elsewhere."""
    attendant_log: Callable[[Object, str, Sequence[str]], None] | None = None
    """Adds lines to the log of a container that has no process."""
    totals: Totals = field(default_factory=Totals)
    """What has become of experiments and trials since this process began."""
