"""Triggers: the rows, what they have seen of files, and how they change.

REST makes, switches and deletes them; `deliveries` are what their events came to. Every function works inside the
caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.events import EventKind
from sampan.components.pipelines.store import event_tables
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, select_page

_TRIGGERS = event_tables.triggers
_COLUMNS = _TRIGGERS.c
_FILES = event_tables.files

LISTABLE = Listable(
    kind="trigger",
    table=_TRIGGERS,
    key=_COLUMNS.trigger_id,
    fields={
        "trigger_id": _COLUMNS.trigger_id,
        "id": _COLUMNS.trigger_id,
        "display_name": _COLUMNS.display_name,
        "name": _COLUMNS.display_name,
        "description": _COLUMNS.description,
        "created_at": _COLUMNS.created_at,
        "updated_at": _COLUMNS.updated_at,
        "status": _COLUMNS.status,
        "kind": _COLUMNS.kind,
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
class TriggerRow:
    """One trigger. JSON columns are text; times are microseconds, 0 for none."""

    trigger_id: str
    namespace: str
    display_name: str
    experiment_id: str
    kind: str
    source: str
    max_concurrency: int
    created_at: int
    updated_at: int
    description: str = ""
    service_account: str = ""
    status: str = Status.ENABLED
    conditions: str = "{}"
    secret: str = ""
    pipeline_id: str = ""
    pipeline_version_id: str = ""
    spec: str = ""
    """What runs, its own or its version's; empty: the latest version's each time."""
    runtime_config: str = "{}"
    error: str = ""
    error_at: int = 0
    runs_started: int = 0

    @property
    def spec_inline(self) -> bool:
        return bool(self.spec) and not self.pipeline_version_id


@dataclass(frozen=True, slots=True)
class Listener:
    """A trigger as what happens asks about it."""

    trigger_id: str
    source: str


_LISTENING = sa.select(_COLUMNS.trigger_id, _COLUMNS.source).where(
    _COLUMNS.kind == sa.bindparam("kind"),
    _COLUMNS.namespace == sa.bindparam("namespace"),
    _COLUMNS.status == Status.ENABLED.value,
)


def insert(connection: sa.Connection, row: TriggerRow) -> None:
    connection.execute(_TRIGGERS.insert(), asdict(row))


def replace(connection: sa.Connection, row: TriggerRow) -> None:
    """All of one that is there; how many runs it has started goes on being counted."""
    values = asdict(row)
    for name in ("trigger_id", "runs_started", "created_at"):
        del values[name]
    _update(connection, row.trigger_id, values)


def get(connection: sa.Connection, trigger_id: str) -> TriggerRow | None:
    found = connection.execute(sa.select(_TRIGGERS).where(_COLUMNS.trigger_id == trigger_id)).one_or_none()
    return TriggerRow(**found._mapping) if found is not None else None


def namespace_of(connection: sa.Connection, trigger_id: str) -> str | None:
    query = sa.select(_COLUMNS.namespace).where(_COLUMNS.trigger_id == trigger_id)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def delete(connection: sa.Connection, trigger_id: str) -> bool:
    """With its deliveries and what it has seen; its runs stay."""
    return connection.execute(_TRIGGERS.delete().where(_COLUMNS.trigger_id == trigger_id)).rowcount > 0


def list_page(
    connection: sa.Connection, request: ListRequest, namespace: str, experiment_id: str = ""
) -> Page[TriggerRow]:
    where = [_COLUMNS.namespace == namespace]
    if experiment_id:
        where.append(_COLUMNS.experiment_id == experiment_id)
    return select_page(connection, LISTABLE, request, where).mapped(
        lambda found: TriggerRow(**found._mapping)
    )


def set_status(connection: sa.Connection, trigger_id: str, status: Status, at_micros: int) -> None:
    _update(connection, trigger_id, {"status": status.value, "updated_at": at_micros})


def disable_all(connection: sa.Connection, experiment_id: str) -> None:
    """Those of an experiment that is being archived."""
    connection.execute(
        _TRIGGERS.update().where(_COLUMNS.experiment_id == experiment_id).values(status=Status.DISABLED.value)
    )


def count_run(connection: sa.Connection, trigger_id: str) -> None:
    """It has started one, so that nothing is wrong with it any more."""
    _update(connection, trigger_id, {"runs_started": _COLUMNS.runs_started + 1, "error": "", "error_at": 0})


def set_error(connection: sa.Connection, trigger_id: str, error: str, at_micros: int) -> None:
    """`error` is a status in JSON; empty for none."""
    _update(connection, trigger_id, {"error": error, "error_at": at_micros if error else 0})


def listening(connection: sa.Connection, kind: EventKind, namespace: str) -> list[Listener]:
    """Enabled triggers of this kind: asked whenever something happens, so on an index."""
    found = connection.execute(_LISTENING, {"kind": kind.value, "namespace": namespace})
    return [Listener(*row) for row in found]


def watching(connection: sa.Connection) -> list[TriggerRow]:
    """Enabled triggers that look at folders and prefixes, of every namespace."""
    query = sa.select(_TRIGGERS).where(
        _COLUMNS.kind.in_((EventKind.FILE.value, EventKind.OBJECT.value)),
        _COLUMNS.status == Status.ENABLED.value,
    )
    return [TriggerRow(**found._mapping) for found in connection.execute(query)]


# What was seen of files


def seen(connection: sa.Connection, trigger_id: str) -> dict[str, str]:
    """Versions by path."""
    query = sa.select(_FILES.c.path, _FILES.c.version).where(_FILES.c.trigger_id == trigger_id)
    return {row.path: row.version for row in connection.execute(query)}


def see(connection: sa.Connection, trigger_id: str, versions: Mapping[str, str]) -> None:
    forget(connection, trigger_id, versions)
    if versions:
        connection.execute(
            _FILES.insert(),
            [
                {"trigger_id": trigger_id, "path": path, "version": version}
                for path, version in versions.items()
            ],
        )


def forget(connection: sa.Connection, trigger_id: str, paths: Collection[str]) -> None:
    """Files that are gone: what comes under their name is new."""
    if paths:
        connection.execute(
            _FILES.delete().where(_FILES.c.trigger_id == trigger_id, _FILES.c.path == sa.bindparam("gone")),
            [{"gone": path} for path in paths],
        )


def forget_all(connection: sa.Connection, trigger_id: str) -> None:
    connection.execute(_FILES.delete().where(_FILES.c.trigger_id == trigger_id))


def _update(connection: sa.Connection, trigger_id: str, values: dict[str, Any]) -> None:
    connection.execute(_TRIGGERS.update().where(_COLUMNS.trigger_id == trigger_id).values(values))
