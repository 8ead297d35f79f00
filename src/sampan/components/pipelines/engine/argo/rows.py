"""Nodes to rows and back. A row's `details` hold what the columns of all languages have no place for. Pure.

`details` are for whoever writes a Workflow's status too: `type`, `phase`, `message`, `template` (`scope` and `name`),
`full` (the node's name from the workflow's on), `step`, `hook`, `index`, `artifacts` (`inputs` and `outputs`),
`result`, `exit_code`, `daemoned`, `address`, `memo` (`key`, `hit`), `kept`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo.document import ArgoDocument
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.argo.names import full_name
from sampan.components.pipelines.engine.argo.node import ArgoNode, Given, NodeType, Phase, Results
from sampan.components.pipelines.store.tasks import InputsRow, OutputsRow, TaskRow

_STATES = {
    Phase.PENDING: RuntimeState.PENDING,
    Phase.RUNNING: RuntimeState.RUNNING,
    Phase.SUCCEEDED: RuntimeState.SUCCEEDED,
    Phase.SKIPPED: RuntimeState.SKIPPED,
    Phase.OMITTED: RuntimeState.SKIPPED,
    Phase.FAILED: RuntimeState.FAILED,
    Phase.ERROR: RuntimeState.FAILED,
}
_TYPES = {
    NodeType.WORKFLOW: TaskType.ROOT,
    NodeType.STEPS: TaskType.DAG,
    NodeType.STEP_GROUP: TaskType.DAG,
    NodeType.DAG: TaskType.DAG,
    NodeType.TASK_GROUP: TaskType.LOOP,
    NodeType.RETRY: TaskType.DAG,
}


def state_of(node: ArgoNode) -> RuntimeState:
    """As the KFP API has it."""
    if node.is_stopped and node.phase.is_bad:
        return RuntimeState.CANCELED
    if node.memo.get("hit") and node.phase is Phase.SUCCEEDED:
        return RuntimeState.CACHED
    return _STATES[node.phase]


def to_row(node: ArgoNode, run_id: str) -> TaskRow:
    """The node as it is now."""
    return TaskRow(
        task_id=node.id,
        run_id=run_id,
        parent_task_id=node.parent.id if node.parent else "",
        name=node.key[:250],
        scope_path=node.path,
        display_name=node.name[:250],
        type=_TYPES.get(node.type, TaskType.RUNTIME),
        state=state_of(node),
        created_at=node.created_at,
        started_at=node.started_at,
        finished_at=node.finished_at,
        iteration_count=len(node.own_children) if node.type is NodeType.TASK_GROUP else -1,
        state_history=tuple(node.history),
        error=node.message if node.phase.is_bad or not node.phase.is_final else "",
        attempts=tuple(node.attempts),
        inputs=InputsRow(dict(node.inputs.parameters), _ids(node.inputs.artifacts)),
        outputs=OutputsRow(dict(node.outputs.parameters), _ids(node.outputs.artifacts)),
        details=_details(node),
    )


def restored(row: TaskRow, parent: ArgoNode | None, document: ArgoDocument) -> ArgoNode:
    """The node of a row; its parent is restored already."""
    details = row.details
    template = details.get("template") or {}
    artifacts = details.get("artifacts") or {}
    return ArgoNode(
        id=row.task_id,
        parent=parent,
        key=str(details.get("key", row.name)),
        name=str(details.get("name", row.display_name)),
        path=row.scope_path,
        type=NodeType(details["type"]),
        created_at=row.created_at,
        called=document.find(template["scope"], template["name"]) if template else None,
        step=details.get("step", ""),
        hook=details.get("hook", ""),
        index=details.get("index", -1),
        phase=Phase(details["phase"]),
        message=details.get("message", ""),
        has_begun=details.get("begun", False),
        inputs=Given(_texts(row.inputs.parameters), dict(artifacts.get("inputs") or {})),
        outputs=Results(
            _texts(row.outputs.parameters),
            dict(artifacts.get("outputs") or {}),
            details.get("result"),
            details.get("exit_code"),
        ),
        attempts=list(row.attempts),
        history=list(row.state_history),
        started_at=row.started_at,
        finished_at=row.finished_at,
        address=details.get("address", ""),
        is_daemoned=details.get("daemoned", False),
        is_stopped=details.get("stopped", False),
        memo=dict(details.get("memo") or {}),
        kept=dict(details.get("kept") or {}),
        is_stored=True,
    )


def _details(node: ArgoNode) -> dict[str, Any]:
    found: dict[str, Any] = {"type": node.type.value, "phase": node.phase.value}
    if node.called is not None:
        found["template"] = {"scope": node.called.scope, "name": node.called.name}
    artifacts = {"inputs": node.inputs.artifacts, "outputs": node.outputs.artifacts}
    more = {
        "full": full_name(node),
        "key": node.key if len(node.key) > 250 else "",
        "name": node.name if len(node.name) > 250 else "",
        "step": node.step,
        "hook": node.hook,
        "message": node.message,
        "begun": node.has_begun,
        "artifacts": {side: given for side, given in artifacts.items() if given},
        "address": node.address,
        "daemoned": node.is_daemoned,
        "stopped": node.is_stopped,
        "memo": node.memo,
        "kept": node.kept,
    }
    found |= {key: value for key, value in more.items() if value}
    if node.index >= 0:
        found["index"] = node.index
    if node.outputs.result is not None:
        found["result"] = node.outputs.result
    if node.outputs.exit_code is not None:
        found["exit_code"] = node.outputs.exit_code
    return found


def _ids(artifacts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    return {name: [str(artifact["id"])] for name, artifact in artifacts.items() if artifact.get("id")}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}
