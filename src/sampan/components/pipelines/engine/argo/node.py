"""One node of a workflow in memory: the cache of a row. Owned by the run's machine.

Types and phases are Argo's own, so that a Workflow's status can be written from them.
Source: pkg/apis/workflow/v1alpha1/workflow_types.go, argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sampan.components.pipelines.api.argo.document import Called
from sampan.components.pipelines.store.tasks import AttemptRow, StateRow


class NodeType(StrEnum):
    WORKFLOW = "Workflow"
    """The root, which Argo has not: what it begins are the entrypoint and the exit handler."""
    POD = "Pod"
    CONTAINER = "Container"
    STEPS = "Steps"
    STEP_GROUP = "StepGroup"
    DAG = "DAG"
    TASK_GROUP = "TaskGroup"
    RETRY = "Retry"
    SKIPPED = "Skipped"
    SUSPEND = "Suspend"
    HTTP = "HTTP"


class Phase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    ERROR = "Error"
    OMITTED = "Omitted"

    @property
    def is_final(self) -> bool:
        return self not in (Phase.PENDING, Phase.RUNNING)

    @property
    def is_completed(self) -> bool:
        """It ran to an end, good or bad."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.ERROR)

    @property
    def is_bad(self) -> bool:
        return self in (Phase.FAILED, Phase.ERROR)


Artifact = dict[str, Any]
"""`{"uri": …, "id": …}` for one that a step gave; else its location as the document has it (`{"raw": {"data": …}}`)."""


@dataclass(slots=True)
class Given:
    """Inputs of a node: texts by name, artifacts by name."""

    parameters: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)


@dataclass(slots=True)
class Results:
    """What a node gave."""

    parameters: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    result: str | None = None
    exit_code: str | None = None


@dataclass(slots=True, eq=False)
class ArgoNode:
    id: str
    parent: ArgoNode | None
    key: str
    """Among its parent's children."""
    name: str
    """The display name: of a step or task, with the item of a loop."""
    path: str
    type: NodeType
    created_at: int
    called: Called | None = None
    """The template that it runs; None for the root and for groups."""
    step: str = ""
    """The step or task that it is of: several nodes are, in a loop."""
    hook: str = ""
    """The name of the hook that it is, of its parent; `exit` for an exit handler."""
    index: int = -1
    """Of a repetition or an attempt."""
    phase: Phase = Phase.PENDING
    message: str = ""
    has_begun: bool = False
    """It has passed its gates."""
    inputs: Given = field(default_factory=Given)
    outputs: Results = field(default_factory=Results)
    attempts: list[AttemptRow] = field(default_factory=list)
    history: list[StateRow] = field(default_factory=list)
    started_at: int = 0
    finished_at: int = 0
    address: str = ""
    """Of a daemon's pod."""
    is_daemoned: bool = False
    is_stopped: bool = False
    """It was ended from outside, with the run."""
    memo: dict[str, Any] = field(default_factory=dict)
    """Of a memoized template: its key, and whether the result was found."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What else must outlive a restart: when a back-off ends, what holds a semaphore."""
    fetched: dict[str, Any] = field(default_factory=dict)
    """Answers to questions that it asked of the world, by what was asked. Asked again after a restart."""
    children: dict[str, ArgoNode] = field(default_factory=dict)
    is_stored: bool = False
    failed_operation: str = ""
    """Why the last thing that it asked for was not to be had."""
    open: int = 0
    """How many of its own children are not complete yet."""
    is_counted: bool = False
    """Its parent knows that it is complete."""
    waiting: dict[str, int] | None = None
    """Of a DAG: for each task that has not begun, how many of those it depends on are not complete."""
    completed: list[str] = field(default_factory=list)
    """Of a DAG: tasks that were completed since it was looked at."""

    @property
    def is_over(self) -> bool:
        """It ended, or is a daemon that runs: what comes after it may begin."""
        return self.phase.is_final or self.is_daemoned

    @property
    def own_children(self) -> list[ArgoNode]:
        """Those that are no hooks."""
        return [child for child in self.children.values() if not child.hook]

    @property
    def hook_children(self) -> list[ArgoNode]:
        return [child for child in self.children.values() if child.hook]

    @property
    def is_complete(self) -> bool:
        """It is over, and so are its hooks."""
        return self.is_over and (
            len(self.children) == 0 or all(child.is_complete for child in self.hook_children)
        )

    @property
    def boundary(self) -> ArgoNode | None:
        """The node whose template holds this one: of steps or a DAG, or the root."""
        node = self.parent
        while node is not None and node.type not in (NodeType.STEPS, NodeType.DAG, NodeType.WORKFLOW):
            node = node.parent
        return node

    @property
    def is_of_exit_handler(self) -> bool:
        node: ArgoNode | None = self
        while node is not None:
            if node.hook == "exit":
                return True
            node = node.parent
        return False

    def below(self) -> Iterator[ArgoNode]:
        """All nodes below this one, hooks too."""
        stack = list(self.children.values())
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.children.values())

    def end_attempt(self, attempt: AttemptRow) -> None:
        self.attempts[-1] = attempt
