"""What every driver of an experiment is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sampan.client.protocol import Client
from sampan.components.tuning.controller.experiments.specs import Specs
from sampan.components.tuning.controller.suggestions.services import Asked
from sampan.components.tuning.store.observations import Observations
from sampan.kube.meta import Object
from sampan.lib.clock import Clock, rfc3339
from sampan.reconcile.cache import Cache


@dataclass(frozen=True, slots=True)
class Ground:
    client: Client
    clock: Clock
    observations: Observations
    experiments: Cache
    specs: Specs
    asked: Callable[[Object], Awaitable[Asked]]
    """Whom to ask for a Suggestion. Raises NotReadyError, SuggestingError, ApiError."""
    home: Path

    def now(self) -> str:
        return rfc3339(self.clock.now())
