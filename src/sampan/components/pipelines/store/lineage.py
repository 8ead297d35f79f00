"""Where artifacts come from and where they go: the tasks that wrote and read them, and what those read and wrote.

Only what executes something counts; what holds steps together passes artifacts on and makes none. A task that took its
result from the cache has the artifact of another: it is told as a use, not as the origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import IOType, RuntimeState
from sampan.components.pipelines.store import artifacts, garbage, tables
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.executions import STEPS

_LINKS, _TASKS, _RUNS = tables.artifact_tasks.c, tables.tasks.c, tables.runs.c
_ARTIFACTS = tables.artifacts
_OUTPUTS = (IOType.OUTPUT.value, IOType.ITERATOR_OUTPUT.value, IOType.ONE_OF_OUTPUT.value)
_IN_LIMIT = 500
_UNFINISHED = tuple(state.value for state in RuntimeState if not state.is_final)

WROTE, READ, REUSED = "WROTE", "READ", "REUSED"


@dataclass(frozen=True, slots=True)
class Use:
    """That a task wrote an artifact, read it, or has it from the cache."""

    artifact_id: str
    task_id: str
    how: str
    key: str
    """The name of the output or input."""


@dataclass(slots=True)
class Lineage:
    artifacts: dict[str, ArtifactRow] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    """Rows with task_id, name, display_name, state, run_id, run, pipeline."""
    uses: dict[tuple[str, str, str], Use] = field(default_factory=dict)
    is_whole: bool = True
    """Whether nothing was left out because there is so much of it."""


def uses_of(connection: sa.Connection, artifact_ids: Iterable[str]) -> tuple[list[Use], dict[str, Any]]:
    """Every use of these, and the tasks, by id."""
    return _uses(connection, _LINKS.artifact_id, artifact_ids)


def around(connection: sa.Connection, artifact_id: str, depth: int, limit: int) -> Lineage:
    """What led to an artifact and what came of it, each so many tasks far, with as many artifacts and tasks at most."""
    found = Lineage(artifacts.get_many(connection, [artifact_id]))
    for forward in (False, True):
        frontier = [artifact_id]
        for _ in range(depth):
            frontier = _step(connection, found, frontier, forward=forward, limit=limit)
            if not frontier:
                break
    return found


def _step(
    connection: sa.Connection, found: Lineage, frontier: Sequence[str], *, forward: bool, limit: int
) -> list[str]:
    """One task further; the artifacts that are new."""
    uses, tasks = uses_of(connection, frontier)
    wanted = (READ, REUSED) if forward else (WROTE,)
    met = _taken(found, [use for use in uses if use.how in wanted], tasks, limit)
    # What has its result from the cache made nothing: there it ends.
    going_on = [task_id for task_id in met if tasks[task_id].state != RuntimeState.CACHED.value]
    uses, tasks = _uses(connection, _LINKS.task_id, going_on)
    wanted = (WROTE,) if forward else (READ,)
    beyond = [use for use in uses if use.how in wanted]
    rows = artifacts.get_many(connection, {use.artifact_id for use in beyond} - set(found.artifacts))
    room = max(limit - len(found.artifacts), 0)
    fresh = list(rows)[:room]
    found.is_whole = found.is_whole and len(fresh) == len(rows)
    found.artifacts.update({key: rows[key] for key in fresh})
    _taken(found, [use for use in beyond if use.artifact_id in found.artifacts], tasks, limit)
    return fresh


def _taken(found: Lineage, uses: Sequence[Use], tasks: dict[str, Any], limit: int) -> list[str]:
    """Notes the uses with their tasks, while there is room for these; the tasks."""
    met: dict[str, None] = {}
    for use in uses:
        if use.task_id not in found.tasks:
            if len(found.tasks) >= limit:
                found.is_whole = False
                continue
            found.tasks[use.task_id] = tasks[use.task_id]
        met[use.task_id] = None
        found.uses[(use.artifact_id, use.task_id, use.how)] = use
    return list(met)


def _uses(
    connection: sa.Connection, column: sa.Column[str], ids: Iterable[str]
) -> tuple[list[Use], dict[str, Any]]:
    uses: list[Use] = []
    tasks: dict[str, Any] = {}
    keys = list(ids)
    for start in range(0, len(keys), _IN_LIMIT):
        query = (
            sa.select(
                _LINKS.artifact_id,
                _LINKS.type,
                _LINKS.key,
                _TASKS.task_id,
                _TASKS.name,
                _TASKS.display_name,
                _TASKS.state,
                _TASKS.type.label("task_type"),
                _TASKS.created_at,
                _TASKS.run_id,
                _RUNS.display_name.label("run"),
                _RUNS.pipeline_name.label("pipeline"),
                _RUNS.state.label("run_state"),
            )
            .join_from(tables.artifact_tasks, tables.tasks, _LINKS.task_id == _TASKS.task_id)
            .join(tables.runs, _RUNS.run_id == _TASKS.run_id)
            .where(column.in_(keys[start : start + _IN_LIMIT]), _TASKS.type.in_(STEPS))
            .order_by(_TASKS.created_at, _TASKS.task_id)
        )
        for row in connection.execute(query):
            how = READ
            if row.type in _OUTPUTS:
                how = REUSED if row.state == RuntimeState.CACHED.value else WROTE
            uses.append(Use(row.artifact_id, row.task_id, how, row.key))
            tasks[row.task_id] = row
    return uses, tasks


# Deleting


@dataclass(frozen=True, slots=True)
class Dependents:
    """Runs that have an artifact, by id, with their names; but for the one that wrote it."""

    unfinished: dict[str, str]
    """Any, also the one that wrote it."""
    others: dict[str, str]


def dependents(connection: sa.Connection, row: ArtifactRow) -> Dependents:
    query = (
        sa.select(_RUNS.run_id, _RUNS.display_name, _RUNS.state)
        .join_from(tables.artifact_tasks, tables.runs, _LINKS.run_id == _RUNS.run_id)
        .where(_LINKS.artifact_id == row.artifact_id)
        .distinct()
        .order_by(_RUNS.display_name)
    )
    found = connection.execute(query).all()
    return Dependents(
        {each.run_id: each.display_name for each in found if each.state in _UNFINISHED},
        {each.run_id: each.display_name for each in found if each.run_id != row.producer_run_id},
    )


def delete(connection: sa.Connection, row: ArtifactRow, now: int) -> None:
    """The record, whoever refers to it; and notes its files to be removed, where they are a run's own."""
    connection.execute(tables.artifact_tasks.delete().where(_LINKS.artifact_id == row.artifact_id))
    connection.execute(_ARTIFACTS.delete().where(_ARTIFACTS.c.artifact_id == row.artifact_id))
    if row.producer_run_id and f"/{row.producer_run_id}/" in row.uri:
        garbage.doom(connection, row.namespace, row.uri, now)
