"""The task service of v1alpha1: which executions there were, by the fingerprint that caching goes by.

Source: kubeflow/pipelines 2.17, backend/api/v1beta1/task.proto.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.render import page
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.rest.v1 import filters
from sampan.components.pipelines.store import runs, task_pages, tasks
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.lib.clock import to_micros
from sampan.lib.ids import new_uid


async def create(call: Call) -> Response:
    """Records an execution, of a run that there is."""
    given, now = call.body, call.backend.now_micros()
    name = checked_name(given.get("pipelineName", ""), "task.pipelineName", 256)
    for field in ("runId", "fingerprint", "mlmdExecutionID"):
        if not given.get(field):
            raise InvalidArgumentError(f"task.{field} must not be empty")
    finished = to_micros(given["finished_at"]) if "finished_at" in given else 0
    row = TaskRow(
        task_id=new_uid(),
        run_id=given["runId"],
        parent_task_id="",
        name=name,
        scope_path=name.replace(".", "/"),
        display_name=name,
        type=TaskType.RUNTIME,
        state=RuntimeState.SUCCEEDED if finished else RuntimeState.RUNNING,
        created_at=to_micros(given["created_at"]) if "created_at" in given else now,
        finished_at=finished,
        cache_fingerprint=given["fingerprint"],
        recorded=True,
    )
    execution = {"mlmdExecutionID": given["mlmdExecutionID"]}
    row = replace(row, overlay=tasks.OverlayRow(custom_properties=execution))
    await call.backend.database.write(lambda connection: tasks.insert(connection, [row]))
    return answer(_task(row, call.shown_namespace))


async def list_(call: Call) -> Response:
    request, namespace, shown = filters.list_request(call), call.namespace, call.shown_namespace

    def read(connection: Any) -> dict[str, Any]:
        found = task_pages.list_all(connection, request, namespace)
        return page("tasks", found.mapped(lambda row: _task(row, shown)))

    return await answer_from(call, read)


def namespace_of_run(call: Call) -> str:
    """Of the run that a new task is of."""
    key = call.body.get("runId", "")
    found = call.backend.database.read_now(lambda connection: runs.namespace_of(connection, key))
    if found is None:
        raise not_found("run", key)
    return found


def _task(row: TaskRow, namespace: str) -> dict[str, Any]:
    return present(
        id=row.task_id,
        namespace=namespace,
        pipelineName=row.name,
        runId=row.run_id,
        mlmdExecutionID=row.overlay.custom_properties.get("mlmdExecutionID"),
        created_at=time_of(row.created_at),
        finished_at=time_of(row.finished_at),
        fingerprint=row.cache_fingerprint,
    )
