"""Recurring runs: the rows, and how they change.

REST makes, switches and deletes them; the scheduler moves `progress` in the transaction that stores the run of a tick,
so that a tick has exactly one run whatever happens in between. Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import tables
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, select_page

_SCHEDULES = tables.schedules
_COLUMNS = _SCHEDULES.c
_RUNS = tables.runs
_UNFINISHED = tuple(state.value for state in RuntimeState if not state.is_final)

LISTABLE = Listable(
    kind="recurring run",
    table=_SCHEDULES,
    key=_COLUMNS.recurring_run_id,
    fields={
        "recurring_run_id": _COLUMNS.recurring_run_id,
        "id": _COLUMNS.recurring_run_id,
        "display_name": _COLUMNS.display_name,
        "name": _COLUMNS.display_name,
        "description": _COLUMNS.description,
        "created_at": _COLUMNS.created_at,
        "updated_at": _COLUMNS.updated_at,
        "status": _COLUMNS.status,
        "namespace": _COLUMNS.namespace,
        "experiment_id": _COLUMNS.experiment_id,
        "pipeline_id": _COLUMNS.pipeline_id,
        "pipeline_version_id": _COLUMNS.pipeline_version_id,
    },
)


class Status(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One recurring run. JSON columns are text; times are microseconds, 0 for none."""

    recurring_run_id: str
    experiment_id: str
    namespace: str
    display_name: str
    resource_name: str
    """As upstream names the object in the cluster: what its runs are named after."""
    trigger: str
    max_concurrency: int
    created_at: int
    updated_at: int
    description: str = ""
    service_account: str = ""
    status: str = Status.ENABLED
    no_catchup: bool = False
    pipeline_id: str = ""
    pipeline_version_id: str = ""
    spec: str = ""
    """What runs, its own or its version's, so that deleting the version changes nothing. Empty: the latest's."""
    runtime_config: str = "{}"
    plugins_input: str = "{}"
    error: str = ""
    progress: int = 0
    """Ticks up to this moment are done with: they had their run, were skipped, or it was disabled then."""
    runs_started: int = 0
    next_tick: int = 0
    """The first tick that is not done with; 0 when there is none. What the scheduler looks for."""

    @property
    def spec_inline(self) -> bool:
        """Whether the specification is its own."""
        return bool(self.spec) and not self.pipeline_version_id


def insert(connection: sa.Connection, row: ScheduleRow) -> None:
    connection.execute(_SCHEDULES.insert(), asdict(row))


def get(connection: sa.Connection, recurring_run_id: str) -> ScheduleRow | None:
    query = sa.select(_SCHEDULES).where(_COLUMNS.recurring_run_id == recurring_run_id)
    found = connection.execute(query).one_or_none()
    return _row(found) if found is not None else None


def namespace_of(connection: sa.Connection, recurring_run_id: str) -> str | None:
    """Where it is, or None when there is no such recurring run."""
    query = sa.select(_COLUMNS.namespace).where(_COLUMNS.recurring_run_id == recurring_run_id)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def delete(connection: sa.Connection, recurring_run_id: str) -> bool:
    """Removes the schedule and leaves its runs."""
    found = connection.execute(_SCHEDULES.delete().where(_COLUMNS.recurring_run_id == recurring_run_id))
    return found.rowcount > 0


def list_page(
    connection: sa.Connection, request: ListRequest, namespace: str, experiment_id: str = ""
) -> Page[ScheduleRow]:
    where = [_COLUMNS.namespace == namespace]
    if experiment_id:
        where.append(_COLUMNS.experiment_id == experiment_id)
    return select_page(connection, LISTABLE, request, where).mapped(_row)


def enable(
    connection: sa.Connection, recurring_run_id: str, at_micros: int, progress: int, next_tick: int
) -> None:
    _update(
        connection,
        recurring_run_id,
        {
            "status": Status.ENABLED.value,
            "updated_at": at_micros,
            "progress": progress,
            "next_tick": next_tick,
            "error": "",
        },
    )


def disable(connection: sa.Connection, recurring_run_id: str, at_micros: int) -> None:
    _update(
        connection,
        recurring_run_id,
        {"status": Status.DISABLED.value, "updated_at": at_micros, "next_tick": 0},
    )


def disable_all(connection: sa.Connection, experiment_id: str) -> None:
    """Those of an experiment that is being archived."""
    connection.execute(
        _SCHEDULES.update()
        .where(_COLUMNS.experiment_id == experiment_id)
        .values(status=Status.DISABLED.value, next_tick=0)
    )


def record_tick(
    connection: sa.Connection, recurring_run_id: str, progress: int, next_tick: int, runs_started: int
) -> None:
    """A tick had its run."""
    _update(
        connection,
        recurring_run_id,
        {"progress": progress, "next_tick": next_tick, "runs_started": runs_started, "error": ""},
    )


def count_run(connection: sa.Connection, recurring_run_id: str) -> None:
    """One that no tick has started."""
    connection.execute(
        _SCHEDULES.update()
        .where(_COLUMNS.recurring_run_id == recurring_run_id)
        .values(runs_started=_COLUMNS.runs_started + 1)
    )


def set_next_tick(connection: sa.Connection, recurring_run_id: str, progress: int, next_tick: int) -> None:
    """What was worked out anew, unless the schedule has moved on or was disabled."""
    connection.execute(
        _SCHEDULES.update()
        .where(
            _COLUMNS.recurring_run_id == recurring_run_id,
            _COLUMNS.progress == progress,
            _COLUMNS.status == Status.ENABLED.value,
        )
        .values(next_tick=next_tick)
    )


def set_error(connection: sa.Connection, recurring_run_id: str, progress: int, error: str) -> None:
    """Why the tick after `progress` has no run yet; nothing when it has one by now."""
    connection.execute(
        _SCHEDULES.update()
        .where(_COLUMNS.recurring_run_id == recurring_run_id, _COLUMNS.progress == progress)
        .values(error=error)
    )


def due(connection: sa.Connection, now_micros: int) -> list[str]:
    """Ids of those whose next tick has come, the one that waits longest first."""
    query = (
        sa.select(_COLUMNS.recurring_run_id)
        .where(_COLUMNS.next_tick > 0, _COLUMNS.next_tick <= now_micros)
        .order_by(_COLUMNS.next_tick)
    )
    return list(connection.execute(query).scalars())


def next_after(connection: sa.Connection, now_micros: int) -> int:
    """The first tick of all that is still to come; 0 when there is none."""
    query = sa.select(sa.func.min(_COLUMNS.next_tick)).where(_COLUMNS.next_tick > now_micros)
    return int(connection.execute(query).scalar() or 0)


def enabled(connection: sa.Connection) -> list[ScheduleRow]:
    query = sa.select(_SCHEDULES).where(_COLUMNS.status == Status.ENABLED.value)
    return [_row(found) for found in connection.execute(query)]


def unfinished_runs(connection: sa.Connection, recurring_run_id: str) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(_RUNS)
        .where(
            _RUNS.c.recurring_run_id == recurring_run_id,
            # Without these very words the index, which leaves other runs out, would not be looked at.
            _RUNS.c.recurring_run_id != sa.literal("", literal_execute=True),
            _RUNS.c.state.in_(_UNFINISHED),
        )
    )
    return int(connection.execute(query).scalar_one())


def recent_runs(connection: sa.Connection, recurring_run_id: str, limit: int) -> list[Any]:
    """The newest first: run_id, display_name, state, created_at, scheduled_at, finished_at."""
    columns = _RUNS.c
    query = (
        sa.select(
            columns.run_id,
            columns.display_name,
            columns.state,
            columns.created_at,
            columns.scheduled_at,
            columns.finished_at,
        )
        .where(
            columns.recurring_run_id == recurring_run_id,
            columns.recurring_run_id != sa.literal("", literal_execute=True),
        )
        .order_by(columns.created_at.desc(), columns.run_id.desc())
        .limit(limit)
    )
    return list(connection.execute(query).all())


def states_of(connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, str]:
    """Of those of these runs that are there."""
    query = sa.select(_RUNS.c.run_id, _RUNS.c.state).where(_RUNS.c.run_id.in_(run_ids))
    return {row.run_id: row.state for row in connection.execute(query)}


def _update(connection: sa.Connection, recurring_run_id: str, values: dict[str, Any]) -> None:
    connection.execute(
        _SCHEDULES.update().where(_COLUMNS.recurring_run_id == recurring_run_id).values(values)
    )


def _row(found: sa.Row[Any]) -> ScheduleRow:
    return ScheduleRow(**found._mapping)
