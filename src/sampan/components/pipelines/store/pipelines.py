"""Pipelines and their versions: names, tags and the specifications that were uploaded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.store import tables
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, select_page

_PIPELINES = tables.pipelines
_VERSIONS = tables.pipeline_versions

LISTABLE = Listable(
    kind="pipeline",
    table=_PIPELINES,
    key=_PIPELINES.c.pipeline_id,
    fields={
        "pipeline_id": _PIPELINES.c.pipeline_id,
        "id": _PIPELINES.c.pipeline_id,
        "name": _PIPELINES.c.name,
        "display_name": _PIPELINES.c.display_name,
        "description": _PIPELINES.c.description,
        "created_at": _PIPELINES.c.created_at,
        "namespace": _PIPELINES.c.namespace,
    },
    tags=_PIPELINES.c.tags,
)

VERSION_LISTABLE = Listable(
    kind="pipeline version",
    table=_VERSIONS,
    key=_VERSIONS.c.pipeline_version_id,
    fields={
        "pipeline_version_id": _VERSIONS.c.pipeline_version_id,
        "id": _VERSIONS.c.pipeline_version_id,
        "name": _VERSIONS.c.name,
        "display_name": _VERSIONS.c.display_name,
        "description": _VERSIONS.c.description,
        "created_at": _VERSIONS.c.created_at,
        "code_source_url": _VERSIONS.c.code_source_url,
        "pipeline_id": _VERSIONS.c.pipeline_id,
    },
    tags=_VERSIONS.c.tags,
)


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """One pipeline. `tags` is a JSON object of texts; times are microseconds."""

    pipeline_id: str
    namespace: str
    name: str
    display_name: str
    created_at: int
    description: str = ""
    tags: str = "{}"
    default_version_id: str = ""
    """What v1 was told to take where only the pipeline is named; empty for the latest."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version. `spec` is `{"pipeline_spec": …, "platform_spec": …}` in JSON, as uploaded."""

    pipeline_version_id: str
    pipeline_id: str
    name: str
    display_name: str
    created_at: int
    spec: str
    description: str = ""
    tags: str = "{}"
    package_url: str = ""
    code_source_url: str = ""


def insert(connection: sa.Connection, row: PipelineRow) -> bool:
    """False when the namespace already has a pipeline of that name."""
    if by_name(connection, row.namespace, row.name) is not None:
        return False
    connection.execute(_PIPELINES.insert(), asdict(row))
    return True


def insert_version(connection: sa.Connection, row: VersionRow) -> bool:
    """False when the pipeline already has a version of that name. The new version is the default one."""
    same = sa.select(_VERSIONS.c.name).where(
        _VERSIONS.c.pipeline_id == row.pipeline_id, _VERSIONS.c.name == row.name
    )
    if connection.execute(same).first() is not None:
        return False
    connection.execute(_VERSIONS.insert(), asdict(row))
    set_default_version(connection, row.pipeline_id, "")
    return True


def get(connection: sa.Connection, pipeline_id: str) -> PipelineRow | None:
    found = connection.execute(
        sa.select(_PIPELINES).where(_PIPELINES.c.pipeline_id == pipeline_id)
    ).one_or_none()
    return _pipeline(found) if found is not None else None


def by_name(connection: sa.Connection, namespace: str, name: str) -> PipelineRow | None:
    found = connection.execute(
        sa.select(_PIPELINES).where(_PIPELINES.c.namespace == namespace, _PIPELINES.c.name == name)
    ).one_or_none()
    return _pipeline(found) if found is not None else None


def get_version(connection: sa.Connection, pipeline_version_id: str) -> VersionRow | None:
    found = connection.execute(
        sa.select(_VERSIONS).where(_VERSIONS.c.pipeline_version_id == pipeline_version_id)
    ).one_or_none()
    return _version(found) if found is not None else None


def latest_version(connection: sa.Connection, pipeline_id: str) -> VersionRow | None:
    """The version that was uploaded last."""
    found = connection.execute(
        sa.select(_VERSIONS)
        .where(_VERSIONS.c.pipeline_id == pipeline_id)
        .order_by(_VERSIONS.c.created_at.desc(), _VERSIONS.c.pipeline_version_id.desc())
        .limit(1)
    ).one_or_none()
    return _version(found) if found is not None else None


def default_version(connection: sa.Connection, pipeline: PipelineRow) -> VersionRow | None:
    """What v1 takes where only the pipeline is named: the version that was chosen, or the latest."""
    chosen = pipeline.default_version_id
    found = get_version(connection, chosen) if chosen else None
    return found or latest_version(connection, pipeline.pipeline_id)


def set_default_version(connection: sa.Connection, pipeline_id: str, pipeline_version_id: str) -> None:
    """An empty id means the latest again."""
    connection.execute(
        _PIPELINES.update()
        .where(_PIPELINES.c.pipeline_id == pipeline_id)
        .values(default_version_id=pipeline_version_id)
    )


def update(
    connection: sa.Connection, pipeline_id: str, display_name: str, tags: dict[str, str] | None
) -> None:
    """Changes what may change: an empty name and tags of None stay as they are."""
    values = _changes(display_name, tags)
    if values:
        connection.execute(_PIPELINES.update().where(_PIPELINES.c.pipeline_id == pipeline_id).values(values))


def update_version(
    connection: sa.Connection, pipeline_version_id: str, display_name: str, tags: dict[str, str] | None
) -> None:
    """As `update`, for a version."""
    values = _changes(display_name, tags)
    if values:
        connection.execute(
            _VERSIONS.update().where(_VERSIONS.c.pipeline_version_id == pipeline_version_id).values(values)
        )


def delete(connection: sa.Connection, pipeline_id: str) -> None:
    """Removes the pipeline with all its versions. Runs keep their own copy of what they run."""
    connection.execute(_VERSIONS.delete().where(_VERSIONS.c.pipeline_id == pipeline_id))
    connection.execute(_PIPELINES.delete().where(_PIPELINES.c.pipeline_id == pipeline_id))


def delete_version(connection: sa.Connection, pipeline_version_id: str) -> None:
    connection.execute(_VERSIONS.delete().where(_VERSIONS.c.pipeline_version_id == pipeline_version_id))


def list_page(connection: sa.Connection, request: ListRequest, namespace: str) -> Page[PipelineRow]:
    return select_page(connection, LISTABLE, request, [_PIPELINES.c.namespace == namespace]).mapped(_pipeline)


def list_versions(
    connection: sa.Connection, request: ListRequest, pipeline_id: str, *, full: bool = True
) -> Page[VersionRow]:
    """Without their specifications, unless they are asked for in full."""
    where = [_VERSIONS.c.pipeline_id == pipeline_id]
    if full:
        return select_page(connection, VERSION_LISTABLE, request, where).mapped(_version)
    columns = [column for column in _VERSIONS.columns if column.name != "spec"]
    found = select_page(connection, VERSION_LISTABLE, request, where, columns)
    return found.mapped(lambda row: VersionRow(spec="", **row._mapping))


def list_all_versions(connection: sa.Connection, request: ListRequest, namespace: str) -> Page[VersionRow]:
    """Of all pipelines of a namespace, without their specifications."""
    of_namespace = sa.select(_PIPELINES.c.pipeline_id).where(_PIPELINES.c.namespace == namespace)
    columns = [column for column in _VERSIONS.columns if column.name != "spec"]
    found = select_page(
        connection, VERSION_LISTABLE, request, [_VERSIONS.c.pipeline_id.in_(of_namespace)], columns
    )
    return found.mapped(lambda row: VersionRow(spec="", **row._mapping))


def names(connection: sa.Connection, pipeline_ids: Iterable[str]) -> dict[str, str]:
    """What pipelines are shown as, by their ids."""
    found = sa.select(_PIPELINES.c.pipeline_id, _PIPELINES.c.display_name).where(
        _PIPELINES.c.pipeline_id.in_(set(pipeline_ids))
    )
    return {row[0]: row[1] for row in connection.execute(found)}


def _changes(display_name: str, tags: dict[str, str] | None) -> dict[str, str]:
    values = {"display_name": display_name} if display_name else {}
    if tags is not None:
        values["tags"] = json.dumps(tags)
    return values


def _pipeline(found: sa.Row[Any]) -> PipelineRow:
    return PipelineRow(**found._mapping)


def _version(found: sa.Row[Any]) -> VersionRow:
    return VersionRow(**found._mapping)
