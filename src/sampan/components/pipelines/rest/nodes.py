"""From a run's node, as clients name it, to the task: by id, by pod, by name or path, or by its id in a Workflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.engine.argo.manifest import status_of
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import runs, tasks
from sampan.components.pipelines.store.tasks import TaskRow

_SHOWN = 5


async def find_task(call: Call, node: str) -> TaskRow:
    """The one task of the path's run that `node` means. Raises NotFoundError, InvalidArgumentError."""
    run_id = call.params["run_id"]
    found = await call.backend.database.read(lambda connection: _matching(connection, run_id, node))
    if not found:
        raise not_found("step", node)
    if len(found) > 1:
        paths = ", ".join(row.scope_path for row in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise InvalidArgumentError(
            f"{node!r} means {len(found)} steps of this run; name one of {paths}{more}"
        )
    whole = await call.backend.database.read(lambda connection: tasks.get(connection, found[0].task_id))
    if whole is None:
        raise not_found("step", node)
    return whole


def _matching(connection: Any, run_id: str, node: str) -> list[TaskRow]:
    rows = tasks.shown_by_run(connection, run_id)
    exact = [row for row in rows if node == row.task_id or any(node == a.pod for a in row.attempts)]
    if exact:
        return exact
    path = [row for row in rows if node == row.scope_path or row.scope_path.endswith(f"/{node}")]
    if len(path) == 1:
        return path
    named = [row for row in rows if node in (row.name, row.display_name)]
    return named or path or _of_workflow(connection, run_id, node, rows)


def _of_workflow(connection: Any, run_id: str, node: str, rows: Sequence[TaskRow]) -> list[TaskRow]:
    """By the id that the node has in the status of the run's Workflow: what clients of v1 know it by."""
    run = runs.get(connection, run_id)
    if run is None or "workflow" not in json.loads(run.spec):
        return []
    task_id = status_of(run, rows)[1].get(node)
    return [row for row in rows if row.task_id == task_id]
