"""What one turn of a run's machine changes: rows for one transaction, and acts for after it.

The machine writes, the driver commits and then acts. Nothing in `acts` may happen before the commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from sampan.client.protocol import Client
from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.outputs import StepResult
from sampan.components.pipelines.engine.step_files import StepFiles, StepPaths
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.lib.threads import Threads


class Collector(Protocol):
    """Reads what an attempt has left, once its pod has ended."""

    @property
    def reads_failures(self) -> bool:
        """Whether a step that failed has outputs too."""
        ...

    def collect(self, files: StepFiles) -> StepResult:
        """Blocks: called in a thread. Raises StepError."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """A pod to create, or to adopt where it exists; and how its outputs will be read."""

    task_id: str
    attempt: int
    pod: dict[str, Any]
    paths: StepPaths
    outputs: Collector
    workspace: dict[str, Any] | None = None
    """The volume claim that must exist before the pod."""
    tells_start: bool = False
    """Whether the machine wants to know that the pod runs and is ready, not only that it has ended."""

    inputs: tuple[str, ...] = ()
    """URIs of what must be fetched before the pod is made."""
    requires_inputs: bool = False
    """Whether the pod is not made without all of them; else it may do without what cannot be reached."""

    @property
    def pod_name(self) -> str:
        return str(self.pod["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Removal:
    """A pod that is not wanted any more. `awaited`: the run ends only once it is gone."""

    task_id: str
    pod: str
    awaited: bool = False
    uid: str = ""
    """Of the pod, where it is known."""


class Operation(Protocol):
    """What a task does that has no pod. Done again after a crash, so it must bear that."""

    @property
    def task_id(self) -> str: ...

    @property
    def name(self) -> str:
        """For logs."""
        ...

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Value]:
        """The task's output parameters. What blocks for long is asked in `asking`. Raises StepError."""
        ...


@dataclass(frozen=True, slots=True)
class Timer:
    """Wake the machine for this task once the time has come; the deadline of the run when there is no task."""

    task_id: str
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class RunChange:
    state: RuntimeState
    at: int
    error: str = ""


@dataclass(slots=True)
class Turn:
    inserted: list[TaskRow] = field(default_factory=list)
    updated: list[TaskRow] = field(default_factory=list)
    artifacts: list[ArtifactRow] = field(default_factory=list)
    links: list[ArtifactLink] = field(default_factory=list)
    run: list[RunChange] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)

    @property
    def has_rows(self) -> bool:
        return bool(self.inserted or self.updated or self.artifacts or self.links or self.run)
