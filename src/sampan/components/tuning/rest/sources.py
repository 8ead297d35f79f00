"""What the routes and services of `rest` are given by the component's door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client
from sampan.components import Services
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.engine.counting import Totals
from sampan.components.tuning.rest.place import Place
from sampan.components.tuning.rest.trials import Trials
from sampan.components.tuning.store.observations import Observations
from sampan.components.tuning.store.trial_pods import TrialPods
from sampan.kube.meta import Object
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Caches


@dataclass(frozen=True, slots=True)
class Sources:
    client: Client
    clock: Clock
    home: Path
    observations: Observations
    algorithms: Callable[[], Any]
    """`engine.builtin.BuiltIn`, the one that the controllers ask too."""
    trials: Trials
    pods: TrialPods
    caches: Callable[[], Caches | None] = lambda: None
    """The controllers', None while there are none."""
    totals: Callable[[], Totals | None] = lambda: None
    """What they have counted."""
    is_local: bool = True
    """Whether the logs of pods are files of this home."""

    async def trial(self, place: Place) -> Object:
        """As it is written now. Raises ApiError."""
        return await self.client.get(TRIALS, place.name, place.namespace)


def sources_of(
    services: Services,
    algorithms: Callable[[], Any],
    caches: Callable[[], Caches | None] = lambda: None,
    totals: Callable[[], Totals | None] = lambda: None,
) -> Sources:
    """`caches` and `totals` give the controllers', None while there are none."""
    return Sources(
        services.client,
        services.clock,
        services.home,
        Observations(services.database),
        algorithms,
        Trials(services.client, caches),
        TrialPods(services.database),
        caches,
        totals,
        is_local=services.pod_files is None,
    )
