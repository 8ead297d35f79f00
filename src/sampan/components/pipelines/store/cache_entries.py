"""Results that later steps may reuse, as a list: which task of which run, how large, how often and when last reused.

An entry is the task that succeeded; forgetting it takes the fingerprint away from it and from those that reused it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sampan.components.pipelines.api.states import IOType, RuntimeState
from sampan.components.pipelines.store import tables

_TASKS, _RUNS = tables.tasks.c, tables.runs.c
_LINKS, _ARTIFACTS = tables.artifact_tasks.c, tables.artifacts.c


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """What is empty lets all through."""

    namespace: str
    pipeline: str = ""
    """The name in the pipeline's specification."""
    task: str = ""
    before: int = 0
    """Microseconds: entries that are older."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    task_id: str
    task: str
    run_id: str
    run: str
    pipeline: str
    fingerprint: str
    created_at: int
    size_bytes: int
    hits: int
    last_hit_at: int
    """0 for one that was never reused."""


def list_entries(
    connection: sa.Connection, wanted: EntryFilter, offset: int, limit: int
) -> tuple[list[CacheEntry], int]:
    """A page, newest first, and how many there are."""
    where = _where(wanted)
    joined = tables.tasks.join(tables.runs, _TASKS.run_id == _RUNS.run_id)
    total = connection.execute(sa.select(sa.func.count()).select_from(joined).where(*where)).scalar_one()
    query = (
        sa.select(
            _TASKS.task_id,
            _TASKS.name,
            _TASKS.run_id,
            _RUNS.display_name,
            _RUNS.pipeline_name,
            _TASKS.cache_fingerprint,
            _TASKS.finished_at,
        )
        .select_from(joined)
        .where(*where)
        .order_by(_TASKS.finished_at.desc(), _TASKS.task_id)
        .offset(offset)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    ids = [row.task_id for row in rows]
    sizes, hits = _sizes(connection, ids), _hits(connection, ids)
    entries = [CacheEntry(*row, sizes.get(row.task_id, 0), *hits.get(row.task_id, (0, 0))) for row in rows]
    return entries, int(total)


def forget(connection: sa.Connection, namespace: str, task_id: str) -> int:
    """Forgets the task's result, and every other of the same fingerprint; how many tasks that were."""
    fingerprint = connection.execute(
        sa.select(_TASKS.cache_fingerprint).where(_TASKS.task_id == task_id)
    ).scalar_one_or_none()
    return _forget(connection, namespace, [fingerprint]) if fingerprint else 0


def forget_all(connection: sa.Connection, wanted: EntryFilter) -> int:
    """How many entries were forgotten."""
    query = (
        sa.select(_TASKS.cache_fingerprint)
        .join_from(tables.tasks, tables.runs, _TASKS.run_id == _RUNS.run_id)
        .where(*_where(wanted))
    )
    fingerprints = list(connection.execute(query).scalars())
    _forget(connection, wanted.namespace, sorted(set(fingerprints)))
    return len(fingerprints)


def _where(wanted: EntryFilter) -> list[sa.ColumnElement[bool]]:
    where = [
        _RUNS.namespace == wanted.namespace,
        _TASKS.cache_fingerprint != "",
        _TASKS.state == RuntimeState.SUCCEEDED.value,
        _TASKS.recorded == sa.false(),
    ]
    if wanted.pipeline:
        where.append(_RUNS.pipeline_name == wanted.pipeline)
    if wanted.task:
        where.append(_TASKS.name == wanted.task)
    if wanted.before:
        where.append(_TASKS.finished_at < wanted.before)
    return where


def _sizes(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    query = (
        sa.select(_LINKS.task_id, sa.func.sum(_ARTIFACTS.size_bytes))
        .join_from(tables.artifact_tasks, tables.artifacts, _LINKS.artifact_id == _ARTIFACTS.artifact_id)
        .where(_LINKS.task_id.in_(ids), _LINKS.type == IOType.OUTPUT.value)
        .group_by(_LINKS.task_id)
    )
    return {key: int(size or 0) for key, size in connection.execute(query)}


def _hits(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    source = _TASKS.cached_from_task_id
    query = (
        sa.select(source, sa.func.count(), sa.func.max(_TASKS.finished_at))
        .where(source.in_(ids))
        .group_by(source)
    )
    return {key: (int(count), int(last or 0)) for key, count, last in connection.execute(query)}


def _forget(connection: sa.Connection, namespace: str, fingerprints: Sequence[str]) -> int:
    count = 0
    ours = sa.select(_RUNS.run_id).where(_RUNS.namespace == namespace)
    for start in range(0, len(fingerprints), 500):
        chunk = fingerprints[start : start + 500]
        changed = connection.execute(
            tables.tasks.update()
            .where(_TASKS.cache_fingerprint.in_(chunk), _TASKS.run_id.in_(ours))
            .values(cache_fingerprint="")
        )
        count += changed.rowcount
    return count
