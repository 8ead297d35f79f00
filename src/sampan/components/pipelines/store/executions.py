"""Steps of all runs of a namespace, the newest run's first: run by run, so that a page costs what it shows.

A filter that little matches would read every task there is: a request looks at so many runs, and says where the next
one goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import TaskType
from sampan.components.pipelines.store import tables

_TASKS, _RUNS = tables.tasks.c, tables.runs.c
_MOST_RUNS = 5_000
_RUNS_AT_ONCE = 200

STEPS = (TaskType.RUNTIME.value, TaskType.IMPORTER.value)
"""What executes something; the other types hold tasks together."""


@dataclass(frozen=True, slots=True)
class Place:
    """After which task, or with none after which run, a page begins. Times in microseconds."""

    run_at: int
    run_id: str
    task_at: int = 0
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """What is empty lets all through."""

    namespace: str
    text: str = ""
    """In the name."""
    states: tuple[str, ...] = ()
    types: tuple[str, ...] = STEPS


@dataclass(slots=True)
class Executions:
    items: list[tuple[Any, Any]] = field(default_factory=list)
    """Rows of a task and of its run."""
    after: Place | None = None
    """Where the next page begins; None at the end."""


def list_executions(
    connection: sa.Connection, wanted: ExecutionFilter, after: Place | None, limit: int
) -> Executions:
    found, looked_at = Executions(), 0
    place = after
    while looked_at < _MOST_RUNS:
        runs = _runs(connection, wanted.namespace, place)
        for run, task in _of_runs(connection, wanted, runs, place, limit + 1 - len(found.items)):
            if len(found.items) == limit:
                last, of = found.items[-1]
                found.after = Place(of.created_at, of.run_id, last.created_at, last.task_id)
                return found
            found.items.append((task, run))
        looked_at += len(runs)
        if len(runs) < _RUNS_AT_ONCE:
            return found
        place = Place(runs[-1].created_at, runs[-1].run_id)
    found.after = place
    return found


def _of_runs(
    connection: sa.Connection, wanted: ExecutionFilter, runs: list[Any], place: Place | None, limit: int
) -> Iterator[tuple[Any, Any]]:
    """Runs with tasks, in order, `limit` at most."""
    left = limit
    begun = place if place is not None and place.task_id and runs and runs[0].run_id == place.run_id else None
    # A run may have thousands of tasks, all of which would be sorted to show fifty: where nothing is left out, one run
    # after the other. Where little is left, all of them at once.
    together = [] if not (wanted.states or wanted.text) else runs[1:] if begun is not None else runs
    for run in runs[: len(runs) - len(together)]:
        inside = begun if begun is not None and run.run_id == begun.run_id else None
        where = _in_run(run.run_id, inside)
        for task in _tasks(connection, wanted, where, left):
            yield run, task
            left -= 1
        if left <= 0:
            return
    if together:
        by_id = {run.run_id: run for run in together}
        for task in _tasks(connection, wanted, [_TASKS.run_id.in_(list(by_id))], left):
            yield by_id[task.run_id], task


def _in_run(run_id: str, after: Place | None) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [_TASKS.run_id == run_id]
    if after is not None:
        same = sa.and_(_TASKS.created_at == after.task_at, _TASKS.task_id < after.task_id)
        where.append(sa.or_(_TASKS.created_at < after.task_at, same))
    return where


def _runs(connection: sa.Connection, namespace: str, place: Place | None) -> list[Any]:
    query = sa.select(_RUNS.run_id, _RUNS.display_name, _RUNS.pipeline_name, _RUNS.created_at).where(
        _RUNS.namespace == namespace
    )
    if place is not None:
        same = _RUNS.created_at == place.run_at
        follows = _RUNS.run_id <= place.run_id if place.task_id else _RUNS.run_id < place.run_id
        query = query.where(sa.or_(_RUNS.created_at < place.run_at, sa.and_(same, follows)))
    ordered = query.order_by(_RUNS.created_at.desc(), _RUNS.run_id.desc()).limit(_RUNS_AT_ONCE)
    return list(connection.execute(ordered).all())


def _tasks(
    connection: sa.Connection, wanted: ExecutionFilter, where: list[sa.ColumnElement[bool]], limit: int
) -> list[Any]:
    query = (
        sa.select(
            _TASKS.task_id,
            _TASKS.run_id,
            _TASKS.name,
            _TASKS.display_name,
            _TASKS.type,
            _TASKS.state,
            _TASKS.iteration_index,
            _TASKS.created_at,
            _TASKS.started_at,
            _TASKS.finished_at,
            _TASKS.error,
            _TASKS.attempts,
            _TASKS.cached_from_task_id,
        )
        .join_from(tables.tasks, tables.runs, _RUNS.run_id == _TASKS.run_id)
        .where(*where)
    )
    if wanted.types:
        query = query.where(_TASKS.type.in_(wanted.types))
    if wanted.states:
        query = query.where(_TASKS.state.in_(wanted.states))
    if wanted.text:
        in_name = _TASKS.name.icontains(wanted.text, autoescape=True)
        query = query.where(sa.or_(in_name, _TASKS.display_name.icontains(wanted.text, autoescape=True)))
    order = (_RUNS.created_at.desc(), _RUNS.run_id.desc(), _TASKS.created_at.desc(), _TASKS.task_id.desc())
    return list(connection.execute(query.order_by(*order).limit(limit)).all())
