"""What the routes and services of `rest` are given by the component's door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client
from sampan.components import Services
from sampan.components.tuning.store.observations import Observations
from sampan.lib.clock import Clock


@dataclass(frozen=True, slots=True)
class Sources:
    client: Client
    clock: Clock
    home: Path
    observations: Observations
    algorithms: Callable[[], Any]
    """`engine.builtin.BuiltIn`, the one that the controllers ask too."""
    is_local: bool = True
    """Whether the logs of pods are files of this home."""


def sources_of(services: Services, algorithms: Callable[[], Any]) -> Sources:
    return Sources(
        services.client,
        services.clock,
        services.home,
        Observations(services.database),
        algorithms,
        is_local=services.pod_files is None,
    )
