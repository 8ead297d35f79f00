"""How many requests there are for what is scaled: the gateway knows, the autoscaler asks.

Source of the meaning: knative.dev/serving pkg/autoscaler/metrics/collector.go: averages over a window, in which
requests count from when they come, be they waiting or served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sampan.components.serving.api.routing import Target


@dataclass(frozen=True, slots=True)
class Load:
    concurrency: float
    """Requests at a time, on the average of the window."""
    requests_per_second: float
    waiting: int
    """Now, for want of a ready pod with room."""
    idle_seconds: float
    """Since the last request had its answer; infinite where there has been none since the gateway started."""


class Demand(Protocol):
    """For the gateway's event loop."""

    def load(self, target: Target, window_seconds: float) -> Load: ...

    def waiting(self) -> Sequence[Target]:
        """Targets for which requests wait now."""
        ...

    def on_wait(self, callback: Callable[[Target], None]) -> None:
        """Called at once whenever a request begins to wait."""
        ...
