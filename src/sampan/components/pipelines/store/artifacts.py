"""Artifacts and their links to tasks: the rows.

The engine writes them in the transactions of its tasks; REST reads them. JSON columns are decoded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from sampan.components.pipelines.api.states import ArtifactType, IOType
from sampan.components.pipelines.store import happenings, tables
from sampan.store.artifacts.measuring import Measure

_ARTIFACTS = tables.artifacts
_LINKS = tables.artifact_tasks

_IN_LIMIT = 500
"""Values in one IN list: SQLite allows few host parameters in older builds."""


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    artifact_id: str
    namespace: str
    name: str
    type: ArtifactType
    uri: str
    created_at: int
    schema_title: str = ""
    schema_version: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    number_value: float | None = None
    stored: bool = False
    """Whether something lay at the URI when the artifact was recorded."""
    description: str = ""
    digest: str = ""
    """SHA-256 of its files; empty while they are not measured."""
    size_bytes: int = 0
    file_count: int = 0
    mark: str = ""
    """By which a change of the files is noticed cheaply."""
    producer_run_id: str = ""
    """The run whose step wrote it; empty for what was imported or told from outside."""


@dataclass(frozen=True, slots=True)
class ArtifactLink:
    """That a task read or wrote an artifact, and under which of its component's names."""

    id: str
    artifact_id: str
    run_id: str
    task_id: str
    type: IOType
    key: str
    producer_task_name: str = ""
    producer_iteration: int = -1


def insert(connection: sa.Connection, rows: Sequence[ArtifactRow]) -> None:
    if rows:
        connection.execute(_ARTIFACTS.insert(), [_values(row) for row in rows])
        happenings.artifacts_made(connection, rows)


def link(connection: sa.Connection, links: Sequence[ArtifactLink]) -> None:
    if links:
        connection.execute(
            _LINKS.insert(),
            [
                {
                    "id": item.id,
                    "artifact_id": item.artifact_id,
                    "run_id": item.run_id,
                    "task_id": item.task_id,
                    "type": item.type.value,
                    "key": item.key,
                    "producer_task_name": item.producer_task_name,
                    "producer_iteration": item.producer_iteration,
                }
                for item in links
            ],
        )


def unlink_tasks(connection: sa.Connection, task_ids: Iterable[str]) -> None:
    """Forgets what these tasks read and wrote; the artifacts stay."""
    for chunk in _chunks(list(task_ids)):
        connection.execute(_LINKS.delete().where(_LINKS.c.task_id.in_(chunk)))


def get(connection: sa.Connection, artifact_id: str) -> ArtifactRow | None:
    found = connection.execute(
        sa.select(_ARTIFACTS).where(_ARTIFACTS.c.artifact_id == artifact_id)
    ).one_or_none()
    return _row(found) if found is not None else None


def get_many(connection: sa.Connection, artifact_ids: Iterable[str]) -> dict[str, ArtifactRow]:
    """By id; ids that are unknown are left out."""
    rows: dict[str, ArtifactRow] = {}
    for chunk in _chunks(list(artifact_ids)):
        for found in connection.execute(sa.select(_ARTIFACTS).where(_ARTIFACTS.c.artifact_id.in_(chunk))):
            row = _row(found)
            rows[row.artifact_id] = row
    return rows


def of_run(connection: sa.Connection, run_id: str) -> dict[str, ArtifactRow]:
    """Every artifact that a task of the run read or wrote, by id."""
    ids = sa.select(_LINKS.c.artifact_id).where(_LINKS.c.run_id == run_id)
    query = sa.select(_ARTIFACTS).where(_ARTIFACTS.c.artifact_id.in_(ids))
    return {row.artifact_id: row for row in map(_row, connection.execute(query))}


def links_of_run(connection: sa.Connection, run_id: str) -> list[ArtifactLink]:
    query = sa.select(_LINKS).where(_LINKS.c.run_id == run_id)
    return [_link(found) for found in connection.execute(query)]


def links_of_task(connection: sa.Connection, task_id: str) -> list[ArtifactLink]:
    query = sa.select(_LINKS).where(_LINKS.c.task_id == task_id)
    return [_link(found) for found in connection.execute(query)]


def set_measure(connection: sa.Connection, artifact_id: str, measure: Measure) -> None:
    """Notes what the artifact's files are, once that is known."""
    connection.execute(
        _ARTIFACTS.update().where(_ARTIFACTS.c.artifact_id == artifact_id).values(**asdict(measure))
    )


def unmeasured(connection: sa.Connection, limit: int) -> list[ArtifactRow]:
    """Artifacts of runs that have files and no digest, newest first: a process ended before it came to them."""
    query = (
        sa.select(_ARTIFACTS)
        .where(_ARTIFACTS.c.stored, _ARTIFACTS.c.digest == "", _ARTIFACTS.c.producer_run_id != "")
        .order_by(_ARTIFACTS.c.created_at.desc())
        .limit(limit)
    )
    return [_row(found) for found in connection.execute(query)]


def find_imported(
    connection: sa.Connection, namespace: str, uri: str, schema_title: str
) -> list[ArtifactRow]:
    """Artifacts of this type at this URI, newest first: what an importer without `reimport` may use again."""
    query = (
        sa.select(_ARTIFACTS)
        .where(
            _ARTIFACTS.c.uri == uri,
            _ARTIFACTS.c.namespace == namespace,
            _ARTIFACTS.c.schema_title == schema_title,
        )
        .order_by(_ARTIFACTS.c.created_at.desc())
        .limit(50)
    )
    return [_row(found) for found in connection.execute(query)]


def find_same(connection: sa.Connection, row: ArtifactRow) -> ArtifactRow | None:
    """The oldest artifact of the namespace with the same type, URI, name, description and metadata."""
    query = (
        sa.select(_ARTIFACTS)
        .where(
            _ARTIFACTS.c.uri == row.uri,
            _ARTIFACTS.c.namespace == row.namespace,
            _ARTIFACTS.c.type == row.type.value,
            _ARTIFACTS.c.name == row.name,
            _ARTIFACTS.c.description == row.description,
        )
        .order_by(_ARTIFACTS.c.created_at)
    )
    same = (found for found in map(_row, connection.execute(query)) if found.metadata == row.metadata)
    return next(same, None)


def at(connection: sa.Connection, namespace: str, uris: Sequence[str]) -> list[ArtifactRow]:
    """Those of a namespace that lie at one of these places."""
    query = sa.select(_ARTIFACTS).where(_ARTIFACTS.c.namespace == namespace, _ARTIFACTS.c.uri.in_(uris))
    return [_row(found) for found in connection.execute(query)]


def namespaces_at(connection: sa.Connection, uri: str) -> set[str]:
    """Whose the files at a URI are.

    A step's files lie below a folder named by its run, whatever was recorded of them: that run's namespace owns them.
    Other files are of the namespaces that have recorded an artifact there, or above it.
    """
    pieces = uri.split("/")
    runs = tables.runs.c
    of_runs = sa.select(runs.namespace).where(runs.run_id.in_([piece for piece in pieces if piece]))
    if found := set(connection.execute(of_runs).scalars()):
        return found
    above = ["/".join(pieces[: count + 1]) for count in range(len(pieces))]
    recorded = sa.select(_ARTIFACTS.c.namespace).where(_ARTIFACTS.c.uri.in_([each for each in above if each]))
    return set(connection.execute(recorded.distinct()).scalars())


def _chunks(values: list[str]) -> Iterable[list[str]]:
    return (values[start : start + _IN_LIMIT] for start in range(0, len(values), _IN_LIMIT))


def _values(row: ArtifactRow) -> dict[str, Any]:
    return {
        "artifact_id": row.artifact_id,
        "namespace": row.namespace,
        "name": row.name,
        "description": row.description,
        "type": row.type.value,
        "schema_title": row.schema_title,
        "schema_version": row.schema_version,
        "uri": row.uri,
        "metadata": msgspec.json.encode(row.metadata).decode(),
        "number_value": row.number_value,
        "stored": row.stored,
        "created_at": row.created_at,
        "digest": row.digest,
        "size_bytes": row.size_bytes,
        "file_count": row.file_count,
        "mark": row.mark,
        "producer_run_id": row.producer_run_id,
    }


def _row(found: sa.Row[Any]) -> ArtifactRow:
    values = dict(found._mapping)
    values["type"] = ArtifactType(values["type"])
    values["metadata"] = msgspec.json.decode(values["metadata"])
    return ArtifactRow(**values)


def _link(found: sa.Row[Any]) -> ArtifactLink:
    values = dict(found._mapping)
    values["type"] = IOType(values["type"])
    return ArtifactLink(**values)
