"""A run as the Argo Workflow that v1's clients look for in `pipeline_runtime.workflow_manifest`. Pure.

They read the phase, and of each node its name, type, phase, times, pod and outputs; the graph between siblings is
not known here, so that a node's children are those inside of it.

Source: argo-workflows 3.7, pkg/apis/workflow/v1alpha1/workflow_types.go (WorkflowStatus, NodeStatus).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.api.ir_values import to_text
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow

_PHASES: Mapping[RuntimeState, str] = {
    RuntimeState.PENDING: "Pending",
    RuntimeState.RUNNING: "Running",
    RuntimeState.PAUSED: "Running",
    RuntimeState.CANCELING: "Running",
    RuntimeState.SUCCEEDED: "Succeeded",
    RuntimeState.CACHED: "Succeeded",
    RuntimeState.SKIPPED: "Skipped",
    RuntimeState.FAILED: "Failed",
    RuntimeState.CANCELED: "Failed",
}
_TYPES: Mapping[TaskType, str] = {
    TaskType.RUNTIME: "Pod",
    TaskType.IMPORTER: "Pod",
    TaskType.LOOP: "TaskGroup",
    TaskType.CONDITION_BRANCH: "TaskGroup",
}


def workflow(
    run: RunRow,
    rows: Sequence[TaskRow],
    artifacts: Mapping[str, ArtifactRow],
) -> str:
    """JSON, of a run of the IR; a Workflow's own is made by `engine.argo.manifest`."""
    name = run.run_id
    labels = {"pipeline/runid": run.run_id}
    metadata = {"name": name, "namespace": run.namespace, "uid": run.run_id, "labels": labels}
    metadata["creationTimestamp"] = time_of(run.created_at)
    error = json.loads(run.error)["message"] if run.error else ""
    status = present(
        phase=_PHASES[run.runtime_state],
        startedAt=time_of(run.created_at),
        finishedAt=time_of(run.finished_at) if run.finished_at else None,
        message=error,
        nodes=_nodes(rows, artifacts, name),
    )
    shown = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata,
        "spec": {},
        "status": status,
    }
    return json.dumps(shown, ensure_ascii=False)


def node_ids(rows: Sequence[TaskRow]) -> dict[str, str]:
    """By task: its last pod's name, by which old clients ask for logs, or its own id."""
    return {row.task_id: row.attempts[-1].pod if row.attempts else row.task_id for row in rows}


def _nodes(
    rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow], name: str
) -> dict[str, dict[str, Any]]:
    ids = node_ids(rows)
    children: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.parent_task_id in ids:
            children[row.parent_task_id].append(ids[row.task_id])
    nodes = {}
    for row in rows:
        path = row.scope_path.partition("/")[2].replace("/", ".")
        nodes[ids[row.task_id]] = present(
            id=ids[row.task_id],
            name=f"{name}.{path}" if path else name,
            displayName=row.display_name if path else name,
            type=_TYPES.get(row.type, "DAG"),
            templateName=row.name,
            phase=_PHASES[row.state],
            message=row.error,
            boundaryID=ids.get(row.parent_task_id, ""),
            startedAt=time_of(row.started_at or row.created_at),
            finishedAt=time_of(row.finished_at) if row.finished_at else None,
            children=children[row.task_id],
            inputs=_sides(row.inputs.parameters, row.inputs.artifacts, artifacts),
            outputs=_outputs(row, artifacts),
        )
    return nodes


def _outputs(row: TaskRow, artifacts: Mapping[str, ArtifactRow]) -> dict[str, Any]:
    outputs = _sides(row.outputs.parameters, row.outputs.artifacts, artifacts)
    code = row.attempts[-1].exit_code if row.attempts else None
    return outputs if code is None else {**outputs, "exitCode": str(code)}


def _sides(
    parameters: Mapping[str, Any], ids: Mapping[str, Sequence[str]], artifacts: Mapping[str, ArtifactRow]
) -> dict[str, Any]:
    found = [
        {"name": name, "s3": {"key": artifacts[key].uri}}
        for name, keys in ids.items()
        for key in keys
        if key in artifacts
    ]
    return present(
        parameters=[{"name": name, "value": to_text(value)} for name, value in parameters.items()],
        artifacts=found,
    )
