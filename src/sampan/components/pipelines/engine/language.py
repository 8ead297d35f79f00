"""The seam between what drives a run and what a run's language means: the IR, Argo's Workflows.

The driver and the engine keep what all runs share: rows and commits, pods, slots, adoption after a crash. A language
brings a machine: events in, a turn of changes out, without I/O. Nothing here knows any language (decision 18).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.failure import PodEnd
from sampan.components.pipelines.engine.outputs import StepResult
from sampan.components.pipelines.engine.run_locks import Lock
from sampan.components.pipelines.engine.step_files import StepFiles
from sampan.components.pipelines.engine.turn import Turn
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow


class StepEvents(Protocol):
    """What happens to single steps. An event of an attempt that is not the current one is stale, and ignored."""

    @property
    def waiting(self) -> int:
        """Steps that only lack a slot."""
        ...

    @property
    def flying(self) -> int:
        """Steps whose pod exists or is about to."""
        ...

    def launch_next(self) -> None:
        """Gives the step that has waited longest its slot."""
        ...

    def created(self, task_id: str, attempt: int, uid: str) -> None:
        """The attempt's pod exists: by its uid its log is found. Stored with what is written next."""
        ...

    def started(self, task_id: str, attempt: int, address: str) -> None:
        """The attempt's pod runs and is ready; only where the launch asked for it."""
        ...

    def ended(self, task_id: str, attempt: int, end: PodEnd, outcome: StepResult | StepError) -> None:
        """The attempt's pod has ended and its outputs are read."""
        ...

    def waits(self, task_id: str, attempt: int, why: str) -> None:
        """The attempt's pod cannot start yet, and says why; or, when that is empty, waits no more."""
        ...

    def rejected(self, task_id: str, attempt: int, message: str) -> None:
        """The API server refused the attempt's pod, and would again."""
        ...

    def retry_due(self, task_id: str) -> None:
        """A timer of the task is due."""
        ...

    def operation_ended(self, task_id: str, parameters: dict[str, Value] | None, message: str) -> None:
        """An operation is done, or failed with `message` where `parameters` is None."""
        ...


class Machine(Protocol):
    """One run's state machine. Called from one asyncio task; whatever it may ask costs no I/O.

    It may be ahead of the rows by the turn under way; a machine made anew from the rows goes on where this one was.
    """

    @property
    def steps(self) -> StepEvents: ...

    @property
    def is_over(self) -> bool: ...

    def is_leaving(self, task_id: str) -> bool:
        """Whether the step was stopped, and its pod is on its way out: what it still gives counts for nothing."""
        ...

    def resume(self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> None:
        """The run goes on from its rows, parents before children."""
        ...

    def cancel(
        self, why: str, final: RuntimeState = RuntimeState.CANCELED, *, is_forced: bool = False
    ) -> None:
        """Stops the run, which then has the state `final`. What cleans up still runs, unless this was said before."""
        ...

    def resume_canceling(
        self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow], pods: Mapping[str, str]
    ) -> None:
        """A run that was being canceled goes on being so. `pods` are those that still run, by task id."""
        ...

    def pod_gone(self, task_id: str) -> None:
        """The pod of a step that was stopped has ended or was deleted."""
        ...

    def deadline_passed(self) -> None: ...

    def settle(self) -> None:
        """After an event: begins what it made possible."""
        ...

    def take(self) -> Turn:
        """The turn so far; a new one begins."""
        ...


@dataclass(frozen=True, slots=True)
class Retry:
    """Of a run. `updated` rows stay with a new state, `deleted` tasks go; the rest is untouched."""

    updated: list[TaskRow]
    deleted: list[str]
    unlinked: Sequence[str] = ()
    """Of `updated`, those that forget their artifacts."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the driver knows of a run in any language."""

    run_id: str
    namespace: str
    files: StepFiles
    artifact_root: str = ""
    """Below which its steps write artifacts."""
    pipeline_name: str = ""
    claims: tuple[str, ...] = ()
    """Volume claims that go when the run is over."""
    locks: tuple[Lock, ...] = ()
    """What the run must have before it begins, and keeps until its end."""

    @property
    def begun(self) -> dict[str, str] | None:
        """What its row says of it once it has begun."""
        if not self.artifact_root:
            return None
        return {"artifact_root": self.artifact_root, "pipeline_name": self.pipeline_name}


class Prepared(Protocol):
    """One run, read and checked."""

    @property
    def facts(self) -> RunFacts: ...

    def machine(self) -> Machine:
        """A machine that knows nothing yet."""
        ...

    def connect(self, post: Callable[[Callable[[Machine], None]], None]) -> None:
        """`post` hands the machine an event that comes from neither the driver nor the user."""
        ...

    def begin(self, machine: Machine) -> None:
        """The run begins, in a machine that `machine` gave."""
        ...

    def lost(self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> Mapping[str, str]:
        """By task id, why what a task that succeeded has given cannot be used any more. Blocks."""
        ...

    def retry(self, rows: Sequence[TaskRow], now: int, lost: Mapping[str, str]) -> Retry:
        """What of a run that is over stays, and what runs anew. `lost` is what `lost` gave."""
        ...
