"""A run's rows as the status of a Workflow, and as the whole Workflow. Pure.

Source: argo-workflows 3.7 docs/fields.md (WorkflowStatus); kubeflow/pipelines 1.8 backend/api/run.proto
(PipelineRuntime.workflow_manifest).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sampan.components.pipelines.api.argo import document as argo
from sampan.components.pipelines.api.argo.document import ArgoDocument
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.argo.node import NodeType, Phase
from sampan.components.pipelines.engine.argo.nodes import COUNTED, Shown, render, shown_nodes
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.lib.clock import from_micros, rfc3339

_PHASES = {
    RuntimeState.PENDING: "Pending",
    RuntimeState.RUNNING: "Running",
    RuntimeState.PAUSED: "Running",
    RuntimeState.CANCELING: "Running",
    RuntimeState.SUCCEEDED: "Succeeded",
    RuntimeState.SKIPPED: "Succeeded",
    RuntimeState.FAILED: "Failed",
    RuntimeState.CANCELED: "Failed",
}
_STOPPED = "Stopped with strategy 'Terminate'"


def status_of(row: RunRow, rows: Sequence[TaskRow]) -> tuple[dict[str, Any], dict[str, str]]:
    """WorkflowStatus, and the task of each node by the node's id."""
    document = argo.load(json.loads(row.spec))
    name = _name(row, document)
    shown = shown_nodes(name, rows, document)
    root = next((each for each in rows if each.details.get("type") == NodeType.WORKFLOW), None)
    phase = _phase(row, root)
    status: dict[str, Any] = {
        "phase": phase,
        "startedAt": _time(root.started_at if root and root.started_at else row.created_at),
        "finishedAt": _time(row.finished_at) if row.runtime_state.is_final else None,
        "conditions": _conditions(row, shown),
        "nodes": {each.id: render(each) for each in shown},
    }
    more = {
        "progress": progress(shown),
        "message": _message(row, root),
        "outputs": _outputs(root),
        "storedTemplates": _stored(document),
        "taskResultsCompletionStatus": {
            each.id: bool(each.row.finished_at) for each in shown if each.type is NodeType.POD
        },
    }
    status |= {key: value for key, value in more.items() if value}
    if document.workflow["spec"].get("workflowTemplateRef"):
        status["storedWorkflowTemplateSpec"] = document.spec
    return status, {each.id: each.row.task_id for each in shown}


def manifest_of(row: RunRow, rows: Sequence[TaskRow]) -> dict[str, Any]:
    """The Workflow as a cluster would show it."""
    document = argo.load(json.loads(row.spec))
    status, _ = status_of(row, rows)
    metadata = {
        **document.metadata,
        "name": _name(row, document),
        "namespace": row.namespace,
        "uid": row.run_id,
        "creationTimestamp": _time(row.created_at),
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata,
        "spec": document.workflow["spec"],
        "status": status,
    }


def _name(row: RunRow, document: ArgoDocument) -> str:
    """As the engine has it: of the object, or of a run without one."""
    return row.workflow or str(document.metadata.get("name") or f"{document.name}-{row.run_id[:5]}")


def progress(shown: Sequence[Shown]) -> str:
    """How many of the pods that there are so far are done."""
    counted = [each for each in shown if each.type in COUNTED]
    done = sum(Phase(each.row.details.get("phase", Phase.PENDING)).is_completed for each in counted)
    return f"{done}/{len(counted)}"


def _phase(row: RunRow, root: TaskRow | None) -> str:
    is_error = root is not None and root.details.get("phase") == Phase.ERROR
    if row.runtime_state is RuntimeState.FAILED and is_error:
        return Phase.ERROR.value
    return _PHASES[row.runtime_state]


def _message(row: RunRow, root: TaskRow | None) -> str:
    if row.error:
        return str(json.loads(row.error).get("message", ""))
    if row.runtime_state is RuntimeState.CANCELED:
        return _STOPPED
    return str(root.details.get("message", "")) if root is not None else ""


def _conditions(row: RunRow, shown: Sequence[Shown]) -> list[dict[str, str]]:
    runs = any(each.type is NodeType.POD and each.row.details.get("phase") == Phase.RUNNING for each in shown)
    conditions = [{"type": "PodRunning", "status": "True" if runs else "False"}]
    if row.runtime_state.is_final:
        conditions.append({"type": "Completed", "status": "True"})
    return conditions


def _outputs(root: TaskRow | None) -> dict[str, Any]:
    if root is None or not root.outputs.parameters:
        return {}
    return {
        "parameters": [{"name": name, "value": str(value)} for name, value in root.outputs.parameters.items()]
    }


def _stored(document: ArgoDocument) -> dict[str, Any]:
    return {
        f"{scope}/{name}": template
        for scope, templates in document.index.items()
        if scope != argo.LOCAL
        for name, template in templates.items()
    }


def _time(micros: int) -> str | None:
    return rfc3339(from_micros(micros)) if micros else None
