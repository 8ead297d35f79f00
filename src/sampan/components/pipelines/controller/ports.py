"""What the reconcilers need of the engine and of Argo's language, filled in by `parts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sampan.client.protocol import Object
from sampan.components.pipelines.controller.templates import Templates
from sampan.components.pipelines.engine.changes import Change
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow


class WorkflowEngine(Protocol):
    """What executes runs. Every method returns once the change is durable."""

    async def submit(self, run_id: str) -> None: ...

    async def terminate(self, run_id: str) -> None: ...

    async def retry(self, run_id: str) -> None: ...

    async def shut_down(self, run_id: str, strategy: str) -> None:
        """Stop (exit handlers still run) or Terminate."""
        ...

    async def suspend(self, run_id: str, *, suspended: bool) -> None:
        """Whether nothing new may begin. Nothing happens when it is so already."""
        ...

    async def resume(
        self, run_id: str, task_id: str, *, parameters: Mapping[str, Any], failure: str | None
    ) -> None:
        """Lets a suspended task go on, or fail with a word."""
        ...

    def listen(self, listener: Callable[[Change], None]) -> None: ...


class Language(Protocol):
    """Argo's language, pure. Each may take a while for a large Workflow: called in a thread."""

    def prepare(self, workflow: Object, templates: Templates) -> str:
        """What the run's row stores. Raises InvalidArgumentError, which names the field."""
        ...

    def status(self, row: RunRow, tasks: Sequence[TaskRow]) -> tuple[dict[str, Any], dict[str, str]]:
        """The status of the Workflow that the run is of, as its rows say, and the tasks by their nodes' ids."""
        ...
