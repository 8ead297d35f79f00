"""Lists of tasks, artifacts and the links between them, a page at a time, for the REST API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import IOType
from sampan.components.pipelines.store import artifacts, tables, tasks
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, select_page
from sampan.components.pipelines.store.tasks import TaskRow

_TASKS = tables.tasks.c
_ARTIFACTS = tables.artifacts.c
_LINKS = tables.artifact_tasks.c
_RUNS = tables.runs.c

_TASK_LISTABLE = Listable(
    kind="task",
    table=tables.tasks,
    key=_TASKS.task_id,
    fields={
        "task_id": _TASKS.task_id,
        "name": _TASKS.name,
        "display_name": _TASKS.display_name,
        "type": _TASKS.type,
        "state": _TASKS.state,
        "create_time": _TASKS.created_at,
        "created_at": _TASKS.created_at,
        "start_time": _TASKS.started_at,
        "end_time": _TASKS.finished_at,
        "run_id": _TASKS.run_id,
        "parent_task_id": _TASKS.parent_task_id,
        "cache_fingerprint": _TASKS.cache_fingerprint,
        # Of v1alpha1.
        "id": _TASKS.task_id,
        "fingerprint": _TASKS.cache_fingerprint,
        "runId": _TASKS.run_id,
        "pipelineName": _TASKS.name,
    },
)

_ARTIFACT_LISTABLE = Listable(
    kind="artifact",
    table=tables.artifacts,
    key=_ARTIFACTS.artifact_id,
    fields={
        "artifact_id": _ARTIFACTS.artifact_id,
        "name": _ARTIFACTS.name,
        "description": _ARTIFACTS.description,
        "type": _ARTIFACTS.type,
        "uri": _ARTIFACTS.uri,
        "created_at": _ARTIFACTS.created_at,
    },
)

_LINK_LISTABLE = Listable(
    kind="artifact task",
    table=tables.artifact_tasks,
    key=_LINKS.id,
    fields={
        "id": _LINKS.id,
        "artifact_id": _LINKS.artifact_id,
        "run_id": _LINKS.run_id,
        "task_id": _LINKS.task_id,
        "type": _LINKS.type,
        "key": _LINKS.key,
    },
    default_sort="id",
)


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """Which links to list: those of any of these, where given."""

    run_ids: Sequence[str] = ()
    task_ids: Sequence[str] = ()
    artifact_ids: Sequence[str] = ()
    type: IOType | None = None


def list_tasks(
    connection: sa.Connection, request: ListRequest, run_id: str, parent_task_id: str = ""
) -> Page[TaskRow]:
    where = [_TASKS.run_id == run_id]
    if parent_task_id:
        where.append(_TASKS.parent_task_id == parent_task_id)
    page = select_page(connection, _TASK_LISTABLE, request, where, [_TASKS.task_id])
    return _rows(connection, page)


def list_all(connection: sa.Connection, request: ListRequest, namespace: str) -> Page[TaskRow]:
    """Of all runs of a namespace."""
    of_runs = sa.select(_RUNS.run_id).where(_RUNS.namespace == namespace)
    page = select_page(connection, _TASK_LISTABLE, request, [_TASKS.run_id.in_(of_runs)], [_TASKS.task_id])
    return _rows(connection, page)


def _rows(connection: sa.Connection, page: Page[sa.Row[Any]]) -> Page[TaskRow]:
    """One after the other: a page of long ones would not fit into memory."""
    found = (tasks.get(connection, each.task_id) for each in page.items)
    return Page([tasks.short(row) for row in found if row is not None], page.total_size, page.next_page_token)


def children(connection: sa.Connection, task_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Id and name of each task's children, oldest first."""
    found: dict[str, list[tuple[str, str]]] = {}
    query = (
        sa.select(_TASKS.parent_task_id, _TASKS.task_id, _TASKS.name)
        .where(_TASKS.parent_task_id.in_(task_ids))
        .order_by(_TASKS.created_at, _TASKS.scope_path)
    )
    for parent, task_id, name in connection.execute(query):
        found.setdefault(parent, []).append((task_id, name))
    return found


def namespace_of_task(connection: sa.Connection, task_id: str) -> str | None:
    query = sa.select(_RUNS.namespace).join(tables.tasks, _TASKS.run_id == _RUNS.run_id)
    return connection.execute(query.where(_TASKS.task_id == task_id)).scalar_one_or_none()


def namespace_of_artifact(connection: sa.Connection, artifact_id: str) -> str | None:
    query = sa.select(_ARTIFACTS.namespace).where(_ARTIFACTS.artifact_id == artifact_id)
    return connection.execute(query).scalar_one_or_none()


def list_artifacts(
    connection: sa.Connection, request: ListRequest, namespace: str, search: str = ""
) -> Page[ArtifactRow]:
    """`search` is a part of the name, the URI or the metadata, or the whole id."""
    where: list[sa.ColumnElement[bool]] = [_ARTIFACTS.namespace == namespace]
    if search:
        parts = [
            column.icontains(search, autoescape=True)
            for column in (_ARTIFACTS.name, _ARTIFACTS.uri, _ARTIFACTS.metadata)
        ]
        where.append(sa.or_(_ARTIFACTS.artifact_id == search, *parts))
    page = select_page(connection, _ARTIFACT_LISTABLE, request, where, [_ARTIFACTS.artifact_id])
    rows = artifacts.get_many(connection, [found.artifact_id for found in page.items])
    return page.mapped(lambda found: rows[found.artifact_id])


def list_links(
    connection: sa.Connection, request: ListRequest, namespace: str, wanted: LinkFilter
) -> Page[ArtifactLink]:
    where: list[sa.ColumnElement[bool]] = [
        _LINKS.run_id.in_(sa.select(_RUNS.run_id).where(_RUNS.namespace == namespace))
    ]
    for column, ids in (
        (_LINKS.run_id, wanted.run_ids),
        (_LINKS.task_id, wanted.task_ids),
        (_LINKS.artifact_id, wanted.artifact_ids),
    ):
        if ids:
            where.append(column.in_(ids))
    if wanted.type is not None:
        where.append(_LINKS.type == wanted.type.value)
    page = select_page(connection, _LINK_LISTABLE, request, where)
    return page.mapped(lambda found: ArtifactLink(**{**found._mapping, "type": IOType(found.type)}))
