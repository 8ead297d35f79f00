"""What deleted runs have left in artifact stores: rows that say what is to be removed, and what of it is needed.

A run owns the folder of its own below its pipeline root. Deleting the run deletes, in the same transaction, the records
of artifacts that nothing else refers to, and notes the folder here; `engine.sweeping` removes the files afterwards, but
those that a record still names: another run's input or output, a result taken from the cache, an import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sampan.components.pipelines.store import tables
from sampan.lib.ids import new_uid

_GARBAGE = tables.garbage
_ARTIFACTS = tables.artifacts
_LINKS = tables.artifact_tasks
_RUNS = tables.runs
_IN_LIMIT = 500


@dataclass(frozen=True, slots=True)
class GarbageRow:
    """A file or folder, by its URI, that is to be removed unless something still refers to it."""

    id: str
    namespace: str
    uri: str
    run_id: str
    """The run whose folder it is; empty for a single artifact of a run that was deleted before."""
    created_at: int


def doom_run(connection: sa.Connection, run_id: str, now: int) -> None:
    """Before the run's row is deleted: removes its links and the artifacts that then have none, and notes its files."""
    run = connection.execute(
        sa.select(_RUNS.c.namespace, _RUNS.c.artifact_root).where(_RUNS.c.run_id == run_id)
    ).one_or_none()
    if run is None:
        return
    touched = list(
        connection.execute(
            sa.select(_LINKS.c.artifact_id).where(_LINKS.c.run_id == run_id).distinct()
        ).scalars()
    )
    written = connection.execute(
        sa.select(_ARTIFACTS.c.artifact_id).where(_ARTIFACTS.c.producer_run_id == run_id)
    )
    connection.execute(_LINKS.delete().where(_LINKS.c.run_id == run_id))
    uris = _delete_unlinked(connection, list(dict.fromkeys([*touched, *written.scalars()])))
    # What an already deleted run had written, and this one was the last to refer to.
    places = {uri: "" for uri, by in uris if by and by != run_id and f"/{by}/" in uri}
    if run.artifact_root:
        places[f"{run.artifact_root.rstrip('/')}/{run_id}"] = run_id
    for uri, owner in sorted(places.items()):
        doom(connection, run.namespace, uri, now, owner)


def doom(connection: sa.Connection, namespace: str, uri: str, now: int, run_id: str = "") -> None:
    """Notes what is to be removed once no record needs it."""
    values = {"namespace": namespace, "uri": uri, "run_id": run_id, "created_at": now}
    connection.execute(_GARBAGE.insert(), {"id": new_uid(), **values})


def pending(connection: sa.Connection, limit: int = 1000) -> list[GarbageRow]:
    query = sa.select(_GARBAGE).order_by(_GARBAGE.c.created_at).limit(limit)
    return [GarbageRow(**found._mapping) for found in connection.execute(query)]


def needed(connection: sa.Connection, uri: str) -> list[str]:
    """URIs of artifacts that are recorded at `uri`, below it, or above it."""
    pieces = uri.split("/")
    above = ["/".join(pieces[:count]) for count in range(1, len(pieces) + 1)]
    # `0` is what follows the slash.
    below = sa.and_(_ARTIFACTS.c.uri > f"{uri}/", _ARTIFACTS.c.uri < f"{uri}0")
    named = _ARTIFACTS.c.uri.in_([each for each in above if each])
    query = sa.select(_ARTIFACTS.c.uri).where(sa.or_(below, named)).distinct()
    return list(connection.execute(query).scalars())


def done(connection: sa.Connection, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), _IN_LIMIT):
        connection.execute(_GARBAGE.delete().where(_GARBAGE.c.id.in_(ids[start : start + _IN_LIMIT])))


def _delete_unlinked(connection: sa.Connection, ids: list[str]) -> list[tuple[str, str]]:
    """Of these artifacts, deletes those without any link; their URIs and the runs that wrote them."""
    deleted: list[tuple[str, str]] = []
    for start in range(0, len(ids), _IN_LIMIT):
        chunk = ids[start : start + _IN_LIMIT]
        linked = sa.select(_LINKS.c.artifact_id).where(_LINKS.c.artifact_id.in_(chunk))
        unlinked = sa.and_(_ARTIFACTS.c.artifact_id.in_(chunk), _ARTIFACTS.c.artifact_id.not_in(linked))
        rows = connection.execute(sa.select(_ARTIFACTS.c.uri, _ARTIFACTS.c.producer_run_id).where(unlinked))
        deleted += [(row.uri, row.producer_run_id) for row in rows]
        connection.execute(_ARTIFACTS.delete().where(unlinked))
    return deleted
