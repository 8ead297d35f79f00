"""Experiments: named groups of runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import StorageState
from sampan.components.pipelines.store import event_triggers, runs, schedules, tables
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, select_page
from sampan.lib.ids import new_uid

DEFAULT_NAME = "Default"
"""The experiment of runs that name none."""
_DEFAULT_DESCRIPTION = "Runs that were created without naming an experiment."

_EXPERIMENTS = tables.experiments
_COLUMNS = _EXPERIMENTS.c

LISTABLE = Listable(
    kind="experiment",
    table=_EXPERIMENTS,
    key=_COLUMNS.experiment_id,
    fields={
        "experiment_id": _COLUMNS.experiment_id,
        "id": _COLUMNS.experiment_id,
        "display_name": _COLUMNS.display_name,
        "name": _COLUMNS.display_name,
        "description": _COLUMNS.description,
        "created_at": _COLUMNS.created_at,
        "last_run_created_at": _COLUMNS.last_run_created_at,
        "namespace": _COLUMNS.namespace,
        "storage_state": _COLUMNS.storage_state,
    },
)


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """One experiment. Times are microseconds, 0 for none."""

    experiment_id: str
    namespace: str
    display_name: str
    created_at: int
    description: str = ""
    storage_state: str = StorageState.AVAILABLE
    last_run_created_at: int = 0


def insert(connection: sa.Connection, row: ExperimentRow) -> bool:
    """False when the namespace already has an experiment of that name."""
    if by_name(connection, row.namespace, row.display_name) is not None:
        return False
    connection.execute(_EXPERIMENTS.insert(), asdict(row))
    return True


def get(connection: sa.Connection, experiment_id: str) -> ExperimentRow | None:
    return _one(connection, _COLUMNS.experiment_id == experiment_id)


def by_name(connection: sa.Connection, namespace: str, display_name: str) -> ExperimentRow | None:
    return _one(connection, sa.and_(_COLUMNS.namespace == namespace, _COLUMNS.display_name == display_name))


def ensure_default(connection: sa.Connection, namespace: str, now_micros: int) -> ExperimentRow:
    """The namespace's `Default` experiment, made if it is not there."""
    found = by_name(connection, namespace, DEFAULT_NAME)
    if found is not None:
        return found
    row = ExperimentRow(new_uid(), namespace, DEFAULT_NAME, now_micros, _DEFAULT_DESCRIPTION)
    connection.execute(_EXPERIMENTS.insert(), asdict(row))
    return row


def archive(connection: sa.Connection, experiment_id: str) -> None:
    """Archives the experiment and every run in it, and disables its recurring runs."""
    _set_storage_state(connection, experiment_id, StorageState.ARCHIVED)
    runs.archive_all(connection, experiment_id)
    schedules.disable_all(connection, experiment_id)
    event_triggers.disable_all(connection, experiment_id)


def unarchive(connection: sa.Connection, experiment_id: str) -> None:
    """Restores the experiment; its runs stay archived, as upstream."""
    _set_storage_state(connection, experiment_id, StorageState.AVAILABLE)


def update(connection: sa.Connection, row: ExperimentRow) -> bool:
    """Changes name and description. False when the namespace has another experiment of that name."""
    other = by_name(connection, row.namespace, row.display_name)
    if other is not None and other.experiment_id != row.experiment_id:
        return False
    connection.execute(
        _EXPERIMENTS.update()
        .where(_COLUMNS.experiment_id == row.experiment_id)
        .values(display_name=row.display_name, description=row.description)
    )
    return True


def delete(connection: sa.Connection, experiment_id: str) -> bool:
    """Removes the experiment and leaves its runs, as upstream. False when there is none."""
    return (
        connection.execute(_EXPERIMENTS.delete().where(_COLUMNS.experiment_id == experiment_id)).rowcount > 0
    )


def list_page(connection: sa.Connection, request: ListRequest, namespace: str) -> Page[ExperimentRow]:
    return select_page(connection, LISTABLE, request, [_COLUMNS.namespace == namespace]).mapped(_row)


def _set_storage_state(connection: sa.Connection, experiment_id: str, state: StorageState) -> None:
    connection.execute(
        _EXPERIMENTS.update().where(_COLUMNS.experiment_id == experiment_id).values(storage_state=state.value)
    )


def _one(connection: sa.Connection, where: sa.ColumnElement[bool]) -> ExperimentRow | None:
    found = connection.execute(sa.select(_EXPERIMENTS).where(where)).one_or_none()
    return _row(found) if found is not None else None


def _row(found: sa.Row[Any]) -> ExperimentRow:
    return ExperimentRow(**found._mapping)
