"""What the REST layer needs from the rest of the platform, as one object that the component's door fills in.

The engine and the IR's checks are behind protocols because they load late, after the API answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sampan.client.protocol import Client
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.lib.clock import Clock, to_micros
from sampan.store.database import Database


class RunEngine(Protocol):
    """What executes runs. Every method returns once the change is durable."""

    async def submit(self, run_id: str) -> None:
        """Starts a run whose row is there."""
        ...

    async def terminate(self, run_id: str) -> None:
        """Stops a run: its steps end, its exit tasks run, and it is CANCELED. A second time those end too."""
        ...

    async def retry(self, run_id: str) -> None:
        """Executes a finished run's failed steps again and keeps the rest."""
        ...

    async def forget(self, run_id: str, namespace: str) -> None:
        """Stops a run whose row is gone, and removes its pods and working files."""
        ...


class Prepare(Protocol):
    """Reads and checks a pipeline's specification. Blocks: called in a thread."""

    def __call__(self, source: bytes | Mapping[str, Any], parameters: Mapping[str, Any] | None) -> str:
        """The specification as it is stored: JSON, `{"pipeline_spec": …, "platform_spec": …}`.

        `source` is a file's text, or an object; `parameters` are a run's, None checks the specification
        alone. Raises InvalidArgumentError naming the path in the specification, or the parameter.
        """
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """Shared by all requests."""

    database: Database
    client: Client
    clock: Clock
    home: Path
    settings: PipelineSettings
    namespace: str
    """Where everything of the one user lives."""
    engine: Callable[[], Awaitable[RunEngine]]
    prepare: Callable[[], Awaitable[Prepare]]

    def now_micros(self) -> int:
        return to_micros(self.clock.now())
