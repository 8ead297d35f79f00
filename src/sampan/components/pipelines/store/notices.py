"""Notifications and notices: who wants to be told of what, and the outbox of what is to be sent.

A notice is written in the transaction of what it tells (`happenings`), and sent afterwards, at least once. Every
function works inside the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import event_tables, tables
from sampan.components.pipelines.store.event_triggers import Status
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, select_page
from sampan.lib.ids import new_uid

_NOTIFICATIONS = event_tables.notifications
_COLUMNS = _NOTIFICATIONS.c
_NOTICES = event_tables.notices
_RUNS = tables.runs.c
_UNFINISHED = tuple(state.value for state in RuntimeState if not state.is_final)
LATE = "LATE"
"""In place of a state: the run takes longer than it should."""
KEPT = 200
"""Notices of a notification that are kept once they are done with."""

LISTABLE = Listable(
    kind="notification",
    table=_NOTIFICATIONS,
    key=_COLUMNS.notification_id,
    fields={
        "notification_id": _COLUMNS.notification_id,
        "id": _COLUMNS.notification_id,
        "display_name": _COLUMNS.display_name,
        "name": _COLUMNS.display_name,
        "description": _COLUMNS.description,
        "created_at": _COLUMNS.created_at,
        "updated_at": _COLUMNS.updated_at,
        "status": _COLUMNS.status,
        "channel": _COLUMNS.channel,
        "namespace": _COLUMNS.namespace,
        "experiment_id": _COLUMNS.experiment_id,
        "pipeline_id": _COLUMNS.pipeline_id,
        "run_id": _COLUMNS.run_id,
    },
)
NOTICES_LISTABLE = Listable(
    kind="notice",
    table=_NOTICES,
    key=_NOTICES.c.notice_id,
    fields={
        "notice_id": _NOTICES.c.notice_id,
        "id": _NOTICES.c.notice_id,
        "created_at": _NOTICES.c.created_at,
        "state": _NOTICES.c.state,
        "run_id": _NOTICES.c.run_id,
    },
)


class NoticeState(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    """Given up."""


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """JSON columns are text; times are microseconds, 0 for none."""

    notification_id: str
    namespace: str
    display_name: str
    states: str
    channel: str
    target: str
    created_at: int
    updated_at: int
    log_lines: int = 20
    description: str = ""
    status: str = Status.ENABLED
    experiment_id: str = ""
    pipeline_id: str = ""
    run_id: str = ""
    longer_than_seconds: int = 0
    secrets: str = "{}"
    error: str = ""
    error_at: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class NoticeRow:
    notice_id: str
    notification_id: str
    namespace: str
    run_id: str
    event_key: str
    facts: str
    created_at: int
    state: str = NoticeState.PENDING
    error: str = ""
    attempts: int = 0
    attempted_at: int = 0
    next_at: int = 0


_ENABLED = sa.select(
    _COLUMNS.notification_id, _COLUMNS.experiment_id, _COLUMNS.pipeline_id, _COLUMNS.run_id, _COLUMNS.states
).where(_COLUMNS.namespace == sa.bindparam("namespace"), _COLUMNS.status == Status.ENABLED.value)
_HAS = sa.select(_NOTICES.c.notice_id).where(
    _NOTICES.c.notification_id == sa.bindparam("notification_id"),
    _NOTICES.c.event_key == sa.bindparam("event_key"),
)


def insert(connection: sa.Connection, row: NotificationRow) -> None:
    connection.execute(_NOTIFICATIONS.insert(), asdict(row))


def replace(connection: sa.Connection, row: NotificationRow) -> None:
    """All of one that is there; what it has sent goes on being counted."""
    values = asdict(row)
    for name in ("notification_id", "created_at", "sent"):
        del values[name]
    _update(connection, row.notification_id, values)


def get(connection: sa.Connection, notification_id: str) -> NotificationRow | None:
    query = sa.select(_NOTIFICATIONS).where(_COLUMNS.notification_id == notification_id)
    found = connection.execute(query).one_or_none()
    return NotificationRow(**found._mapping) if found is not None else None


def namespace_of(connection: sa.Connection, notification_id: str) -> str | None:
    query = sa.select(_COLUMNS.namespace).where(_COLUMNS.notification_id == notification_id)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def delete(connection: sa.Connection, notification_id: str) -> bool:
    """With its notices: what waits to be sent is not sent."""
    found = connection.execute(_NOTIFICATIONS.delete().where(_COLUMNS.notification_id == notification_id))
    return found.rowcount > 0


def list_page(connection: sa.Connection, request: ListRequest, namespace: str) -> Page[NotificationRow]:
    where = [_COLUMNS.namespace == namespace]
    return select_page(connection, LISTABLE, request, where).mapped(
        lambda found: NotificationRow(**found._mapping)
    )


def list_notices(connection: sa.Connection, request: ListRequest, notification_id: str) -> Page[NoticeRow]:
    where = [_NOTICES.c.notification_id == notification_id]
    return select_page(connection, NOTICES_LISTABLE, request, where).mapped(
        lambda found: NoticeRow(**found._mapping)
    )


def set_status(connection: sa.Connection, notification_id: str, status: Status, at_micros: int) -> None:
    _update(connection, notification_id, {"status": status.value, "updated_at": at_micros})


# The outbox


def note(connection: sa.Connection, namespace: str, facts: Mapping[str, Any]) -> None:
    """Writes a notice for each enabled notification that wants to know of a run in this state."""
    for wanted in connection.execute(_ENABLED, {"namespace": namespace}).all():
        scope = (
            (wanted.experiment_id, "experiment_id"),
            (wanted.pipeline_id, "pipeline_id"),
            (wanted.run_id, "run_id"),
        )
        if all(not given or given == facts[name] for given, name in scope) and facts["state"] in json.loads(
            wanted.states
        ):
            key = f"{facts['run_id']}/{facts['state']}/{facts['at']}"
            _add(connection, wanted.notification_id, namespace, key, facts)


def note_late(connection: sa.Connection, now_micros: int) -> int:
    """Writes notices for runs that take longer than they should, once for each run: how many."""
    count = 0
    query = sa.select(_NOTIFICATIONS).where(
        _COLUMNS.longer_than_seconds > 0, _COLUMNS.status == Status.ENABLED.value
    )
    for found in connection.execute(query).all():
        for facts in _late_runs(connection, NotificationRow(**found._mapping), now_micros):
            key = f"{facts['run_id']}/{LATE}"
            count += _add(connection, found.notification_id, found.namespace, key, facts)
    return count


def is_any_late(connection: sa.Connection, now_micros: int) -> bool:
    """Whether `note_late` has anything to write."""
    query = sa.select(_NOTIFICATIONS).where(
        _COLUMNS.longer_than_seconds > 0, _COLUMNS.status == Status.ENABLED.value
    )
    rows = [NotificationRow(**found._mapping) for found in connection.execute(query)]
    return any(_late_runs(connection, row, now_micros) for row in rows)


def waits_for_late(connection: sa.Connection) -> bool:
    """Whether any notification wants to know of late runs at all."""
    query = sa.select(_COLUMNS.notification_id).where(
        _COLUMNS.longer_than_seconds > 0, _COLUMNS.status == Status.ENABLED.value
    )
    return connection.execute(query.limit(1)).first() is not None


def _late_runs(connection: sa.Connection, wanted: NotificationRow, now_micros: int) -> list[dict[str, Any]]:
    told = sa.exists().where(
        _NOTICES.c.notification_id == wanted.notification_id,
        _NOTICES.c.run_id == _RUNS.run_id,
        _NOTICES.c.event_key == _RUNS.run_id + f"/{LATE}",
    )
    where = [
        _RUNS.namespace == wanted.namespace,
        _RUNS.state.in_(_UNFINISHED),
        _RUNS.created_at <= now_micros - wanted.longer_than_seconds * 1_000_000,
        sa.not_(told),
    ]
    for column, value in (
        (_RUNS.experiment_id, wanted.experiment_id),
        (_RUNS.pipeline_id, wanted.pipeline_id),
        (_RUNS.run_id, wanted.run_id),
    ):
        if value:
            where.append(column == value)
    columns = (
        _RUNS.run_id, _RUNS.display_name.label("name"), _RUNS.pipeline_id, _RUNS.pipeline_version_id,
        _RUNS.experiment_id, _RUNS.service_account, _RUNS.recurring_run_id, _RUNS.created_at,
    )  # fmt: skip
    found = connection.execute(sa.select(*columns).where(*where).limit(KEPT)).all()
    return [dict(row._mapping) | {"state": LATE, "error": "", "at": now_micros} for row in found]


def _add(
    connection: sa.Connection, notification_id: str, namespace: str, key: str, facts: Mapping[str, Any]
) -> bool:
    if connection.execute(_HAS, {"notification_id": notification_id, "event_key": key}).first() is not None:
        return False
    row = NoticeRow(
        notice_id=new_uid(),
        notification_id=notification_id,
        namespace=namespace,
        run_id=facts["run_id"],
        event_key=key,
        facts=json.dumps(dict(facts), ensure_ascii=False),
        created_at=facts["at"],
        next_at=facts["at"],
    )
    connection.execute(_NOTICES.insert(), asdict(row))
    return True


def due(connection: sa.Connection, now_micros: int, limit: int) -> list[NoticeRow]:
    """What is to be sent now, one of each notification: the one that waits longest."""
    first = (
        sa.select(_NOTICES.c.notification_id, sa.func.min(_NOTICES.c.next_at).label("next_at"))
        .where(_NOTICES.c.next_at > sa.literal(0, literal_execute=True), _NOTICES.c.next_at <= now_micros)
        .group_by(_NOTICES.c.notification_id)
        .order_by("next_at")
        .limit(limit)
        .subquery()
    )
    query = (
        sa.select(_NOTICES)
        .join(
            first,
            sa.and_(
                first.c.notification_id == _NOTICES.c.notification_id,
                first.c.next_at == _NOTICES.c.next_at,
            ),
        )
        .order_by(_NOTICES.c.next_at, _NOTICES.c.notice_id)
    )
    found: dict[str, NoticeRow] = {}
    for row in connection.execute(query):
        found.setdefault(row.notification_id, NoticeRow(**row._mapping))
    return list(found.values())


def next_after(connection: sa.Connection, now_micros: int) -> int:
    query = sa.select(sa.func.min(_NOTICES.c.next_at)).where(
        _NOTICES.c.next_at > sa.literal(0, literal_execute=True), _NOTICES.c.next_at > now_micros
    )
    return int(connection.execute(query).scalar() or 0)


def settle(connection: sa.Connection, row: NoticeRow, now_micros: int, error: str = "") -> None:
    """Sent, or given up with an error."""
    state = NoticeState.FAILED if error else NoticeState.SENT
    values = {
        "state": state.value,
        "error": error,
        "attempts": row.attempts + 1,
        "attempted_at": now_micros,
        "next_at": 0,
    }
    connection.execute(_NOTICES.update().where(_NOTICES.c.notice_id == row.notice_id).values(values))
    told = {"error": error, "error_at": now_micros if error else 0}
    _update(connection, row.notification_id, told if error else told | {"sent": _COLUMNS.sent + 1})
    _prune(connection, row.notification_id)


def postpone(connection: sa.Connection, row: NoticeRow, now_micros: int, next_at: int, error: str) -> None:
    values = {"error": error, "attempts": row.attempts + 1, "attempted_at": now_micros, "next_at": next_at}
    connection.execute(_NOTICES.update().where(_NOTICES.c.notice_id == row.notice_id).values(values))
    _update(connection, row.notification_id, {"error": error, "error_at": now_micros})


def _prune(connection: sa.Connection, notification_id: str) -> None:
    """Old ones go, but not of runs that are late and unfinished: they would be told again."""
    done = (_NOTICES.c.notification_id == notification_id, _NOTICES.c.next_at == 0)
    edge = connection.execute(
        sa.select(_NOTICES.c.created_at)
        .where(*done)
        .order_by(_NOTICES.c.created_at.desc(), _NOTICES.c.notice_id.desc())
        .offset(KEPT)
        .limit(1)
    ).scalar()
    if edge is not None:
        live = sa.exists().where(_RUNS.run_id == _NOTICES.c.run_id, _RUNS.state.in_(_UNFINISHED))
        connection.execute(_NOTICES.delete().where(*done, _NOTICES.c.created_at <= edge, sa.not_(live)))


def _update(connection: sa.Connection, notification_id: str, values: dict[str, Any]) -> None:
    connection.execute(
        _NOTIFICATIONS.update().where(_COLUMNS.notification_id == notification_id).values(values)
    )
