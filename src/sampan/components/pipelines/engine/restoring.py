"""From a run's rows back to its tree of nodes. Pure.

Called by the machine when it takes a run up again, and by whoever looks at a run that is over: retrying, resuming,
debugging.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sampan.components.pipelines.api.ir_model import Component, Pipeline, Task
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.node import Node, restore
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow


def restored(pipeline: Pipeline, rows: Iterable[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> list[Node]:
    """The nodes of `rows`, which name parents before children; the root is the first. Former rows are left out."""
    nodes: dict[str, Node] = {}
    for row in rows:
        parent = nodes.get(row.parent_task_id)
        if row.former:
            continue
        node = _restored(pipeline, row, parent, artifacts)
        nodes[node.id] = node
        if parent is not None:
            parent.children[str(row.iteration_index) if node.is_iteration else row.name] = node
    return list(nodes.values())


def _restored(
    pipeline: Pipeline, row: TaskRow, parent: Node | None, artifacts: Mapping[str, ArtifactRow]
) -> Node:
    task: Task | None = None
    component: Component = pipeline.root
    if parent is not None and row.iteration_index >= 0:
        task, component = parent.task, parent.component
    elif parent is not None:
        assert parent.component.dag is not None
        task = parent.component.dag.tasks[row.name]
        component = pipeline.components[task.component]
    node = Node(
        id=row.task_id,
        parent=parent,
        name=row.name,
        path=row.scope_path,
        type=row.type,
        component=component,
        created_at=row.created_at,
        task=task,
        iteration_index=row.iteration_index,
    )
    restore(node, row, artifacts)
    return node


def again(node: Node, row: TaskRow) -> None:
    """A new node at the place of a former row takes over its identity and its attempts, so that logs stay."""
    node.id, node.created_at, node.is_stored = row.task_id, row.created_at, True
    node.history, node.attempts, node.reason = list(row.state_history), list(row.attempts), row.reason


def given_up(row: TaskRow) -> TaskRow:
    """A former row that the run has ended without: what it was stays to be seen."""
    return replace(row, former=False, state=RuntimeState.SKIPPED, reason="not reached again")
