"""Tasks, artifacts and their links: what upstream's newest API serves in place of a metadata store."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.states import IOType
from sampan.components.pipelines.rest import render, task_details
from sampan.components.pipelines.rest.dispatch import Call, answer_from
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import task_pages, tasks

_MAX_IDS = 200


async def list_tasks(call: Call) -> Response:
    """A run's tasks; with `parent_id`, those directly below one of them."""
    # The first of these APIs named the run in the query.
    request, run_id = call.list_request(), call.params.get("run_id") or call.query.get("run_id", "")
    parent_id = call.query.get("parent_id", "")

    def read(connection: Any) -> dict[str, Any]:
        page = task_pages.list_tasks(connection, request, run_id, parent_id)
        around = task_details.surroundings(connection, page.items)
        return render.page("tasks", page.mapped(lambda row: task_details.task(row, around)))

    return await answer_from(call, read)


async def get_task(call: Call) -> Response:
    task_id = call.params["task_id"]

    def read(connection: Any) -> dict[str, Any]:
        row = tasks.get(connection, task_id)
        if row is None:
            raise not_found("task", task_id)
        return task_details.alone(connection, row)

    return await answer_from(call, read)


async def list_artifact_tasks(call: Call) -> Response:
    request, namespace = call.list_request(), call.namespace
    wanted = task_pages.LinkFilter(
        run_ids=_ids(call, "run_ids"),
        task_ids=_ids(call, "task_ids"),
        artifact_ids=_ids(call, "artifact_ids"),
        type=_io_type(call.query.get("type", "")),
    )

    def read(connection: Any) -> dict[str, Any]:
        page = task_pages.list_links(connection, request, namespace, wanted)
        return render.page("artifact_tasks", page.mapped(task_details.link))

    return await answer_from(call, read)


def _ids(call: Call, name: str) -> list[str]:
    ids = [value for value in call.query.getlist(name) if value]
    if len(ids) > _MAX_IDS:
        raise InvalidArgumentError(f"{name}: at most {_MAX_IDS} are allowed in one request")
    return ids


def _io_type(text: str) -> IOType | None:
    names = list(IOType)
    if text.isdigit() and int(text) < len(names):
        text = names[int(text)]
    if not text or text == IOType.UNSPECIFIED:
        return None
    if text not in names:
        raise InvalidArgumentError(f"type must be one of {', '.join(names)}, not {text[:40]!r}")
    return IOType(text)
