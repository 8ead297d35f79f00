"""A task in memory: the cache of one row, and the counters that make each step cost the same in a run of any size.

Owned by the run's machine; nothing else writes to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sampan.components.pipelines.api.ir_model import Component, Task, Value
from sampan.components.pipelines.api.states import IOType, RuntimeState, TaskType
from sampan.components.pipelines.engine.final_status import final_status
from sampan.components.pipelines.engine.iteration import Loop, shared_inputs
from sampan.components.pipelines.engine.resolve import Inputs, Outputs, Source
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.tasks import (
    AttemptRow,
    InputsRow,
    OutputsRow,
    ParameterSource,
    StateRow,
    TaskRow,
)


@dataclass(slots=True, eq=False)
class Node:
    """One task, or one instance of a DAG or loop."""

    id: str
    parent: Node | None
    name: str
    path: str
    type: TaskType
    component: Component
    created_at: int
    task: Task | None = None
    """None for the root."""
    iteration_index: int = -1
    state: RuntimeState = RuntimeState.PENDING
    history: list[StateRow] = field(default_factory=list)
    started_at: int = 0
    finished_at: int = 0
    error: str = ""
    inputs: Inputs = field(default_factory=Inputs)
    outputs: Outputs = field(default_factory=Outputs)
    attempts: list[AttemptRow] = field(default_factory=list)
    fingerprint: str = ""
    cached_from: str = ""
    reason: str = ""
    """Why it runs, or whose result it has: for people."""
    is_stored: bool = False
    """Whether the row exists, or is part of the turn under way."""

    children: dict[str, Node] = field(default_factory=dict)
    """Of a DAG by task name, of a loop by index."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Of a DAG: for each task, how many of those it depends on have not ended."""
    open: int = 0
    """Of a DAG: how many of its tasks have not ended."""
    is_closed: bool = False
    """Of a DAG of a run that is being stopped: none of its tasks begins any more."""
    is_exempt: bool = False
    """An exit task that goes on, with all below it, though the run is being stopped."""
    follows: str = ""
    """Of a resumed run: the task before it that is not as it was, by which it is not either. See `reuse`."""
    is_fresh: bool = False
    """Of a resumed run: it, or something below it, is not as it was."""
    loop: Loop | None = None
    failure: str = ""
    """Of a DAG or loop: the first failure within it, for its own error."""

    @property
    def is_iteration(self) -> bool:
        return self.iteration_index >= 0

    @property
    def place(self) -> str:
        """The path for people: without the root."""
        return self.path.partition("/")[2] or self.name

    @property
    def retries(self) -> int:
        """Attempts that count against the retry policy."""
        return sum(attempt.state is RuntimeState.FAILED and attempt.counts for attempt in self.attempts)

    @property
    def losses(self) -> int:
        """Attempts that were lost through no fault of the step."""
        return sum(attempt.state is RuntimeState.CANCELED and attempt.counts for attempt in self.attempts)

    @property
    def goes_on(self) -> bool:
        """Whether it is, or is part of, an exit task that goes on though the run is being stopped."""
        node: Node | None = self
        while node is not None:
            if node.is_exempt:
                return True
            node = node.parent
        return False

    def end_attempt(self, attempt: AttemptRow) -> None:
        """Replaces the current attempt by its ended form."""
        self.attempts[-1] = attempt


@dataclass(frozen=True, slots=True)
class NodeScope:
    """A running DAG as its tasks' inputs see it: `resolve.Scope`."""

    node: Node
    job_resource_name: str

    @property
    def inputs(self) -> Inputs:
        return self.node.inputs

    def outputs_of(self, task: str) -> tuple[Outputs, bool]:
        child = self.node.children[task]
        return child.outputs, child.type is TaskType.LOOP

    def final_status_of(self, task: str) -> Value:
        child = self.node.children[task]
        shown = child.task.display_name if child.task else child.name
        return final_status(shown, child.state, child.error, self.job_resource_name)


def to_row(node: Node, run_id: str) -> TaskRow:
    """The node as it is now."""
    return TaskRow(
        task_id=node.id,
        run_id=run_id,
        parent_task_id=node.parent.id if node.parent else "",
        name=node.name,
        scope_path=node.path,
        display_name=node.task.display_name if node.task else node.name,
        type=node.type,
        state=node.state,
        created_at=node.created_at,
        started_at=node.started_at,
        finished_at=node.finished_at,
        iteration_index=node.iteration_index,
        iteration_count=len(node.loop.items) if node.loop else -1,
        state_history=tuple(node.history),
        error=node.error,
        attempts=tuple(node.attempts),
        inputs=_inputs_row(node),
        outputs=OutputsRow(dict(node.outputs.parameters), _ids(node.outputs.artifacts)),
        cache_fingerprint=node.fingerprint,
        cached_from_task_id=node.cached_from,
        reason=node.reason,
    )


def restore(node: Node, row: TaskRow, artifacts: Mapping[str, ArtifactRow]) -> None:
    """Fills a new node from its row. The parent is restored already."""
    node.state = row.state
    node.history = list(row.state_history)
    node.started_at, node.finished_at = row.started_at, row.finished_at
    node.error = row.error
    node.attempts = list(row.attempts)
    node.fingerprint, node.cached_from = row.cache_fingerprint, row.cached_from_task_id
    node.reason = row.reason
    node.is_stored = True
    given = Inputs(
        dict(row.inputs.parameters),
        _found(row.inputs.artifacts, artifacts),
        {name: Source(item.type, item.producer) for name, item in row.inputs.sources.items()},
    )
    if node.is_iteration and node.parent is not None:
        given = _with_loop_inputs(node.parent, given)
    node.inputs = given
    node.outputs = Outputs(dict(row.outputs.parameters), _found(row.outputs.artifacts, artifacts))


def loop_item_inputs(node: Node) -> Inputs:
    """The part of an iteration's inputs that is its own. The rest is the loop's, and stored once, there."""
    iterator = node.task.iterator if node.task else None
    if iterator is None:
        return node.inputs
    name = iterator.item_input
    return Inputs(
        {name: node.inputs.parameters[name]} if name in node.inputs.parameters else {},
        {name: node.inputs.artifacts[name]} if name in node.inputs.artifacts else {},
        {name: node.inputs.sources[name]} if name in node.inputs.sources else {},
    )


def ended(attempt: AttemptRow, state: RuntimeState, at: int, message: str = "") -> AttemptRow:
    """`attempt`, ended without a word from its pod."""
    return AttemptRow(
        attempt.pod, state, attempt.uid, attempt.exit_code, message, attempt.started_at, finished_at=at
    )


def _inputs_row(node: Node) -> InputsRow:
    inputs = loop_item_inputs(node) if node.is_iteration else node.inputs
    sources = {
        name: ParameterSource(source.type, source.producer)
        for name, source in inputs.sources.items()
        if source.type is not IOType.UNSPECIFIED
    }
    return InputsRow(dict(inputs.parameters), _ids(inputs.artifacts), sources)


def _with_loop_inputs(loop: Node, own: Inputs) -> Inputs:
    iterator = loop.task.iterator if loop.task else None
    shared = shared_inputs(iterator, loop.component, loop.inputs) if iterator else loop.inputs
    return Inputs(
        shared.parameters | own.parameters,
        shared.artifacts | own.artifacts,
        {**shared.sources, **own.sources},
    )


def _ids(artifacts: Mapping[str, Sequence[ArtifactRow]]) -> dict[str, list[str]]:
    return {name: [artifact.artifact_id for artifact in found] for name, found in artifacts.items()}


def _found(
    ids: Mapping[str, Sequence[str]], artifacts: Mapping[str, ArtifactRow]
) -> dict[str, tuple[ArtifactRow, ...]]:
    """An artifact whose row somebody deleted drops out."""
    return {
        name: tuple(artifacts[item] for item in listed if item in artifacts) for name, listed in ids.items()
    }
