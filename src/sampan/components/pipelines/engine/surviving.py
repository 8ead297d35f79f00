"""Whether what a finished step gave is still there, so that it may be kept or reused.

Called in a thread before a run is retried or resumed, since looking for an artifact may block.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.components.pipelines.api.ir_model import Pipeline
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine import workspace
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.placeholders import IN_WORKSPACE
from sampan.components.pipelines.engine.step_files import StepFiles
from sampan.components.pipelines.store.tasks import TaskRow

_DONE = frozenset({RuntimeState.SUCCEEDED, RuntimeState.CACHED})


def lost_results(pipeline: Pipeline, files: StepFiles, nodes: Iterable[Node]) -> dict[str, str]:
    """By task id, why the result of a step that succeeded cannot be used any more."""
    found: dict[str, str] = {}
    has_workspace = bool(pipeline.config.workspace_size)
    exists: dict[str, bool] = {}
    for node in nodes:
        if node.state not in _DONE or node.children or node.component.dag is not None:
            continue
        if has_workspace and (workspace.is_used(node.inputs) or _lies_in_workspace(node)):
            found[node.id] = "the workspace it worked in ended with its run"
            continue
        for name, artifacts in node.outputs.artifacts.items():
            for artifact in artifacts:
                if not artifact.stored:
                    continue
                if artifact.uri not in exists:
                    exists[artifact.uri] = files.exists(artifact.uri)
                if not exists[artifact.uri]:
                    found[node.id] = f'its artifact "{name}" is gone ({artifact.uri})'
    return found


def forgotten_artifacts(nodes: Iterable[Node], rows: Iterable[TaskRow]) -> dict[str, str]:
    """The same for artifacts whose rows were deleted: a node does not have them any more."""
    found: dict[str, str] = {}
    by_id = {node.id: node for node in nodes}
    for row in rows:
        node = by_id.get(row.task_id)
        if node is None or row.state not in _DONE:
            continue
        for name, ids in row.outputs.artifacts.items():
            if len(node.outputs.artifacts.get(name, ())) < len(ids):
                found[row.task_id] = f'the record of its artifact "{name}" is gone'
    return found


def _lies_in_workspace(node: Node) -> bool:
    return any(
        artifact.metadata.get(IN_WORKSPACE) for found in node.outputs.artifacts.values() for artifact in found
    )
