"""Which attempts of which runs have left logs, in the order of a search: the newest run first, then its steps.

Called by `rest.log_search`. Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from sampan.components.pipelines.store import tables
from sampan.components.pipelines.store.tasks import AttemptRow

_RUNS, _TASKS = tables.runs.c, tables.tasks.c
_ATTEMPTS = msgspec.json.Decoder(list[AttemptRow])


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to look at; what is empty lets all through."""

    namespace: str
    run_id: str = ""
    experiment_id: str = ""
    pipeline_id: str = ""
    since: int = 0
    """Microseconds: runs that had ended before have nothing to say."""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    run_id: str
    display_name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class LoggedStep:
    task_id: str
    name: str
    display_name: str
    path: str
    attempts: Sequence[AttemptRow]


def list_runs(
    connection: sa.Connection, wanted: RunFilter, before: tuple[int, str] | None, limit: int
) -> list[LoggedRun]:
    """The newest first; `before` is the time and the id from which to go on, itself included."""
    query = sa.select(_RUNS.run_id, _RUNS.display_name, _RUNS.created_at).where(
        _RUNS.namespace == wanted.namespace
    )
    if wanted.run_id:
        query = query.where(_RUNS.run_id == wanted.run_id)
    if wanted.experiment_id:
        query = query.where(_RUNS.experiment_id == wanted.experiment_id)
    if wanted.pipeline_id:
        query = query.where(_RUNS.pipeline_id == wanted.pipeline_id)
    if wanted.since:
        query = query.where(sa.or_(_RUNS.finished_at == 0, _RUNS.finished_at >= wanted.since))
    if before is not None:
        created, run_id = before
        query = query.where(
            sa.or_(_RUNS.created_at < created, sa.and_(_RUNS.created_at == created, _RUNS.run_id <= run_id))
        )
    query = query.order_by(_RUNS.created_at.desc(), _RUNS.run_id.desc()).limit(limit)
    return [LoggedRun(*found) for found in connection.execute(query)]


def list_steps(connection: sa.Connection, run_id: str, name: str = "") -> list[LoggedStep]:
    """Those that had attempts, in the order of their making; with `name`, those that are called so."""
    query = sa.select(
        _TASKS.task_id, _TASKS.name, _TASKS.display_name, _TASKS.scope_path, _TASKS.attempts
    ).where(_TASKS.run_id == run_id, _TASKS.attempts != "[]")
    if name:
        query = query.where(
            sa.or_(_TASKS.name == name, _TASKS.display_name == name, _TASKS.scope_path == name)
        )
    query = query.order_by(_TASKS.created_at, _TASKS.scope_path, _TASKS.task_id)
    return [
        LoggedStep(task_id, task, shown, path, _ATTEMPTS.decode(attempts))
        for task_id, task, shown, path, attempts in connection.execute(query)
    ]


def attempts_of_run(connection: sa.Connection, run_id: str) -> list[AttemptRow]:
    """Of all its steps: whose logs go when the run does."""
    query = sa.select(_TASKS.attempts).where(_TASKS.run_id == run_id, _TASKS.attempts != "[]")
    return [attempt for (text,) in connection.execute(query) for attempt in _ATTEMPTS.decode(text)]
